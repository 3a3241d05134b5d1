"""Keypoints: 2D poses of images without any 3D, mapped to the skeleton's joints and normalised."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from poseaug_core.skeleton import HUMAN16, Skeleton

#: Height over width beyond which an image is padded to a square.
PORTRAIT = 1.05


@dataclass(frozen=True)
class Keypoints:
    """n people in images.

    uv: (n, 16, 2) float32, normalised by image width as Poses.uv; portrait images are padded to squares first, see
    ``normalised``. confidence: (n, 16) float32 in 0..1; 0 for a joint that was not found and had to
    be filled in. size: (n, 2) float32, the image's width and height in pixels (before padding), 0 where unknown.
    image: (n,) int64, index into images. images: file names or frame numbers, as given.
    name: what to call the set. notes: what was decided while reading, one sentence each.
    """

    uv: Tensor
    confidence: Tensor
    size: Tensor
    image: Tensor
    images: tuple[str, ...] = ()
    name: str = "keypoints"
    notes: tuple[str, ...] = ()
    skeleton: Skeleton = field(default=HUMAN16, repr=False)

    def __len__(self) -> int:
        return len(self.uv)

    def take(self, rows) -> Keypoints:
        """The people at rows (indices, slice or mask), in that order."""
        rows = torch.as_tensor(rows) if not isinstance(rows, (slice, Tensor)) else rows
        return replace(self, **{c: getattr(self, c)[rows] for c in ("uv", "confidence", "size", "image")})


def normalising_side(size: np.ndarray) -> np.ndarray:
    """(...) pixels that two units of uv stand for in images of size (..., 2): the width, in portrait images the height.

    Portrait is what is higher than wide by more than PORTRAIT; Human3.6M's 1000 x 1002 stay as they are.
    """
    width, height = size[..., 0], size[..., 1]
    return np.where(height > PORTRAIT * width, height, width)


def normalised(pixels: np.ndarray, size: np.ndarray) -> np.ndarray:
    """uv (..., 2) of pixels (..., 2) in images of size (..., 2), width and height.

    ``u = 2 px / w - 1``, ``v = 2 py / w - h / w``; a portrait image is padded to a square first, half on the left
    and half on the right, so that w is its height.
    """
    return (2 * pixels - size) / normalising_side(size)[..., None]
