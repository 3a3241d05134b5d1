"""What goes wrong in a training is said in the window, marked on the timeline, and gone back from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from poseaug_core.config import make_config
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from poseaug_core.trainer import Trainer
from poseaug_studio.history import ALARM
from poseaug_studio.session import Session
from tests.core.small import SMALL, small_poses


@pytest.fixture
def real(qtbot):
    made = Session()
    yield made
    made.close()


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Of a training whose estimator's statistics are spoiled once, at step 20."""
    done = []

    def spoil(self, controls, begin=Trainer._begin):
        stage = begin(self, controls)
        if self.position.step == 20 and not done:
            done.append(20)
            with torch.no_grad():
                for parameter in self.estimator.parameters():
                    parameter.fill_(torch.inf)
        return stage

    monkeypatch.setattr(Trainer, "_begin", spoil)
    write_arrays(small_poses(80, 1), tmp_path / "source.npz")
    return make_config(**{**SMALL, "epochs": 6}, source=str(tmp_path / "source.npz"))


def test_a_run_that_went_back_is_shown_as_it_is(qtbot, real, config, tmp_path):
    said = []
    real.noted.connect(said.append)
    real.start(replace(config, on_alarm="rollback"), tmp_path / "run")
    qtbot.waitUntil(lambda: real.status.state == "finished" and not real.running, timeout=60_000)
    run = Run.open(tmp_path / "run")
    qtbot.waitUntil(lambda: real.history.steps == run.steps().tolist(), timeout=10_000)
    assert any("went back to step" in text and "rates halved" in text for text in said)
    marks = [mark for mark in real.history.marks() if mark.kind == ALARM]
    assert any("not a finite number" in mark.text for mark in marks)
    for step, k in ((step, k) for k, step in enumerate(real.history.steps)):
        assert real.run.read(k).step == step
    assert real.status.message == "", "which speaks of the device"


def test_a_pause_by_an_alarm_waits_for_who_sits_there(qtbot, real, config, tmp_path, monkeypatch):
    from poseaug_core import health

    monkeypatch.setattr(health, "LARGEST_POSE_LOSS", 0.0)
    monkeypatch.setattr(Trainer, "_not_finite", lambda self: "")
    real.start(replace(config, on_alarm="pause"), tmp_path / "run")
    qtbot.waitUntil(lambda: real.status.state == "paused", timeout=60_000)
    assert real.status.alarms and real.status.alarms[-1].action == "paused"
    real.go_on()
    qtbot.waitUntil(lambda: real.status.state in ("running", "finished"), timeout=20_000)
    real.stop()
    qtbot.waitUntil(lambda: not real.running, timeout=20_000)
