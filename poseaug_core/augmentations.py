"""Whatever augments: the augmentor that learns, or one of the baselines that stand in its place."""

from __future__ import annotations

from collections.abc import Callable

import torch

from poseaug_core.augmentor import Augmentor
from poseaug_core.baselines import Evolved, RandomAugmentor, evolve
from poseaug_core.config import Config
from poseaug_core.poses import Poses

#: All have draw(rows, generator), and are called with (xyz, camera, draws, apply_ba, apply_bl, apply_rt) -> Augmented.
Augmentation = Augmentor | Evolved | RandomAugmentor


def make_augmentation(
    config: Config, source: Poses, progress: Callable[[float, str], bool | None] | None = None
) -> Augmentation:
    """What config.augmentation names; an Augmentor also where nothing is augmented, to be looked at.

    An Augmentor's weights come from torch's global generator, a population from config.seed. Breeding one takes
    seconds: progress(share, text) may return False to cancel (raises Cancelled).
    """
    if config.augmentation == "random":
        return RandomAugmentor(config)
    if config.augmentation == "evolution":
        generator = torch.Generator(source.xyz.device).manual_seed(config.seed)
        return evolve(source, round(config.evolution_size * len(source)), generator, config, progress)
    return Augmentor(config.fix_trunk, mixed=config.precision == "bfloat16")
