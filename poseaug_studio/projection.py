"""The four 2D projections under the 3D views, in normalised image coordinates, and the title row above them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from poseaug_core.skeleton import Skeleton
from poseaug_core.snapshot import STAGES, Snapshot
from poseaug_studio.figure import Look, ghost_colour, limb_colours
from poseaug_studio.painter_bodies import paint
from poseaug_studio.plotting import plot_font
from poseaug_studio.stage_columns import GAP, columns
from poseaug_studio.theme import STAGE_SUBTITLES, STAGE_TITLES, Theme

ROUND = 7
#: Share of the card's height kept around the image border, for joints that fall outside it.
MARGIN = 0.05
#: Metres before the camera from which a joint has a place in the image.
NEAR = 0.05


def stage_number(snapshot: Snapshot, row: int, stage: str) -> str:
    """The number in a stage's title: distance, mean turn of the bones, mean length change, turn and distance."""
    if stage == "original":
        return f"{np.linalg.norm(snapshot.xyz[0, row, 0]):.1f} m away"
    if stage == "ba":
        return f"{snapshot.angle_degrees(row).mean():.1f}° mean"
    if stage == "bl":
        return f"{100 * np.abs(snapshot.length_ratio[row]).mean():.1f} % mean"
    # Axis-angle vectors may be longer than a half turn; what is seen is the shorter way round.
    turned = np.degrees(np.linalg.norm(snapshot.axis_angle[row])) % 360
    turned = min(turned, 360 - turned)
    return f"{turned:.0f}° · {np.linalg.norm(snapshot.xyz[3, row, 0]):.1f} m away"


class StageTitles(QWidget):
    """The tops of the four columns: the stage's name in its colour, what it does, and its number."""

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._numbers = [""] * 4
        self._compact = False
        self.setFixedHeight(48)

    def set_compact(self, compact: bool) -> None:
        """One line, without what the stages do."""
        if compact != self._compact:
            self._compact = compact
            self.setFixedHeight(30 if compact else 48)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def set_numbers(self, numbers: list[str]) -> None:
        if numbers != self._numbers:
            self._numbers = numbers
            self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._theme.line))
        top = 5 if self._compact else 6
        for stage, number, (left, wide) in zip(STAGES, self._numbers, columns(self.width()), strict=True):
            accent = QColor(self._theme.stage(stage))
            painter.fillRect(QRectF(left, 1, wide, self.height() - 1), QColor(self._theme.surface))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(accent)
            painter.drawRoundedRect(QRectF(left + 12, 9, 3, self.height() - 18), 1.5, 1.5)
            painter.setFont(plot_font(self.font(), 1.1, bold=True))
            painter.setPen(accent)
            name = STAGE_TITLES[stage]
            painter.drawText(QRectF(left + 23, top, wide - 32, 20), Qt.AlignmentFlag.AlignVCenter, name)
            taken = painter.fontMetrics().horizontalAdvance(name) + 40
            painter.setFont(plot_font(self.font(), 0.9))
            painter.setPen(QColor(self._theme.text))
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            if painter.fontMetrics().horizontalAdvance(number) > wide - taken - 12:
                number = number.removesuffix(" away")
            painter.drawText(QRectF(left + taken, top, wide - taken - 12, 20), right, number)
            if self._compact:
                continue
            painter.setPen(QColor(self._theme.muted))
            room = QRectF(left + 23, 25, wide - 34, 18)
            words = painter.fontMetrics().elidedText(
                STAGE_SUBTITLES[stage], Qt.TextElideMode.ElideRight, int(room.width())
            )
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, words)
        painter.end()


