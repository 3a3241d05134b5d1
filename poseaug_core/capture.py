"""Iterations recorded once and replayed: a CUDA graph each for one, two, four and eight of them.

What is recorded is the iteration that runs everywhere else; nothing here knows what it does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Generator

from poseaug_core.plain_text import of_library

#: Iterations of one recording, the longest first.
LENGTHS = (8, 4, 2, 1)
#: Iterations of a kind that run as they are before one is recorded: libraries choose and load their kernels, constants
#: are copied to the device. Of the last two one must do without.
REHEARSALS = 3
#: Recordings kept; turning the discriminators' interval or switches to and fro makes more and more of them.
MOST = 64
Work = Callable[[], None]


class Recorder(Protocol):
    """What records work of a device and replays it with the same tensors in the same places."""

    def rehearse(self, work: Work) -> str:
        """Do the work as it is; why it cannot be recorded, or ''."""
        ...

    def record(self, work: Work) -> Work:
        """Record the work without doing it; what does it. Raises RuntimeError where that is impossible."""
        ...


class Captured:
    """Iterations by kind. A kind stands for all that is not a number on the device: what has the same kind does the
    same.

    recorder: None runs everything as it is. forget: called after a recording that failed, to drop what work left.
    why: one sentence on why nothing is recorded any more, or ''.
    """

    def __init__(self, recorder: Recorder | None, forget: Work = lambda: None):
        self.recorder, self.forget, self.why = recorder, forget, ""
        self.rehearsed: dict[Hashable, int] = {}
        self.hindrance: dict[Hashable, str] = {}
        self.recorded: dict[tuple[Hashable, ...], Work] = {}

    @property
    def at_work(self) -> bool:
        return self.recorder is not None and not self.why

    def together(self, kinds: Sequence[Hashable]) -> int:
        """How many of these iterations, the next ones by their kinds, may run with one call."""
        known = 0
        while self.at_work and known < len(kinds) and self.rehearsed.get(kinds[known], 0) >= REHEARSALS:
            known += 1
        return max(known, 1)

    def run(self, kinds: Sequence[Hashable], works: Sequence[Work]) -> None:
        """Do the iterations, more than one only where ``together`` allows it. One of kind None runs as it is."""
        begin = 0
        while begin < len(works):
            count = next(length for length in LENGTHS if length <= len(works) - begin)
            self._run(tuple(kinds[begin : begin + count]), list(works[begin : begin + count]))
            begin += count

    def _run(self, kinds: tuple[Hashable, ...], works: list[Work]) -> None:
        def work() -> None:
            for iteration in works:
                iteration()

        if not self.at_work or kinds[0] is None:
            work()
        elif self.rehearsed.get(kinds[0], 0) < REHEARSALS:
            self.rehearsed[kinds[0]] = self.rehearsed.get(kinds[0], 0) + 1
            before, self.hindrance[kinds[0]] = self.hindrance.get(kinds[0], ""), self.recorder.rehearse(work)
            if self.rehearsed[kinds[0]] == REHEARSALS and before:  # once may have been another thread's doing
                self._give_up(self.hindrance[kinds[0]])
        elif kinds in self.recorded or self._record(kinds, work):
            self.recorded[kinds] = self.recorded.pop(kinds)  # the last of them, so that the first is the longest unused
            self.recorded[kinds]()
        else:
            work()

    def _record(self, kinds: tuple[Hashable, ...], work: Work) -> bool:
        try:
            while len(self.recorded) >= MOST:
                self.recorded.pop(next(iter(self.recorded)))
            self.recorded[kinds] = self.recorder.record(work)
        except RuntimeError as error:
            self.forget()
            # What went wrong first: a capture that broke off also fails to end.
            self._give_up(of_library(error.__context__ or error))
        return self.at_work

    def _give_up(self, reason: str) -> None:
        if reason:
            self.recorded.clear()
            self.why = f"Iterations run one by one, as they cannot be recorded as CUDA graphs ({reason})."


class CudaGraphs:
    """Recorder of a CUDA device; all graphs share one pool of memory, as nothing in it outlives a replay.

    generator: what the work draws from. At most one replay waits behind the one that runs, so that controls turned
    act on the next but one at the latest.
    """

    def __init__(self, device: torch.device, generator: Generator):
        self.device, self.generator = device, generator
        self.pool = torch.cuda.graph_pool_handle()
        self.side = torch.cuda.Stream(device)
        self.before: torch.cuda.Event | None = None

    def rehearse(self, work: Work) -> str:
        """On a side stream, as recording will be. What makes the host wait for the device is no work for a graph.

        torch watches for that in the whole process, so that another thread's waiting counts as well.
        """
        mode = torch.cuda.get_sync_debug_mode()
        self.side.wait_stream(torch.cuda.current_stream(self.device))
        with warnings.catch_warnings(record=True) as caught, torch.cuda.stream(self.side):
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                work()
            finally:
                torch.cuda.set_sync_debug_mode(mode)
        torch.cuda.current_stream(self.device).wait_stream(self.side)
        waits = any("synchronizing CUDA operation" in str(warning.message) for warning in caught)
        return "the step copies to or from the host" if waits else ""

    def record(self, work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        spare, stream = self.generator.clone_state(), torch.cuda.current_stream(self.device)
        try:
            # thread_local: what other threads do, a window's for instance, breaks no recording of this one.
            with torch.cuda.graph(graph, pool=self.pool, stream=self.side, capture_error_mode="thread_local"):
                work()
        except RuntimeError:
            # A capture that breaks off leaves its stream current and the generator in its middle.
            torch.cuda.set_stream(stream)
            self.generator.graphsafe_set_state(spare)
            raise
        return lambda: self._replay(graph)

    def _replay(self, graph: torch.cuda.CUDAGraph) -> None:
        if self.before is not None:
            self.before.synchronize()
        self.before = torch.cuda.Event(blocking=True)
        graph.replay()
        self.before.record()


def make_captured(device: torch.device, generator: Generator, wanted: bool, forget: Work) -> Captured:
    """As CUDA graphs where there are any and they are wanted, else everything as it is."""
    return Captured(CudaGraphs(device, generator) if wanted and device.type == "cuda" else None, forget)
