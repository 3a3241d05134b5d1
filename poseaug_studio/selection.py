"""Selection: which probe pose and which body part are chosen, shared by every panel."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal


class Selection(QObject):
    """row: the probe pose shown large. part: a name of skeleton.parts, or '' for none."""

    row_changed = Signal(int)
    part_changed = Signal(str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.row = 0
        self.part = ""

    def choose_row(self, row: int) -> None:
        if row != self.row:
            self.row = row
            self.row_changed.emit(row)

    def choose_part(self, part: str) -> None:
        """Select a part; choosing the selected part again clears it."""
        self.part = "" if part == self.part else part
        self.part_changed.emit(self.part)