class ProjectionStrip(QWidget):
    """The bottoms of the four columns: image border, 2D skeleton, ghost of the stage before, joints outside marked.

    The border is the normalised image, x and y from -1 to 1. ``whole`` shows all of it; otherwise the four views close
    in on where the stages are, so that a move of RT stays visible.
    """

    def __init__(self, theme: Theme, skeleton: Skeleton, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._skeleton = skeleton
        self._shown: tuple[Snapshot, int, Look] | None = None
        self.whole = True
        self.setMinimumHeight(36)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def set_skeleton(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self.update()

    def set_whole(self, whole: bool) -> None:
        if whole != self.whole:
            self.whole = whole
            self.update()

    def present(self, snapshot: Snapshot | None, row: int, look: Look) -> None:
        """Show a probe pose; a column that shows what it did is not painted again."""
        before, self._shown = self._shown, snapshot and (snapshot, row, look)
        still = self.whole and before is not None and snapshot is not None and before[2] == look
        # Of scores the colours may change where the pose does not; close up, all columns move with one.
        still &= look.colouring != "score"
        for index, (left, wide) in enumerate(columns(self.width())):
            drawn = slice(max(index - 1, 0), index + 1)  # with the ghost of the stage before
            if not still or not _same_poses(before, self._shown, drawn):
                self.update(QRect(left, 0, wide, self.height()))

    def _frame(self, stages: np.ndarray, card: QRectF) -> tuple[np.ndarray, float]:
        """Centre in image coordinates and pixels per unit of what the cards show, the same for all stages (4, j, 2)."""
        if self.whole:
            return np.zeros(2), min(card.width(), card.height()) * (0.5 - MARGIN)
        low, high = stages.min(axis=(0, 1)), stages.max(axis=(0, 1))
        wide, tall = np.maximum((high - low) * 1.2, 0.05).tolist()
        return (low + high) / 2, min(card.width() / wide, card.height() / tall)

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # The lower corners follow those of the frame that the scene stands in.
        whole = QPainterPath()
        whole.addRoundedRect(QRectF(0, -ROUND, self.width(), self.height() + ROUND), ROUND, ROUND)
        painter.fillPath(whole, QColor(self._theme.surface))
        for index, (left, wide) in enumerate(columns(self.width())):
            if not event.region().intersects(QRect(left - GAP, 0, wide + GAP, self.height())):
                continue
            painter.fillRect(QRectF(left, 0, wide, 1), QColor(self._theme.line))
            if index:
                painter.fillRect(QRectF(left - GAP, 0, GAP, self.height()), QColor(self._theme.line))
            painter.save()
            painter.setClipRect(QRectF(left, 1, wide, self.height() - 1))
            if self._shown is not None:
                self._paint_stage(painter, index, QRectF(left, 0, wide, self.height()))
            painter.restore()
        painter.end()

    def _paint_stage(self, painter: QPainter, index: int, card: QRectF) -> None:
        snapshot, row, look = self._shown
        stages = np.nan_to_num(snapshot.uv[:, row].astype(np.float64)).clip(-100, 100)
        uv = stages[index]
        centre, scale = self._frame(stages, card)
        middle = np.array((card.center().x(), card.center().y()))

        def place(points: np.ndarray) -> np.ndarray:
            return middle + (points - centre) * scale

        low, high = place(np.array((-1.0, -1.0))), place(np.array((1.0, 1.0)))
        border = QRectF(QPointF(*low), QPointF(*high))
        painter.setPen(QPen(QColor(self._theme.line), 1))
        painter.setBrush(paint_inside(self._theme))
        painter.drawRoundedRect(border, 3, 3)
        painter.setPen(QPen(QColor(self._theme.line), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(border.center().x(), border.top()), QPointF(border.center().x(), border.bottom()))
        painter.drawLine(QPointF(border.left(), border.center().y()), QPointF(border.right(), border.center().y()))
        thick = float(np.clip(0.014 * card.height(), 1.6, 3.2))
        room = card.adjusted(5, 5, -5, -5)
        ahead = snapshot.xyz[:, row, :, 2] > NEAR
        if index and look.ghost:
            colours = np.tile(ghost_colour(index, self._theme, look), (self._skeleton.bone_count, 1))
            self._paint_limbs(painter, place(stages[index - 1]), ahead[index - 1], colours, 0.5, thick * 0.5, room)
        bones, _ = limb_colours(snapshot, row, STAGES[index], self._skeleton, self._theme, look)
        points = place(uv)
        self._paint_limbs(painter, points, ahead[index], bones, 1.0, thick, room)
        head = points[self._skeleton.names.index("head")] if "head" in self._skeleton.names else None
        if head is not None and ahead[index][self._skeleton.names.index("head")]:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(paint(bones[self._skeleton.names.index("head") - 1]))
            painter.drawEllipse(QPointF(*head), 1.35 * thick, 1.35 * thick)
        outside = np.abs(uv).max(axis=1) > 1
        painter.setPen(QPen(QColor(self._theme.bad), 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for x, y in points[outside & ahead[index]]:
            # A joint beyond the card is marked on its edge.
            held = QPointF(min(max(x, room.left()), room.right()), min(max(y, room.top()), room.bottom()))
            painter.drawEllipse(held, thick + 1.2, thick + 1.2)

    def _paint_limbs(
        self, painter: QPainter, points: np.ndarray, ahead: np.ndarray, colours: np.ndarray, alpha: float,
        thick: float, room: QRectF,
    ) -> None:  # fmt: skip
        """Limbs up to the edge of ``room``; one with an end behind the camera has no projection and is left out.

        colours: (j-1, 3), floats 0..1; the limbs of one colour are drawn in one call.
        """
        edges = self._skeleton.edges
        ends = points[edges]
        inside = ((ends > room.topLeft().toTuple()) & (ends < room.bottomRight().toTuple())).all(axis=(1, 2))
        for colour in np.unique(colours, axis=0):
            lines = []
            for bone in np.flatnonzero((colours == colour).all(axis=1) & ahead[edges].all(axis=1)).tolist():
                shown = ends[bone] if inside[bone] else clipped(*ends[bone], room)
                if shown is not None:
                    lines.append(QLineF(*np.ravel(shown).tolist()))
            painter.setPen(QPen(paint(colour, alpha), thick, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLines(lines)


def _same_poses(before: tuple[Snapshot, int, Look], now: tuple[Snapshot, int, Look], stages: slice) -> bool:
    """Whether two shown poses are the same at some stages; equal in the camera frame, they are so in the image."""
    return np.array_equal(*(snapshot.xyz[stages, row] for snapshot, row, _ in (before, now)))


def clipped(a: np.ndarray, b: np.ndarray, room: QRectF) -> tuple[np.ndarray, np.ndarray] | None:
    """The stretch of the line from a to b (2,) that lies within a rectangle (Liang and Barsky), None without any."""
    enter, leave, along = 0.0, 1.0, b - a
    for axis, low, high in ((0, room.left(), room.right()), (1, room.top(), room.bottom())):
        if along[axis] == 0:
            if not low <= a[axis] <= high:
                return None
            continue
        first, last = sorted(((low - a[axis]) / along[axis], (high - a[axis]) / along[axis]))
        enter, leave = max(enter, first), min(leave, last)
    return (a + enter * along, a + leave * along) if enter <= leave else None


def paint_inside(theme: Theme) -> QColor:
    """The fill of the image border: a step away from the card."""
    return QColor(theme.background if theme.name == "dark" else theme.raised)
