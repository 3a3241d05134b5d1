"""Standard output and error that cannot end the work whose progress they tell.

A pipe whose reader has gone, a full disk, a terminal that was closed or a descriptor that was never open: what cannot
be written is dropped, and remembered, so that a command can say by its exit code that its result was not told.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Steady:
    """A text stream whose writing never fails. lost: whether something that was written went nowhere.

    After a failure its descriptor leads to the null device, so that no other writer, such as the interpreter at its
    end, fails in its turn. It has no ``buffer``: bytes would go around it.
    """

    def __init__(self, stream: TextIO | None):
        self._stream = open(os.devnull, "w") if stream is None else stream
        self._closed = stream is None
        self.lost = False
        with suppress(AttributeError, OSError, ValueError):  # names of files need not be text
            self._stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        self.lost = self.lost or (self._closed and bool(text))
        self._try(self._stream.write, text)
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)

    def _try(self, act, *given) -> None:
        try:
            act(*given)
        except BlockingIOError:  # its reader is slow and nobody may wait: this much is not told
            self.lost = True
        except (OSError, ValueError):  # ValueError: it was closed
            self.lost = True
            with suppress(OSError, ValueError):
                _lead_to_nowhere(self._stream.fileno())


def tell_now(text: str) -> None:
    """Write on standard error from within a signal's handler, where no stream may be used."""
    with suppress(OSError):
        os.write(2, text.encode())


def hold_descriptors() -> None:
    """Lead those of 0, 1 and 2 that are closed to the null device: a file opened later would get their number, and
    with it what others write on standard error."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            _lead_to_nowhere(number)


@contextmanager
def steady_streams() -> Iterator[Steady]:
    """Make sys.stdout and sys.stderr steady; gives stdout. Those of the process itself stay so to its end."""
    hold_descriptors()
    before = sys.stdout, sys.stderr
    steady = [stream if isinstance(stream, Steady) else Steady(stream) for stream in before]
    sys.stdout, sys.stderr = steady
    try:
        yield steady[0]
    finally:
        for stream in steady:
            stream.flush()
        own = sys.__stdout__, sys.__stderr__
        sys.stdout, sys.stderr = (
            was if was is not real else now for was, real, now in zip(before, own, steady, strict=True)
        )


def _lead_to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    os.set_inheritable(number, True)
