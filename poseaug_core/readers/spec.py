"""Specs: how a set of poses is named on the command line, ``path?key=value&key=value``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from poseaug_core.errors import UserError
from poseaug_core.paths import usable


@dataclass(frozen=True)
class Spec:
    """text: as it was given. place: the path, or the name after ``demo:``. options: what followed the question mark."""

    text: str
    place: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return Path(self.place)

    def only(self, *known: str) -> None:
        """UserError for an option that is not among the known ones."""
        for name in self.options:
            if name not in known:
                has = f"its options are {', '.join(known)}" if known else "it has none"
                raise UserError(f"{self.text}: there is no option '{name}' for this data; {closest(name, known, has)}")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """The option, one of the choices."""
        value = self.options.get(name, default)
        if value not in choices:
            raise UserError(
                f"{self.text}: {name} is '{value}'; {closest(value, choices, 'choose one of ' + ', '.join(choices))}"
            )
        return value

    def number(self, name: str, default: int, low: int, high: int = 2**31 - 1) -> int:
        """The option, a whole number from low to high."""
        value = self.options.get(name, str(default))
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise UserError(f"{self.text}: {name} is '{value}'; it must be a whole number from {low} to {high:,}.")
        return number

    def names(self, name: str, known: Sequence[str] | None = None) -> tuple[str, ...] | None:
        """The option, a list parted by commas, each one of the known; None where it is not given."""
        if name not in self.options:
            return None
        values = tuple(value.strip() for value in self.options[name].split(",") if value.strip())
        if not values:
            raise UserError(f"{self.text}: {name} names nothing; list what to take, as in {name}=A,B, or leave it out.")
        for value in values if known is not None else ():
            if value not in known:
                has = f"there are {', '.join(known)}"
                raise UserError(f"{self.text}: {name} names '{value}'; {closest(value, known, has)}")
        return values


def closest(name: str, known: Sequence[str], otherwise: str) -> str:
    """'did you mean X?' for a name close to a known one, else the other sentence and its full stop."""
    close = difflib.get_close_matches(name, known, 1) or [k for k in known if k.lower() == name.lower()]
    return f"did you mean '{close[0]}'?" if close else f"{otherwise}."


def parse_spec(text: str | Path) -> Spec:
    """The place and the options of a spec; a path that exists as it stands has no options.

    Raises UserError for options that are not key=value, and for what can be no file or folder (see paths.usable).
    """
    text = str(text)
    place, mark, query = text.partition("?")
    if not mark or exists(Path(text)):
        usable(text)
        return Spec(text, text)
    usable(place)
    try:
        found = parse_qs(query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise UserError(f"{text}: '{query}' cannot be understood; write options as key=value&key=value.") from None
    return Spec(text, place, {key: values[-1] for key, values in found.items()})


def require_other_target(out: str | Path, *read: str | Path) -> None:
    """UserError where the file to write is one of those that are read: specs or paths, by whatever name or link."""
    for path in (parse_spec(one).path for one in read):
        if exists(Path(out)) and exists(path) and os.path.samefile(out, path):
            raise UserError(f"{out} is the file that is read; name another to write.")


def exists(path: Path) -> bool:
    """Whether the path is there; False for what cannot be a path, UserError where it may not be looked at."""
    try:
        return path.exists()
    except PermissionError:
        raise UserError(f"{path} may not be reached by this user; change the permissions of its folder.") from None
    except (OSError, ValueError):
        return False
