"""People annotated in images, as Keypoints: what MPII and LSP have in common."""

from __future__ import annotations

import numpy as np
import torch

from poseaug_core.errors import UserError
from poseaug_core.keypoints import Keypoints, normalised, normalising_side
from poseaug_core.units import PIXEL, UV, require


def keypoints_of(
    pixels: np.ndarray,
    found: np.ndarray,
    size: np.ndarray,
    box: tuple[np.ndarray, np.ndarray],
    images: list[str],
    name: str,
    notes: list[str],
) -> Keypoints:
    """Keypoints of the people whose 16 joints are all annotated.

    pixels: (n, 16, 2). found: (n, 16). size: (n, 2) of each image, 0 where unknown. box: corner and side (n, 2) of what
    counts as the image there. Raises UserError where nobody is left, or joints lie where no image is.
    """
    require(PIXEL, np.where(found[..., None], pixels, 0), name, "person", "people")
    whole = found.all(1)
    if not whole.any():
        raise UserError(f"{name}: 0 of {len(whole):,} people have all joints annotated, at least 1 is needed.")
    notes = list(notes)
    if not whole.all():
        notes.append(f"{(~whole).sum():,} of {len(whole):,} people lack joints and are left out")
    kept = np.flatnonzero(whole)
    pixels, size, corner, side = (column[kept] for column in (pixels, size, *box))
    known = size.min(1) > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        uv = np.where(
            known[:, None, None],
            normalised(pixels, np.where(known[:, None], size, 1.0)[:, None]),
            normalised(pixels - corner[:, None], side[:, None]),
        )
        fits = UV.holds(uv).all((1, 2))
    require(UV, np.where((known | ~known.any())[:, None, None], uv, 0), name, "person", "people")
    if not fits.all():
        notes.append(
            f"{(~fits).sum():,} people reach beyond {UV.high:g} times the square that their file says is around them, "
            "and are left out"
        )
        kept, uv, size, known = (column[fits] for column in (kept, uv, size, known))
    if (~known).any():
        notes.append(
            f"the image sizes of {(~known).sum():,} people are not known: a square around each counts as the image; "
            "put the images beside the file, or name their folder with ?images=FOLDER"
        )
    portrait = known & (normalising_side(size) > size[:, 0])
    if portrait.any():
        notes.append(
            f"{portrait.sum():,} of {known.sum():,} people are in portrait images, which count as padded to squares"
        )
    seen = [images[row] for row in kept.tolist()]
    names = list(dict.fromkeys(seen))
    number = {image: i for i, image in enumerate(names)}
    return Keypoints(
        torch.from_numpy(uv).float(),
        torch.ones(len(uv), 16),
        torch.from_numpy(size).float(),
        torch.tensor([number[image] for image in seen]),
        tuple(names),
        name,
        tuple(notes),
    )
