"""Lifting in the studio: keypoints opened, looked at, compared and exported by clicks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent
from PySide6.QtWidgets import QFileDialog, QLabel

from poseaug_core.readers.arrays import write_arrays
from poseaug_studio import lift_work
from poseaug_studio.lift import LiftPage
from poseaug_studio.lift_image import InputView
from poseaug_studio.lift_options import LiftOptions
from poseaug_studio.theme import DARK, LIGHT
from tests.core.detectors import SIZE, annotations, detected, moving_uv, pixels
from tests.core.small import small_poses

FRAMES = 20


@pytest.fixture
def keypoints(tmp_path) -> Path:
    """COCO annotations of a person moving, a wrist missing in one frame, and the images beside it."""
    made = detected(pixels(moving_uv(FRAMES)), "coco17")
    made[6, 9, 2] = 0
    path = tmp_path / "people.json"
    path.write_text(json.dumps(annotations(made)))
    for i in range(FRAMES):
        Image.new("RGB", SIZE, (40, 90, 160)).save(tmp_path / f"{i:012d}.jpg")
    return path


def click(qtbot, widget, at: QPoint | None = None) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at or widget.rect().center())


def opened(qtbot, window, path) -> LiftPage:
    """The page with a file's keypoints lifted."""
    window.open_paths([Path(path)])
    page = window.findChild(LiftPage)
    qtbot.waitUntil(lambda: page.source is not None and len(page.answers) == 1, timeout=60_000)
    return page


def answer_dialogs(monkeypatch, opens: Path | None = None) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(opens) if opens else "", ""))


def test_from_the_start_page_to_an_exported_figure_by_clicks(qtbot, window, keypoints, tmp_path, monkeypatch):
    answer_dialogs(monkeypatch, keypoints)
    click(qtbot, window.start.lifting)
    page = window.findChild(LiftPage)
    assert window.pages.currentWidget() is page
    qtbot.waitUntil(lambda: len(page.answers) == 1, timeout=60_000)
    assert page.title.text() == "people" and "20 frames" in page.about.text()
    assert "COCO, 17 joints" in page.side.notes.text() and "parametric motion alone" in page.side.notes.text()
    strip = page.track.strip
    click(qtbot, strip, QPoint(round(strip.x_of(6)), 20))
    assert page.row == 6 and "<b>7</b> of 20" in page.track.words.text()
    assert page.side.bars.confidence[12] == 0  # the wrist that was filled in
    np.testing.assert_allclose(page.input._frame[0], page.source.uv[6])
    assert page.input._frame[3] == tmp_path / "000000000006.jpg"
    for key, name in (("figure", "f.pdf"), ("figures", "f.png"), ("poses", "p.bvh")):
        out = tmp_path / name
        page.choose_path = lambda *_, out=out: out
        page.exports[key].trigger()
        qtbot.waitUntil(lambda out=out: str(out) in window.banner.text.text(), timeout=60_000)
        assert out.stat().st_size > 1000
    click(qtbot, page.back)
    assert window.pages.currentWidget() is window.start


def test_a_baseline_stands_beside_and_is_told_apart(qtbot, window, keypoints):
    page = opened(qtbot, window, keypoints)
    assert len(page.bodies.figures) == 1 and "Choose a baseline" in page.bodies.hint.text()
    page.beside.setCurrentIndex(page.beside.findData(lift_work.DEMO))
    page.beside.activated.emit(page.beside.currentIndex())
    assert len(page.bodies.figures) == 2 and page.bodies.hint.text() == ""
    assert page.bodies.titles.words[1] == ("Demo estimator", "0 mm apart")
    np.testing.assert_array_equal(page.bodies.figures[0].joints, page.bodies.figures[1].joints)
    assert page.bodies.figures[0].ghosts == ()
    ghosts = page.bodies.ghosts
    click(qtbot, ghosts, QPoint(ghosts.width() - 8, ghosts.height() // 2))
    assert len(page.bodies.figures[0].ghosts) == 1
    azimuth = page.bodies.camera.azimuth
    native, draws = page.bodies.views.native, page.bodies.views.draws
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=QPoint(60, 80))
    qtbot.mouseMove(native, QPoint(140, 80))
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=QPoint(140, 80))
    assert page.bodies.camera.azimuth != azimuth
    qtbot.waitUntil(lambda: page.bodies.views.draws > draws)


