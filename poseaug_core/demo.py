"""The demo: a run that needs no data and shows the augmentor at work within seconds."""

from __future__ import annotations

from typing import Any

from poseaug_core.assets import asset
from poseaug_core.config import Config, make_config

#: Over a preset's settings, so that a laptop's CPU gets through a run in minutes.
LAPTOP: dict[str, Any] = {
    "estimator_width": 256,
    "batch_size": 256,
    "warmup_epochs": 0,
    "warmup_iterations": 400,
    "snapshot_every": 10,
    "evaluate_epochs": 2,
    "checkpoint_epochs": 5,
}
DEMO: dict[str, Any] = {
    **LAPTOP,
    "source": "demo:source",
    "source_test": "demo:source_test",
    "cross": ("demo:cross",),
    "epochs": 40,
    "pretrain_epochs": 10,
}
PRESET = "small_data"
WEIGHTS = "demo_estimator.safetensors"


def demo_config(**overrides) -> Config:
    """The demo's config; starts from the pre-trained estimator where the program came with one."""
    try:
        asset(WEIGHTS)
        weights = {"estimator_weights": f"asset:{WEIGHTS}"}  # found again wherever the program is
    except FileNotFoundError:
        weights = {}
    return make_config(PRESET, **{**DEMO, **weights, **overrides})
