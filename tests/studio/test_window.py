"""The window: a run from the start page to its end, dropped files, layout, themes, palette and closing."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from poseaug_core.live import Status
from poseaug_studio import library
from poseaug_studio.commands import score
from poseaug_studio.new_run import NewRunDialog
from poseaug_studio.theme import DARK, LIGHT
from poseaug_studio.window import StudioWindow
from tests.studio.test_kcs import Paints


@pytest.fixture
def training_window(qtbot, window):
    window.start.demo.emit()
    qtbot.waitUntil(lambda: len(window.session.history.steps) >= 5, timeout=60_000)
    return window


def drop(window: StudioWindow, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window.dropEvent(
        QDropEvent(
            QPointF(10, 10), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
    )


def test_the_demo_card_opens_the_workspace_and_trains(qtbot, window):
    card = window.start.cards["demo"]
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton, pos=card.rect().center())
    assert window.pages.currentWidget() is window.workspace
    qtbot.waitUntil(lambda: window.session.status.state == "running")
    qtbot.waitUntil(lambda: window.workspace.panels["distributions"].snapshot is not None)


def test_the_run_bar_acknowledges_pause_step_and_stop_at_once(qtbot, training_window):
    bar = training_window.workspace.runbar
    qtbot.mouseClick(bar.train, Qt.MouseButton.LeftButton)
    assert bar.pill.text() == "Pausing\u2026" or bar.pill.text() == "Paused"
    qtbot.waitUntil(lambda: bar.pill.text() == "Paused")
    step = training_window.session.status.step
    qtbot.mouseClick(bar.step, Qt.MouseButton.LeftButton, pos=QPoint(12, 12))
    qtbot.waitUntil(lambda: training_window.session.status.step == step + 1)
    qtbot.waitUntil(lambda: bar.pill.text() == "Paused")
    qtbot.mouseClick(bar.train, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: training_window.session.status.step > step + 3)
    qtbot.mouseClick(bar.stop, Qt.MouseButton.LeftButton)
    assert bar.pill.text() in ("Stopping\u2026", "Stopped")
    qtbot.waitUntil(lambda: bar.pill.text() == "Stopped")
    assert bar.train.text() == "Continue" and not bar.stop.isEnabled()


def test_a_knob_turned_by_mouse_reaches_the_trainer_and_the_timeline(qtbot, training_window, training):
    slider = training_window.workspace.knobs.knobs["length_limit"].slider
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(round(slider.x_of(0.18)), slider.height() // 2))
    value = training_window.session.controls.length_limit
    assert value == pytest.approx(0.18, abs=0.01)
    qtbot.waitUntil(lambda: training.used[-1].length_limit == value)
    marks = training_window.workspace.timeline.track
    qtbot.waitUntil(lambda: any("BL limit" in mark.text for mark in marks.marks))


def test_scrubbing_by_mouse_shows_that_step_in_the_panels(qtbot, training_window):
    track = training_window.workspace.timeline.track
    target = track.steps[1]
    spot = QPoint(round(track.x_of(target)), 23)
    qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=spot)
    assert training_window.session.shown in track.steps[:3]
    shown = training_window.session.shown
    distributions = training_window.workspace.panels["distributions"]
    qtbot.waitUntil(lambda: distributions.snapshot is not None and distributions.snapshot.step == shown)
    assert training_window.session.running


@pytest.mark.parametrize(
    "name, words",
    [("poses.txt", "choose BVH files"), ("missing.npz", "does not exist"), ("empty", "holds no BVH files")],
)
def test_bad_things_dropped_are_told_in_a_sentence(qtbot, window, tmp_path, name, words):
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif name != "missing.npz":
        path.write_text("hello")
    drop(window, path)
    qtbot.waitUntil(lambda: window.banner.isVisible())
    assert words in window.banner.text.text() and path.name in window.banner.text.text()
    assert window.findChild(NewRunDialog) is None


def test_poses_dropped_lead_to_a_new_run(qtbot, window, training, tmp_path):
    path = tmp_path / "people.npz"
    path.write_bytes(b"")
    drop(window, path)
    qtbot.waitUntil(lambda: window.findChild(NewRunDialog) is not None)
    dialog = window.findChild(NewRunDialog)
    dialog.epochs.setValue(7)
    qtbot.mouseClick(dialog.train, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.status.state == "running")
    assert window.session.config.source == str(path) and window.session.config.epochs == 7
    assert window.session.folder.name.startswith("people")


def test_few_poses_and_motion_capture_get_the_preset_for_little_data(qtbot, session, tmp_path):
    few, many = tmp_path / "few.npz", tmp_path / "many.h5"
    np.savez(few, pose3d=np.zeros((50, 16, 3), np.float32))
    with h5py.File(many, "w") as file:
        file.create_dataset("pose3d", shape=(200_000, 16, 3), dtype=np.float32, chunks=(1000, 16, 3))
    presets = {}
    for path in (few, many, tmp_path / "walk.bvh"):
        dialog = NewRunDialog([path], session, DARK)
        qtbot.addWidget(dialog)
        presets[path.name] = dialog.config().preset
    assert presets == {"few.npz": "small_data", "many.h5": "released", "walk.bvh": "small_data"}
    assert dialog.fps.value() == 30 and dialog.config().pretrain_epochs == 40
    assert str(library.runs_folder() / "walk") in dialog.where.text()


def test_other_sets_may_be_motion_capture_and_can_be_cleared(qtbot, session, tmp_path, monkeypatch):
    dialog = NewRunDialog([tmp_path / "walk.bvh"], session, DARK)
    qtbot.addWidget(dialog)
    dialog.show()
    asked = []
    monkeypatch.setattr(
        QFileDialog, "getOpenFileNames", lambda *given: asked.append(given[3]) or (["/a/run.bvh", "/a/b.npz"], "")
    )
    qtbot.mouseClick(dialog.cross.add, Qt.MouseButton.LeftButton)
    assert "*.bvh" in asked[0] and dialog.config().cross == ("/a/run.bvh", "/a/b.npz")
    qtbot.mouseClick(dialog.cross.clear, Qt.MouseButton.LeftButton)
    assert dialog.config().cross == () and not dialog.cross.clear.isVisible()


def test_a_run_shows_up_among_the_recent_ones(qtbot, training_window, settings):
    folder = training_window.session.folder
    assert library.recent_paths(settings)[0] == str(folder)
    (folder / "config.toml").write_text("")
    training_window.show_start()
    assert [entry.folder for entry in training_window.start.entries] == [folder]


def test_the_layout_is_restored(qtbot, window, session, settings, training):
    window.show_workspace()
    window.workspace.docks["kcs"].close()
    window.workspace.area.resizeDocks([window.workspace.docks["knobs"]], [400], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: window.workspace.docks["knobs"].width() > 350)
    window.save_layout()
    again = StudioWindow(session, settings, "dark", scripted=True)
    qtbot.addWidget(again)
    with qtbot.waitSignal(again.workspace.built, timeout=60_000):
        again.show()
    again.show_workspace()
    assert not again.workspace.docks["kcs"].isVisible()
    qtbot.waitUntil(lambda: again.workspace.docks["knobs"].width() > 350)
    again.commands["reset layout"].trigger()
    assert again.workspace.docks["kcs"].isVisible()


def test_on_a_small_screen_the_lower_docks_are_tabs_beside_views_that_are_tall(qtbot, window):
    window.show_workspace()
    window.resize(1280, 720)
    window.commands["reset layout"].trigger()
    docks = window.workspace.docks
    curves = docks["curves"]
    assert set(window.workspace.area.tabifiedDockWidgets(curves)) == {docks["kcs"], docks["distributions"]}
    assert window.width() == 1280 and window.height() == 720
    qtbot.waitUntil(lambda: window.workspace.panels["scene"].views.native.height() > 200)
    window.resize(1600, 1000)
    window.commands["reset layout"].trigger()
    assert window.workspace.area.tabifiedDockWidgets(curves) == []


def test_themes_change_every_part_and_are_remembered(qtbot, training_window, settings):
    training_window.set_theme("light")
    parts = [*training_window.workspace.panels.values(), training_window.workspace.knobs, training_window.start]
    assert all(part.theme is LIGHT for part in parts)
    assert LIGHT.background in QApplication.instance().styleSheet()
    assert settings.value("theme") == "light"
    training_window.set_theme("dark")
    assert all(part.theme is DARK for part in parts)


def test_the_palette_runs_what_its_letters_find(qtbot, window):
    window.commands["palette"].trigger()
    box = window.palette_box
    qtbot.keyClicks(box.line, "swap")
    assert "Swap dark and light theme" in box.list.item(0).text()
    qtbot.keyClick(box.line, Qt.Key.Key_Return)
    assert window.theme is LIGHT


def test_letters_must_come_in_order():
    assert score("exfig", "File: Export figure\u2026") > 0
    assert score("zzz", "File: Export figure\u2026") is None
    assert score("expo", "Export") > score("expo", "E x p o")


def test_a_failure_is_a_sentence_in_the_banner(qtbot, window):
    window.session.failed.emit("source.h5 has 17 joints; drop one.")
    assert window.banner.isVisible() and window.banner.text.text() == "source.h5 has 17 joints; drop one."
    qtbot.mouseClick(window.banner.shut, Qt.MouseButton.LeftButton)
    assert not window.banner.isVisible()


def test_closing_asks_first_and_then_leaves_no_thread(qtbot, training_window):
    training_window.scripted = False
    assert not training_window.close()
    box = training_window.findChild(QMessageBox)
    keep, stop = sorted(box.buttons(), key=lambda button: button.text())
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert training_window.isVisible() and training_window.saving.isVisible()
    qtbot.waitUntil(lambda: not training_window.isVisible(), timeout=60_000)
    assert not [thread for thread in threading.enumerate() if thread.name == "training"]


def test_closing_while_asked_to_keep_training_trains_on(qtbot, training_window):
    training_window.scripted = False
    training_window.close()
    box = training_window.findChild(QMessageBox)
    keep, stop = sorted(box.buttons(), key=lambda button: button.text())
    qtbot.mouseClick(keep, Qt.MouseButton.LeftButton)
    step = training_window.session.status.step
    qtbot.waitUntil(lambda: training_window.session.status.step > step)
    assert training_window.isVisible()
    training_window.scripted = True


def test_a_run_trained_elsewhere_cannot_be_continued_here(qtbot, window, training):
    window.start.demo.emit()
    qtbot.waitUntil(lambda: len(window.session.history.steps) >= 3, timeout=60_000)
    bar, session = window.workspace.runbar, window.session
    session.stop()
    qtbot.waitUntil(lambda: not session.running and bar.train.text() == "Continue")
    training.runs[str(session.folder)].written = True
    qtbot.waitUntil(lambda: bar.pill.text() == "Training elsewhere")
    assert not bar.train.isEnabled()
    window.toggle()
    assert not session.running


def test_a_failed_run_with_a_checkpoint_goes_on(qtbot, window):
    bar = window.workspace.runbar
    bar.show_status(Status(state="failed"), resumable=True)
    assert bar.train.text() == "Continue"
    bar.show_status(Status(state="failed"))
    assert bar.train.text() == "Train again"


def test_what_a_run_found_out_about_its_device_is_said_beside_it(window):
    bar = window.workspace.runbar
    bar.show_status(Status(state="running", device="cuda", message="Iterations run one by one."))
    assert "not recorded" in bar.device.text() and bar.device.toolTip() == "Iterations run one by one."
    bar.show_status(Status(state="running", device="cuda"))
    assert "not recorded" not in bar.device.text() and not bar.device.toolTip()


def test_training_again_begins_as_the_run_did_and_forgets_old_failures(qtbot, window, training):
    begun = replace(window.demo, controls=replace(window.demo.controls, length_limit=0.02))
    training.steps = 40
    window.begin(begun, "people")
    window.session.steer(replace(begun.controls, length_limit=0.04))
    qtbot.waitUntil(lambda: window.session.status.state == "finished" and not window.session.running, timeout=60_000)
    first = window.session.folder
    qtbot.waitUntil(lambda: window.session.run is not None)
    training.runs[str(first)].saved = []
    window.session.failed.emit("source.h5 has 17 joints; drop one.")
    window.toggle()
    qtbot.waitUntil(lambda: window.session.folder != first)
    assert window.session.config == begun and window.session.controls.length_limit == 0.02
    assert library.name_of(window.session.folder) == "people"
    assert not window.banner.isVisible()


def test_the_first_evaluation_has_no_progress_and_is_named_in_full(qtbot, window):
    """The change from preparing comes on screen at once and whole: it paints no bar that is not laid out yet."""
    bar = window.workspace.runbar
    window.show_workspace()
    bar.show_status(Status(state="preparing", message="building the networks", done=1.0))
    qtbot.waitUntil(lambda: bar.percent.text() == "100 %" and bar.phase.height() >= bar.phase.sizeHint().height())
    paints = Paints(bar.progress)
    bar.show_status(Status(state="running", stage="evaluate", done=1.0))
    assert paints.count == 0, "painted before the rest was laid out"
    qtbot.waitUntil(lambda: paints.count > 0)
    assert bar.pill.text() == "Training" and bar.phase.text() == "Evaluating the estimator"
    assert bar.progress.value() == 0 and bar.percent.text() == ""
    assert bar.phase.height() >= bar.phase.sizeHint().height() and bar.phase.width() >= bar.phase.sizeHint().width()


def test_the_kcs_panel_knows_the_accuracies_of_a_run_that_is_opened(qtbot, training_window):
    session = training_window.session
    session.stop()
    qtbot.waitUntil(lambda: not session.running)
    kcs, steps = training_window.workspace.panels["kcs"], session.history.steps
    session.run.recorded[-1] = replace(session.run.recorded[-1], scalars={})
    kcs.show_series(type(kcs.series)())
    session.open(session.folder)
    qtbot.waitUntil(lambda: kcs.snapshot is session.run.recorded[-1], timeout=20_000)
    assert kcs.accuracies()[0] == steps[-2]


def test_while_a_run_is_prepared_the_views_say_so(window):
    waiting = window.workspace.waiting
    window.show_workspace()
    window._show_status(Status(state="preparing", message="building the networks"))
    assert waiting.isVisible() and waiting.text() == "Building the networks\u2026"
    window._show_status(Status(state="running"))
    assert not waiting.isVisible()


def test_a_file_dragged_over_the_window_frames_it(window, tmp_path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "people.npz"))])
    window.dragEnterEvent(
        QDragEnterEvent(
            QPoint(9, 9), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
    )
    assert window.drop_frame.isVisible() and window.drop_frame.size() == window.centralWidget().size()
    window.dragLeaveEvent(QDragLeaveEvent())
    assert not window.drop_frame.isVisible()


def test_a_run_that_another_one_ends_is_named(qtbot, training_window):
    window, first = training_window, training_window.session.folder
    window.begin(window.demo, "second")
    qtbot.waitUntil(lambda: window.session.folder != first, timeout=60_000)
    assert window.banner.isVisible() and first.name in window.banner.text.text()
    assert "library" in window.banner.text.text()


def test_the_phases_are_named_after_what_augments(qtbot, window, small, tmp_path):
    window.session.start(replace(small, augmentation="evolution"), tmp_path / "bred")
    qtbot.waitUntil(lambda: window.session.status.state == "running", timeout=60_000)
    assert window.workspace.runbar.phase.text() == "Evolution"
    assert window.workspace.timeline.track.names["poseaug"] == "Evolution"
