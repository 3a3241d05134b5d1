"""data.json of a run: what it is trained and evaluated on. Read like any foreign file: what is no such thing is cut."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from poseaug_core.bounded import read_bounded
from poseaug_core.config import FORMAT
from poseaug_core.journal_rows import ODD, STEPS, is_name

#: Bytes, sets and notes that are looked at.
LARGEST, SETS, NOTES, LONG = 16 << 20, 1000, 10_000, 10_000
LOST = "what the run was trained on is not known in full, and it cannot be resumed"
REMEDY = "restore it from a copy"


def read_data(path: Path) -> tuple[dict[str, Any], list[str]]:
    """(data, what is to be told): data has 'sets', {name: {name, poses, subjects, clips, views, mean_depth,
    fingerprint}}, 'notes', a list of texts, and where they are there 'templates', 'extra_2d' and 'format'.

    Only what has the right form is in it; an earlier version may have left parts out. Never raises.
    """
    data: dict[str, Any] = {"sets": {}, "notes": []}
    try:
        found = json.loads(read_bounded(path, LARGEST).decode())
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return data, [f"{path} is damaged and was passed over: {LOST}; {REMEDY}."]
    cut: list[str] = []
    sets, notes = found.get("sets", {}), found.get("notes", [])
    if not isinstance(sets, dict) or len(sets) > SETS:
        sets = {}
        cut.append("sets")
    for name, entry in sets.items():
        if is_name(name) and isinstance(entry, dict):
            data["sets"][name] = _taken(entry, PARTS, f"set {name}: ", cut)
        else:
            cut.append(f"set {name}" if is_name(name) else "the name of a set")
    if isinstance(notes, list):
        data["notes"] = [note for note in notes[:NOTES] if _is_note(note)]
    if not isinstance(notes, list) or len(data["notes"]) != len(notes):
        cut.append("notes")
    data |= _taken(found, {"templates": _is_count, "format": _is_count}, "", cut)
    if "extra_2d" in found:
        extra = found["extra_2d"]
        if isinstance(extra, dict):
            data["extra_2d"] = _taken(extra, PARTS, "extra_2d: ", cut)
        else:
            cut.append("extra_2d")
    return data, [*_told_of(path, cut), *_told_of_version(path, data.get("format", 1))]


def _taken(entry: dict[str, Any], parts: dict[str, Callable[[Any], bool]], where: str, cut: list[str]) -> dict:
    """The known parts of an entry that are what they should be; the names of those that are not go to ``cut``."""
    cut += [where + name for name, good in parts.items() if name in entry and not good(entry[name])]
    return {name: entry[name] for name, good in parts.items() if name in entry and good(entry[name])}


def _told_of(path: Path, cut: list[str]) -> list[str]:
    if not cut:
        return []
    shown = ", ".join(cut[:5]) + (f" and {len(cut) - 5} more" if len(cut) > 5 else "")
    # Those are for people; all else says whether a run goes on with what it began with.
    what = "that is not shown" if set(cut) <= {"notes", "format", "templates"} else LOST
    return [f"{path} is damaged and was passed over in part ({shown}): {what}; {REMEDY}."]


def _told_of_version(path: Path, version: int) -> list[str]:
    if version <= FORMAT:
        return []
    return [
        f"{path} is of format {version}, of a later version of this program than this one, which knows {FORMAT}; "
        "what this one does not know of the run is not shown."
    ]


def training_poses(data: dict[str, Any]) -> int:
    """Poses that a run is trained on; 0 where its data.json does not say."""
    return data.get("sets", {}).get("source", {}).get("poses", 0)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < STEPS


def _is_number(value: Any) -> bool:
    return _is_count(value) or type(value) is float and math.isfinite(value)


def _is_note(note: Any) -> bool:
    return isinstance(note, str) and len(note) <= LONG and not ODD.search(note.replace("\n", " "))


PARTS = {
    "name": is_name, "poses": _is_count, "subjects": _is_count, "clips": _is_count, "views": _is_count,
    "mean_depth": _is_number, "fingerprint": is_name,
}  # fmt: skip
