"""The samples strip: every probe pose as a thumbnail, sortable; the chosen one is framed."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from poseaug_core.judged import NO_3D
from poseaug_core.skeleton import HUMAN16, Skeleton
from poseaug_core.snapshot import STAGES, Snapshot
from poseaug_studio.labels import Label
from poseaug_studio.plotting import plot_font
from poseaug_studio.segments import Segments
from poseaug_studio.selection import Selection
from poseaug_studio.theme import Theme

SORTS = ("As is", "Hardness", "Implausible", "Angle")
SORT_TIPS = (
    "Order of the thumbnails: the probe's own; error of RT over error of the original; lowest part scores; BA's turn"
)
#: A live run brings a snapshot 30 times a second; thumbnails that changed places as often could not be clicked.
RESORT_SECONDS = 2.0
GAP = 6
#: Half the height of a thumbnail in metres.
HALF_HEIGHT = 0.93
#: Pixels under the figure for its number and badge.
FOOT = 20


def hardness(snapshot: Snapshot) -> np.ndarray:
    """(n,) error of the RT pose over that of the original, mean of the joint groups."""
    return snapshot.hardness[1, : snapshot.probe_size].mean(axis=-1)


def implausibility(snapshot: Snapshot) -> np.ndarray:
    """(n,) mean part score of the BA pose; low is implausible; NaN without a 3D discriminator."""
    scores = snapshot.scores3d[1, : snapshot.probe_size]
    return scores.mean(axis=-1) if scores.shape[-1] else np.full(len(scores), np.nan)


def turned(snapshot: Snapshot) -> np.ndarray:
    """(n,) mean degrees through which BA turned the bones."""
    cosines = 1 - snapshot.angle_change[: snapshot.probe_size]
    return np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean(axis=-1)


def ordered(snapshot: Snapshot, sort: str) -> list[int]:
    """Rows in the order in which a sort shows them; equal values keep their rows' order."""
    if sort == "As is":
        return list(range(snapshot.probe_size))
    values = {"Hardness": lambda s: -hardness(s), "Implausible": implausibility, "Angle": lambda s: -turned(s)}
    return np.argsort(np.nan_to_num(values[sort](snapshot), nan=np.inf), kind="stable").tolist()


def badges(snapshot: Snapshot, sort: str) -> list[str]:
    """The number on each thumbnail, by row: what the strip is sorted by, hardness when it is not sorted."""
    if sort == "Implausible":
        return [f"{value:.2f}" if np.isfinite(value) else "–" for value in implausibility(snapshot)]
    if sort == "Angle":
        return [f"{value:.0f}°" for value in turned(snapshot)]
    return [f"×{value:.1f}" if value < 10 else f"×{value:.0f}" for value in hardness(snapshot)]


