"""The timeline: dragging, keys, playing, marks, and what it says about live and history."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QToolTip

from poseaug_core.config import Config
from poseaug_studio.history import BEST, CONTROL, EVALUATION, History, phases
from poseaug_studio.theme import DARK
from poseaug_studio.timeline import Timeline
from poseaug_studio.timeline_track import PAD

STEPS = list(range(0, 1010, 10))


def history() -> History:
    key = "source_test/poseaug16/mpjpe"
    rows = [{"step": s, "kind": "evaluation", "values": {key: e}} for s, e in ((0, 60.0), (500, 41.0), (1000, 44.0))]
    rows.append({"step": 20, "kind": "scalars", "values": {"loss/augmentor": 1.0}})
    log = [{"step": 300, "field": "beta_ba", "old": None, "new": 6.0}]
    made = History(steps=list(STEPS), log=log)
    made.add_rows(rows)
    return made


@pytest.fixture
def timeline(qtbot) -> Timeline:
    made = Timeline(DARK)
    qtbot.addWidget(made)
    made.resize(1200, 64)
    made.show()
    made.show_history(history(), 2000)
    made.scrubbed.connect(lambda step: made.show_position(step, True))
    made.followed.connect(lambda: made.show_position(None, True))
    made.show_position(None, True)
    return made


def at(timeline: Timeline, step: float) -> QPoint:
    return QPoint(round(timeline.track.x_of(step)), 23)


def turn_wheel(track, x: float, notches: int, keys=Qt.KeyboardModifier.NoModifier) -> None:
    at, phase = QPointF(x, 23), Qt.ScrollPhase.NoScrollPhase
    turned = QPoint(0, 120 * notches)
    track.wheelEvent(
        QWheelEvent(at, track.mapToGlobal(at), QPoint(), turned, Qt.MouseButton.NoButton, keys, phase, False)
    )


def test_dragging_scrubs_to_the_nearest_recorded_step(qtbot, timeline):
    seen = []
    timeline.scrubbed.connect(seen.append)
    qtbot.mousePress(timeline.track, Qt.MouseButton.LeftButton, pos=at(timeline, 204))
    qtbot.mouseMove(timeline.track, at(timeline, 506))
    qtbot.mouseRelease(timeline.track, Qt.MouseButton.LeftButton, pos=at(timeline, 506))
    assert seen[0] == pytest.approx(200, abs=10) and seen[-1] == pytest.approx(510, abs=10)
    assert set(seen) <= set(STEPS)


def test_beyond_the_last_snapshot_is_the_last_snapshot(qtbot, timeline):
    with qtbot.waitSignal(timeline.scrubbed) as got:
        qtbot.mouseClick(timeline.track, Qt.MouseButton.LeftButton, pos=at(timeline, 1900))
    assert got.args == [1000]


def test_of_a_run_that_does_not_train_the_line_is_what_was_recorded(qtbot, timeline):
    track = timeline.track
    assert track.last == 2000
    timeline.show_position(None, False)
    assert track.last == 1000 and track.x_of(1000) == track.width() - PAD
    qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(track.width() // 2, 23))
    assert track.shown == pytest.approx(500, abs=10)
    timeline.show_position(None, True)  # it goes on: there is room again for what is to come
    assert track.last == 2000


def test_a_part_zoomed_into_still_fits_when_the_training_ends(timeline):
    track = timeline.track
    turn_wheel(track, track.x_of(900), 1)
    assert track.sight[1] > 1000
    timeline.show_position(None, False)
    assert track.sight == (0.0, 1000.0)


@pytest.mark.parametrize("x", [30, 0.5, 0.95])
def test_zooming_never_shows_a_stretch_without_a_snapshot(timeline, x):
    """Also about a place in the future, of which there is most when a training is young."""
    track = timeline.track
    timeline.show_history(history(), 50_000)
    for _ in range(40):
        turn_wheel(track, x if x > 1 else x * track.width(), 1)
        first, last = track.sight
        assert first <= 1000 and any(first <= step <= last for step in STEPS)
    assert last - first < 1000 and last <= 1000 + 0.11 * (last - first)


def test_zooming_between_snapshots_far_apart_keeps_one_in_sight(timeline):
    track = timeline.track
    steps = [*range(100), *range(900, 1000)]
    timeline.show_history(History(steps=steps), 0)
    for _ in range(40):
        turn_wheel(track, track.x_of(400), 1)
        first, last = track.sight
        assert any(first <= step <= last for step in steps)
    assert last - first < 800


def test_shift_and_wheel_moves_along_and_a_double_click_shows_all(qtbot, timeline):
    track = timeline.track
    for _ in range(8):
        turn_wheel(track, track.x_of(500), 1)
    first, last = track.sight
    turn_wheel(track, 600, -1, Qt.KeyboardModifier.ShiftModifier)
    assert track.sight[0] > first and track.sight[1] - track.sight[0] == pytest.approx(last - first)
    turn_wheel(track, 600, 1, Qt.KeyboardModifier.ShiftModifier)
    assert track.sight == pytest.approx((first, last))
    qtbot.mouseDClick(track, Qt.MouseButton.LeftButton, pos=QPoint(600, 23))
    assert track.sight == (0.0, 2000.0)


def test_the_tip_says_how_to_zoom_and_to_come_back(qtbot, timeline, monkeypatch):
    told = []
    monkeypatch.setattr(QToolTip, "showText", lambda _at, words, *_: told.append(words))
    qtbot.mouseMove(timeline.track, at(timeline, 410))
    qtbot.mouseMove(timeline.track, at(timeline, 460))
    assert told[-1].splitlines() == ["step 460", "Wheel: zoom; Shift+wheel: move; double click: all"]


def test_it_says_whether_live_or_history_is_shown(qtbot, timeline):
    assert "Live" in timeline.state.text() and not timeline.live.isVisible()
    qtbot.mouseClick(timeline.track, Qt.MouseButton.LeftButton, pos=at(timeline, 500))
    assert "history" in timeline.state.text() and "Step 500" in timeline.state.text()
    qtbot.mouseClick(timeline.live, Qt.MouseButton.LeftButton)
    assert "Live" in timeline.state.text()


def test_keys_and_buttons_go_one_snapshot(qtbot, timeline):
    timeline.show_position(500, True)
    qtbot.keyClick(timeline.track, Qt.Key.Key_Right)
    assert timeline.track.shown == 510
    qtbot.mouseClick(timeline.previous, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(timeline.previous, Qt.MouseButton.LeftButton)
    assert timeline.track.shown == 490
    qtbot.keyClick(timeline.track, Qt.Key.Key_Home)
    assert timeline.track.shown == 0


def test_playing_goes_through_the_snapshots_and_stops_at_the_end(qtbot, timeline):
    timeline.speed.setCurrentText("20/s")
    timeline.show_position(970, True)
    qtbot.mouseClick(timeline.play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not timeline.clock.isActive(), timeout=60_000)
    assert timeline.track.shown == 1000


def test_playing_in_a_loop_starts_again(qtbot, timeline):
    timeline.speed.setCurrentText("20/s")
    timeline.loop.setChecked(True)
    timeline.show_position(990, True)
    qtbot.mouseClick(timeline.play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: timeline.track.shown == 20, timeout=60_000)


def test_marks_name_evaluations_changes_and_the_best(timeline):
    marks = timeline.track.marks
    assert [mark.step for mark in marks if mark.kind == EVALUATION] == [0, 500, 1000]
    (control,) = (mark for mark in marks if mark.kind == CONTROL)
    assert control.step == 300 and control.text == "beta BA: schedule \u2192 6"
    (best,) = (mark for mark in marks if mark.kind == BEST)
    assert best.step == 500 and "41.0 mm" in best.text


def test_an_empty_history_has_nothing_to_scrub(qtbot, timeline):
    timeline.show_history(History(), 0)
    seen = []
    timeline.scrubbed.connect(seen.append)
    qtbot.mouseClick(timeline.track, Qt.MouseButton.LeftButton, pos=QPoint(300, 23))
    assert not seen and not timeline.play.isEnabled()


def test_phases_follow_the_schedule():
    config = Config(batch_size=100, pretrain_epochs=2, epochs=4, warmup_epochs=1, warmup_iterations=0)
    spans = [(span.name, span.start, span.stop) for span in phases(config, 1000)]
    assert spans == [("pretrain", 0, 20), ("warm-up", 20, 30), ("poseaug", 30, 120)]
