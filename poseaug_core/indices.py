"""Fixed row numbers as tensors: a list that indexes a tensor of a GPU is copied there at each use."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Int
from torch import Tensor


@cache
def indices(rows: tuple[int, ...], device: torch.device) -> Int[Tensor, " r"]:
    """rows on a device, made once."""
    return torch.tensor(rows, device=device)
