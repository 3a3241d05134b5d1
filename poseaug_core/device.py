"""Where tensors live: choosing a device and saying how much memory it holds."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from poseaug_core.errors import UserError


def choose_device(name: str) -> torch.device:
    """'auto' takes CUDA, then Apple's MPS, then the CPU. Raises UserError for a device that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"There is no device called {name!r}; choose auto, cpu, cuda, cuda:1 or mps.")
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.type, False):
        raise UserError(f"Device {name!r} was asked for, but torch finds none here; choose 'cpu' or 'auto'.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"Device {name!r} was asked for, but there are {torch.cuda.device_count()}; choose a lower number."
        )
    return device


def memory_held(device: torch.device) -> int:
    """Bytes that torch holds on a GPU, or that this process occupies."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def use_threads(count: int) -> None:
    """CPU threads of torch's products; 0 takes one per core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(count or cores)


#: Parameters of glibc's mallopt, and bytes: heaps that end in less free room than this are not cut, smaller pieces do
#: not get pages of their own (more than 32 MiB is not allowed).
TRIM_THRESHOLD, MMAP_THRESHOLD = (-1, 2**31 - 1), (-3, 32 << 20)


@contextmanager
def memory_kept() -> Iterator[None]:
    """Within it, tensors that go leave their memory to those that come; at its end it is given back.

    glibc hands every tensor of some MB back to the system at once, and the next one's pages must be cleared anew:
    14,000 page faults an iteration at batch 1024, a tenth of its time. Other C libraries are left as they are.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    for parameter, value in (TRIM_THRESHOLD, MMAP_THRESHOLD):
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        library.malloc_trim(0)
