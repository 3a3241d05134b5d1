"""What watching may cost a training: live snapshots by the processor's time, panels by their own pace."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import studio_costs, studio_headless, studio_window
from poseaug_studio import session as session_module
from poseaug_studio import workspace as workspace_module
from poseaug_studio.session import PATIENCE, SHARE, SNAPSHOT_EVERY
from poseaug_studio.workspace import PACE
from tests.studio.fakes import make_snapshot


def test_a_window_that_takes_much_of_the_processor_takes_snapshots_more_seldom(session, monkeypatch):
    assert session._patience() == 0  # the first poses
    session.snapshot = make_snapshot()
    spent = []
    monkeypatch.setattr(session_module.time, "thread_time", lambda: session._spent + spent[-1])
    found = []
    for seconds in (0.0, 0.5 * SHARE, 10.0):
        spent.append(seconds)
        found.append(session._patience())
    assert found == [SNAPSHOT_EVERY, pytest.approx(0.5), PATIENCE]


def test_costly_panels_take_live_snapshots_at_their_own_pace(qtbot, window, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(workspace_module.time, "monotonic", lambda: now[0])
    window.show_workspace()
    workspace = window.workspace
    shown = lambda name: workspace.panels[name]._snapshot  # noqa: E731
    first, second, third = (make_snapshot(step) for step in (100, 110, 120))
    workspace.present(first, live=True)
    qtbot.waitUntil(lambda: shown("samples") is first and shown("scene") is first, timeout=60_000)
    workspace.present(second, live=True)
    qtbot.waitUntil(lambda: shown("scene") is second, timeout=60_000)
    qtbot.wait(100)
    assert shown("samples") is first
    now[0] += PACE["samples"]
    workspace.present(third, live=True)
    qtbot.waitUntil(lambda: shown("samples") is third, timeout=60_000)


def test_the_benchmark_of_the_window_goes_through_its_parts(qtbot, window, monkeypatch, tmp_path):
    small = {"STRETCHES": 2, "STRETCH": 0.4, "SETTLED": 0.05, "CLICKS": 2, "TURNED": 0.5}
    for name, value in small.items():
        monkeypatch.setattr(studio_window, name, value)
    monkeypatch.setattr(studio_headless, "BEGIN", 2)
    monkeypatch.setattr(studio_headless, "END", 12)
    for panel in studio_costs.PANELS.values():
        monkeypatch.setattr(panel, "paintEvent", panel.paintEvent)  # so that it is put back
    codes = []
    application = SimpleNamespace(exit=codes.append)
    window.begin(window.demo, "benchmark", tmp_path / "run")
    session = window.session
    watch = studio_window.Watch(application, window, studio_costs.PaintCosts(), lambda: session.live.status)
    qtbot.waitUntil(lambda: bool(codes), timeout=30_000)
    assert {"rate", "gui_share", "watched_over_asleep", "click_p95_ms", "rate_turned"} <= set(watch.found)
    assert {f"frame.{when}.p99_ms" for when in ("training", "paused")} <= set(watch.found)
    assert np.isfinite(list(watch.found.values())).all()
