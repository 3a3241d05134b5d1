"""Clip: one person moving, in the world, before any camera has seen them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from poseaug_core.errors import Cancelled

#: Told the fraction done and what is being done; answers False to cancel.
Progress = Callable[[float, str], bool]


@dataclass(frozen=True)
class Clip:
    """One take of one person.

    name: what to call it. subject: number of the person. fps: frames a second.
    xyz: (frames, 16, 3) float32 metres, world frame, z up, the ground near z = 0.
    notes: what was found or decided while it was read, one sentence each.
    """

    name: str
    subject: int
    fps: float
    xyz: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.xyz)


def tell(progress: Progress | None, fraction: float, text: str) -> None:
    """Report progress; raises Cancelled where the listener says stop (None means carry on)."""
    if progress is not None and progress(fraction, text) is False:
        raise Cancelled(text)
