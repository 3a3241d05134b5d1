"""Training a table: ``poseaug table`` as a process of its own, which outlives nothing but can be left at any time."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, QProcess, Signal

from poseaug_studio.table_grid_work import Asked

#: What trains a table: the command line of this very program.
POSEAUG = (sys.executable, "-m", "poseaug_core.cli")


class TableRun(QObject):
    """One table in training. ended: its failure in a sentence, '' where it is finished or was stopped."""

    ended = Signal(str)

    def __init__(self, parent: QObject | None = None, command: tuple[str, ...] = POSEAUG):
        super().__init__(parent)
        self.command = command
        self.asked: Asked | None = None
        self.stopping = False
        self._process: QProcess | None = None
        self._said = ""

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self, asked: Asked) -> None:
        """Train what is missing of a table, resuming what was begun."""
        self.asked, self.stopping, self._said = asked, False, ""
        process = QProcess(self)
        process.readyReadStandardError.connect(self._listen)
        process.readyReadStandardOutput.connect(process.readAllStandardOutput)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed_to_start)
        self._process = process
        process.start(self.command[0], [*self.command[1:], *asked.arguments()])

    def stop(self) -> None:
        """Ask it to end after its step; all that was done is kept."""
        if self._process is not None and not self.stopping:
            self.stopping = True
            self._process.terminate()

    def _listen(self) -> None:
        words = bytes(self._process.readAllStandardError()).decode(errors="replace").strip().splitlines()
        self._said = words[-1] if words else self._said

    def _failed_to_start(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._said = f"{self.command[0]} cannot be started; install the program again."
            self._finished(1)

    def _finished(self, code: int, _=None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        said = "" if self.stopping or code == 0 else self._said.removeprefix("Error: ") or f"It ended with code {code}."
        process.deleteLater()
        self.ended.emit(said)
