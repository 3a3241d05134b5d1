"""The samples strip: sorting, choosing, the row that keeps its pose, repaints only on change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt

from poseaug_studio.samples import RESORT_SECONDS, SORTS, SamplesPanel, badges, ordered
from poseaug_studio.selection import Selection
from poseaug_studio.theme import DARK, LIGHT
from tests.studio.fakes import make_snapshot
from tests.studio.images import assert_like, pixels


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def panel(qtbot):
    clock = Clock()
    made = SamplesPanel(DARK, Selection(), clock=clock)
    made.clock = clock
    qtbot.addWidget(made)
    made.resize(520, 130)
    made.show()
    qtbot.waitExposed(made)
    made.present(make_snapshot(step=300, probe=12), 0)
    qtbot.wait(5)
    return made


def test_the_strip_looks_like_its_reference(panel, qtbot):
    panel.selection.choose_row(2)
    qtbot.wait(5)
    assert_like(panel.strip.grab().toImage(), "samples")


def test_each_sort_orders_by_what_it_names():
    snapshot = make_snapshot(step=300, probe=8)
    assert ordered(snapshot, "As is") == list(range(8))
    hard = snapshot.hardness[1, :8].mean(axis=-1)
    assert np.all(np.diff(hard[ordered(snapshot, "Hardness")]) <= 0)
    real = snapshot.scores3d[1, :8].mean(axis=-1)
    assert np.all(np.diff(real[ordered(snapshot, "Implausible")]) >= 0)
    turns = [snapshot.angle_degrees(row).mean() for row in ordered(snapshot, "Angle")]
    assert np.all(np.diff(turns) <= 1e-4)
    assert badges(snapshot, "Hardness")[3] == f"×{hard[3]:.1f}"
    assert badges(snapshot, "Implausible")[3] == f"{real[3]:.2f}"


def test_a_missing_value_goes_last():
    snapshot = make_snapshot(step=300, probe=5)
    hard = snapshot.hardness.copy()
    hard[1, 2] = np.nan
    assert ordered(replace(snapshot, hardness=hard), "Hardness")[-1] == 2


def test_a_click_chooses_the_row_under_it_whatever_the_order(panel, qtbot):
    panel.set_sort("Hardness")
    place = panel.strip.cell_rect(2).center().toPoint()
    qtbot.mouseClick(panel.strip.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert panel.selection.row == panel.strip.order[2]
    panel.set_sort("Angle")
    assert panel.selection.row == panel.strip.row


def test_arrow_keys_walk_the_shown_order_and_scroll_along(panel, qtbot):
    panel.set_sort("Implausible")
    panel.selection.choose_row(panel.strip.order[0])
    qtbot.keyClick(panel.strip, Qt.Key.Key_Right)
    assert panel.selection.row == panel.strip.order[1]
    qtbot.keyClick(panel.strip, Qt.Key.Key_Left)
    qtbot.keyClick(panel.strip, Qt.Key.Key_Left)
    assert panel.selection.row == panel.strip.order[0]
    qtbot.keyClick(panel.strip, Qt.Key.Key_End)
    assert panel.selection.row == panel.strip.order[-1]
    last = panel.strip.cell_rect(len(panel.strip.order) - 1)
    assert panel.strip.horizontalScrollBar().value() > 0
    assert last.right() <= panel.strip.viewport().width() + 1


def test_the_same_snapshot_does_not_repaint(panel, qtbot):
    shown, before = panel._snapshot, panel.strip.drawn
    panel.present(shown, 0)
    qtbot.wait(10)
    assert panel.strip.drawn == before
    panel.present(make_snapshot(step=320, probe=12), 0)
    qtbot.wait(10)
    assert panel.strip.drawn == before + 1


def test_a_live_run_does_not_shuffle_the_strip_at_every_snapshot(panel):
    panel.set_sort("Hardness")
    order = list(panel.strip.order)
    panel.clock.now += RESORT_SECONDS / 2
    other = make_snapshot(step=320, probe=12, seed=5)
    panel.present(other, 0)
    assert panel.strip.order == order
    panel.clock.now += RESORT_SECONDS
    later = make_snapshot(step=340, probe=12, seed=6)
    panel.present(later, 0)
    assert panel.strip.order == ordered(later, "Hardness")


def test_fewer_poses_and_none_are_shown(panel, qtbot):
    panel.present(make_snapshot(step=300, probe=3), 0)
    assert panel.strip.order == [0, 1, 2]
    panel.present(None, 0)
    qtbot.wait(5)
    assert panel.strip.order == []
    qtbot.keyClick(panel.strip, Qt.Key.Key_Right)


def test_theme_changes_the_colours(panel, qtbot):
    dark = pixels(panel.strip.grab().toImage()).astype(int)
    panel.set_theme(LIGHT)
    qtbot.wait(5)
    assert np.abs(pixels(panel.strip.grab().toImage()).astype(int) - dark).mean() > 60
    assert SORTS[0] == panel.sort


def test_large_hardness_is_told_without_decimals():
    snapshot = make_snapshot()
    harder = snapshot.hardness.copy()
    harder[1, 0], harder[1, 1] = 154.8, 3.14
    snapshot = replace(snapshot, hardness=harder)
    assert badges(snapshot, "As is")[:2] == ["×155", "×3.1"]
