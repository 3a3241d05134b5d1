"""Presets: what two of them do differently, setting by setting, with the paper's equations."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.preset_differences import Difference, preset_differences
from poseaug_core.presets import PRESETS
from poseaug_studio.labels import Label, MarkedLabel
from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme

#: What each preset is, in a line.
WORDS = {
    "released": "What the authors' released code does.",
    "paper": "What the paper's text says; what it leaves open is chosen.",
    "small_data": "For some ten thousand poses, where the released schedule does badly.",
}
SHOWN_FIRST = ("paper", "released")


def value_words(value: Any, read: bool, unit: str = "") -> str:
    """A setting's value as people say it; 'not read' where a run of the preset has no use for it."""
    if not read:
        return "not read"
    if value is None:
        return "its schedule"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (tuple, list)):
        return ", ".join(value) or "none"
    return f"{value:g} {unit}".strip() if isinstance(value, (int, float)) else str(value)


def lines_of(found: list[Difference]) -> list[tuple[str, str, str, str, str]]:
    """(label, first, second, equation, help) of each difference."""
    return [
        (
            d.setting.label,
            value_words(d.first, d.read_first, d.setting.unit),
            value_words(d.second, d.read_second, d.setting.unit),
            d.setting.equation,
            d.setting.help,
        )
        for d in found
    ]


def as_text(first: str, second: str, lines: list[tuple[str, str, str, str, str]]) -> str:
    """Tab-separated, with a heading: pasted into a spreadsheet it is a table."""
    heading = ("setting", first, second, "equation", "meaning")
    return "\n".join("\t".join(line) for line in (heading, *lines)) + "\n"


class PresetsDialog(QDialog):
    """See the module. first, second: the presets compared at the start."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, first: str = "paper", second: str = "released"):
        super().__init__(parent)
        self.setWindowTitle("Presets")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.theme = theme
        self.lines: list[tuple[str, str, str, str, str]] = []
        self.first, self.second = QComboBox(), QComboBox()
        for box, chosen in ((self.first, first), (self.second, second)):
            box.addItems(list(PRESETS))
            box.setCurrentText(chosen)
            box.currentTextChanged.connect(self._compare)
        self.filter = QLineEdit(placeholderText="Filter by name, equation or meaning", clearButtonEnabled=True)
        self.filter.textChanged.connect(self._filter)
        self.words = MarkedLabel(objectName="muted", wordWrap=True)
        self.count = Label(objectName="muted")
        self.table = QTableWidget(0, 5)
        self.copy = QPushButton("Copy as text")
        self.copy.clicked.connect(self._copy)
        self._arrange()
        self._compare()

    def _arrange(self) -> None:
        swap = QToolButton(text="\u21c4", toolTip="Exchange the two presets")
        swap.clicked.connect(self._swap)
        top = QHBoxLayout(spacing=8)
        for part in (self.first, swap, self.second):
            top.addWidget(part)
        top.addSpacing(12)
        top.addWidget(self.filter, 1)
        shut = QPushButton("Close", objectName="primary")
        shut.clicked.connect(self.close)
        buttons = QHBoxLayout(spacing=8)
        buttons.addWidget(self.count, 1)
        for button in (self.copy, shut):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        table = self.table
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.setShowGrid(False)
        line = mix(self.theme.surface, self.theme.line, 0.6)
        table.setStyleSheet(f"QTableView::item {{ padding: 5px 6px; border-bottom: 1px solid {line}; }}")
        table.verticalHeader().hide()
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        head = table.horizontalHeader()
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column in range(4):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(4, QHeaderView.ResizeMode.Stretch)
        head.setHighlightSections(False)
        outer = QVBoxLayout(self, spacing=12)
        outer.setContentsMargins(20, 18, 20, 16)
        outer.addLayout(top)
        outer.addWidget(self.words)
        outer.addWidget(table, 1)
        outer.addLayout(buttons)
        self.resize(940, 620)

    def _swap(self) -> None:
        first, second = self.first.currentText(), self.second.currentText()
        self.first.setCurrentText(second)
        self.second.setCurrentText(first)

    def _compare(self) -> None:
        first, second = self.first.currentText(), self.second.currentText()
        self.lines = lines_of(preset_differences(first, second))
        names = dict.fromkeys((first, second))
        self.words.setText("<br>".join(f"<b>{name}</b>: {WORDS[name]}" for name in names))
        self.table.setHorizontalHeaderLabels(["Setting", first, second, "Equation", "Meaning"])
        self.table.setRowCount(len(self.lines))
        for row, line in enumerate(self.lines):
            for column, text in enumerate(line):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
                quiet = text == "not read" or column >= 3
                item.setForeground(QColor(self.theme.muted if quiet else self.theme.text))
                if column in (1, 2):
                    item.setFont(font(13, 500, tabular=True))
                self.table.setItem(row, column, item)
        self._filter()

    def _filter(self) -> None:
        words = self.filter.text().lower().split()
        shown = [row for row, line in enumerate(self.lines) if all(w in " ".join(line).lower() for w in words)]
        for row in range(len(self.lines)):
            self.table.setRowHidden(row, row not in shown)
        self.table.resizeRowsToContents()
        if self.first.currentText() == self.second.currentText():
            self.count.setText("This is one and the same preset; choose another one to compare with.")
        else:
            hidden = f", {len(shown)} shown" if len(shown) < len(self.lines) else ""
            self.count.setText(f"{len(self.lines)} settings differ{hidden}.")
        self.copy.setEnabled(bool(self.lines))

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self.table.resizeRowsToContents()

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self.table.resizeRowsToContents()

    def text(self) -> str:
        """What the copy button copies: the lines that the filter lets through."""
        kept = [line for row, line in enumerate(self.lines) if not self.table.isRowHidden(row)]
        return as_text(self.first.currentText(), self.second.currentText(), kept)

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.text())
        self.count.setText("The table is on the clipboard.")


def show_presets(
    theme: Theme, parent: QWidget, first: str = SHOWN_FIRST[0], second: str = SHOWN_FIRST[1]
) -> PresetsDialog:
    dialog = PresetsDialog(theme, parent, first, second)
    dialog.open()
    return dialog
