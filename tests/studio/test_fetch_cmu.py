"""Get CMU mocap by mouse, from a site on this machine: to the new run, cancelled, refused, and what opening takes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from poseaug_core.fetch import cmu, download
from poseaug_core.readers.arrays import read_arrays
from poseaug_studio.fetch_cmu import FetchDialog
from poseaug_studio.new_run import NewRunDialog
from poseaug_studio.opening import is_motion, kind_of
from tests.core.acclaim_people import write_person
from tests.core.bvh_people import write_bvh
from tests.core.mocap_server import MocapServer


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Subjects 07, of three trials, and 09; nothing of the user's own cache is touched."""
    monkeypatch.setattr(cmu, "PAUSE", 0.0)
    monkeypatch.setattr(download, "CHUNK", 1000)
    write_person(tmp_path / "site", "07", trials=3, frames=60)
    write_person(tmp_path / "site", "09", frames=60)
    with MocapServer(tmp_path / "site") as server:
        monkeypatch.setenv("POSEAUG_CMU_URL", server.url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


def ask(qtbot, window) -> FetchDialog:
    card = window.start.cards["cmu"]
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton, pos=card.rect().center())
    qtbot.waitUntil(lambda: window.findChild(FetchDialog) is not None)
    return window.findChild(FetchDialog)


def press(qtbot, dialog: FetchDialog) -> None:
    qtbot.mouseClick(dialog.fetch, Qt.MouseButton.LeftButton)


def test_from_the_start_page_to_a_new_run_on_what_came(qtbot, window, site, tmp_path):
    dialog = ask(qtbot, window)
    assert not dialog.fetch.isEnabled() and str(tmp_path / "cache") in dialog.where.text()
    dialog.boxes[7].click()
    qtbot.keyClicks(dialog.others, "9")
    assert dialog.size.text() == "2 subjects, 24 trials, about 22 MB"
    qtbot.keyClicks(dialog.trials, "1-2")
    assert dialog.size.text() == "2 subjects, 4 trials, about 4 MB"
    press(qtbot, dialog)
    assert not dialog.isVisible() and window.jobs.isVisible()
    qtbot.waitUntil(lambda: window.findChild(NewRunDialog) is not None)
    new = window.findChild(NewRunDialog)
    assert [path.name for path in new.paths] == ["07_01.amc", "07_02.amc", "09_01.amc"]
    assert new.name.text() == "cmu-07-09" and new.motion
    assert window.banner.kind == "note" and "Subject 09 has no trials 09_02" in window.banner.text.text()
    new.fps.setValue(10)
    qtbot.mouseClick(new.train, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.status.state == "running", timeout=20_000)
    poses = read_arrays(window.session.config.source)
    assert poses.subjects() == [7, 9] and len(poses) > 0


def test_cancel_in_the_job_bar_keeps_a_part_that_goes_on(qtbot, window, site, monkeypatch):
    hurry = threading.Event()

    class Slow(download.ResumingDownload):
        def __init__(self, final: Path, session, told):
            def slowly(there, size):
                hurry.wait(0.02)
                return told(there, size)

            super().__init__(final, session, slowly)

    monkeypatch.setattr(cmu, "ResumingDownload", Slow)
    dialog = ask(qtbot, window)
    dialog.boxes[7].click()
    press(qtbot, dialog)
    bar = window.jobs
    qtbot.waitUntil(lambda: "07_01.amc, " in bar.title.text(), timeout=20_000)
    qtbot.mouseClick(bar.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not bar.isVisible())
    part = next(cmu.cache_folder().rglob("07_0*.part"))
    kept = part.stat().st_size
    assert kept > 0 and kept % 1000 == 0 and not window.banner.isVisible()
    assert window.findChild(NewRunDialog) is None
    hurry.set()
    again = ask(qtbot, window)
    again.boxes[7].click()
    press(qtbot, again)
    qtbot.waitUntil(lambda: window.findChild(NewRunDialog) is not None, timeout=90_000)
    assert site.asked(part.name.removesuffix(".part")) == [None, f"bytes={kept}-"]


def test_what_cannot_be_is_told_in_the_dialog_or_the_banner(qtbot, window, site, monkeypatch, tmp_path):
    dialog = ask(qtbot, window)
    qtbot.keyClicks(dialog.others, "walk")
    press(qtbot, dialog)
    assert dialog.message.isVisible() and "'walk' is no subject" in dialog.message.text() and window.session.jobs == []
    dialog.others.clear()
    assert not dialog.message.isVisible()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "mine"))
    qtbot.mouseClick(dialog.change, Qt.MouseButton.LeftButton)
    assert dialog.where.text() == str(tmp_path / "mine")
    qtbot.keyClicks(dialog.others, "50")
    assert dialog.size.text() == "1 subject; the site says how many trials"
    press(qtbot, dialog)
    qtbot.waitUntil(lambda: window.banner.isVisible())
    assert "lists no trials of subject 50" in window.banner.text.text() and window.banner.kind == "error"


def test_without_a_network_the_choice_stays_and_no_flag_is_named(qtbot, window, site, monkeypatch):
    dialog = ask(qtbot, window)
    dialog.boxes[9].click()
    with monkeypatch.context() as away:
        away.setattr(download, "ATTEMPTS", 1)
        away.setenv("POSEAUG_CMU_URL", "http://127.0.0.1:9")
        press(qtbot, dialog)
        qtbot.waitUntil(lambda: dialog.isVisible(), timeout=20_000)
    assert "cannot be reached" in dialog.message.text() and "check the network" in dialog.message.text()
    for said in (dialog.message.text(), window.banner.text.text()):
        assert "--" not in said and "POSEAUG_CMU_URL" not in said
    assert dialog.boxes[9].isChecked()
    dialog.hide()
    assert ask(qtbot, window) is dialog and dialog.isVisible()
    press(qtbot, dialog)
    qtbot.waitUntil(lambda: window.findChild(NewRunDialog) is not None, timeout=20_000)


def test_what_comes_while_a_training_is_watched_does_not_interrupt_it(qtbot, window, site):
    dialog = ask(qtbot, window)
    dialog.boxes[9].click()
    window.new_demo()
    qtbot.waitUntil(lambda: window.session.status.state == "running")
    press(qtbot, dialog)
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=20_000)
    assert "1 trial of CMU's motion capture is there" in window.banner.text.text()
    assert window.findChild(NewRunDialog) is None and window.session.running


def test_opening_takes_asfamc_files_and_folders(tmp_path):
    first, second = write_person(tmp_path, "07", trials=2)
    write_bvh(tmp_path / "08" / "a.bvh")
    bvh = tmp_path / "08" / "a.bvh"
    for paths in (
        [first],
        [first, second],
        [first.with_name("07.asf")],
        [first.parent],
        [bvh, first],
        [bvh.parent, first.parent],
    ):
        assert kind_of(paths) == ("poses", "") and is_motion(paths[0])
    (tmp_path / "empty").mkdir()
    assert "no ASF/AMC" in kind_of([tmp_path / "empty"])[1]
    os.mkfifo(tmp_path / "pipe.h5")
    assert "is a named pipe" in kind_of([tmp_path / "pipe.h5"])[1]
    assert "is too long" in kind_of([tmp_path / f"{'n' * 300}.h5"])[1]
    (tmp_path / "a.npz").write_bytes(b"")
    assert "open one kind at a time" in kind_of([first, tmp_path / "a.npz"])[1]
