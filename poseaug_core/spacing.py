"""Spacing: which of many moments of a run to do without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def crowded(steps: Sequence[int] | np.ndarray, many: int) -> list[int]:
    """Places of the steps, rising, to do without so that ``many`` are left, spread as evenly as may be: one by one the
    step whose neighbours are nearest to each other. The first and the last always stay."""
    left, places, gone = np.asarray(steps), np.arange(len(steps)), []
    while len(left) > max(many, 2):
        at = 1 + int((left[2:] - left[:-2]).argmin())
        gone.append(int(places[at]))
        left, places = np.delete(left, at), np.delete(places, at)
    return gone
