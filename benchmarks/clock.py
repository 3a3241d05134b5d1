"""What the benchmarks share: a stopwatch, and the matrix product in whose time others are told."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

SIDE = 2048
#: Floating-point operations of one product.
PRODUCT = 2 * SIDE**3


def timed(act: Callable[[], object]) -> float:
    """Seconds that act takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def product() -> float:
    """Seconds of one 2048 x 2048 x 2048 float32 product by torch, on its threads."""
    a = torch.ones(SIDE, SIDE)
    return timed(lambda: a @ a)
