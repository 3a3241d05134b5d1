"""What studio tests share: an application dressed in the theme, settings of their own, a training that is fake."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QSettings, Qt

from poseaug_core.config import Config
from poseaug_core.controls import Controls, changes
from poseaug_core.errors import UserError
from poseaug_core.live import Live, Status
from tests.studio.fakes import make_snapshot

QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)

STEP_SECONDS = 0.004


class FakeRun:
    """A run in memory, with the reading side of poseaug_core.runs.Run."""

    def __init__(self, config: Config):
        self.config = config
        self.data = {"sets": {"source": {"poses": 1000}}}
        self.recorded: list = []
        self.rows: list[dict] = []
        self.log: list[dict] = []
        self.wrong: list[dict] = []
        self.reads = 0
        self.written = False  # by a training at this moment
        self.failed: str | None = None
        self.finished = False
        self.saved: list[str] = []
        self.superseded = ""  # what is to be said of a run of an earlier version
        self.damage: list[str] = []

    def steps(self, since: int = 0) -> np.ndarray:
        return np.array([snapshot.step for snapshot in self.recorded[since:]], np.int64)

    @property
    def snapshot_count(self) -> int:
        return len(self.recorded)

    def series(self, column: str) -> dict[str, np.ndarray]:
        found = [getattr(snapshot, column) for snapshot in self.recorded]
        return {name: np.array([one.get(name, np.nan) for one in found]) for name in sorted(set().union(*found))}

    def read(self, k: int):
        self.reads += 1
        return self.recorded[k]

    def metrics(self, since: int = 0, kind: str = ""):
        rows = self.rows[since:]
        return [row for row in rows if kind in ("", row["kind"])], since + len(rows)

    def controls(self) -> Controls:
        return replace(self.config.controls, **{row["field"]: row["new"] for row in self.log})

    def being_written(self) -> bool:
        return self.written

    def failure(self) -> str | None:
        return self.failed

    def checkpoints(self) -> list[str]:
        return self.saved

    def control_changes(self, since: int = 0):
        return self.log[since:], len(self.log)

    def alarms(self, since: int = 0):
        return self.wrong[since:], len(self.wrong)


class FakeTraining:
    """Stands in for launch.train and Run.open: publishes made-up snapshots at a steady pace."""

    def __init__(self, steps: int = 100_000):
        self.steps = steps
        self.runs: dict[str, FakeRun] = {}
        self.used: list = []

    def open_run(self, folder: Path) -> FakeRun:
        if str(folder) not in self.runs:
            raise UserError(f"{folder} is no run; name a folder that training has made.")
        return self.runs[str(folder)]

    def train(self, config: Config, folder: Path, live: Live, resume: bool = False) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        run = self.runs[str(folder)] if resume else self.runs.setdefault(str(folder), FakeRun(config))
        step, controls = int(run.recorded[-1].step) if run.recorded else 0, config.controls
        run.written, run.saved = True, ["latest"]
        self._record(run, live, step)
        while step < self.steps:
            if live.pausing():
                live.publish(make_snapshot(step))
            turned = live.turn()
            if turned is None:
                break
            for field, old, new in changes(controls, turned):
                run.log.append({"step": step, "field": field, "old": old, "new": new})
            controls = turned
            self.used.append(controls)
            step += 1
            time.sleep(STEP_SECONDS)
            live.report(self._status("running", step, controls))
            if step % 10 == 0:
                self._record(run, live, step)
            elif live.wanted:
                live.publish(make_snapshot(step))
        run.written, run.finished = False, step >= self.steps
        live.report(self._status("finished" if run.finished else "stopped", step, controls))

    def _status(self, state: str, step: int, controls) -> Status:
        return Status(
            state=state, phase="poseaug", stage="augment", step=step, steps=max(self.steps, step), epoch=step // 100,
            epochs=max(self.steps // 100, 1), rate=200.0, eta=12.0, done=1.0, device="cpu", memory=300 << 20,
            controls=controls,
        )  # fmt: skip

    def _record(self, run: FakeRun, live: Live, step: int) -> None:
        snapshot = make_snapshot(step)
        run.recorded.append(snapshot)
        run.rows.append({"step": step, "kind": "scalars", "values": snapshot.scalars})
        if step % 50 == 0:
            error = 40 + 500 / (step + 10)
            values = {"source_test/poseaug16/mpjpe": error, "cross/poseaug16/mpjpe": 2 * error}
            run.rows.append({"step": step, "kind": "evaluation", "values": values})
        live.publish(snapshot)


@pytest.fixture(autouse=True)
def _undressed(qapp):
    """The theme that a test gives the application ends with it: pictures do not depend on the tests before."""
    style, font, palette, sheet = qapp.style().name(), qapp.font(), qapp.palette(), qapp.styleSheet()
    yield
    if qapp.styleSheet() != sheet:
        qapp.setStyleSheet(sheet)
    if qapp.style().name() != style:
        qapp.setStyle(style)
    qapp.setFont(font)
    qapp.setPalette(palette)


@pytest.fixture
def settings(tmp_path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def training() -> FakeTraining:
    return FakeTraining()


@pytest.fixture
def session(qtbot, training):
    from poseaug_studio.session import Session

    made = Session(training.train, training.open_run)
    yield made
    made.close()
    assert not [
        thread for thread in threading.enumerate() if thread.name == "training" or thread.name.startswith("job ")
    ]


@pytest.fixture
def window(qtbot, session, settings, tmp_path, monkeypatch):
    """The studio's window with all its panels, on a fake training."""
    monkeypatch.setenv("POSEAUG_RUNS", str(tmp_path / "runs"))
    from PySide6.QtWidgets import QApplication

    from poseaug_studio import style
    from poseaug_studio.theme import DARK
    from poseaug_studio.window import StudioWindow

    style.load_fonts()
    style.apply(QApplication.instance(), DARK)
    made = StudioWindow(session, settings, "dark", scripted=True)
    made.resize(1400, 900)
    qtbot.addWidget(made)
    with qtbot.waitSignal(made.workspace.built, timeout=60_000):
        made.show()
    yield made
    made.close()


@pytest.fixture
def small() -> Config:
    """A config whose numbers do not matter to a fake training."""
    return replace(Config(), source="demo:source", epochs=10)
