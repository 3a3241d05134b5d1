"""The grid of a table: rows of methods, columns of figures, filled while their runs are trained."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)  # fmt: skip

from poseaug_core.plain_text import NAME, plain
from poseaug_studio.labels import caption, tip
from poseaug_studio.plotting import LEFT, RIGHT, colour, draw_text
from poseaug_studio.style import font, mix
from poseaug_studio.table_grid_work import Grid, GridCell
from poseaug_studio.theme import Theme

CELL = Qt.ItemDataRole.UserRole + 1
HEIGHT, WIDTH = 54, 172
#: What a cell says while it has no figure.
STATES = {"missing": "not run", "queued": "queued", "stopped": "stopped", "running": "running", "failed": "failed",
          "done": "\u2013", "": "published only"}  # fmt: skip


class CellDelegate(QStyledItemDelegate):
    """Our figure, the difference under it, the published one small beside, and how far a run is."""

    def __init__(self, table: TableGrid):
        super().__init__(table)
        self.table = table

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        told = super().sizeHint(option, index)
        return QSize(WIDTH if index.data(CELL) else told.width() + 8, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        cell: GridCell | None = index.data(CELL)
        if cell is None:
            super().paint(painter, option, index)
            return
        theme, state = self.table.theme, self.table.state_of(cell)
        rect = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyleOptionViewItem().state.__class__.State_MouseOver and any(cell.runs):
            painter.fillRect(rect, colour(theme.accent, 0.07))
        painter.setPen(colour(mix(theme.surface, theme.line, 0.6)))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        inner = rect.adjusted(12, 6, -10, -8)
        upper = QRectF(inner.left(), inner.top(), inner.width(), inner.height() / 2)
        lower = upper.translated(0, inner.height() / 2)
        told = cell.main or STATES[state] + (f" {cell.progress:.0%}".replace("%", " %") if state == "running" else "")
        inks = {"running": theme.accent, "failed": theme.bad, "stopped": theme.warning}
        ink = theme.text if cell.main else inks.get(state, theme.muted)
        painter.setFont(font(14 if cell.main else 12, 600 if cell.best else 450 if cell.main else 400, tabular=True))
        draw_text(painter, upper, told, ink, LEFT)
        painter.setFont(font(11, tabular=True))
        draw_text(painter, lower, cell.more, theme.muted, LEFT)
        if cell.paper:
            draw_text(painter, upper, "paper", mix(theme.muted, theme.surface, 0.3), RIGHT)
            draw_text(painter, lower, cell.paper, theme.muted, RIGHT)
        if state in ("running", "stopped") or (state == "queued" and cell.progress):
            track = QRectF(rect.left() + 12, rect.bottom() - 6, rect.width() - 22, 3)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(mix(theme.surface, theme.text, 0.1)))
            painter.drawRoundedRect(track, 1.5, 1.5)
            painter.setBrush(colour(theme.accent if state == "running" else theme.muted))
            track.setWidth(max(track.width() * cell.progress, 3))
            painter.drawRoundedRect(track, 1.5, 1.5)
        painter.restore()


class TableGrid(QTableWidget):
    """opened: the run folder of a cell that was double-clicked, or chosen from its menu."""

    opened = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.grid: Grid | None = None
        self.training = False
        self.setItemDelegate(CellDelegate(self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(HEIGHT)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)
        self.cellDoubleClicked.connect(self._open)
        self.set_theme(theme)

    def state_of(self, cell: GridCell) -> str:
        """A cell that waits for its turn is queued while the table is trained."""
        return "queued" if self.training and cell.state in ("missing", "stopped") else cell.state

    def show_grid(self, grid: Grid | None, training: bool) -> None:
        if grid == self.grid and training == self.training:
            return
        same = grid is not None and self.grid is not None and self._shape(grid) == self._shape(self.grid)
        self.grid, self.training = grid, training
        if grid is None:
            self.setRowCount(0)
            self.setColumnCount(0)
            return
        if not same:
            self._make(grid)
        first = 1 + len(grid.marks)
        for row, (_, _, cells) in enumerate(grid.rows):
            for column, cell in enumerate(cells, first):
                item = self.item(row, column)
                if item.data(CELL) != cell:
                    item.setData(CELL, cell)
                    item.setToolTip(tip(self._tip(cell)))
        self.viewport().update()

    def _shape(self, grid: Grid) -> tuple:
        return grid.title, grid.marks, grid.heads, tuple((label, ticks) for label, ticks, _ in grid.rows)

    def _make(self, grid: Grid) -> None:
        first = 1 + len(grid.marks)
        self.setRowCount(len(grid.rows))
        self.setColumnCount(first + len(grid.heads))
        self.setHorizontalHeaderLabels(
            ["Method", *grid.marks, *(f"{ours}\npaper: {paper}" for ours, paper in grid.heads)]
        )
        head = self.horizontalHeader()
        for column in range(self.columnCount()):
            small = 0 < column < first
            head.setSectionResizeMode(
                column,
                QHeaderView.ResizeMode.ResizeToContents if column < first else QHeaderView.ResizeMode.Interactive,
            )
            self.horizontalHeaderItem(column).setTextAlignment(
                Qt.AlignmentFlag.AlignCenter if small else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            )
        for row, (label, ticks, cells) in enumerate(grid.rows):
            self.setItem(row, 0, QTableWidgetItem(plain(label, NAME)))
            for column, tick in enumerate(ticks, 1):
                item = QTableWidgetItem("\u2713" if tick else "")
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                self.setItem(row, column, item)
            for column in range(first, first + len(cells)):
                self.setItem(row, column, QTableWidgetItem())
            self.setRowHeight(row, HEIGHT)
        self._fit()

    def _fit(self) -> None:
        """The columns of figures share what room the others leave; with too many of them the grid scrolls."""
        if self.grid is not None:
            first, count = 1 + len(self.grid.marks), len(self.grid.heads)
            room = self.viewport().width() - sum(self.columnWidth(column) for column in range(first))
            for column in range(first, first + count):
                self.setColumnWidth(column, max(WIDTH, min(room // count, 2 * WIDTH)))

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self._fit()

    def _tip(self, cell: GridCell) -> str:
        if not cell.runs:
            return "Published by others; nothing is trained for it."
        return "Double-click to open the run:\n" + "\n".join(run.rsplit("/", 1)[-1] for run in cell.runs)

    def cell_at(self, row: int, column: int) -> GridCell | None:
        item = self.item(row, column)
        return item.data(CELL) if item is not None else None

    def _open(self, row: int, column: int) -> None:
        cell = self.cell_at(row, column)
        if cell is not None and cell.runs:
            self.opened.emit(cell.runs[0])

    def _menu(self, point: QPoint) -> None:
        index = self.indexAt(point)
        cell = self.cell_at(index.row(), index.column()) if index.isValid() else None
        if cell is None or not cell.runs:
            return
        self.menu = QMenu(self)
        for run in cell.runs:
            name = run.rsplit("/", 1)[-1]
            action = self.menu.addAction(f"Open {caption(name)}")
            action.triggered.connect(lambda _=False, run=run: self.opened.emit(run))
        self.menu.popup(self.viewport().mapToGlobal(point))

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        line = mix(theme.surface, theme.line, 0.6)
        self.setStyleSheet(f"QTableView::item {{ padding: 0 8px; border-bottom: 1px solid {line}; }}")
        self.viewport().update()