class ThumbnailStrip(QAbstractScrollArea):
    """A row of thumbnails that scrolls sideways; chosen(row) when one is clicked."""

    chosen = Signal(int)

    def __init__(self, theme: Theme, skeleton: Skeleton, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.skeleton = skeleton
        self.order: list[int] = []
        self.row = 0
        self.hovered = -1
        self.drawn = 0
        self.empty = "Poses appear when training starts"
        self._snapshot: Snapshot | None = None
        self._badges: list[str] = []
        self._pixmaps: dict[int, QPixmap] = {}
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setMinimumHeight(60)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(600, 120)

    def show_snapshot(self, snapshot: Snapshot | None, order: list[int], numbers: list[str]) -> None:
        if snapshot is not self._snapshot:
            self._pixmaps.clear()
        self._snapshot, self.order, self._badges = snapshot, order, numbers
        self._fit()
        self.viewport().update()

    def set_row(self, row: int) -> None:
        self.row = row
        if row in self.order:
            left = self.order.index(row) * (self.cell().width() + GAP)
            bar = self.horizontalScrollBar()
            seen = bar.value()
            bar.setValue(min(max(seen, left + self.cell().width() - self.viewport().width()), left))
        self.viewport().update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._pixmaps.clear()
        self.viewport().update()

    def cell(self) -> QSize:
        """Size of a thumbnail: as high as the strip, three quarters as wide."""
        height = max(self.viewport().height(), 40)
        return QSize(round(height * 0.76), height)

    def cell_rect(self, place: int) -> QRectF:
        size = self.cell()
        return QRectF(place * (size.width() + GAP) - self.horizontalScrollBar().value(), 0, size.width(), size.height())

    def row_at(self, point: QPointF) -> int | None:
        return next((row for place, row in enumerate(self.order) if self.cell_rect(place).contains(point)), None)

    def _fit(self) -> None:
        whole = len(self.order) * (self.cell().width() + GAP) - GAP
        bar = self.horizontalScrollBar()
        bar.setRange(0, max(0, whole - self.viewport().width()))
        bar.setPageStep(self.viewport().width())

    def resizeEvent(self, event) -> None:
        self._pixmaps.clear()
        self._fit()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def wheelEvent(self, event) -> None:
        delta = event.angleDelta()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (delta.x() or delta.y()) // 2)
        event.accept()

    def mousePressEvent(self, event) -> None:
        row = self.row_at(event.position())
        if row is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(row)

    def mouseMoveEvent(self, event) -> None:
        row = self.row_at(event.position())
        if (row if row is not None else -1) != self.hovered:
            self.hovered = -1 if row is None else row
            self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave and self.hovered != -1:
            self.hovered = -1
            self.viewport().update()
        return super().viewportEvent(event)

    def keyPressEvent(self, event) -> None:
        place = self.order.index(self.row) if self.row in self.order else 0
        last = len(self.order) - 1
        moves = {
            Qt.Key.Key_Left: place - 1, Qt.Key.Key_Right: place + 1, Qt.Key.Key_Home: 0, Qt.Key.Key_End: last,
        }  # fmt: skip
        if event.key() in moves and last >= 0:
            self.chosen.emit(self.order[min(max(moves[event.key()], 0), last)])
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event) -> None:
        self.drawn += 1
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._snapshot is None:
            painter.setPen(QColor(self.theme.muted))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, self.empty)
        seen = QRectF(self.viewport().rect())
        for place, row in enumerate(self.order):
            rect = self.cell_rect(place)
            if rect.intersects(seen):
                self._paint_cell(painter, rect, row)
        painter.end()

    def _paint_cell(self, painter: QPainter, rect: QRectF, row: int) -> None:
        theme, chosen = self.theme, row == self.row
        card = rect.adjusted(1, 1, -1, -1)
        edge = theme.accent if chosen else theme.muted if row == self.hovered else theme.line
        painter.setPen(QPen(QColor(edge), 2 if chosen else 1))
        painter.setBrush(QColor(theme.raised if chosen or row == self.hovered else theme.background))
        painter.drawRoundedRect(card, 6, 6)
        if row not in self._pixmaps:
            self._pixmaps[row] = self._thumbnail(row)
        painter.drawPixmap(rect.topLeft(), self._pixmaps[row])
        painter.setFont(plot_font(self.font(), 0.8))
        painter.setPen(QColor(theme.text if chosen else theme.muted))
        inside = card.adjusted(7, 4, -7, -4)
        if rect.width() >= 56:
            painter.drawText(inside, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, str(row + 1))
        painter.setPen(QColor(theme.text))
        painter.drawText(inside, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight, self._badges[row])

    def _thumbnail(self, row: int) -> QPixmap:
        """The RT pose as the lab camera's direction sees it, upright and centred, on a clear ground."""
        size, ratio = self.cell(), self.devicePixelRatioF()
        pixmap = QPixmap(size * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        joints = np.nan_to_num(self._snapshot.xyz[STAGES.index("rt"), row, :, :2].astype(np.float64))
        low, high = joints.min(axis=0), joints.max(axis=0)
        room = size.height() - FOOT
        wide, tall = (high - low).tolist()
        scale = room / 2 / max(HALF_HEIGHT, 0.58 * tall, 0.58 * wide * room / size.width())
        points = (joints - (low + high) / 2) * scale + (size.width() / 2, 3 + room / 2)
        thick = max(1.6, size.height() * 0.03)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # The farther limbs first.
        depth = self._snapshot.xyz[STAGES.index("rt"), row, :, 2][self.skeleton.edges].mean(axis=1)
        for bone in np.argsort(-depth):
            parent, child = self.skeleton.edges[bone]
            limb = QColor(self.theme.parts[self.skeleton.paint[bone]])
            painter.setPen(QPen(limb, thick, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(*points[parent]), QPointF(*points[child]))
        if "head" in self.skeleton.names:
            head = self.skeleton.names.index("head")
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.theme.parts[self.skeleton.paint[head - 1]]))
            painter.drawEllipse(QPointF(*points[head]), 1.4 * thick, 1.4 * thick)
        painter.end()
        return pixmap


