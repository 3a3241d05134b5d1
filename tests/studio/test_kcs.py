"""The KCS panel."""

import dataclasses

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt

from poseaug_core.palette import DARK, LIGHT
from poseaug_core.skeleton import HUMAN16
from poseaug_studio.kcs import KcsPanel
from poseaug_studio.kcs_layout import WHOLE_2D
from poseaug_studio.selection import Selection
from tests.studio.fakes import make_snapshot, series_of
from tests.studio.pictures import assert_like_picture, pixels, typeface  # noqa: F401


class Paints(QObject):
    """Counts the paint events of a widget."""

    def __init__(self, widget):
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        self.count += event.type() == QEvent.Type.Paint
        return False


@pytest.fixture
def panel(qtbot, typeface):  # noqa: F811
    panel = KcsPanel(DARK, Selection())
    qtbot.addWidget(panel)
    panel.resize(300, 600)
    return panel


def middle(rect) -> QPoint:
    return rect.center().toPoint()


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_reference_picture(panel, theme):
    panel.set_theme(theme)
    panel.present(make_snapshot(300), 1)
    assert_like_picture(panel, f"kcs_{theme.name}")


def test_curves_hold_every_part_and_the_whole_2d_pose(panel):
    snapshot = make_snapshot(300)
    panel.present(snapshot, 0)
    assert set(panel.curves) == {*HUMAN16.parts, WHOLE_2D}
    assert panel.curves["left arm"].medians[1] == pytest.approx(np.median(snapshot.scores3d[1, :, 1]))
    low, high = panel.score_range
    areas = panel.curves["torso"].densities.sum(1) * (high - low) / panel.curves["torso"].densities.shape[1]
    assert areas == pytest.approx(1, abs=1e-6)


def test_clicking_a_row_selects_the_part_and_again_clears_it(panel, qtbot):
    panel.present(make_snapshot(300), 0)
    row = panel.layout_of(300, 600).rows["left leg"]
    qtbot.mouseClick(panel, Qt.MouseButton.LeftButton, pos=middle(row))
    assert panel.selection.part == "left leg"
    qtbot.mouseClick(panel, Qt.MouseButton.LeftButton, pos=middle(row))
    assert panel.selection.part == ""


def test_the_2d_row_selects_no_part(panel, qtbot):
    panel.present(make_snapshot(300), 0)
    qtbot.mouseClick(panel, Qt.MouseButton.LeftButton, pos=middle(panel.layout_of(300, 600).rows[WHOLE_2D]))
    assert panel.selection.part == ""


def test_arrow_keys_walk_the_parts_and_escape_clears(panel, qtbot):
    panel.present(make_snapshot(300), 0)
    for key, part in ((Qt.Key.Key_Down, "torso"), (Qt.Key.Key_Down, "left arm"), (Qt.Key.Key_Up, "torso")):
        qtbot.keyClick(panel, key)
        assert panel.selection.part == part
    qtbot.keyClick(panel, Qt.Key.Key_Escape)
    assert panel.selection.part == ""


def test_matrices_are_those_of_the_chosen_part(panel):
    snapshot = make_snapshot(300)
    panel.present(snapshot, 2)
    assert panel.matrices().shape == (3, 15, 15)
    panel.selection.choose_part("right arm")
    bones = np.ix_(HUMAN16.parts["right arm"], HUMAN16.parts["right arm"])
    real, augmented, difference = panel.matrices()
    assert np.array_equal(real, snapshot.kcs(2, "original")[bones])
    assert np.array_equal(augmented, snapshot.kcs(2, "ba")[bones])
    assert np.array_equal(difference, augmented - real)


def test_the_tip_names_both_bones_of_a_cell(panel):
    panel.present(make_snapshot(300), 0)
    panel.selection.choose_part("left arm")
    first = panel.layout_of(300, 600).matrices[0]
    tip = panel.tip_at(first.topLeft() + (first.center() - first.topLeft()) * 0.75)  # second row, second column of four
    assert tip.startswith("thorax-left shoulder × thorax-left shoulder")
    assert "real 1.00" in tip


