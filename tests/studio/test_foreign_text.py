"""Names of files, notes and errors in the window: shown letter by letter, not as HTML, not wider than their place."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import Qt
from PySide6.QtWidgets import QLabel, QMessageBox

from poseaug_studio.fetch_cmu import FetchDialog
from poseaug_studio.labels import (
    FOLDED,
    UNFOLDED,
    Label,
    MarkedLabel,
    caption,
    marked,
    message_box,
    tip,
    title,
)
from poseaug_studio.library import Entry
from poseaug_studio.new_run import NewRunDialog
from poseaug_studio.presets_view import PresetsDialog
from poseaug_studio.theme import DARK

#: A name with pictures and headings in HTML, a terminal's codes, a turned line, '&' and no place to fold it at.
HOSTILE = "<img src=x><h1>&A\x1b]0;x\x07\u202e" + "W" * 150


def own_labels(widget) -> list[QLabel]:
    return [label for label in widget.findChildren(QLabel) if isinstance(label, Label | MarkedLabel)]


def guessing(widget) -> list[str]:
    """Labels that guess whether their text is HTML; Qt's own, in boxes and file dialogs, are in what Qt makes."""
    return [label.text() for label in widget.findChildren(QLabel) if label.textFormat() == Qt.TextFormat.AutoText]


def test_no_label_of_the_window_guesses_what_its_text_is(qtbot, window):
    window.start.demo.emit()
    qtbot.waitUntil(lambda: len(window.session.history.steps) >= 3, timeout=60_000)
    assert len(own_labels(window)) > 40
    assert guessing(window) == []


@pytest.mark.parametrize("make", [PresetsDialog, FetchDialog])
def test_no_label_of_a_dialog_guesses_what_its_text_is(qtbot, window, make):
    arguments = {PresetsDialog: (DARK, window), FetchDialog: (window.session, DARK, window)}[make]
    dialog = make(*arguments)
    qtbot.addWidget(dialog)
    assert own_labels(dialog) and guessing(dialog) == []


def test_a_new_runs_dialog_shows_names_as_they_are(qtbot, window):
    path = Path("/tmp") / f"{HOSTILE}.npz"
    dialog = NewRunDialog([path], window.session, DARK, window)
    qtbot.addWidget(dialog)
    assert guessing(dialog) == []
    shown = " ".join(label.text() for label in dialog.findChildren(MarkedLabel))
    assert "<img" not in shown and "&lt;img src=x&gt;&lt;h1&gt;&amp;A\\x1b" in shown


def test_a_banner_is_as_wide_as_the_window_whatever_it_says(qtbot, window):
    window.banner.tell(f"{HOSTILE} cannot be read; name another file.")
    assert window.banner.minimumSizeHint().width() < 650
    assert window.minimumSizeHint().width() <= window.width()
    shown = window.banner.text.text()
    assert "\x1b" not in shown and "\u202e" not in shown and shown.startswith("<img src=x><h1>&A\\x1b]0;x\\x07\\u202e")
    assert shown.endswith("cannot be read; name another file.")
    window.banner.tell("x" * 10**6)
    assert len(window.banner.text.text()) == FOLDED


def test_a_failing_file_is_told_in_the_banner_as_text(qtbot, window, tmp_path):
    path = tmp_path / HOSTILE[:60].replace("/", "|")
    path.write_bytes(b"no poses")
    window.open_path(path)
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=60_000)
    assert window.banner.text.textFormat() == Qt.TextFormat.PlainText
    assert "<img src=x>" in window.banner.text.text() and "\x1b" not in window.banner.text.text()


def test_a_job_is_named_as_text_within_its_place(qtbot, window):
    job = window.session.background(f"Opening {HOSTILE}", lambda progress: progress(0.5, HOSTILE))
    window.jobs._show()
    shown = window.jobs.title.text()
    assert len(shown) <= UNFOLDED and "\x1b" not in shown
    assert window.jobs.title.textFormat() == Qt.TextFormat.PlainText
    qtbot.waitUntil(lambda: job not in window.session.jobs)


def test_recent_runs_are_listed_as_text(qtbot, window, tmp_path):
    window.start.show_recent([Entry(tmp_path / "a <b>&run", 0.0, None)])
    names = [label.text() for label in own_labels(window.start)]
    assert "a <b>&run" in names


def test_boxes_titles_tips_and_captions_are_text(qtbot, window):
    box = message_box(window, HOSTILE, HOSTILE * 9)
    assert isinstance(box, QMessageBox) and box.textFormat() == Qt.TextFormat.PlainText
    assert "\x1b" not in box.text() + box.windowTitle() and len(box.text().replace("\u200b", "")) == FOLDED
    assert caption("a & b") == "a && b" and title("run [*]") == "run [*][*]"
    for made in (caption(HOSTILE), title(HOSTILE)):
        assert not set("\x1b\x07\u202e") & set(made) and len(made) < 150
    told = tip(f"{HOSTILE}\nsecond")
    assert "<img" not in told and "&lt;img" in told and "second" in told
    assert tip("runs/a") == "runs/a"
    assert marked(HOSTILE).startswith("&lt;img src=x&gt;&lt;h1&gt;&amp;A\\x1b")


def test_a_label_keeps_what_it_was_given_and_sizes_only_by_its_place(qtbot):
    label = Label(wordWrap=True)
    qtbot.addWidget(label)
    label.setText("W" * 500)
    assert label.text() == "W" * 500 and label.minimumSizeHint().width() < 900
    label.setText(label.text())  # what is set again is not written out
    assert label.text() == "W" * 500
    several = Label("a\nb\x1b", lines=True)
    qtbot.addWidget(several)
    assert several.text() == "a\nb\\x1b"


def test_an_error_of_several_lines_is_told_in_its_first(qtbot, session):
    def work(progress):
        raise RuntimeError("shape '[3]' is invalid\n  at here\n  <b>at there</b>")

    with qtbot.waitSignal(session.failed, timeout=10_000) as told:
        session.background("Reading", work)
    assert told.args[0] == "Reading failed: RuntimeError: shape '[3]' is invalid."
