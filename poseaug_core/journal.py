"""Journal: a file of JSON lines that one process appends to and others follow."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poseaug_core.errors import UserError
from poseaug_core.storage import explained, replacing


class Journal:
    """JSON objects, one a line. A line counts only when its newline is there, so a cut one is never read."""

    def __init__(self, path: Path):
        self.path = path
        self._stream = None

    def open(self) -> None:
        """Make ready to append."""
        try:
            self._stream = open(self.path, "ab", buffering=0)
        except OSError as error:
            raise explained(self.path, error) from error

    def append(self, row: dict[str, Any]) -> None:
        """Write one line, whole: where the disk is full the file stays as it was and UserError is raised."""
        line = json.dumps(row).encode() + b"\n"
        before = os.fstat(self._stream.fileno()).st_size
        try:
            written = self._stream.write(line)
            if written != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            os.ftruncate(self._stream.fileno(), before)
            raise explained(self.path, error) from error

    def read(self, since: int = 0, containing: bytes = b"") -> tuple[list[dict[str, Any]], int]:
        """(complete rows after byte ``since``, where to go on from); lines without ``containing`` are passed over.

        A ``since`` that is no end of a line means that the file was cut back by a resume: reading starts over.
        """
        try:
            rows = []
            with open(self.path, "rb") as stream:
                if since > 0:
                    stream.seek(since - 1)
                    since = since if stream.read(1) == b"\n" else 0
                stream.seek(since)
                for line in stream:
                    if not line.endswith(b"\n"):
                        break
                    since += len(line)
                    if containing in line and not line.isspace():
                        rows.append(self._parsed(line))
            return rows, since
        except FileNotFoundError:
            return [], 0
        except OSError as error:
            raise self._damaged(error) from error

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UserError:
        return UserError(f"{self.path} is damaged ({error}); restore it from a copy or start a new run.")

    @contextmanager
    def keeping(self, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[None]:
        """The complete rows that are wanted take the file's place if the block succeeds; it stays as it was else.

        Read and written a line at a time, before the block: a long run has many. UserError for a damaged file.
        """
        with replacing(self.path) as part:
            if self.path.exists():
                with open(self.path, "rb") as old, open(part, "wb") as new:
                    for line in old:
                        if line.endswith(b"\n") and not line.isspace() and wanted(self._parsed(line)):
                            new.write(line)
            yield

    def rewrite(self, rows: list[dict[str, Any]]) -> None:
        """These rows in place of the file's, whole or not at all."""
        with replacing(self.path) as part:
            part.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def finite_or_none(value: float) -> float | None:
    """JSON has no NaN or infinity."""
    value = float(value)
    return value if math.isfinite(value) else None
