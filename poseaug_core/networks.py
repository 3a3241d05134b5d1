"""Networks: everything that learns in a run, made from its config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from poseaug_core.augmentations import Augmentation, make_augmentation
from poseaug_core.config import Config
from poseaug_core.discriminators import PartKCS, Pose2D
from poseaug_core.estimators import make_estimator
from poseaug_core.judged import judged_skeleton, judges_2d
from poseaug_core.poses import Poses


@dataclass(frozen=True)
class Networks:
    """Everything that learns, and what augments where that does not learn. A discriminator that the config leaves
    out, or that nothing learns from, is None."""

    augmentor: Augmentation
    d3d: PartKCS | None
    d2d: Pose2D | None
    estimator: nn.Module

    @classmethod
    def make(
        cls,
        config: Config,
        source: Poses,
        device: torch.device,
        progress: Callable[[float, str], bool | None] | None = None,
    ) -> Networks:
        """New networks from config.seed on a device; torch's global generator is left as it was."""
        # Only evolution reads the source's columns, where they are.
        source = source.to(device) if config.augmentation == "evolution" else source
        parts, judges = judged_skeleton(config).parts, judges_2d(config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            estimator = make_estimator(config.estimator, config.estimator_width)
            augmentor = make_augmentation(config, source, progress)
            # Both drawn whatever the config says, so that leaving one out leaves the others' weights alone.
            d3d, d2d = PartKCS(parts or None, mixed=config.precision == "bfloat16"), Pose2D()
        made = cls(augmentor, d3d if parts else None, d2d if judges else None, estimator)
        for network in made.named().values():
            network.to(device).train()
        return made

    def named(self) -> dict[str, nn.Module]:
        """The networks that are there, by name."""
        return {name: network for name, network in vars(self).items() if isinstance(network, nn.Module)}
