"""Exporting from the window: every figure, every format, and what cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from poseaug_studio import style
from poseaug_studio.saving import FIGURES, FORMATS, WIDTHS, ExportDialog
from poseaug_studio.selection import Selection
from poseaug_studio.session import Session
from poseaug_studio.theme import DARK


@pytest.fixture
def dialog(qtbot, session, small, tmp_path) -> ExportDialog:
    session.start(small, tmp_path / "run")
    qtbot.waitUntil(lambda: len(session.history.steps) > 2, timeout=60_000)
    made = ExportDialog(session, DARK, Selection())
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(made)
    made.show()
    return made


def test_the_studio_offers_what_the_core_draws():
    from poseaug_core import export

    assert set(FIGURES) == set(export.FIGURES)
    assert {f".{name}" for name in FORMATS} == set(export.FORMATS)
    assert {width for width in WIDTHS.values() if width} > set(export.WIDTHS.values())


def test_the_preview_follows_the_choice(qtbot, dialog):
    qtbot.waitUntil(lambda: not dialog.picture.pixmap().isNull(), timeout=60_000)
    assert dialog.message.text().startswith("175 \u00d7")
    dialog.preset.setCurrentIndex(0)
    qtbot.waitUntil(lambda: dialog.message.text().startswith("85 \u00d7"), timeout=60_000)


@pytest.mark.parametrize("ending, start", [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_saving_writes_the_chosen_format(qtbot, dialog, tmp_path, ending, start):
    dialog.format.setCurrentIndex(dialog.format.findData(ending))
    dialog.choose_path = lambda: tmp_path / "figure"
    with qtbot.waitSignal(dialog.written, timeout=60_000) as done:
        qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert done.args[0] == tmp_path / f"figure.{ending}"
    assert done.args[0].read_bytes().startswith(start)


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(qtbot, dialog, tmp_path):
    dialog.choose_path = lambda: tmp_path / "missing" / "figure.pdf"
    with qtbot.waitSignal(dialog.session.failed, timeout=60_000) as told:
        qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert "missing" in told.args[0] and "Error" not in told.args[0]
    qtbot.waitUntil(lambda: dialog.save.isEnabled())


def test_copying_puts_a_picture_on_the_clipboard(qtbot, dialog):
    QApplication.clipboard().clear()
    qtbot.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not QApplication.clipboard().image().isNull(), timeout=60_000)
    assert QApplication.clipboard().image().width() == pytest.approx(175 / 25.4 * 300, abs=3)


def test_previews_and_style_images_have_folders_of_their_own_which_leave_with_them(qtbot, dialog, training):
    session, other = dialog.session, Session(training.train, training.open_run)
    paths = [session.scratch(".png"), session.scratch(".png"), other.scratch(".png")]
    assert len(set(paths)) == 3 and paths[0].parent != paths[2].parent
    assert all(path.parent.stat().st_mode & 0o077 == 0 for path in paths)
    assert Path(style.image("down", "#ffffff")).parent.stat().st_mode & 0o077 == 0
    other.close()
    session.close()
    assert not any(path.parent.exists() for path in paths)