def test_what_the_file_leaves_open_is_asked_and_read_by_clicks(qtbot, window, tmp_path):
    cloud = np.random.default_rng(0).uniform(100, 600, (3, 17, 2))
    np.save(tmp_path / "cloud.npy", cloud)
    window.open_paths([tmp_path / "cloud.npy"])
    qtbot.waitUntil(lambda: window.findChild(LiftOptions) is not None, timeout=60_000)
    dialog, page = window.findChild(LiftOptions), window.findChild(LiftPage)
    # Said once, in the dialog, by its fields and not by what is written after a name.
    said = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "does not tell" in said and "?layout" not in said and page.source is None
    assert window.banner.isHidden()
    dialog.layouts.setCurrentIndex(dialog.layouts.findData("h36m17"))
    dialog.sides[0].setValue(1280)
    dialog.sides[1].setValue(720)
    click(qtbot, dialog.read)
    qtbot.waitUntil(lambda: page.source is not None and bool(page.answers), timeout=60_000)
    assert page.asked.endswith("cloud.npy?layout=h36m17&width=1280&height=720")
    expected = (cloud[:, 0] - np.array(SIZE) / 2) * 2 / SIZE[0]
    np.testing.assert_allclose(page.source.uv[:, 0], expected, atol=1e-5)
    click(qtbot, page.how)
    again = page.findChild(LiftOptions)
    assert again.spec() == page.asked


def test_arrays_of_seventeen_joints_are_asked_about_and_read_by_the_answer(qtbot, window, keypoints, tmp_path):
    poses = small_poses(6)
    at = [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 13, 14, 15]  # Neck/Nose is the tenth of Human3.6M's 17
    path = tmp_path / "seventeen.npz"
    np.savez(path, pose3d=poses.xyz[:, at].numpy(), pose2d=poses.uv[:, at].numpy(), cam=poses.camera.numpy())
    page = opened(qtbot, window, keypoints)
    window.open_paths([path])
    qtbot.waitUntil(lambda: page.findChild(LiftOptions) is not None, timeout=60_000)
    dialog = page.findChild(LiftOptions)
    dialog.layouts.setCurrentIndex(dialog.layouts.findData("h36m17"))
    click(qtbot, dialog.read)
    qtbot.waitUntil(lambda: page.source.truth is not None, timeout=60_000)
    assert page.asked.endswith("seventeen.npz?joints=h36m17")
    np.testing.assert_allclose(page.source.uv, poses.uv.numpy(), atol=1e-6)


def test_play_goes_on_and_stops_when_the_page_is_left(qtbot, window, keypoints):
    page = opened(qtbot, window, keypoints)
    click(qtbot, page.track.play)
    qtbot.waitUntil(lambda: page.row >= 3)
    click(qtbot, page.back)
    row = page.row
    assert not page.track.clock.isActive()
    qtbot.wait(120)
    assert page.row == row


def drop(window, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(10, 10), Qt.DropAction.CopyAction, mime, buttons, keys))


def test_keypoints_are_dropped_anywhere_and_poses_on_the_page(qtbot, window, keypoints, tmp_path):
    np.savez(tmp_path / "arrays.npz", keypoints=detected(pixels(moving_uv(4)), "coco17"), width=1280, height=720)
    drop(window, tmp_path / "arrays.npz")
    qtbot.waitUntil(lambda: window.findChild(LiftPage) is not None)
    page = window.findChild(LiftPage)
    qtbot.waitUntil(lambda: page.source is not None and len(page.source) == 4 and bool(page.answers), timeout=60_000)
    drop(window, write_arrays(small_poses(10), tmp_path / "poses.npz"))
    qtbot.waitUntil(lambda: page.source.truth is not None and bool(page.answers), timeout=60_000)
    assert page.bodies.titles.words[0][1].endswith("mm MPJPE") and "Truth" in page.bodies.ghosts.names
    assert not page.how.isVisible()
    assert window.findChildren(LiftPage) == [page]


