"""The scene: what its views show, that they draw only when asked, and that the mouse means what it should."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QShortcut, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from poseaug_core.skeleton import HUMAN16
from poseaug_core.snapshot import STAGES
from poseaug_studio.camera_link import PRESETS
from poseaug_studio.figure import Look, compose, limb_colours, part_scores, pick_bone, rgb
from poseaug_studio.projection import stage_number
from poseaug_studio.scene import ScenePanel, opengl_renderer
from poseaug_studio.selection import Selection
from poseaug_studio.stage_columns import columns
from poseaug_studio.theme import DARK, LIGHT
from tests.studio.fakes import make_snapshot
from tests.studio.images import assert_like, pixels

SIZE = (760, 420)


def test_a_turn_by_more_than_half_round_is_told_the_shorter_way():
    snapshot = make_snapshot(0)
    turned = snapshot.axis_angle.copy()
    turned[0] = (np.radians(350), 0, 0)
    assert stage_number(replace(snapshot, axis_angle=turned), 0, "rt").startswith("10°")


@pytest.fixture(params=["opengl", "painter"])
def scene(request, qtbot):
    if request.param == "opengl" and not opengl_renderer():
        pytest.skip("no OpenGL on this screen: run the tests under Xvfb")
    selection = Selection()
    panel = ScenePanel(DARK, selection, opengl=request.param == "opengl")
    qtbot.addWidget(panel)
    panel.painter_name = request.param
    panel.resize(*SIZE)
    panel.show()
    qtbot.waitExposed(panel)
    panel.present(make_snapshot(step=200), 1)
    settle(qtbot)
    return panel


def settle(qtbot) -> None:
    for _ in range(3):
        qtbot.wait(5)


def middle_of_bone(panel: ScenePanel, stage: int, bone: int) -> QPoint:
    parent, child = HUMAN16.edges[bone]
    joints = panel.stage_pixels(stage)
    x, y = (0.4 * joints[parent] + 0.6 * joints[child])[:2]
    return QPoint(round(x), round(y))


def test_each_view_looks_like_its_reference(scene, qtbot):
    image = scene.grab()
    native, projections = scene.views.native, scene.projections
    for stage, (left, wide) in zip(STAGES, columns(scene.width()), strict=True):
        assert_like(image.copy(left, native.y(), wide, native.height()), f"scene-{scene.painter_name}-{stage}")
        if scene.painter_name == "painter":
            below = image.copy(left, projections.y(), wide, projections.height())
            assert_like(below, f"projection-{stage}", mean=0.4, far=0.004)


def test_another_pose_is_not_taken_for_the_reference(scene, qtbot):
    scene.present(scene._snapshot, 2)
    settle(qtbot)
    image = scene.grab()
    left, wide = columns(scene.width())[1]
    views, projections = scene.views.native, scene.projections
    with pytest.raises(AssertionError):
        assert_like(image.copy(left, views.y(), wide, views.height()), f"scene-{scene.painter_name}-ba", write=False)
    with pytest.raises(AssertionError):
        below = image.copy(left, projections.y(), wide, projections.height())
        assert_like(below, "projection-ba", mean=0.4, far=0.004, write=False)


def test_light_theme_looks_like_its_reference_and_changes_every_part(scene, qtbot):
    dark = pixels(scene.grab()).astype(int)
    scene.set_theme(LIGHT)
    settle(qtbot)
    image = scene.grab()
    left, wide = columns(scene.width())[3]
    native = scene.views.native
    assert_like(image.copy(left, native.y(), wide, native.height()), f"scene-{scene.painter_name}-rt-light")
    light = pixels(image).astype(int)
    for widget in (scene._titles, native, scene.projections):
        rows = slice(widget.y(), widget.y() + widget.height())
        assert np.abs(light[rows] - dark[rows]).mean() > 60


def test_draws_only_when_something_changed(scene, qtbot):
    snapshot = scene._snapshot
    before = scene.views.draws
    scene.present(snapshot, 1)
    scene.camera.look("three-quarter")
    settle(qtbot)
    assert scene.views.draws == before
    scene.present(snapshot, 2)
    settle(qtbot)
    assert scene.views.draws == before + 1
    scene.camera.orbit(5, 0)
    settle(qtbot)
    assert scene.views.draws == before + 2


def test_a_view_whose_pose_did_not_change_is_not_painted_again(scene, qtbot, monkeypatch):
    if scene.painter_name == "opengl":
        pytest.skip("OpenGL draws its views in one")
    later = make_snapshot(step=300)
    assert np.array_equal(later.xyz[0], scene._snapshot.xyz[0])
    painted = []
    monkeypatch.setattr(
        type(scene.views), "_paint_view", lambda views, painter, index, size: painted.append(STAGES[index])
    )
    regions = PaintedRegions(scene.projections)
    scene.present(later, 1)
    settle(qtbot)
    assert painted == ["ba", "bl", "rt"]
    left = columns(scene.projections.width())[1][0]
    assert [region.boundingRect().left() for region in regions.seen] == [left]
    scene.camera.orbit(5, 0)
    settle(qtbot)
    assert painted[3:] == list(STAGES)


class PaintedRegions(QObject):
    """What a widget is asked to paint."""

    def __init__(self, widget: QWidget):
        super().__init__(widget)
        self.seen = []
        widget.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.seen.append(event.region())
        return False


def test_a_row_beyond_the_probe_shows_the_last(scene, qtbot):
    scene.present(make_snapshot(step=200, probe=3), 9)
    assert len(scene.figures) == 4
    scene.present(None, 0)
    settle(qtbot)
    assert scene.figures == () and scene.bone_at(50, 50) is None


def test_not_a_number_does_not_break_the_views(scene, qtbot):
    good = make_snapshot(step=200)
    xyz, scores = good.xyz.copy(), good.scores3d.copy()
    xyz[1:, 1, 4:], scores[1] = np.nan, np.nan
    scene.present(replace(good, xyz=xyz, uv=np.full_like(good.uv, np.nan), scores3d=scores), 1)
    scene.set_look(colouring="score")
    settle(qtbot)
    assert np.isfinite(scene.figures[3].joints).all()


def test_click_on_a_limb_selects_its_part_and_again_clears_it(scene, qtbot):
    scene.camera.look("front")
    bone = HUMAN16.bone_names.index("left knee-left ankle")
    where = middle_of_bone(scene, 1, bone)
    qtbot.mouseClick(scene.views.native, Qt.MouseButton.LeftButton, pos=where)
    assert scene.selection.part == "left leg" and scene.look.part == "left leg"
    qtbot.mouseClick(scene.views.native, Qt.MouseButton.LeftButton, pos=where)
    assert scene.selection.part == ""


def test_a_selected_part_keeps_its_colour_and_the_others_fade(qtbot):
    snapshot = make_snapshot(step=200)
    plain, _ = limb_colours(snapshot, 0, "ba", HUMAN16, DARK, Look())
    chosen, _ = limb_colours(snapshot, 0, "ba", HUMAN16, DARK, Look(part="left arm"))
    inside = np.array([part == "left arm" for part in HUMAN16.paint])
    assert np.allclose(chosen[inside], plain[inside])
    assert (np.abs(chosen[~inside] - plain[~inside]).max(axis=1) > 0.1).all()


def test_hover_names_the_bone_its_turn_and_its_length(scene, qtbot):
    scene.camera.look("front")
    bone = HUMAN16.bone_names.index("right knee-right ankle")
    qtbot.mouseMove(scene.views.native, QPoint(1, 1))
    where = middle_of_bone(scene, 0, bone)
    scene._mouse.hovered.emit(where.x(), where.y())
    snapshot = scene._snapshot
    text = scene.hover_label.text()
    assert scene.hover_label.isVisible()
    assert "right knee – right ankle" in text
    assert f"turned {snapshot.angle_degrees(1)[bone]:.1f}°" in text
    ratio = 100 * snapshot.length_ratio[1, HUMAN16.length_groups[bone]]
    assert f"length {ratio:+.1f} %" in text
    # The numbers follow a live run without the pointer being moved.
    turned = snapshot.angle_change.copy()
    turned[1, bone] = 0.5
    scene.present(replace(snapshot, angle_change=turned), 1)
    assert "turned 60.0°" in scene.hover_label.text()
    scene._mouse.hovered.emit(2, 2)
    assert not scene.hover_label.isVisible()


def test_the_nearer_of_two_crossing_bones_is_picked():
    joints = np.zeros((16, 3))
    joints[:, :2] = 1000 + np.arange(16)[:, None]
    joints[:, 2] = 5
    joints[[1, 2], :2], joints[[4, 5], :2] = [(0, 50), (100, 50)], [(50, 0), (50, 100)]
    joints[[1, 2], 2] = 4
    assert pick_bone(joints, HUMAN16, 50, 50, 10) == HUMAN16.bone_names.index("right hip-right knee")
    assert pick_bone(joints, HUMAN16, 20, 20, 10) is None


def test_one_drag_turns_all_four_views(scene, qtbot):
    native = scene.views.native
    before = [scene.stage_pixels(i)[:, :2].copy() for i in range(4)]
    angle = scene.camera.azimuth
    start = QPoint(columns(native.width())[0][0] + 8, 8)
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(native, start + QPoint(30, 0))
    qtbot.mouseMove(native, start + QPoint(60, 0))
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=start + QPoint(60, 0))
    assert scene.camera.azimuth == pytest.approx(angle - 30)
    assert all(np.abs(scene.stage_pixels(i)[:, :2] - before[i]).max() > 5 for i in range(4))
    assert scene.selection.part == ""


def test_pan_zoom_presets_and_reset(scene, qtbot):
    native = scene.views.native
    head = HUMAN16.names.index("head")
    start = QPoint(20, 20)
    here = scene.stage_pixels(0)[0, :2].copy()
    qtbot.mousePress(native, Qt.MouseButton.MiddleButton, pos=start)
    qtbot.mouseMove(native, start + QPoint(10, 0))
    qtbot.mouseMove(native, start + QPoint(20, 10))
    qtbot.mouseRelease(native, Qt.MouseButton.MiddleButton, pos=start + QPoint(20, 10))
    assert scene.stage_pixels(0)[0, :2] - here == pytest.approx((20, 10), abs=1.5)
    tall = np.ptp(scene.stage_pixels(0)[:, 1])
    wheel = QWheelEvent(
        QPointF(30, 30), native.mapToGlobal(QPointF(30, 30)), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(native, wheel)
    assert np.ptp(scene.stage_pixels(0)[:, 1]) > 1.2 * tall
    keys = {shortcut.key().toString(): shortcut for shortcut in scene.findChildren(QShortcut)}
    for key, preset in zip("1234", PRESETS, strict=True):
        keys[key].activated.emit()
        assert (scene.camera.azimuth, scene.camera.elevation) == PRESETS[preset]
    # From the top, the head lies over the pelvis.
    joints = scene.stage_pixels(0)
    assert abs(joints[head, 1] - joints[0, 1]) < 0.25 * native.height()
    qtbot.mouseDClick(native, Qt.MouseButton.LeftButton, pos=QPoint(40, 40))
    assert scene.stage_pixels(0)[0, :2] == pytest.approx(here, abs=0.5)
    assert scene.camera.zoom == 1.0 and scene.camera.pan == (0.0, 0.0)


def test_upright_and_as_the_camera_sees_it(scene):
    scene.camera.look("front")
    joints, xyz = scene.stage_pixels(3), scene._snapshot.xyz[3, 1]
    assert np.corrcoef(joints[:, 0], xyz[:, 0])[0, 1] > 0.99
    assert np.corrcoef(joints[:, 1], xyz[:, 1])[0, 1] > 0.99
    # The front view looks down by 4 degrees.
    assert np.corrcoef(joints[:, 2], xyz[:, 2])[0, 1] > 0.97


def test_scores_colour_the_limbs_by_the_part_they_belong_to():
    snapshot = make_snapshot(step=200)
    scores = snapshot.scores3d.copy()
    scores[1, 0] = (0, 1, 0, 0, 0)
    snapshot = replace(snapshot, scores3d=scores)
    assert part_scores(snapshot, 0, "rt").tolist() == [0, 1, 0, 0, 0]
    colours, _ = limb_colours(snapshot, 0, "rt", HUMAN16, DARK, Look(colouring="score"))
    arm = [part == "left arm" for part in HUMAN16.paint]
    assert len(np.unique(colours[arm], axis=0)) == 1 and len(np.unique(colours, axis=0)) == 2
    ghost = compose(snapshot, 0, HUMAN16, DARK, Look(colouring="score"))[2].ghosts[0]
    assert np.allclose(ghost.colour, rgb(DARK.muted))
    by_stage, _ = limb_colours(snapshot, 0, "bl", HUMAN16, DARK, Look(colouring="stage"))
    assert np.allclose(by_stage, rgb(DARK.stage("bl")))


def test_ghost_estimate_and_true_place_add_what_they_name():
    snapshot = make_snapshot(step=200)
    plain = compose(snapshot, 0, HUMAN16, DARK, Look(ghost=False))
    assert [len(figure.ghosts) for figure in plain] == [0, 0, 0, 1]
    full = compose(snapshot, 0, HUMAN16, DARK, Look(estimate=True))
    assert [len(figure.ghosts) for figure in full] == [1, 1, 1, 3]
    ghost = full[2].ghosts[0]
    assert np.allclose(ghost.centre, full[1].joints)
    place = compose(snapshot, 0, HUMAN16, DARK, Look(true_position=True))[3]
    x, y, z = snapshot.xyz[3, 0, 0]
    assert place.joints[0] == pytest.approx((x, z, -y), abs=1e-5)
    assert all(figure.ground < figure.joints[:, 2].min() for figure in full)


def test_shadow_is_darkest_under_the_feet():
    figure = compose(make_snapshot(step=1), 0, HUMAN16, DARK, Look())[0]
    y, x = np.unravel_index(figure.shadow.argmax(), figure.shadow.shape)
    spot = (np.array((x, y)) / (len(figure.shadow) - 1) * 2 - 1) * 1.3
    feet = figure.joints[[3, 6], :2]
    assert np.hypot(*(feet - spot).T).min() < 0.15
    assert figure.shadow.max() < 1 and figure.shadow[0, 0] < 0.02


def test_tool_row_turns_the_look(scene, qtbot):
    scene._colouring.choose(1)
    assert scene.look.colouring == "score" and scene._legend.isVisible()
    scene._tools[1].choose(0)
    assert scene.look.ghost is False
    scene.set_look(colouring="stage")
    assert not scene._legend.isVisible() and scene._colouring.value == 2


def test_a_small_panel_closes_in_and_leaves_out_tools_but_not_the_users_choice(scene, qtbot):
    assert scene.projections.whole
    scene.resize(520, 320)
    settle(qtbot)
    assert not scene.projections.whole and not scene._tools[4].lit
    assert scene._colouring.isVisible() and not scene._tools[-1].isVisible()
    scene._tools[4].choose(0)
    scene.resize(500, 310)
    settle(qtbot)
    assert scene.projections.whole


def test_no_timer_and_no_thread_is_left(scene):
    import threading

    assert not [timer for timer in scene.findChildren(QTimer) if timer.isActive()]
    assert threading.active_count() == 1


FALLBACK = """
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.INFO)
from PySide6.QtWidgets import QApplication, QWidget
app = QApplication([])
from poseaug_studio.scene import ScenePanel
from poseaug_studio.selection import Selection
from poseaug_studio.theme import DARK
from tests.studio.fakes import make_snapshot
from tests.studio.images import pixels
panel = ScenePanel(DARK, Selection())
panel.resize(760, 420); panel.show()
panel.present(make_snapshot(step=200), 1)
app.processEvents()
native = panel.views.native
view = pixels(panel.grab())[native.y() : native.y() + native.height()]
print("drawn by", type(panel.views).__name__, "colours", len({tuple(p) for p in view.reshape(-1, 3)[::7].tolist()}))
"""


def test_without_opengl_the_painter_takes_over_and_says_so():
    root = Path(__file__).parents[2]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(root)}
    environment.pop("DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", FALLBACK], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "No OpenGL on this screen" in done.stdout
    assert "drawn by PainterViews" in done.stdout
    assert int(done.stdout.rsplit(" ", 1)[1]) > 300


def test_limbs_end_at_the_border_of_the_card():
    from PySide6.QtCore import QRectF

    from poseaug_studio.projection import clipped

    room = QRectF(0, 0, 100, 50)
    a, b = clipped(np.array((50.0, 25.0)), np.array((350.0, 25.0)), room)
    assert (a.tolist(), b.tolist()) == ([50, 25], [100, 25])
    assert clipped(np.array((-10.0, 80.0)), np.array((200.0, 90.0)), room) is None
    assert clipped(np.array((120.0, 0.0)), np.array((120.0, 40.0)), room) is None


def test_what_is_behind_the_camera_is_not_projected(qtbot):
    from poseaug_studio.projection import ProjectionStrip

    def picture(snapshot):
        strip = ProjectionStrip(DARK, HUMAN16)
        qtbot.addWidget(strip)
        strip.resize(800, 200)
        strip.present(snapshot, 0, Look(ghost=False))
        return strip.grab().toImage()

    seen = make_snapshot()
    xyz = seen.xyz.copy()
    xyz[:, 0, :, 2] = -1.0
    behind = replace(seen, xyz=xyz)
    nowhere = replace(behind, uv=np.zeros_like(seen.uv))
    assert picture(behind) == picture(nowhere) != picture(seen)


@pytest.mark.parametrize("size", [(680, 205), (420, 260), (1200, 180)])
def test_bodies_are_seen_whole_however_low_or_narrow_the_place(qtbot, size):
    place = QWidget()
    qtbot.addWidget(place)
    place.resize(*size)
    panel = ScenePanel(DARK, Selection(), parent=place, opengl=False)
    panel.setGeometry(0, 0, *size)
    place.show()
    for row in range(3):
        panel.present(make_snapshot(step=200), row)
        settle(qtbot)
        views = panel.views.native
        assert views.y() + views.height() <= panel.projections.y()
        for stage, (left, wide) in enumerate(columns(views.width())):
            x, y, _ = panel.stage_pixels(stage).T
            assert x.min() > left and x.max() < left + wide
            assert y.min() > 0 and y.max() < views.height()
