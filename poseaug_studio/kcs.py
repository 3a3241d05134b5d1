"""The KCS panel: how real the discriminators find the poses, part by part, and what they look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QToolTip, QWidget

from poseaug_core.judged import NEITHER, NO_2D, NO_3D
from poseaug_core.palette import mix
from poseaug_core.skeleton import HUMAN16, Skeleton
from poseaug_studio.kcs_layout import (
    ACCURACIES,
    MARGIN,
    WHOLE_2D,
    Layout,
    arrange,
    bone_label,
    score_range,
    small_width,
)  # fmt: skip
from poseaug_studio.kcs_painting import paint_density, paint_legend, paint_matrix
from poseaug_studio.metric_series import MetricSeries
from poseaug_studio.plotting import (
    CENTRE,
    RIGHT,
    PlotPanel,
    colour,
    density,
    diverging,
    draw_empty,
    draw_text,
    plot_font,
)
from poseaug_studio.selection import Selection
from poseaug_studio.theme import Theme

BINS = 80
CAPTIONS = ("real", "augmented", "difference")


@dataclass(frozen=True)
class Curve:
    """Scores of one discriminator: real and augmented (m,), densities on the shared axis, medians."""

    scores: np.ndarray
    densities: np.ndarray
    medians: tuple[float, float]


class KcsPanel(PlotPanel):
    """Part scores D3d, 2D score, KCS matrices of the chosen part and discriminator accuracies."""

    def __init__(self, theme: Theme, selection: Selection, skeleton: Skeleton = HUMAN16, parent: QWidget | None = None):
        super().__init__(theme, selection, parent)
        self.skeleton, self.judges_2d = skeleton, True
        self.curves: dict[str, Curve] = {}
        self.score_range = (-0.25, 1.25)
        self.series = MetricSeries()
        self._painted: tuple[int, dict[str, float]] = (0, {})
        self._hover_part = ""
        self._hover_cell: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        selection.part_changed.connect(self._part_changed)

    def sizeHint(self) -> QSize:
        return QSize(300, 620)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 440)

    # what is shown

    def set_judged(self, skeleton: Skeleton, judges_2d: bool) -> None:
        """Show a run whose 3D discriminator judges the parts of this skeleton, and which has a 2D one or not."""
        self.skeleton, self.judges_2d = skeleton, judges_2d
        self.series = MetricSeries()
        self._hover_part, self._hover_cell = "", None
        self._snapshot_changed()
        self.update()

    def show_series(self, series: MetricSeries) -> None:
        """The run's metrics, which may have grown: accuracies of steps whose snapshot has none."""
        self.series = series
        if self.curves and self.accuracies() != self._painted:
            self.update()

    @property
    def names(self) -> tuple[str, ...]:
        """The rows: a part each, and the 2D pose."""
        return (*self.skeleton.parts, *([WHOLE_2D] if self.judges_2d else []))

    @property
    def accuracy_names(self) -> tuple[str, ...]:
        there = {"d3d": bool(self.skeleton.parts), "d2d": self.judges_2d}
        return tuple(name for name in ACCURACIES if there[name[:3]])

    def _snapshot_changed(self) -> None:
        snapshot = self.snapshot
        self.curves = {}
        if snapshot is None or snapshot.phase == "pretrain":
            return
        scores = dict(zip(self.skeleton.parts, np.moveaxis(snapshot.scores3d, -1, 0), strict=False))
        scores |= {WHOLE_2D: snapshot.scores2d} if self.judges_2d else {}
        if set(scores) != set(self.names) or not all(np.isfinite(both).all() for both in scores.values()):
            return
        # The parts set the axis: 2D scores of a young discriminator may lie far outside, and count at its ends.
        low, high = self.score_range = score_range(snapshot.scores3d if self.skeleton.parts else snapshot.scores2d)
        for name, both in scores.items():
            densities = np.stack([density(side, low, high, BINS, 2.5) for side in both])
            self.curves[name] = Curve(both, densities, (float(np.median(both[0])), float(np.median(both[1]))))

    def _part_changed(self) -> None:
        self._hover_cell = None
        self.update()

    def bones(self) -> tuple[int, ...]:
        """Bones of the shown matrices: the chosen part's, or all; none where nothing judges them."""
        if not self.skeleton.parts:
            return ()
        return self.skeleton.parts.get(self.selection.part, tuple(range(self.skeleton.bone_count)))

    def matrices(self) -> np.ndarray:
        """(3, b, b) cosines between the shown bones of the shown pose: real, augmented, augmented minus real."""
        bones = list(self.bones())
        row = min(self.row, self.snapshot.probe_size - 1)
        real, augmented = (
            self.snapshot.kcs(row, stage, self.skeleton)[np.ix_(bones, bones)] for stage in ("original", "ba")
        )
        return np.stack((real, augmented, augmented - real))

    def accuracies(self) -> tuple[int, dict[str, float]]:
        """The step, up to the shown one, of the last known accuracies, and these by ACCURACIES; empty for none.

        A snapshot has none where only the estimator learned since the one before.
        """
        shown, names = self.snapshot, {name: f"accuracy/{name}" for name in self.accuracy_names}
        own = {name: shown.scalars.get(metric, np.nan) for name, metric in names.items()}
        if np.isfinite(list(own.values())).any():
            return shown.step, own
        known = {name: self.series.latest(metric, shown.step) for name, metric in names.items()}
        step = max((found[0] for found in known.values() if found), default=None)
        if step is None:
            return 0, {}
        return step, {name: found[1] if found and found[0] == step else np.nan for name, found in known.items()}

    def layout_of(self, width: float, height: float) -> Layout:
        bars = len(self.accuracy_names)
        return arrange(width, height, self.fontMetrics(), self.skeleton, self.names, self.bones(), bars)

    # painting

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), colour(self.theme.surface))
        if not self.curves:
            draw_empty(painter, QRectF(self.rect()), self.theme, self.sentence())
            return
        layout = self.layout_of(self.width(), self.height())
        self._paint_scores(painter, layout)
        self._paint_matrices(painter, layout)
        self._paint_accuracies(painter, layout)

    def sentence(self) -> str:
        """What to say while there are no scores."""
        if not self.names:
            return NEITHER
        before = self.snapshot is None or self.snapshot.phase == "pretrain"
        return "Scores appear when the augmentor starts." if before else "The scores are not numbers any more."

    def _paint_scores(self, painter: QPainter, layout: Layout) -> None:
        theme = self.theme
        fake = theme.stage("ba")
        painter.setFont(plot_font(self.font(), 1.0, bold=True))
        by_part = len(self.skeleton.parts) > 1 and self.width() >= 280
        draw_text(painter, layout.title, "Plausibility by part" if by_part else "Plausibility", theme.text)
        painter.setFont(plot_font(self.font(), 0.88))
        draw_text(painter, layout.title, "● shown  ▴ median", theme.muted, RIGHT)
        left, right = layout.plot
        first, *_, last = [layout.rows[name] for name in (self.names[0], *self.names)]
        for value in (0.0, 1.0):
            x = self._x(value, layout)
            painter.setPen(QPen(colour(theme.line), 1))
            painter.drawLine(QPointF(x, first.top() + 2), QPointF(x, last.bottom() + 2))
            text = "0 fake" if value == 0 else "1 real"
            draw_text(painter, QRectF(x - 30, layout.axis.top(), 60, layout.axis.height()), text, theme.muted, CENTRE)
        if WHOLE_2D in layout.rows and len(layout.rows) > 1:
            painter.setPen(QPen(colour(theme.line), 1))
            painter.drawLine(QPointF(MARGIN, last.top()), QPointF(last.right() - MARGIN + 4, last.top()))
        for name, rect in layout.rows.items():
            self._paint_row(painter, name, rect, layout, theme.stage("rt") if name == WHOLE_2D else fake)

    def _x(self, score: float, layout: Layout) -> float:
        low, high = self.score_range
        left, right = layout.plot
        return left + (min(max(score, low), high) - low) / (high - low) * (right - left)

    def _paint_row(self, painter: QPainter, name: str, rect: QRectF, layout: Layout, augmented: str) -> None:
        theme, curve = self.theme, self.curves[name]
        part = theme.parts.get(name, theme.stage("rt") if name == WHOLE_2D else theme.text)
        chosen = name == self.selection.part
        if chosen or name == self._hover_part:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(part, 0.14 if chosen else 0.06))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 5, 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(part))
        painter.drawEllipse(QPointF(MARGIN + 4, rect.center().y()), 4, 4)
        painter.setFont(plot_font(self.font(), 0.95, bold=chosen))
        draw_text(painter, QRectF(MARGIN + 13, rect.top(), layout.plot[0] - MARGIN - 13, rect.height()), name, part)
        base, tall = rect.bottom() - 4, rect.height() - 9
        scale = tall / max(float(curve.densities.max()), 1e-9)
        for side, ink in ((0, theme.real), (1, augmented)):
            paint_density(painter, curve.densities[side] * scale, layout.plot, base, ink)
        row = min(self.row, curve.scores.shape[1] - 1)
        for side, ink in ((0, theme.real), (1, augmented)):
            self._paint_marks(painter, curve.scores[side, row], curve.medians[side], ink, layout, base, tall)
        painter.setFont(plot_font(self.font(), 0.88))
        numbers = QRectF(layout.plot[1] + 2, rect.top(), rect.right() - MARGIN + 4 - layout.plot[1] - 2, rect.height())
        half = min(numbers.height() / 2, painter.fontMetrics().height())
        for side, ink in ((0, theme.real), (1, augmented)):
            where = QRectF(numbers.left(), numbers.center().y() + (side - 1) * half, numbers.width(), half)
            draw_text(painter, where, f"{curve.medians[side]:.2f}".replace("-", "−"), ink, RIGHT)

    def _paint_marks(self, painter, score, median, ink, layout, base, tall) -> None:
        """The shown pose as a tick with a head, the median as a wedge under the axis."""
        x = self._x(score, layout)
        painter.setPen(QPen(colour(self.theme.surface), 3.5))
        painter.drawLine(QPointF(x, base), QPointF(x, base - tall + 2))
        painter.setPen(QPen(colour(mix(ink, self.theme.text, 0.25)), 1.5))
        painter.drawLine(QPointF(x, base), QPointF(x, base - tall + 3))
        painter.setPen(QPen(colour(self.theme.surface), 1))
        painter.setBrush(colour(mix(ink, self.theme.text, 0.25)))
        painter.drawEllipse(QPointF(x, base - tall + 2), 3, 3)
        m = self._x(median, layout)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(ink))
        painter.drawPolygon(QPolygonF([QPointF(m, base), QPointF(m - 3.5, base + 4), QPointF(m + 3.5, base + 4)]))

    def _paint_matrices(self, painter: QPainter, layout: Layout) -> None:
        theme, bones, part = self.theme, self.bones(), self.selection.part
        if not bones:
            painter.setFont(plot_font(self.font(), 0.88))
            draw_text(painter, layout.matrix_title, NO_3D, theme.muted)
            return
        painter.setFont(plot_font(self.font(), 1.0, bold=True))
        draw_text(painter, layout.matrix_title, "KCS of the shown pose", theme.text)
        painter.setFont(plot_font(self.font(), 0.88))
        told = part if part in self.skeleton.parts else "all bones"
        draw_text(painter, layout.matrix_title, told, theme.parts.get(told, theme.muted), RIGHT)
        matrices, table = self.matrices(), diverging(theme)
        cell = layout.matrices[0].width() / len(bones)
        painter.setFont(plot_font(self.font(), min(0.8, 0.8 * cell / 11)))
        if len(bones) <= 10:
            for i, bone in enumerate(bones):
                top = layout.matrices[0].top() + i * cell
                where = QRectF(MARGIN - 6, top, layout.matrices[0].left() - MARGIN, cell)
                lit = self._hover_cell and i in self._hover_cell
                draw_text(painter, where, bone_label(self.skeleton, bone), theme.text if lit else theme.muted, RIGHT)
        fits = (layout.captions[0].width() - 4) / max(map(self.fontMetrics().horizontalAdvance, CAPTIONS))
        painter.setFont(plot_font(self.font(), min(0.88, fits)))
        inks = (theme.real, theme.stage("ba"), theme.muted)
        for matrix, rect, caption, name, ink in zip(
            matrices, layout.matrices, layout.captions, CAPTIONS, inks, strict=True
        ):
            paint_matrix(painter, theme, self.skeleton, bones, matrix, rect, table, self._hover_cell)
            draw_text(painter, caption, name, ink, CENTRE)
        paint_legend(painter, theme, layout.legend, table)

    def _paint_accuracies(self, painter: QPainter, layout: Layout) -> None:
        theme = self.theme
        painter.setFont(plot_font(self.font(), 1.0, bold=True))
        draw_text(painter, layout.accuracy_title, "Discriminator accuracy", theme.text)
        painter.setFont(plot_font(self.font(), 0.88))
        step, values = self._painted = self.accuracies()
        if not values:
            whole = layout.accuracies[0].united(layout.accuracies[-1])
            draw_text(painter, whole, "No discriminator has learned up to here.", theme.muted)
            return
        if step != self.snapshot.step:
            draw_text(painter, layout.accuracy_title, f"at step {step:,}", theme.muted, RIGHT)
        if not self.judges_2d:
            other = QRectF(layout.accuracies[0])
            other.moveLeft(other.right() + 16)
            draw_text(painter, other, NO_2D.replace("This run has n", "N").rstrip("."), theme.muted)
        for (name, value), rect in zip(values.items(), layout.accuracies, strict=True):
            title = name.replace("d3d_", "D3d ").replace("d2d_", "D2d ")
            ink = theme.real if name.endswith("real") else theme.stage("ba" if name == "d3d_fake" else "rt")
            label, number = (
                small_width(self.fontMetrics(), "D2d real") + 8,
                painter.fontMetrics().horizontalAdvance("100 %") + 8,
            )
            draw_text(painter, rect, title, theme.muted)
            bar = QRectF(rect.left() + label, rect.center().y() - 3, rect.width() - label - number, 6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(theme.raised))
            painter.drawRoundedRect(bar, 3, 3)
            if not np.isfinite(value):
                draw_text(painter, rect, "–", theme.muted, RIGHT)
                continue
            share = min(max(value, 0.0), 1.0)
            painter.setBrush(colour(ink))
            painter.drawRoundedRect(QRectF(bar.left(), bar.top(), max(bar.width() * share, 6), 6), 3, 3)
            painter.setPen(QPen(colour(theme.text, 0.6), 1))
            chance = bar.center().x()
            painter.drawLine(QPointF(chance, bar.top() - 2), QPointF(chance, bar.bottom() + 2))
            draw_text(painter, rect, f"{value:.0%}".replace("%", " %"), theme.text, RIGHT)

    # the mouse and the keyboard

    def _part_at(self, point: QPointF) -> str:
        rows = self.layout_of(self.width(), self.height()).rows if self.curves else {}
        return next((name for name, rect in rows.items() if name != WHOLE_2D and rect.contains(point)), "")

    def _cell_at(self, point: QPointF) -> tuple[int, int] | None:
        for rect in self.layout_of(self.width(), self.height()).matrices if self.curves else ():
            if rect.contains(point):
                cell, last = rect.width() / len(self.bones()), len(self.bones()) - 1
                return min(int((point.y() - rect.top()) / cell), last), min(int((point.x() - rect.left()) / cell), last)
        return None

    def mousePressEvent(self, event) -> None:
        part = self._part_at(event.position())
        if part:
            self.selection.choose_part(part)

    def mouseMoveEvent(self, event) -> None:
        part, cell = self._part_at(event.position()), self._cell_at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if part else Qt.CursorShape.ArrowCursor)
        if (part, cell) != (self._hover_part, self._hover_cell):
            self._hover_part, self._hover_cell = part, cell
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover_part, self._hover_cell = "", None
        self.update()

    def keyPressEvent(self, event) -> None:
        parts = tuple(self.skeleton.parts)
        if not parts:
            super().keyPressEvent(event)
            return
        move = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(event.key(), 0)
        if move:
            now = parts.index(self.selection.part) if self.selection.part in parts else (-1 if move > 0 else 0)
            self.selection.choose_part(parts[(now + move) % len(parts)])
        elif event.key() == Qt.Key.Key_Escape and self.selection.part:
            self.selection.choose_part(self.selection.part)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            text = self.tip_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), text, self) if text else QToolTip.hideText()
            return True
        return super().event(event)

    def tip_at(self, point: QPointF) -> str:
        """What to say of the thing under the mouse, '' for nothing."""
        cell = self._cell_at(point)
        if cell is not None:
            first, second = (self.skeleton.bone_names[self.bones()[k]] for k in cell)
            real, augmented, change = (m[cell] for m in self.matrices())
            return f"{first} × {second}\ncosine: real {real:.2f}, augmented {augmented:.2f}, difference {change:+.2f}"
        part = self._part_at(point)
        if part:
            real, augmented = self.curves[part].scores[:, min(self.row, self.snapshot.probe_size - 1)]
            return f"{part}: D3d scores of the shown pose\nreal {real:.2f}, augmented {augmented:.2f} (1 is real)"
        return ""
