"""What a line of a run's journals may say; checked before anything of it is used, whoever wrote the file."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from typing import Any

from poseaug_core.controls import KNOBS
from poseaug_core.errors import UserError

#: The longest line that is looked at, bytes; and the longest name in one, characters.
LONGEST, NAME = 1 << 20, 500
#: And the longest sentence, characters.
LONGEST_TEXT = 10_000
#: What no name has: it would do something to a terminal, or could not be written to one.
ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: No run takes so many iterations.
STEPS = 1 << 53


#: Names that are remembered as good ones.
KNOWN = 10_000
_known_names: set[str] = set()


class Damaged(ValueError):
    """A line that this program did not write."""


class Unknown(ValueError):
    """A whole line, about what this version does not know."""

    def __init__(self, step: int):
        super().__init__(step)
        self.step = step


def parsed(line: bytes) -> dict[str, Any]:
    """The object in a line of JSON; Damaged for anything else, however long, deep or large."""
    if len(line) > LONGEST:
        raise Damaged
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # also of a number of thousands of digits
        raise Damaged from None
    if not isinstance(row, dict):
        raise Damaged
    return row


def control_row(row: dict[str, Any]) -> dict[str, Any]:
    """{step, field, old, new} of a change of a control, its values as the control takes them.

    Damaged for what cannot be one, Unknown for a control that this version does not have.
    """
    step, field = _step(row), _text(row.get("field"))
    if "old" not in row or "new" not in row:
        raise Damaged
    if field not in KNOBS:
        raise Unknown(step)
    try:
        old, new = (KNOBS[field].check(row[name]) for name in ("old", "new"))
    except UserError:
        raise Damaged from None
    return {"step": step, "field": field, "old": old, "new": new}


def metrics_row(row: dict[str, Any]) -> dict[str, Any]:
    """{step, kind, values} of numbers after a step, each finite or None. Damaged for what cannot be one."""
    step, kind, values = _step(row), _text(row.get("kind")), row.get("values")
    if not isinstance(values, dict):
        raise Damaged
    for name, value in values.items():
        # Of a hundred thousand lines most say numbers of the same names.
        if name not in _known_names:
            _text(name)
            if len(_known_names) < KNOWN:
                _known_names.add(name)
        if type(value) is not float or value - value != 0.0:
            _number(value)
    return {"step": step, "kind": kind, "values": values}


def alarm_row(row: dict[str, Any]) -> dict[str, Any]:
    """{kind, step, value, limit, text, action} of what went wrong. Damaged for what cannot be one."""
    text = row.get("text")
    if not isinstance(text, str) or len(text) > LONGEST_TEXT or ODD.search(text):
        raise Damaged
    names = {name: _text(row.get(name)) for name in ("kind", "action")}
    numbers = {name: _number(row.get(name)) for name in ("value", "limit")}
    return {"kind": names["kind"], "step": _step(row), **numbers, "text": text, "action": names["action"]}


def _step(row: dict[str, Any]) -> int:
    step = row.get("step")
    if type(step) is not int or not 0 <= step < STEPS:
        raise Damaged
    return step


def is_name(value: Any) -> bool:
    """Whether it is a short text without control characters."""
    return type(value) is str and 0 < len(value) <= NAME and not ODD.search(value)


def _text(value: Any) -> str:
    if not is_name(value):
        raise Damaged
    return value


def _number(value: Any) -> float | None:
    if value is None or type(value) is float and math.isfinite(value):
        return value
    if type(value) is not int or abs(value) > STEPS:
        raise Damaged
    return value


def out_of_order(steps: list[int]) -> set[int]:
    """The fewest places that must go so that the steps of the rest never fall."""
    if all(a <= b for a, b in zip(steps, steps[1:], strict=False)):
        return set()
    # ends[n]: the lowest step with which n + 1 rising ones can end; before: whom each one follows.
    ends: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, step in enumerate(steps):
        at = bisect_right(ends, step)
        before.append(places[at - 1] if at else -1)
        ends[at : at + 1], places[at : at + 1] = [step], [place]
    kept, place = set(), places[-1]
    while place >= 0:
        kept.add(place)
        place = before[place]
    return set(range(len(steps))) - kept