class SamplesPanel(QWidget):
    """The probe poses as thumbnails: click or arrow keys choose the row that every panel shows.

    The order is refreshed at most every RESORT_SECONDS and never under the pointer; a row keeps its pose throughout.
    """

    def __init__(
        self, theme: Theme, selection: Selection, skeleton: Skeleton = HUMAN16, parent: QWidget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):  # fmt: skip
        super().__init__(parent)
        self.theme = theme
        self.selection = selection
        self.skeleton = skeleton
        self.sort = SORTS[0]
        self._clock = clock
        self._sorted_at = -np.inf
        self._snapshot: Snapshot | None = None
        self._count = Label("", self)
        self.sorts = SORTS
        self._sorts = Segments(theme, SORTS, self)
        self._sorts.setToolTip(SORT_TIPS)
        self._sorts.changed.connect(lambda i: self.set_sort(self.sorts[i]))
        self.strip = ThumbnailStrip(theme, skeleton, self)
        self.strip.row = selection.row
        self.strip.chosen.connect(selection.choose_row)
        selection.row_changed.connect(self.strip.set_row)
        top = QHBoxLayout()
        top.addWidget(self._count)
        top.addStretch(1)
        top.addWidget(self._sorts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 7, 10, 9)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.strip, 1)
        self.set_theme(theme)

    def present(self, snapshot: Snapshot | None, row: int) -> None:
        """Show the poses of a snapshot and frame one; free if they are shown already."""
        if snapshot is not self._snapshot:
            before, self._snapshot = self._snapshot, snapshot
            count = 0 if snapshot is None else snapshot.probe_size
            due = self._clock() - self._sorted_at >= RESORT_SECONDS and self.strip.hovered == -1
            if before is None or due or len(self.strip.order) != count:
                self._refresh()
            else:
                self.strip.show_snapshot(snapshot, self.strip.order, badges(snapshot, self.sort))
        if row != self.strip.row:
            self.strip.set_row(row)

    def set_skeleton(self, skeleton: Skeleton) -> None:
        """Show a run whose 3D discriminator judges the parts of this skeleton; without parts nothing is implausible."""
        self.skeleton = skeleton
        self.sorts = SORTS if skeleton.parts else tuple(sort for sort in SORTS if sort != "Implausible")
        self._sorts.set_names(self.sorts)
        self._sorts.setToolTip(SORT_TIPS if skeleton.parts else f"{SORT_TIPS}. {NO_3D}")
        self.set_sort(self.sort if self.sort in self.sorts else SORTS[0])

    def set_sort(self, sort: str) -> None:
        """Sort by one of SORTS."""
        self.sort = sort
        self._sorts.value = self.sorts.index(sort)
        self._sorts.update()
        self._refresh()
        self.strip.set_row(self.strip.row)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._sorts.set_theme(theme)
        self.strip.set_theme(theme)
        self._count.setFont(plot_font(self.font(), 0.9))
        self._count.setStyleSheet(f"color: {theme.muted};")

    def _refresh(self) -> None:
        snapshot = self._snapshot
        self._sorted_at = self._clock()
        if snapshot is None:
            self._count.setText("")
            self.strip.show_snapshot(None, [], [])
        else:
            self._count.setText(f"{snapshot.probe_size} poses, after RT")
            self.strip.show_snapshot(snapshot, ordered(snapshot, self.sort), badges(snapshot, self.sort))
