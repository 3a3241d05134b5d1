"""config.toml of a run, also of one that an earlier or a later version of the program made.

A user's own file of settings is read by config.load_toml, which refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from poseaug_core.config import FORMAT, SETTINGS, Config, read_toml
from poseaug_core.controls import KNOBS, Controls
from poseaug_core.errors import UserError
from poseaug_core.settings import Setting, checked, did_you_mean

#: What the runs did that were made before there was a setting, by its name, where that is not its declared default. A
#: preset does not count: it may have been given the setting later, and a run's file has every setting of its time.
BEFORE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "history_limit": lambda values: SETTINGS["history_limit"].high,  # nothing was ever dropped
    "data_seed": lambda values: values.get("seed", 0),
}


@dataclass(frozen=True)
class RunConfig:
    """config; notes: what is to be told of the file, in sentences; unread: names of what a later version set, and this
    one does not understand."""

    config: Config
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def read_run_config(path: Path) -> RunConfig:
    """The settings that a run was begun with. Raises UserError where they cannot be read, or, in the file of this or an
    earlier version, one is unknown or out of its range: it was damaged or written by hand."""
    values, knobs = read_toml(path)
    version = values.pop("format", 1)
    if type(version) is not int or version < 1:
        raise UserError(f"{path} is damaged: format is {version!r}, no whole number from 1; restore it from a copy.")
    unread: list[str] = []
    values = {name: before(values) for name, before in BEFORE.items()} | values
    values = _understood(path, values, SETTINGS, version, unread)
    knobs = _understood(path, knobs, KNOBS, version, unread)
    config = checked(Config, values)
    notes = []
    if unread:
        shown = ", ".join(unread[:5]) + (f" and {len(unread) - 5} more" if len(unread) > 5 else "")
        notes.append(
            f"{path} is of a later version of this program and sets {shown}, which this one does not know; they were "
            "passed over, and only that version can resume the run."
        )
    config = replace(config, controls=checked(Controls, knobs))
    return RunConfig(config, tuple(notes), tuple(unread))


def _understood(
    path: Path, values: dict[str, Any], known: dict[str, Setting], version: int, unread: list[str]
) -> dict[str, Any]:
    """The values that this version knows; names of a later one's others go to ``unread``."""
    found = {}
    for name, value in values.items():
        try:
            if name not in known:
                raise UserError(f"There is no setting {name!r}{did_you_mean(name, known)}")
            found[name] = known[name].check(value)
        except UserError as error:
            if version <= FORMAT:
                raise UserError(f"{path} cannot be used: {error}") from None
            unread.append(name)
    return found
