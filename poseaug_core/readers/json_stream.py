"""JSON documents of any length, an entry at a time: lists and objects at the top are walked, not held."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from poseaug_core.errors import UserError

#: Letters read at once, and the most that one entry may have: a detector's people in one image take some thousands.
WINDOW, LONGEST = 1 << 18, 1 << 24
SPACE = " \t\n\r"
#: What the values of JSON begin with, as Python reads it: also NaN and Infinity.
BEGINS = set('[{"-0123456789tfnNI')


@dataclass(frozen=True)
class Entry:
    """One step through a document. key: of the object at the top it is in, None in a list at the top.

    value: the entry. listed: whether it is one of a list's (at the top, or under the key), else the key's whole value.
    An empty list under a key is told as value [] that is not listed.
    """

    key: str | None
    value: Any
    listed: bool


def entries(path: Path, progress: Callable[[float], None] | None = None) -> Iterator[Entry]:
    """The entries of a list at the top; of an object at the top its values, lists among them entry by entry.

    Anything else at the top is one entry without key. progress: told the share read. Raises UserError for files that
    are damaged, too deep, not text or have an entry longer than LONGEST.
    """
    try:
        with open(path, "rb") as file:
            encoding = json.detect_encoding(file.read(4))
        with open(path, encoding=encoding, errors="surrogatepass", newline="") as text:
            yield from _Walk(path, text, path.stat().st_size, progress).document()
    except RecursionError:
        raise UserError(f"{path} nests its lists too deeply to be keypoints; write it again.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not JSON: it holds bytes that are no text; write it again.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check its permissions.") from None


class _Walk:
    def __init__(self, path: Path, text: TextIO, size: int, progress: Callable[[float], None] | None):
        self.path, self.text, self.size, self.progress = path, text, max(size, 1), progress
        self.buffer, self.at, self.before, self.ended = "", 0, 0, False
        self.decode = json.JSONDecoder().raw_decode

    def document(self) -> Iterator[Entry]:
        opened = self.peek()
        if opened == "[":
            self.at += 1
            yield from (Entry(None, value, True) for value in self.list())
        elif opened == "{":
            self.at += 1
            yield from self.object()
        else:
            yield Entry(None, self.value(), False)
        if self.peek():
            raise self.damaged("Extra data")

    def object(self) -> Iterator[Entry]:
        while self.peek() != "}":
            if self.peek() != '"':
                raise self.damaged("Expecting property name enclosed in double quotes")
            key = self.value()
            self.take(":")
            if self.peek() == "[":
                self.at += 1
                empty = True
                for value in self.list():
                    empty = False
                    yield Entry(key, value, True)
                if empty:
                    yield Entry(key, [], False)
            else:
                yield Entry(key, self.value(), False)
            if self.peek() == ",":
                self.at += 1
                if self.peek() == "}":
                    raise self.damaged("Expecting property name enclosed in double quotes")
            elif self.peek() != "}":
                raise self.damaged("Expecting ',' delimiter")
        self.at += 1

    def list(self) -> Iterator[Any]:
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            delimiter = self.peek()
            if delimiter not in (",", "]"):
                raise self.damaged("Expecting ',' delimiter")
            self.at += 1
            if delimiter == "]":
                return

    def value(self) -> Any:
        """The value that begins here. More is read until something follows it: numbers do not end by themselves."""
        if self.peek() not in BEGINS:
            raise self.damaged("Expecting value")
        while True:
            problem = None
            try:
                value, end = self.decode(self.buffer, self.at)
                if end < len(self.buffer) or self.ended:
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                problem = error
            except ValueError as error:
                said = str(error).split(";")[0]
                raise UserError(f"{self.path} holds a number that cannot be read ({said}).") from None
            if self.ended:
                raise self.damaged(problem.msg, problem.pos)
            if len(self.buffer) - self.at > LONGEST:
                raise UserError(
                    f"{self.path} has an entry of more than {LONGEST:,} letters, or is not whole JSON from letter "
                    f"{self.before + self.at:,} on; write it again."
                )
            self.more()

    def peek(self) -> str:
        """The next letter that is no space, '' at the end."""
        while True:
            while self.at < len(self.buffer) and self.buffer[self.at] in SPACE:
                self.at += 1
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if self.ended:
                return ""
            self.more()

    def take(self, letter: str) -> None:
        if self.peek() != letter:
            raise self.damaged(f"Expecting '{letter}' delimiter")
        self.at += 1

    def more(self) -> None:
        """Forget what is behind, and read as much again as is kept, so that a long entry is not tried too often."""
        self.buffer, self.before, self.at = self.buffer[self.at :], self.before + self.at, 0
        read = self.text.read(max(WINDOW, len(self.buffer)))
        self.ended = not read
        self.buffer += read
        if self.progress is not None:
            self.progress(min(self.text.buffer.tell() / self.size, 1.0))

    def damaged(self, message: str, place: int | None = None) -> UserError:
        place = self.before + (self.at if place is None else place)
        return UserError(f"{self.path} is not whole JSON ({message}: char {place}); write or copy it again.")
