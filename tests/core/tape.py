"""A stand-in for CUDA graphs on a CPU: a tape of what was called with which tensors, played again into the same ones.

As a graph it runs no Python again, reads and writes the same memory, draws random numbers anew from the generator,
and recording does none of the work. Rehearsing finds what a GPU's host would have to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

#: What copies to the host or from it, on a GPU; lift_fresh is every tensor made of Python's or numpy's numbers.
WAITING = {
    "_local_scalar_dense", "nonzero", "equal", "lift_fresh", "masked_select", "unique_dim", "_unique2", "bincount",
    "repeat_interleave", "unique_consecutive",
}  # fmt: skip


def tensors(given) -> Iterator[Tensor]:
    """Those in arguments or answers, lists and all."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, list | tuple):
        for part in given:
            yield from tensors(part)


class Waits(TorchDispatchMode):
    """Notes the calls that would make a GPU's host wait."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, called, types, args=(), kwargs=None):
        name = called.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_") and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if name in WAITING or masks:
            self.found.append(name)
        return called(*args, **(kwargs or {}))


class _Recording(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls: list[tuple] = []
        self.held: dict[int, tuple[Tensor, torch.UntypedStorage]] = {}  # by address: what was there before
        self.made: set[int] = set()

    def __torch_dispatch__(self, called, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for tensor in tensors((args, list(kwargs.values()))):
            storage = tensor.untyped_storage()
            if (place := storage.data_ptr()) not in self.made and place not in self.held:
                self.held[place] = tensor, storage.clone()
        answer = called(*args, **kwargs)
        made = list(tensors(answer))
        self.made.update(p for t in made if (p := t.untyped_storage().data_ptr()) not in self.held)
        self.calls.append((called, args, kwargs, made))
        return answer


class Tape:
    """A Recorder that counts its recordings and replays."""

    def __init__(self, generator: Generator):
        self.generator, self.replays, self.recordings = generator, 0, 0

    def rehearse(self, work: Callable[[], None]) -> str:
        with Waits() as waits:
            work()
        return f"the step copies to or from the host: {waits.found[0]}" if waits.found else ""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        drawn = self.generator.get_state()
        recording = _Recording()
        try:
            with recording:
                work()
        finally:
            for tensor, before in recording.held.values():
                tensor.untyped_storage().copy_(before)
            self.generator.set_state(drawn)
        self.recordings += 1
        return lambda: self._play(recording.calls)

    @torch.no_grad()
    def _play(self, calls: list[tuple]) -> None:
        self.replays += 1
        for called, args, kwargs, before in calls:
            for there, now in zip(before, tensors(called(*args, **kwargs)), strict=True):
                if there.data_ptr() != now.data_ptr():
                    there.copy_(now)
