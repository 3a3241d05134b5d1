"""The journals of a run: changes of controls that were made and that are to come, metrics, alarms."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from poseaug_core.errors import UserError
from poseaug_core.health import Alarm
from poseaug_core.journal import Journal, finite_or_none
from poseaug_core.journal_rows import alarm_row, control_row, metrics_row

Changes = list[tuple[str, object, object]]
#: How the lines of a journal begin and end that this program writes.
ROW, ROW_OF_VALUES = (b'{"step": ', b"}"), (b'{"step": ', b"}}")


class Journals:
    """What a run folder says line by line. path: the folder."""

    def __init__(self, path: Path):
        self.path = path
        self._controls = Journal(path / "controls.jsonl", control_row, "those changes of controls are not known", ROW)
        self._metrics = Journal(path / "metrics.jsonl", metrics_row, "their numbers are missing", ROW_OF_VALUES)
        self._replay = Journal(path / "replay.jsonl", control_row, "those changes of controls will not come", ROW)
        # A run that goes back to a checkpoint keeps what went wrong after it.
        self._alarms = Journal(path / "alarms.jsonl", alarm_row, "those alarms are not known", ordered=False)

    def _open_journals(self) -> None:
        self._controls.open()
        self._metrics.open()

    def _close_journals(self) -> None:
        self._controls.close()
        self._metrics.close()

    @property
    def _journals(self) -> tuple[Journal, ...]:
        return self._controls, self._metrics, self._replay, self._alarms

    def _damaged_lines(self) -> list[str]:
        """What is to be told of them, in sentences."""
        told = []
        for journal in self._journals:
            try:
                if not journal.looked_at:
                    journal.read()
                told += journal.damage
            except UserError as error:
                told.append(str(error))
        return told

    # writing

    def log_controls(self, step: int, changes: Changes) -> None:
        """Changes (field, old, new) that the iteration after ``step`` is the first to use."""
        for field, old, new in changes:
            self._controls.append({"step": step, "field": field, "old": old, "new": new})

    def plan(self, changes: list[dict[str, Any]], step: int = 0) -> None:
        """Changes of controls to make from ``step`` on; of two of a field at one step the later in the list counts."""
        last = {(row["step"], row["field"]): row for row in changes if row["step"] >= step}
        rows = [last[key] for key in sorted(last, key=lambda key: key[0])]
        if rows or self._replay.path.exists():
            self._replay.rewrite(rows)

    def drop_pending(self, fields: set[str]) -> None:
        """Forget the changes still to come of these controls, which the user has turned otherwise."""
        if fields:
            self.plan([row for row in self.pending() if row["field"] not in fields])

    def log_metrics(self, step: int, values: dict[str, float], kind: str) -> None:
        """Numbers after ``step`` iterations; kind 'scalars' or 'evaluation'. Non-finite ones are kept as null."""
        values = {name: finite_or_none(value) for name, value in values.items()}
        self._metrics.append({"step": step, "kind": kind, "values": values})

    def log_alarm(self, alarm: Alarm) -> None:
        """Keep an alarm in alarms.jsonl; it stays there also where a rollback drops what came before it."""
        self._alarms.open()
        try:
            self._alarms.append({**dataclasses.asdict(alarm), "value": finite_or_none(alarm.value),
                                 "limit": finite_or_none(alarm.limit)})  # fmt: skip
        finally:
            self._alarms.close()

    # reading

    def metrics(self, since: int = 0, kind: str = "") -> tuple[list[dict[str, Any]], int]:
        """(rows {step, kind, values}, where to go on): pass the second back as ``since`` to get only newer rows.

        kind: only rows of this one; a long run has a thousand 'scalars' for each 'evaluation'.
        """
        return self._metrics.read(since, json.dumps({"kind": kind})[1:-1].encode() if kind else b"")

    def alarms(self, since: int = 0) -> tuple[list[dict[str, Any]], int]:
        """(alarms {kind, step, value, limit, text, action}, where to go on): as metrics()."""
        return self._alarms.read(since)

    def control_log(self) -> list[dict[str, Any]]:
        """Every change of a control so far: {step, field, old, new}."""
        return self.control_changes()[0]

    def control_changes(self, since: int = 0) -> tuple[list[dict[str, Any]], int]:
        """(changes {step, field, old, new}, where to go on): as metrics()."""
        return self._controls.read(since)

    def pending(self) -> list[dict[str, Any]]:
        """Changes of controls to be made at their steps: {step, field, old, new}."""
        return self._replay.read()[0]