def test_poses_dropped_elsewhere_still_lead_to_a_new_run(tmp_path):
    poses = write_arrays(small_poses(10), tmp_path / "poses.npz")
    assert not lift_work.is_keypoints([poses])
    (tmp_path / "empty").mkdir()
    assert not lift_work.is_keypoints([tmp_path / "empty"]) and not lift_work.is_keypoints([tmp_path / "no.json"])


@pytest.mark.parametrize(
    "text, words", [("[]", "0 people"), ("{", "not whole JSON"), ('{"a": 1}', "its keys are a")]
)  # fmt: skip
def test_bad_files_are_told_in_the_banner_and_what_was_shown_stays(qtbot, window, keypoints, tmp_path, text, words):
    page = opened(qtbot, window, keypoints)
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    window.open_paths([bad])
    qtbot.waitUntil(lambda: window.banner.isVisible())
    assert words in window.banner.text.text() and page.title.text() == "people"


def test_an_estimator_that_cannot_be_read_is_told_and_another_still_lifts(qtbot, window, keypoints, tmp_path):
    page = opened(qtbot, window, keypoints)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    page.use(str(broken))
    qtbot.waitUntil(lambda: window.banner.isVisible())
    assert "broken.safetensors" in window.banner.text.text() and not page.export.isEnabled()
    qtbot.waitUntil(lambda: not page.jobs)
    page.use(lift_work.DEMO)
    assert page.export.isEnabled() and len(page.bodies.figures) == 1


def test_recent_runs_are_offered_with_their_checkpoints(qtbot, window, keypoints, tmp_path):
    from poseaug_studio import library

    folder = tmp_path / "runs" / "walks"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.toml").write_text("")
    for name in ("pretrained", "latest"):
        (folder / "checkpoints" / f"{name}.safetensors").write_bytes(b"")
    library.remember(folder, window.settings)
    page = opened(qtbot, window, keypoints)
    offered = {page.beside.itemText(i): page.beside.itemData(i) for i in range(page.beside.count())}
    assert offered["walks"] == str(folder)
    assert offered["walks, pretrained"] == str(folder / "checkpoints" / "pretrained.safetensors")


def test_the_theme_reaches_the_page(qtbot, window, keypoints):
    page = opened(qtbot, window, keypoints)
    window.set_theme("light")
    assert page.theme is LIGHT and page.input.theme is LIGHT and page.bodies.views._theme is LIGHT
    window.set_theme("dark")
    assert page.theme is DARK


def test_the_image_and_its_keypoints_lie_on_each_other(qtbot, tmp_path):
    path, uv = tmp_path / "a.png", moving_uv(1)[0]
    picture = np.full((SIZE[1], SIZE[0], 3), 30, np.uint8)
    x, y = pixels(uv)[12].round().astype(int)  # left wrist
    picture[y - 12 : y + 13, x - 12 : x + 13] = (250, 20, 20)
    Image.fromarray(picture).save(path)
    view = InputView(DARK)
    qtbot.addWidget(view)
    view.resize(800, 600)
    for whole in (True, False):
        view.set_whole(whole)
        view.present(uv, np.ones(16), np.array(SIZE), path)
        origin, scale = view.placement()
        spot = origin + uv[12] * scale + np.array((9, 9)) * scale / SIZE[0] * 2
        shown = QColor(view.grab().toImage().pixel(*spot.round().astype(int).tolist()))
        assert shown.red() > 150 and shown.green() < 60, (whole, shown.name())
