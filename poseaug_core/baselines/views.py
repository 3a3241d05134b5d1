"""View points and positions that a baseline makes of a source: its column in PoseAug's Fig. 7."""

from __future__ import annotations

from collections.abc import Callable

import torch

from poseaug_core.baselines.evolution import evolve
from poseaug_core.baselines.random_views import RandomAugmentor
from poseaug_core.diversity import Views
from poseaug_core.errors import UserError
from poseaug_core.poses import Poses
from poseaug_core.viewpoint import view_point

#: Name on the command line -> heading of the column.
TITLES = {"evolution": "Li et al.", "random": "Random views"}
#: As many source poses at most are evolved for a picture.
LARGEST = 20_000


@torch.no_grad()
def baseline_views(
    name: str, source: Poses, count: int, seed: int = 0, progress: Callable[[float, str], bool | None] | None = None
) -> Views:
    """``count`` poses, spread evenly over the source (on the CPU), as the baseline of TITLES augments them.

    Evolution breeds one child for each pose of the source, of which LARGEST poses spread evenly are taken. The same
    seed gives the same. progress(share, text) may return False to cancel (raises Cancelled). UserError for other names.
    """
    if name not in TITLES:
        raise UserError(f"There is no baseline {name!r}; choose one of {', '.join(TITLES)}.")
    generator = torch.Generator().manual_seed(seed)
    if name == "evolution":
        source = source.take(source.spread(LARGEST))
        augmentor = evolve(source, len(source), generator, progress=progress)
    else:
        augmentor = RandomAugmentor()
    rows = source.spread(count)
    made = augmentor(source.xyz[rows], source.camera[rows], augmentor.draw(rows, generator))
    return Views(view_point(made.rt).numpy(), made.rt[:, 0].numpy())
