"""The runs on this machine in a table: open, compare, make again with changes, delete."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.errors import UserError
from poseaug_core.plain_text import NAME, plain
from poseaug_studio import library
from poseaug_studio.labels import Label, message_box, tip
from poseaug_studio.library import Known
from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme

if TYPE_CHECKING:
    from poseaug_studio.session import Session

COLUMNS = (
    "Run", "State", "Estimator", "Augmentation", "Discriminators", "Preset", "Data", "Source, mm", "Cross, mm",
    "Changed",
)  # fmt: skip
RUN = Qt.ItemDataRole.UserRole + 1


class Sortable(QTableWidgetItem):
    """Sorted by a value, whatever its text."""

    def __init__(self, text: str, value):
        super().__init__(text)
        self.value = value

    def __lt__(self, other: Sortable) -> bool:
        return self.value < other.value


class RunsPage(QWidget):
    """opened: a run folder to show. compared: one whose curves are to be drawn under those shown. again: a Known run to
    be made again with changes."""

    opened = Signal(str)
    compared = Signal(str)
    again = Signal(object)

    def __init__(self, session: Session, settings: QSettings, theme: Theme):
        super().__init__()
        self.session, self.settings, self.theme = session, settings, theme
        self.known: list[Known] = []
        self._job = None
        self.filter = QLineEdit(placeholderText="Filter runs", clearButtonEnabled=True)
        self.filter.textChanged.connect(self._filter)
        self.words = Label(objectName="muted", wordWrap=True)
        self.table = QTableWidget(0, len(COLUMNS))
        self.buttons = {
            name: QPushButton(text, autoDefault=False)
            for name, text in (("open", "Open"), ("compare", "Compare curves"), ("again", "New run from this\u2026"),
                               ("delete", "Delete\u2026"))
        }  # fmt: skip
        self.buttons["compare"].setToolTip("Draw its curves, dotted, under those of the run in the window")
        for name, act in (("open", self._open), ("compare", self._compare), ("again", self._again),
                          ("delete", self._delete)):  # fmt: skip
            self.buttons[name].clicked.connect(act)
        self._arrange()
        self.set_theme(theme)

    def _arrange(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(COLUMNS)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(34)
        head = table.horizontalHeader()
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.setHighlightSections(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setMaximumSectionSize(260)
        head.setStretchLastSection(True)
        table.itemSelectionChanged.connect(self._show_buttons)
        table.cellDoubleClicked.connect(lambda row, column: self._open())
        top = QHBoxLayout(spacing=8)
        top.addWidget(self.filter, 1)
        for button in self.buttons.values():
            top.addWidget(button)
        column = QVBoxLayout(self, spacing=10)
        column.setContentsMargins(4, 12, 16, 12)
        column.addLayout(top)
        column.addWidget(table, 1)
        column.addWidget(self.words)
        self._show_buttons()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        line, lit = mix(theme.surface, theme.line, 0.6), mix(theme.surface, theme.accent, 0.24)
        self.table.setStyleSheet(
            f"QTableView::item {{ padding: 2px 8px; border-bottom: 1px solid {line}; }}"
            f"QTableView::item:selected {{ background: {lit}; color: {theme.text}; }}"
        )
        self._show(self.known)

    def read(self) -> None:
        """Read the runs anew: those in the folder of runs and the ones seen lately."""
        base = library.runs_folder()
        folders = [base, base / "tables", *(Path(path) for path in library.recent_paths(self.settings))]
        self._job = self.session.background("Reading the runs", lambda _: library.known_runs(folders), quiet=True)
        self._job.done.connect(self._show)
        self.words.setText("Reading the runs\u2026")

    def _show(self, known: list[Known]) -> None:
        self.known = known
        now = time.time()
        self.table.setSortingEnabled(False)
        self.table.setRowCount(len(known))
        for row, run in enumerate(known):
            cells = [(run.folder.name,), (run.state,), (run.estimator,), (run.augmentation,), (run.discriminators,),
                     (run.config.preset,), (run.source,), _error(run.source_error), _error(run.cross_error),
                     (library.ago(now - run.changed), -run.changed)]  # fmt: skip
            for column, cell in enumerate(cells):
                item = Sortable(plain(cell[0], NAME), cell[-1])
                item.setData(RUN, run)
                item.setToolTip(tip(run.folder))
                if column in (7, 8):
                    item.setFont(font(13, 500, tabular=True))
                if column not in (0, 7, 8):
                    item.setForeground(QColor(self.theme.muted))
                self.table.setItem(row, column, item)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(9, Qt.SortOrder.AscendingOrder)
        self._filter()
        self._show_buttons()

    def _filter(self) -> None:
        wanted, shown = self.filter.text().lower().split(), 0
        for row in range(self.table.rowCount()):
            line = " ".join(self.table.item(row, column).text() for column in range(len(COLUMNS))).lower()
            hidden = not all(word in line for word in wanted)
            self.table.setRowHidden(row, hidden)
            shown += not hidden
        where = f"in {library.runs_folder()} and seen lately; MPJPE of the last evaluation, protocol poseaug16"
        self.words.setText(
            f"{shown} of {len(self.known)} run{'' if len(self.known) == 1 else 's'}, {where}."
            if self.known
            else f"No runs {where}."
        )

    @property
    def chosen(self) -> Known | None:
        row = self.table.currentRow()
        selected = self.table.selectionModel().isRowSelected(row) if row >= 0 else False
        return self.table.item(row, 0).data(RUN) if selected else None

    def _show_buttons(self) -> None:
        for button in self.buttons.values():
            button.setEnabled(self.chosen is not None)
        self.buttons["compare"].setEnabled(self.chosen is not None and self.session.folder is not None)

    def _open(self) -> None:
        if self.chosen is not None:
            self.opened.emit(str(self.chosen.folder))

    def _compare(self) -> None:
        self.compared.emit(str(self.chosen.folder))

    def _again(self) -> None:
        self.again.emit(self.chosen)

    def _delete(self) -> None:
        run = self.chosen
        words = f"Delete {run.folder.name} with its checkpoints and its history? This cannot be undone."
        box = message_box(self, "Delete the run", words)
        sure = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.buttonClicked.connect(lambda button: self.delete(run) if button is sure else None)
        box.open()

    def delete(self, run: Known) -> None:
        """Remove a run's folder, unless it is being trained."""
        if self.session.folder == run.folder:
            self.words.setText(f"{run.folder.name} is the run in the window; open another one before deleting it.")
            return
        opener = self.session.opener

        def work(progress):
            if opener()(run.folder).being_written():
                raise UserError(f"{run.folder} is being trained; stop that first.")
            try:
                shutil.rmtree(run.folder)
            except OSError as error:
                raise UserError(f"{run.folder} cannot be deleted ({error.strerror}); check its permissions.")

        job = self.session.background(f"Deleting {run.folder.name}", work)
        job.done.connect(lambda _: self.read())
        job.failed.connect(self.words.setText)


def _error(value: float | None) -> tuple[str, float]:
    return ("", float("inf")) if value is None else (f"{value:.1f}", value)
