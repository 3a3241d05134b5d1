"""Data small enough to train on within a test, and a configuration to go with it."""

from __future__ import annotations

import numpy as np
import torch

from poseaug_core.config import Config, make_config
from poseaug_core.datasets import TrainingData
from poseaug_core.poses import Poses, make_poses
from tests.studio.fakes import STANDING

SMALL = {
    "estimator_width": 16, "batch_size": 16, "pretrain_epochs": 1, "epochs": 3, "warmup_epochs": 1, "pool_size": 32,
    "probe_size": 4, "crowd_size": 12, "snapshot_every": 2, "threads": 1, "device": "cpu",
}  # fmt: skip


def small_config(**overrides) -> Config:
    return make_config(**{**SMALL, **overrides})


def small_poses(count: int = 40, seed: int = 0, name: str = "small") -> Poses:
    """People standing about, facing anywhere, in two sizes (subjects 0 and 1) and four clips."""
    rng = np.random.default_rng(seed)
    angle, subject = rng.uniform(-np.pi, np.pi, count), np.arange(count) % 2
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros(count), np.ones(count)
    turn = np.stack([c, zero, s, zero, one, zero, -s, zero, c], -1).reshape(-1, 3, 3)
    size = np.where(subject == 0, 1.0, 0.9)[:, None, None]
    pose = size * (STANDING + rng.normal(0, 0.04, (count, 16, 3))) @ turn.transpose(0, 2, 1)
    root = np.stack([rng.uniform(-0.5, 0.5, count), rng.uniform(-0.2, 0.3, count), rng.uniform(4, 6, count)], -1)
    camera = np.tile([2.3, 2.3, 0.02, 0.03, -0.2, 0.24, 0, -0.001, -0.001], (count, 1))
    tag = np.stack([subject, np.arange(count) // 10, np.arange(count), zero], -1)
    return make_poses(
        pose - pose[:, :1] + root[:, None], None, camera, tag, [f"clip{i}" for i in range(count // 10)], name
    )


def small_data() -> TrainingData:
    source = small_poses(seed=1, name="source")
    return TrainingData(
        source, small_poses(20, 2, "test"), {"cross": small_poses(20, 3, "cross")}, source.bone_templates()
    )


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Bit for bit equality of two states."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
