"""Closing the window: what still trains is asked about, ends after its step, and can go on later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QMessageBox

from poseaug_studio.labels import message_box
from poseaug_studio.notices import SavingBox

if TYPE_CHECKING:
    from poseaug_studio.window import StudioWindow


def may_close(window: StudioWindow) -> bool:
    """Whether nothing trains any more; otherwise it is asked about, or stopped where the window is scripted, and the
    window closes by itself at the end of it."""
    if window.table_run.running:
        number = window.table_run.asked.number
        words = f"Table {number} is being trained. Stop it and close? What was trained is kept, and goes on from there."
        stop_table(window) if window.scripted else _ask(window, "A table is being trained", words, stop_table)
        return False
    if window.session.running:
        words = "The training is still running. Stop it and close? It can go on later from where it stopped."
        if window.scripted:
            stop_run(window)
        elif not window.closing:
            _ask(window, "Training runs", words, stop_run)
        return False
    return True


def stop_table(window: StudioWindow) -> None:
    """The table ends after its step, with a checkpoint; then the window closes as it otherwise does."""
    window.table_run.ended.connect(lambda _: QTimer.singleShot(0, window.close), Qt.ConnectionType.SingleShotConnection)
    window.table_run.stop()


def stop_run(window: StudioWindow) -> None:
    """The window stays, and takes no more orders, while the checkpoint is written; the end of that closes it."""
    if not window.closing:
        window.closing = True
        window.setEnabled(False)
        window.saving = SavingBox(window)
        window.saving.show()
        window.session.finish()


def _ask(window: StudioWindow, title: str, words: str, stop) -> None:
    box = message_box(window, title, words)
    agreed = box.addButton("Stop and close", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Keep training", QMessageBox.ButtonRole.RejectRole)
    box.buttonClicked.connect(lambda button: stop(window) if button is agreed else None)
    box.open()
