"""Journal: a file of JSON lines that one process appends to and others follow.

What is damaged in it is passed over and told; the rest counts.
"""

from __future__ import annotations

import json
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from poseaug_core.bounded import open_file
from poseaug_core.errors import UserError
from poseaug_core.journal_rows import LONGEST, Damaged, Unknown, out_of_order, parsed
from poseaug_core.storage import explained, replacing

Row = dict[str, Any]
#: Damaged lines that are counted one by one; places to go on from that are remembered, each by the bytes before it.
COUNTED, PLACES, BEFORE = 1000, 16, 256


class Journal:
    """JSON objects, one a line, in the order of their steps. A line counts only when its newline is there.

    check: the row as it is used; raises Damaged or Unknown. lost: what damaged lines mean, to be told after 'so'.
    usual: how the lines that this program writes begin and end. ordered: whether steps never fall.
    """

    def __init__(
        self,
        path: Path,
        check: Callable[[Row], Row],
        lost: str,
        usual: tuple[bytes, bytes] = (b"{", b"}"),
        ordered: bool = True,
    ):
        self.path, self.check, self.lost, self.usual, self.ordered = path, check, lost, usual, ordered
        self._stream = None
        self.looked_at = False  # whether it was read from the beginning
        self._places: OrderedDict[int, bytes] = OrderedDict()
        self._bad: set[int] = set()  # where damaged lines begin, in bytes
        self._strange: set[int] = set()  # and those about what this version does not know

    # writing

    def open(self) -> None:
        """Make ready to append."""
        try:
            self._stream = open(self.path, "a+b", buffering=0)
        except OSError as error:
            raise explained(self.path, error) from error

    def append(self, row: Row) -> None:
        """Write one line, whole: where the disk is full the file stays as it was and UserError is raised."""
        line = json.dumps(row).encode() + b"\n"
        before = os.fstat(self._stream.fileno()).st_size
        try:
            if before:
                self._stream.seek(before - 1)
                if self._stream.read(1) != b"\n":  # a line was cut by a kill, and is not to swallow this one
                    line = b"\n" + line
            written = self._stream.write(line)
            if written != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            os.ftruncate(self._stream.fileno(), before)
            raise explained(self.path, error) from error

    @contextmanager
    def keeping(self, wanted: Callable[[Row], bool]) -> Iterator[None]:
        """The complete rows that are wanted take the file's place if the block succeeds; it stays as it was else.

        Damaged lines go. A line about what this version does not know is wanted as {step: its step, kind: ''}. Read
        and written a line at a time, before the block: a long run has many.
        """
        with replacing(self.path) as part:
            if self.path.exists():
                kept = self._wanted(wanted)
                with open_file(self.path) as old, open(part, "wb") as new:
                    for at, _, line in _lines(old, 0):
                        if at in kept:
                            new.write(line)
            yield
        self._forget()
        self.looked_at = True

    def _wanted(self, wanted: Callable[[Row], bool]) -> set[int]:
        """Where the good lines begin whose rows are wanted."""
        places, steps, kept = [], [], []
        with open_file(self.path) as stream:
            for at, _, line in _lines(stream, 0):
                if line.isspace():
                    continue
                try:
                    row = self.check(parsed(line))
                except Unknown as error:
                    row = {"step": error.step, "kind": ""}
                except Damaged:
                    self._note(self._bad, at)
                    continue
                places.append(at)
                steps.append(row["step"])
                kept.append(wanted(row))
        astray = out_of_order(steps) if self.ordered else set()
        for place in astray:
            self._note(self._bad, places[place])
        return {at for place, at in enumerate(places) if kept[place] and place not in astray}

    def rewrite(self, rows: list[Row]) -> None:
        """These rows in place of the file's, whole or not at all."""
        with replacing(self.path) as part:
            part.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        self._forget()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # reading

    def read(self, since: int = 0, containing: bytes = b"") -> tuple[list[Row], int]:
        """(good rows after byte ``since``, where to go on from); lines without ``containing`` are passed over.

        What is damaged, out of order or unknown is left out, see ``damage``. A ``since`` that is no end of a line, or
        before which there is something else than when it was given out, means that the file was replaced or cut back:
        reading starts over. UserError for a file that may not be read.
        """
        self.looked_at = self.looked_at or since == 0
        rows: list[Row] = []
        places: list[int] = []
        try:
            with open_file(self.path) as stream:
                since = self._checked(stream, since)
                if since == 0:
                    self._bad.clear()
                    self._strange.clear()
                for at, end, line in _lines(stream, since):
                    since = end
                    if line.isspace() or (containing not in line and self._is_usual(line)):
                        continue
                    try:
                        row = self.check(parsed(line))
                    except Damaged:
                        self._note(self._bad, at)
                    except Unknown:
                        self._note(self._strange, at)
                    else:
                        if containing in line:
                            rows.append(row)
                            places.append(at)
                self._remember(stream, since)
        except FileNotFoundError:
            return [], 0
        except OSError as error:
            raise UserError(f"{self.path} cannot be read ({error.strerror or error}); check the file.") from error
        astray = out_of_order([row["step"] for row in rows]) if self.ordered else set()
        for place in astray:
            self._note(self._bad, places[place])
        return [row for place, row in enumerate(rows) if place not in astray], since

    @property
    def damage(self) -> list[str]:
        """What of the file, as far as it was read, does not count, in sentences; [] of a whole one."""
        found = []
        if self._bad:
            found.append(f"{self.path} is damaged: {self._counted(self._bad)}, so {self.lost}.")
        if self._strange:
            found.append(
                f"{self.path} is of a later version of this program: {self._counted(self._strange)}, "
                "about controls that this version does not have."
            )
        return found

    def _counted(self, places: set[int]) -> str:
        first, many = min(places), len(places)
        try:
            with open_file(self.path) as stream:
                line = 1 + sum(stream.read(min(1 << 20, first - at)).count(b"\n") for at in range(0, first, 1 << 20))
        except OSError:
            line = 0
        count = f"at least {COUNTED:,}" if many >= COUNTED else f"{many:,}"
        where = f"{'' if many == 1 else 'the first is '}line {line:,}" if line else "where is not known any more"
        return f"{count} line{' was' if many == 1 else 's were'} passed over ({where})"

    def _note(self, places: set[int], at: int) -> None:
        if len(places) < COUNTED:
            places.add(at)

    def _forget(self) -> None:
        self._places.clear()
        self._bad.clear()
        self._strange.clear()

    def _is_usual(self, line: bytes) -> bool:
        return line.startswith(self.usual[0]) and line.rstrip().endswith(self.usual[1])

    def _checked(self, stream: BinaryIO, since: int) -> int:
        """since, or 0 where it does not follow what was read then."""
        if since <= 0:
            return 0
        known = self._places.get(since, b"\n")
        stream.seek(max(since - len(known), 0))
        return since if stream.read(len(known)) == known else 0

    def _remember(self, stream: BinaryIO, place: int) -> None:
        start = max(place - BEFORE, 0)
        stream.seek(start)
        self._places[place] = stream.read(place - start)
        self._places.move_to_end(place)
        while len(self._places) > PLACES:
            self._places.popitem(last=False)


def _lines(stream: BinaryIO, since: int) -> Iterator[tuple[int, int, bytes]]:
    """(where it begins, where it ends, its bytes) of every complete line; of one that is too long its beginning."""
    stream.seek(since)
    while line := stream.readline(LONGEST + 1):
        end, last = since + len(line), line
        while not last.endswith(b"\n") and (last := stream.readline(LONGEST)):
            end += len(last)
        if not last:
            return  # cut, or still being written
        yield since, end, line
        since = end


def finite_or_none(value: float) -> float | None:
    """JSON has no NaN or infinity."""
    value = float(value)
    return value if math.isfinite(value) else None
