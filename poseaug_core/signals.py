"""Ctrl+C, SIGTERM and SIGHUP while long work is done: end it in order, and at once where that is asked for again.

Exit codes are the shell's: 128 and the number of the signal, 130 for Ctrl+C, 143 for SIGTERM, 129 for SIGHUP.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from poseaug_core.streams import tell_now

#: Those that ask a program to end. SIGHUP, of a terminal that was closed, is not known everywhere.
ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
#: Seconds within which a signal that comes again is the same one: 'timeout' and shells send theirs twice.
AGAIN = 0.5


class Ended(KeyboardInterrupt):
    """A signal ended the work. number: which one."""

    def __init__(self, number: int):
        super().__init__(f"ended by signal {number}")
        self.number = number

    @property
    def code(self) -> int:
        return exit_code(self.number)


class Asked:
    """Which signal asked for the end, None as long as none did."""

    def __init__(self):
        self.number: int | None = None
        self.at: dict[int, float] = {}  # when each came first

    def __bool__(self) -> bool:
        return self.number is not None

    @property
    def code(self) -> int:
        """Exit code of a program that ended as it was asked to; 0 where it was not."""
        return 0 if self.number is None else exit_code(self.number)


def exit_code(number: int) -> int:
    return 128 + number


def end_now(number: int) -> None:
    """End the process at once; histories and checkpoints that were written stay good."""
    tell_now("\nEnded at once; the last checkpoint is kept.\n")
    os._exit(exit_code(number))


def end_by_interrupt(number: int) -> None:
    """Raise Ended where the main thread is, so that what it has begun is cleared away."""
    raise Ended(number)


@contextmanager
def stopping(stop: Callable[[], None], again: Callable[[int], None] = end_now, words: str = "") -> Iterator[Asked]:
    """Within it the first signal calls stop() and says words on stderr; the same one again calls again(number).

    A second SIGHUP never ends at once: a closed terminal and its shell send one each. One that was ignored from the
    start, as nohup does, stays so. To be entered in the main thread.
    """
    asked = Asked()

    def handle(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        first = asked.at.setdefault(number, now)
        if asked.number is None:
            asked.number = number
            stop()
            tell_now(words)
        elif number != getattr(signal, "SIGHUP", None) and now - first >= AGAIN:
            again(number)

    with _handled(handle, ENDING):
        yield asked


@contextmanager
def interrupted() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP end the work as Ctrl+C does: by an exception, Ended, that clears away."""
    with _handled(lambda number, frame: end_by_interrupt(number), ENDING[1:]):
        yield


@contextmanager
def _handled(handle: Callable, numbers: list[int]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    for number in numbers:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
