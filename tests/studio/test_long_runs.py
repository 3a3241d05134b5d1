"""Runs of many snapshots: only what is new is read, the timeline zooms to any of them, marks stay apart."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent

from poseaug_core.palette import DARK
from poseaug_studio.curves import DENSE, POINTS, CurvesPanel
from poseaug_studio.history import History
from poseaug_studio.metric_series import MetricSeries, Staircase, summary
from poseaug_studio.selection import Selection
from poseaug_studio.timeline import Timeline
from tests.studio.conftest import FakeRun
from tests.studio.fakes import make_snapshot, same_series, series_of

EVERY, COUNT = 20, 20_000


@pytest.fixture
def timeline(qtbot) -> Timeline:
    made = Timeline(DARK)
    qtbot.addWidget(made)
    made.resize(1200, 64)
    made.show()
    history = History(steps=list(range(0, EVERY * COUNT, EVERY)))
    key = "source_test/poseaug16/mpjpe"
    history.add_rows([{"step": s, "kind": "evaluation", "values": {key: 50.0}} for s in history.steps[::100]])
    made.show_history(history, 0)
    made.scrubbed.connect(lambda step: made.show_position(step, True))
    return made


def turn_wheel(track, x: float, notches: int, sideways: int = 0) -> None:
    at = QPointF(x, 23)
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    turned = QPoint(120 * sideways, 120 * notches)
    track.wheelEvent(
        QWheelEvent(at, track.mapToGlobal(at), QPoint(), turned, Qt.MouseButton.NoButton, none, phase, False)
    )


@pytest.mark.parametrize("k", [0, 3, 12_345, COUNT - 1])
def test_zoomed_in_a_click_reaches_every_snapshot(qtbot, timeline, k):
    track, step = timeline.track, k * EVERY
    for _ in range(40):
        turn_wheel(track, track.x_of(step), 1)
    assert track.x_of(step + EVERY) - track.x_of(step) >= 10
    qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(round(track.x_of(step)), 23))
    assert track.shown == step
    qtbot.mouseDClick(track, Qt.MouseButton.LeftButton, pos=QPoint(600, 23))
    assert track.sight == (0.0, float(track.last))


def test_the_part_zoomed_into_follows_what_is_shown_and_moves_sideways(timeline):
    track = timeline.track
    for _ in range(8):
        turn_wheel(track, 600, 1)
    first, last = track.sight
    turn_wheel(track, 600, 0, sideways=-1)
    assert track.sight[0] > first and np.diff(track.sight) == pytest.approx(last - first)
    timeline.show_position(100, True)
    assert track.sight[0] <= 100 <= track.sight[1]
    timeline.show_position(EVERY * (COUNT - 1), True)
    assert track.sight[1] == track.last
    for _ in range(8):
        turn_wheel(track, 600, -1)
    assert track.sight == (0.0, float(track.last))


def test_scrubbing_moves_the_head_and_paints_the_rest_no_more(qtbot, timeline):
    track = timeline.track
    track.grab()
    still = track._still
    timeline.show_position(EVERY * 500, True)
    track.grab()
    assert track._still is still
    timeline.show_history(track.history, EVERY * COUNT * 2)
    track.grab()
    assert track._still is not still


def test_crowded_marks_are_told_up_to_a_number(timeline):
    told = timeline.track.words_at(600).splitlines()
    assert 0 < len(told) <= 7 and all("MPJPE" in line for line in told if line.startswith("step"))
    for _ in range(30):
        turn_wheel(timeline.track, timeline.track.x_of(EVERY * 150), 1)
    assert timeline.track.words_at(timeline.track.x_of(EVERY * 150)) == f"step {EVERY * 150:,}"


def test_only_what_is_new_is_read_of_a_run_that_grows():
    run = FakeRun(None)
    run.config, asked = _config(), []
    for step in range(0, 100, 10):
        _record(run, step)
    history = History.read(run)
    steps, changes = run.steps, run.control_changes
    run.steps = lambda since=0: (asked.append(since), steps(since))[1]
    run.control_changes = lambda since=0: (asked.append(since), changes(since))[1]
    assert not history.update(run) and asked == [10, 1]
    _record(run, 100)
    rows, history.next_row = run.metrics(history.next_row)
    history.add_rows(rows)
    assert history.update(run) and history.steps == list(range(0, 110, 10))
    assert same_series(history.series, series_of(run.rows)) and not history.cut(run)
    del run.recorded[4:]
    assert history.cut(run)


def test_a_log_that_a_resume_has_cut_is_taken_anew():
    run = FakeRun(None)
    run.config = _config()
    _record(run, 0)
    history = History.read(run)
    run.control_changes = lambda since=0: ([{"step": 5, "field": "beta", "old": 1, "new": 2}], 1)
    history.update(run)
    run.control_changes = lambda since=0: ([{"step": 3, "field": "beta", "old": 1, "new": 3}], 1)
    history.update(run)
    assert [entry["step"] for entry in history.log] == [3]


def _config():
    from poseaug_core.config import Config

    return Config(source="demo:source", epochs=10)


def _record(run: FakeRun, step: int) -> None:
    snapshot = make_snapshot(step, probe=2, crowd=4, seed=step)
    run.recorded.append(snapshot)
    run.rows.append({"step": step, "kind": "scalars", "values": snapshot.scalars})
    if step == 50:
        run.rows.append({"step": step, "kind": "evaluation", "values": {"source_test/poseaug16/mpjpe": 50.0}})
        run.log.append({"step": step, "field": "tolerance_ba", "old": 2.0, "new": 3.0})


def test_whole_columns_are_the_same_as_rows():
    rows = [{"step": s, "kind": "scalars", "values": {"loss/a": s / 2, **({"loss/b": 1.0} if s > 4 else {})}}
            for s in range(9)]  # fmt: skip
    loaded = MetricSeries()
    late = np.where(np.arange(9) > 4, 1.0, np.nan)
    loaded.load(np.arange(9), {"loss/a": np.arange(9) / 2, "loss/b": late, "usable": late})
    assert same_series(loaded, series_of(rows)) and loaded.changes == series_of(rows).changes
    loaded.extend(rows[-2:] + [{"step": 9, "values": {"loss/a": 7.0}}])
    assert loaded.get("loss/a")[1].tolist() == [*(s / 2 for s in range(9)), 7.0]


def test_of_a_level_only_the_ends_are_kept_in_whatever_order_it_is_told():
    levels = [(1.0,)] * 400 + [(2.0,)] * 400 + [(1.0,)] * 200
    for order in (np.arange(1000), np.arange(1000)[::-1], np.random.default_rng(0).permutation(1000)):
        stairs = Staircase()
        for step in order.tolist():
            stairs.add(step, levels[step])
        assert stairs.steps == [0, 399, 400, 799, 800, 999]
        assert stairs.levels == [levels[step] for step in stairs.steps]


def test_a_dense_curve_is_its_mean_with_all_that_it_runs_through_around(qtbot):
    x, y = np.arange(50_003.0), np.random.default_rng(0).normal(size=50_003)
    y[31_234] = 90.0
    middles, mean, low, high = summary(x, y, POINTS)
    assert len(middles) <= POINTS and high.max() == 90.0 and low.min() == y.min() and (low <= mean).all()
    assert np.all(np.diff(middles) > 0) and mean.mean() == pytest.approx(y.mean(), abs=0.02)
    panel = CurvesPanel(DARK, Selection())
    qtbot.addWidget(panel)
    panel.show()
    series = MetricSeries()
    series.load(x, {"loss/augmentor": y + 100.0})
    panel.show_series(series)
    panel.refresh()
    assert panel.plot._around[0].isVisible() and len(panel.plot._lines[0].xData) <= POINTS
    panel.plot._hold()
    panel.plot.setXRange(31_000, 31_000 + DENSE * POINTS - 10, padding=0)
    panel.refresh()
    assert not panel.plot._around[0].isVisible(), "a stretch with room for its points shows them"
    assert 10 ** panel.plot._lines[0].yData.max() == pytest.approx(190.0)


def test_steps_beyond_a_hundred_thousand_are_short_under_the_axis(qtbot):
    panel = CurvesPanel(DARK, Selection())
    qtbot.addWidget(panel)
    axis = panel.plot.getPlotItem().getAxis("bottom")
    assert axis.tickStrings([0, 200_000, 1_400_000], 1, 200_000) == ["0", "200k", "1,400k"]
    assert axis.tickStrings([0, 20_000], 1, 20_000) == ["0", "20,000"]
