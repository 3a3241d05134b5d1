"""The distributions panel and its sphere."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetricsF

from poseaug_core.config import Config
from poseaug_core.diversity import Views, view_diversity
from poseaug_core.errors import UserError
from poseaug_core.palette import DARK, LIGHT
from poseaug_studio.distribution_columns import GAP, heading
from poseaug_studio.distributions import BASELINES, DistributionsPanel, columns_of
from poseaug_studio.pinning import pin_baseline
from poseaug_studio.selection import Selection
from poseaug_studio.viewsphere import GRID, directions, screen_axes, sphere_density
from tests.studio.conftest import FakeRun
from tests.studio.fakes import make_snapshot
from tests.studio.pictures import assert_like_picture, pixels, typeface  # noqa: F401


@pytest.fixture
def panel(qtbot, typeface):  # noqa: F811
    panel = DistributionsPanel(DARK, Selection())
    qtbot.addWidget(panel)
    panel.resize(500, 260)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_reference_picture_of_view_points(panel, theme):
    panel.set_theme(theme)
    panel.present(make_snapshot(300), 1)
    assert_like_picture(panel, f"distributions_{theme.name}")


def test_reference_picture_of_the_sphere(panel):
    panel.present(make_snapshot(300), 1)
    panel.view.choose(1)
    assert_like_picture(panel, "distributions_sphere")


def test_reference_picture_of_positions_with_a_pin(panel):
    panel.present(make_snapshot(60), 1)
    panel.pin()
    panel.present(make_snapshot(300), 1)
    panel.kind.choose(1)
    assert_like_picture(panel, "distributions_pinned")


def test_a_pin_keeps_its_points_when_new_snapshots_come(panel, qtbot):
    first, second = make_snapshot(60), make_snapshot(360)
    panel.present(first, 0)
    qtbot.mouseClick(panel.pin_button, Qt.MouseButton.LeftButton)
    panel.present(second, 0)
    pinned = panel.columns.pins[0]
    assert pinned.note == "step 60"
    assert np.array_equal(pinned.view_point, first.view_point[1])
    assert np.array_equal(panel.columns.now[1].view_point, second.view_point[1])
    assert panel.columns.diversity(pinned) == view_diversity(first.view_point[1])


def test_a_cross_removes_its_pin_and_no_other(panel, qtbot):
    for step in (60, 120, 180):
        panel.present(make_snapshot(step), 0)
        panel.pin()
    columns = panel.columns
    cross = columns._cross(columns._cells()[3])
    qtbot.mouseClick(columns, Qt.MouseButton.LeftButton, pos=cross.center().toPoint())
    assert [pin.note for pin in panel.pins] == ["step 60", "step 180"]


VIEWS = Views(np.array([[10.0, 5.0], [20.0, 8.0]]), np.array([[0.0, 0.0, 4.0], [1.0, 0.0, 5.0]]))


def test_the_menu_offers_every_baseline(panel, qtbot):
    from poseaug_core.baselines.views import TITLES

    assert BASELINES == TITLES
    assert not panel.baselines_button.isEnabled()  # nothing is shown yet whose source could be augmented
    panel.present(make_snapshot(60), 0)
    qtbot.mouseClick(panel.baselines_button, Qt.MouseButton.LeftButton)
    assert panel.baselines.isVisible()
    panel.baselines.hide()
    wanted = []
    panel.baseline_wanted.connect(wanted.append)
    for action in panel.baselines.actions():
        action.trigger()
    assert wanted == list(TITLES)


def test_a_baseline_is_computed_beside_the_window_and_pinned_once(panel, qtbot, session, monkeypatch):
    asked = []

    def columns(run, names, progress):
        assert progress(0.5, "evolving")
        asked.append((run, *names))
        return {"Li et al.": VIEWS}

    monkeypatch.setattr("poseaug_core.export.baseline_columns.baseline_columns", columns)
    session.run = run = object()
    panel.present(make_snapshot(60), 0)
    for _ in range(2):
        with qtbot.waitSignal(pin_baseline(session, panel, "evolution").ended):
            pass
    session.run = None
    assert asked == [(run, "evolution")] * 2
    assert [pin.title for pin in panel.pins] == ["Li et al."]
    assert panel.columns.diversity(panel.pins[0]) == view_diversity(VIEWS.view_point)


def test_a_baseline_that_cannot_be_made_is_told(panel, qtbot, session, monkeypatch):
    def columns(run, names, progress):
        raise UserError("The source is gone.")

    monkeypatch.setattr("poseaug_core.export.baseline_columns.baseline_columns", columns)
    with qtbot.waitSignal(session.failed) as told:
        pin_baseline(session, panel, "random")
    assert "no recorded run" in told.args[0]
    session.run = object()
    with qtbot.waitSignal(session.failed) as told:
        pin_baseline(session, panel, "random")
    session.run = None
    assert told.args == ["The source is gone."]
    assert panel.pins == []


def test_one_scale_for_every_column(panel):
    panel.present(make_snapshot(360), 0)
    original, augmented = panel.columns.densities(panel.columns.ranges(1.5))
    assert max(original.max(), augmented.max()) == pytest.approx(1)
    assert original.max() > augmented.max()  # the narrower distribution is the denser one


def test_a_metre_is_as_long_across_as_up(panel):
    panel.present(make_snapshot(360), 0)
    panel.kind.choose(1)
    (x0, x1), (y0, y1) = panel.columns.ranges(1.6)
    assert (x1 - x0) / (y1 - y0) == pytest.approx(1.6)


def test_pretraining_shows_the_original_alone_and_pins_nothing(panel, qtbot):
    panel.present(make_snapshot(10, phase="pretrain"), 0)
    assert [d.title for d in panel.columns.now] == ["Original"]
    assert not panel.pin_button.isEnabled()
    panel.pin()
    assert panel.pins == []


def test_without_a_snapshot_a_sentence(panel):
    empty = pixels(panel)
    panel.present(make_snapshot(300), 0)
    assert np.abs(pixels(panel) - empty).mean() > 3
    panel.present(None, 0)
    assert np.array_equal(pixels(panel), empty)


def test_dragging_turns_every_sphere(panel, qtbot):
    panel.present(make_snapshot(300), 0)
    panel.view.choose(1)
    before, eye = pixels(panel), panel.columns.eye
    qtbot.mousePress(panel.columns, Qt.MouseButton.LeftButton, pos=QPoint(120, 100))
    qtbot.mouseMove(panel.columns, QPoint(80, 100))
    qtbot.mouseRelease(panel.columns, Qt.MouseButton.LeftButton, pos=QPoint(80, 100))
    assert panel.columns.eye == (eye[0] + 40, eye[1])
    assert np.abs(pixels(panel) - before).mean() > 0.5


def test_sphere_density_is_one_on_average_and_peaks_at_its_points():
    rows, columns = GRID
    elevation = -90 + 180 * (np.arange(rows) + 0.5) / rows
    density = sphere_density(np.array([[90.0, 30.0]]))
    weights = np.cos(np.radians(elevation))[:, None] * np.ones(columns)
    assert (density * weights).sum() / weights.sum() == pytest.approx(1, rel=0.02)
    i, j = np.unravel_index(density.argmax(), GRID)
    assert elevation[i] == pytest.approx(30, abs=180 / rows)
    assert -180 + 360 * (j + 0.5) / columns == pytest.approx(90, abs=360 / columns)


def test_seen_from_the_front_the_bodys_left_is_on_the_right():
    x, _, z = screen_axes(0, 0) @ directions(90.0, 0.0)
    assert x == pytest.approx(1) and z == pytest.approx(0, abs=1e-6)
    assert screen_axes(25, 15) @ directions(25.0, 15.0) == pytest.approx([0, 0, 1], abs=1e-6)


def test_a_narrow_bar_cuts_no_name_and_still_chooses_both_views(panel, qtbot):
    panel.present(make_snapshot(300), 1)
    panel.view.choose(1)
    panel.resize(284, 220)
    qtbot.wait(5)
    parts = (panel.kind, panel.view, panel.pin_button, panel.baselines_button)
    assert all(part.width() >= part.sizeHint().width() and part.geometry().right() < panel.width() for part in parts)
    lefts = [part.geometry().left() for part in parts]
    assert all(a.geometry().right() < left for a, left in zip(parts, lefts[1:], strict=False))
    assert panel.columns.view == "Sphere"
    qtbot.mouseClick(panel.view, Qt.MouseButton.LeftButton)
    assert panel.columns.view == "Map"


@pytest.mark.parametrize("step", [7, 580, 12_580])
def test_the_step_of_a_column_is_told_before_any_other_word(panel, step):
    bold, plain = QFontMetricsF(panel.font()), QFontMetricsF(panel.font())
    augmented = columns_of(make_snapshot(step))[1]
    assert heading(augmented, bold, plain, 1000) == ("Augmented", f"step {step:,}")
    room = bold.horizontalAdvance("Augm.") + GAP + plain.horizontalAdvance(f"{step:,}")
    assert heading(augmented, bold, plain, room) == ("Augm.", f"{step:,}")


def test_another_run_keeps_pinned_moments_under_their_runs_name_and_no_baseline(qtbot, window, small, tmp_path):
    session, panel = window.session, window.workspace.panels["distributions"]
    session.start(small, tmp_path / "first")
    qtbot.waitUntil(lambda: session.run is not None, timeout=60_000)
    panel.present(make_snapshot(60), 0)
    panel.pin()
    panel.pin_baseline("evolution", VIEWS)
    session.stop()
    qtbot.waitUntil(lambda: session.resumable)
    session.resume(tmp_path / "first")  # the same run, so the same source
    qtbot.waitUntil(lambda: session.status.state == "running")
    assert [pin.title for pin in panel.pins] == ["Pinned", "Li et al."]
    session.start(small, tmp_path / "second")
    qtbot.waitUntil(lambda: session.folder == tmp_path / "second")
    assert [pin.title for pin in panel.pins] == ["first"]
    session.start(small, tmp_path / "third")
    qtbot.waitUntil(lambda: session.folder == tmp_path / "third")
    assert [pin.title for pin in panel.pins] == ["first"]


def test_a_baseline_that_is_ready_when_another_run_is_shown_is_not_pinned(panel, qtbot, session, tmp_path, monkeypatch):
    def columns(run, names, progress):
        return {"Li et al.": VIEWS}

    monkeypatch.setattr("poseaug_core.export.baseline_columns.baseline_columns", columns)
    session.run, session.folder = FakeRun(Config()), tmp_path / "first"
    job = pin_baseline(session, panel, "evolution")
    session.folder = tmp_path / "second"
    with qtbot.waitSignal(job.ended):
        pass
    session.run = session.folder = None
    assert panel.pins == []
