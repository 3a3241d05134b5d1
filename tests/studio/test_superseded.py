"""A run of an earlier version in the studio: all but its snapshots is shown, which is said once."""

from __future__ import annotations

import pytest
import torch

from poseaug_core.runs import Run
from poseaug_studio.session import Session
from tests.core.superseded import supersede


@pytest.fixture
def session(qtbot):
    made = Session(lambda *_, **__: pytest.fail("a training began"), Run.open)
    yield made
    made.close()


@pytest.fixture
def old_run(tmp_path, small):
    run = Run.create(tmp_path / "old", small, {"sets": {"source": {"poses": 1000}}})
    for step in (0, 20):
        run.log_metrics(step, {"loss/a": float(step)}, "scalars")
    run.log_metrics(20, {"source_test/poseaug16/mpjpe": 80.0}, "evaluation")
    run.save_checkpoint("latest", {"w": torch.ones(1)}, {"step": 20})
    run.close()
    supersede(run.path / "history.h5")
    return run.path


@pytest.mark.parametrize("resume", [False, True])
def test_it_opens_without_its_snapshots_and_says_so_once(qtbot, session, window, old_run, resume):
    said, wrong = [], []
    session.noted.connect(said.append)
    session.failed.connect(wrong.append)
    session.open(old_run, resume)
    qtbot.waitUntil(lambda: session.folder == old_run)
    looked = session._looked
    qtbot.waitUntil(lambda: session._looked > looked)  # and is watched from then on
    assert wrong == [] and len(said) == 1 and "was recorded by an earlier version" in said[0]
    assert session.history.steps == [] and session.snapshot is None
    assert {"loss/a", "source_test/poseaug16/mpjpe"} <= set(session.history.series.names())
    assert session.status.state == "stopped" and not session.resumable
    assert window.banner.isVisible() and window.banner.text.text() == said[0]
