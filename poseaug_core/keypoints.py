"""Keypoints: 2D poses of images without any 3D, mapped to the skeleton's joints and normalised."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from poseaug_core.skeleton import HUMAN16, Skeleton


@dataclass(frozen=True)
class Keypoints:
    """n people in images.

    uv: (n, 16, 2) float32, normalised by image width as Poses.uv.
    confidence: (n, 16) float32 in 0..1; 0 for a joint that was not found and had to be filled in.
    size: (n, 2) float32, the image's width and height in pixels, as uv was normalised by.
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