def test_the_layout_fits_and_nothing_overlaps(panel):
    panel.present(make_snapshot(300), 0)
    for width, height in ((260, 500), (300, 600), (340, 700)):
        for part in ("", "torso", "left leg"):
            panel.selection.part = part
            layout = panel.layout_of(width, height)
            column = [*layout.rows.values(), layout.axis, layout.matrix_title, layout.matrices[0], layout.captions[0]]
            column += [layout.legend, layout.accuracy_title, layout.accuracies[0], layout.accuracies[1]]
            for above, below in zip(column[:-1], column[1:], strict=True):
                assert above.bottom() <= below.top() + 1
            assert column[-1].bottom() <= height
            assert max(rect.right() for rect in (*layout.matrices, *layout.accuracies)) <= width


def test_paints_only_when_something_changed(panel, qtbot):
    panel.show()
    qtbot.waitExposed(panel)
    snapshot = make_snapshot(300)
    panel.present(snapshot, 0)
    qtbot.wait(20)
    paints = Paints(panel)
    panel.present(snapshot, 0)
    qtbot.wait(20)
    assert paints.count == 0
    panel.present(snapshot, 1)
    qtbot.wait(20)
    assert paints.count == 1


@pytest.mark.parametrize("snapshot", [None, make_snapshot(10, phase="pretrain")], ids=["none", "pretrain"])
def test_a_sentence_stands_where_there_are_no_scores(panel, qtbot, snapshot):
    panel.present(make_snapshot(300), 0)
    full = pixels(panel)
    panel.present(snapshot, 0)
    assert panel.curves == {}
    assert np.abs(pixels(panel) - full).mean() > 5
    qtbot.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(60, 60))
    assert panel.selection.part == ""


def test_scores_that_are_not_numbers_are_not_drawn(panel):
    snapshot = make_snapshot(300)
    panel.present(dataclasses.replace(snapshot, scores2d=np.full_like(snapshot.scores2d, np.nan)), 0)
    assert panel.curves == {}


def test_accuracies_are_drawn_when_there_are_any(panel):
    snapshot = make_snapshot(300)
    panel.present(snapshot, 0)
    drawn = pixels(panel)
    panel.present(None, 0)  # another run
    panel.present(dataclasses.replace(snapshot, scalars={}), 0)
    bars = panel.layout_of(300, 600).accuracies[0].toRect()
    rows = slice(bars.top(), bars.bottom())
    assert np.abs(pixels(panel)[rows] - drawn[rows]).mean() > 3
    assert np.array_equal(pixels(panel)[:300], drawn[:300])


def test_the_last_known_accuracies_stand_in_for_those_a_snapshot_lacks(panel):
    """Of the run's history: the snapshot that has them need not have been looked at."""
    first, second = make_snapshot(300), dataclasses.replace(make_snapshot(310), scalars={})
    panel.present(second, 0)
    assert panel.accuracies() == (0, {})
    without = pixels(panel)
    rows = [{"step": 280, "values": {"accuracy/d3d_real": 0.1}}, {"step": 300, "values": first.scalars}]
    panel.show_series(series_of([*rows, {"step": 320, "values": {"accuracy/d3d_real": 0.2}}]))
    step, values = panel.accuracies()
    assert step == 300 and values["d3d_real"] == first.scalars["accuracy/d3d_real"]
    assert set(values) == set(panel.accuracy_names)
    bars = panel.layout_of(300, 600).accuracies[0].toRect()
    assert np.abs(pixels(panel) - without)[bars.top() : bars.bottom()].mean() > 3
    panel.present(dataclasses.replace(second, step=290), 0)  # scrubbed back to when little was known
    step, values = panel.accuracies()
    assert step == 280 and values["d3d_real"] == 0.1 and np.isnan(values["d2d_real"])
    panel.present(dataclasses.replace(second, step=270), 0)
    assert panel.accuracies() == (0, {})


def test_the_accuracies_of_another_run_are_not_shown(panel):
    panel.present(dataclasses.replace(make_snapshot(310), scalars={}), 0)
    panel.show_series(series_of([{"step": 300, "values": make_snapshot(300).scalars}]))
    assert panel.accuracies()[0] == 300
    panel.set_judged(HUMAN16, True)
    assert panel.accuracies() == (0, {})
