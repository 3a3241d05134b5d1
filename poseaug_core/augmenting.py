"""Augmented pairs from a trained augmentor, as training hands them to the estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from poseaug_core.augmentations import make_augmentation
from poseaug_core.augmentor import Augmentor
from poseaug_core.config import Config
from poseaug_core.controls import Controls
from poseaug_core.epoch import Epoch
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.poses import Poses
from poseaug_core.resident import Resident


@torch.no_grad()
def augmented_pairs(
    config: Config,
    controls: Controls,
    tensors: dict[str, Tensor],
    source: Poses,
    templates: Float[Tensor, "k 15"],
    seed: int,
    progress: Callable[[float, str], bool] | None = None,
) -> Poses:
    """The source's RT poses and their 2D by the augmentor of a checkpoint; pairs that training drops are left out.

    Where the config swaps bone lengths, every pose first gets those of a random one of templates (metres), as in an
    epoch of training; seed draws that and the noise.
    controls say which operations are on. Batches are normalised by themselves, as in training. UserError where no
    pair is left, Cancelled where progress(share, text) answers False.
    """
    augmentor = make_augmentation(config, source, progress)
    if isinstance(augmentor, Augmentor):
        prefix = "augmentor."
        augmentor.train()
        augmentor.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    generator = torch.Generator().manual_seed(seed)
    batch = min(config.batch_size, len(source))
    epoch = Epoch(Resident(source), templates if config.swap_bone_lengths else None, batch)
    epoch.begin_pass(generator, swap=True)
    epoch.order = torch.arange(len(source))  # pairs stay in the source's order, so that rows match
    batches = -(-len(source) // batch)
    for i in range(batches):
        if progress and progress(i / batches, f"augmenting {source.name}") is False:
            raise Cancelled(f"Augmenting {source.name} was cancelled.")
        picked, xyz, _, camera = epoch.swapped(i)
        noise = augmentor.draw(picked, generator)
        made = augmentor(xyz, camera, noise, controls.apply_ba, controls.apply_bl, controls.apply_rt)
        epoch.collect(i, made, config.keep_rule)
    # The last batch wraps around to the first poses: those are not given twice.
    rows = epoch.usable[: len(source)].nonzero()[:, 0]
    if len(rows) == 0:
        raise UserError(
            f"None of the {len(source):,} augmented poses lies inside the image; train the augmentor for longer."
        )
    kept = source.take(rows)
    return replace(kept, xyz=epoch.collected_xyz[rows], uv=epoch.collected_uv[rows], name=f"{source.name} augmented")
