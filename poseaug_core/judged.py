"""Which parts of the body a run's 3D discriminator judges, and whether it has discriminators at all."""

from __future__ import annotations

from poseaug_core.config import SETTINGS, Config
from poseaug_core.skeleton import JUDGED, Skeleton

NO_3D = "This run has no 3D discriminator."
NO_2D = "This run has no 2D discriminator."
NEITHER = "This run has no discriminators."


def judged_skeleton(config: Config) -> Skeleton:
    """The skeleton with the parts that the run's 3D discriminator judges; none where nothing learns from it."""
    return JUDGED[config.discriminator3d if SETTINGS["discriminator3d"].in_use(config) else "none"]


def judges_2d(config: Config) -> bool:
    """Whether the run has a 2D discriminator that learns."""
    return config.discriminator2d and SETTINGS["discriminator2d"].in_use(config)
