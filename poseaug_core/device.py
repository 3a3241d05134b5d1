"""Where tensors live: choosing a device and saying how much memory it holds."""

from __future__ import annotations

import ctypes
import os
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


_changing_threads = threading.Lock()


def use_threads(count: int) -> None:
    """CPU threads of the products of the thread that calls; 0 takes one per core that this process may use.

    Other threads keep their number, and those to come begin with what they would have begun with.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # torch also makes a thread's number that which new threads begin with; only a thread that has none yet tells it.
    with _changing_threads, ThreadPoolExecutor(1) as fresh:
        begin_with = fresh.submit(torch.get_num_threads).result()
        torch.get_num_threads()  # else the first product begins with that number, whatever was set before
        torch.set_num_threads(count or cores)
        fresh.submit(torch.set_num_threads, begin_with).result()


def threads() -> int:
    """CPU threads of the products of the thread that calls; they are asked for while no other thread sets its own."""
    with _changing_threads:
        return torch.get_num_threads()


#: Parameters of glibc's mallopt with their bytes while memory is kept, and after it: heaps that end in less free room
#: are not cut, smaller pieces do not get pages of their own (more than 32 MiB is not allowed). By itself glibc begins
#: with 128 KiB for both and raises them, up to the values after it, by the pieces that go; whoever sets them ends that
#: for good, so that the smaller ones would make every tensor's pages be cleared anew for the rest of the process.
THRESHOLDS = {-1: (2**31 - 1, 64 << 20), -3: (32 << 20, 32 << 20)}
#: Where users have set these themselves, which is left as it is.
SET_BY_USERS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
_keeping, _changing_keeping = 0, threading.Lock()


@contextmanager
def memory_kept() -> Iterator[None]:
    """Within it, tensors that go leave their memory to those that come; at its end the system gets it back.

    glibc hands every tensor of some MB back at once, and the next one's pages must be cleared anew: 14,000 page faults
    an iteration at batch 1024, a tenth of its time. It works on the whole process, and what lies between pieces that
    last is used again by whoever comes later. At its end glibc is as it is where tensors of up to 32 MiB have come and
    gone. Other C libraries, and what users have set, are left as they are.
    """
    tuned = "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    chosen = tuned or any(name in os.environ for name in SET_BY_USERS)
    library = ctypes.CDLL(None) if os.name == "posix" and not chosen else None
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    global _keeping
    with _changing_keeping:
        _keeping += 1
        for parameter, (kept, _) in THRESHOLDS.items():
            library.mallopt(parameter, kept)
    try:
        yield
    finally:
        with _changing_keeping:
            _keeping -= 1
            if not _keeping:  # not what another thread's training still keeps
                for parameter, (_, after) in THRESHOLDS.items():
                    library.mallopt(parameter, after)
                library.malloc_trim(0)
