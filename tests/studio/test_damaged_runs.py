"""A damaged run in the studio: what is whole is shown, and what is not is said once."""

from __future__ import annotations

import pytest
import torch

from poseaug_core.runs import Run
from poseaug_studio.session import Session
from tests.studio.fakes import make_snapshot


@pytest.fixture
def session(qtbot):
    made = Session(lambda *_, **__: pytest.fail("a training began"), Run.open)
    yield made
    made.close()


def test_it_opens_and_what_is_damaged_is_said_once(qtbot, session, window, tmp_path, small):
    run = Run.create(tmp_path / "run", small, {"sets": {"source": {"poses": 1000}}})
    for step in (0, 20):
        run.append(make_snapshot(step))
        run.log_metrics(step, {"source_test/poseaug16/mpjpe": 80.0 + step}, "evaluation")
    run.save_checkpoint("latest", {"w": torch.ones(1)}, {"step": 20})
    run.close()
    with open(run.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 20, "kind": [], "values": 3}\n')
    with open(run.path / "controls.jsonl", "wb") as file:
        file.write(b'{"step": 3, "field": "lr_estimator", "old": null, "new": 1e30}\n')
    (run.path / "data.json").write_bytes(b"\x00" * 100)
    said, wrong = [], []
    session.noted.connect(said.append)
    session.failed.connect(wrong.append)
    session.open(run.path)
    qtbot.waitUntil(lambda: session.folder == run.path)
    looked = session._looked
    qtbot.waitUntil(lambda: session._looked > looked)  # and is watched from then on
    assert wrong == [] and len(said) == 1
    assert all(said[0].count(f"{name} is damaged") == 1 for name in ("metrics.jsonl", "controls.jsonl", "data.json"))
    assert session.history.steps == [0, 20] and session.history.log == []
    assert session.controls == small.controls
    assert window.banner.isVisible() and window.banner.text.text() == said[0]
