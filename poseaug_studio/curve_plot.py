"""The plot of the curves: pyqtgraph with ranges of our own, since its automatic ones cost 50 ms beside 3D views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QToolTip

from poseaug_core.palette import mix
from poseaug_studio.plotting import colour, plot_font
from poseaug_studio.theme import Theme

#: Smallest value on a logarithmic axis.
FLOOR = 1e-6
#: Share of the axis that the curves must fill, or the range is taken anew.
FILLED = 0.5
#: Decades that a logarithmic axis shows at most: a loss that touches zero would flatten all others.
DECADES = 4.0
#: Marks drawn at most.
MARKS = 80
#: Curves of so few points show them.
FEW = 15
#: Steps up to which a run is short: each of them may be seen.
SHORT = 40


@dataclass(frozen=True)
class Line:
    """A curve: steps x (n,) and values y (n,). around: the lowest and the highest (n,) where y are means."""

    name: str
    x: np.ndarray
    y: np.ndarray
    ink: str
    dash: Qt.PenStyle
    around: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Band:
    """A range around a middle, (n,) each at steps x; the last one holds on, the first one held before."""

    x: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    ink: str


class NumberAxis(pg.AxisItem):
    """An axis with plain numbers, thousands apart, on a logarithmic scale too."""

    def tickStrings(self, values, scale, spacing) -> list[str]:
        if self.logMode:
            # Below a decade the 2 and the 5 are enough; more of them crowd.
            told = [f"{10**value:g}" for value in values]
            kept = lambda text: text.replace(".", "").lstrip("0")[:1] in ("1", "2", "5")  # noqa: E731
            return [text if kept(text) else "" for text in told]
        if self.orientation == "bottom" and max(map(abs, values), default=0) >= 100_000 and spacing >= 1000:
            return [f"{value / 1000:,g}k" if value else "0" for value in values]  # in full they would touch
        digits = max(0, int(np.ceil(-np.log10(spacing) - 1e-9)))
        return [f"{value:,.{digits}f}".replace("-", "−") for value in values]


class CurvePlot(pg.PlotWidget):
    """step_chosen: a step was clicked. held_changed: whether the user holds a range of their own. moved: another
    stretch of the steps is in sight."""

    step_chosen = Signal(int)
    held_changed = Signal(bool)
    moved = Signal()

    def __init__(self, theme: Theme):
        super().__init__(enableMenu=False, axisItems={side: NumberAxis(side) for side in ("left", "bottom")})
        self.theme = theme
        self.marks: dict[int, str] = {}
        self.held = False
        self._log = False
        self._y_range: tuple[float, float] | None = None
        self._lines: list[pg.PlotCurveItem] = []
        self._bands: list[pg.PlotCurveItem] = []
        self._middles: list[pg.PlotCurveItem] = []
        self._around: list[pg.PlotCurveItem] = []
        item = self.getPlotItem()
        item.hideButtons()
        item.disableAutoRange()
        for name, size in (("left", 46), ("bottom", None)):
            axis = item.getAxis(name)
            axis.enableAutoSIPrefix(False)
            axis.setStyle(tickLength=0, tickTextOffset=6)
            if size:
                axis.setWidth(size)  # fixed, so that longer numbers do not move the plot
        item.showGrid(x=True, y=True, alpha=0.25)
        self._cursor = pg.InfiniteLine(angle=90)
        self._cursor.hide()
        self._mark_lines = pg.PlotCurveItem(connect="pairs")
        self._dots = pg.ScatterPlotItem(size=5, pen=None)
        self._title = pg.LabelItem(justify="left")
        for part in (self._mark_lines, self._dots, self._cursor):
            item.addItem(part, ignoreBounds=True)
        self._title.setParentItem(item.vb)
        self._title.setPos(0, -4)
        self._steps = pg.LabelItem("step", justify="right")
        self._steps.setParentItem(item.getAxis("bottom"))  # left of its numbers, where no curve goes
        self._steps.setPos(-40, 0)
        item.vb.sigRangeChangedManually.connect(self._hold)
        item.vb.sigXRangeChanged.connect(self.moved)
        self.scene().sigMouseClicked.connect(self._clicked)
        self.scene().sigMouseMoved.connect(self._hovered)
        self.setToolTip("Click to show that step, wheel to zoom, drag to move")
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.setBackground(theme.surface)
        for name in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(name)
            axis.setPen(QPen(colour(theme.line), 1))
            axis.setTextPen(theme.muted)
            axis.setTickFont(plot_font(self.font(), 0.82))
        self._steps.setText("step", color=mix(theme.muted, theme.text, 0.5), size="8pt")
        self._cursor.setPen(pg.mkPen(colour(theme.text, 0.7), width=1))
        self._mark_lines.setPen(pg.mkPen(colour(theme.warning, 0.45), width=1))

    # what is drawn

    def draw(
        self,
        lines: list[Line],
        others: list[Line],
        bands: list[Band],
        log: bool,
        fixed: tuple[float, float] | None,
        last: int,
        unit: str,
    ) -> None:
        """Replace every curve. fixed: the y range where it is known. last: step up to which the x axis reaches."""
        self._log = log
        self.getPlotItem().getAxis("left").setLogMode(False, log)
        self._title.setText(unit, color=mix(self.theme.muted, self.theme.text, 0.5), size="8pt")
        self._draw_bands(bands, max(last, 1))
        wanted = [*others, *lines]
        self._draw_around([line for line in wanted if line.around is not None])
        self._reuse(self._lines, wanted)
        for i, (curve, line) in enumerate(zip(self._lines, wanted, strict=False)):
            curve.setPen(pg.mkPen(line.ink, width=1.2 if i < len(others) else 1.6, style=line.dash))
            curve.setData(line.x, self._scaled(line.y))
        few = [line for line in wanted if len(line.x) <= FEW]
        self._dots.setData(
            x=np.concatenate([line.x for line in few]) if few else [],
            y=np.concatenate([self._scaled(line.y) for line in few]) if few else [],
            brush=[pg.mkBrush(line.ink) for line in few for _ in line.x],
        )
        if not self.held:
            self.setXRange(*x_range(last), padding=0)
            self.setYRange(*self._fitted([*lines, *others], bands, fixed), padding=0)
        self._draw_marks()

    def _draw_around(self, lines: list[Line]) -> None:
        """Pale, behind its curve, all that a mean stands for: drawn in full it would hide the other curves."""
        self._reuse(self._around, lines)
        for item, line in zip(self._around, lines, strict=False):
            low, high = map(self._scaled, line.around)
            item.setZValue(-5)
            item.setPen(None)
            item.setFillLevel("enclosed")
            item.setBrush(pg.mkBrush(colour(line.ink, 0.16)))
            item.setData(
                np.concatenate((line.x, line.x[::-1], line.x[:1])), np.concatenate((high, low[::-1], high[:1]))
            )

    def _reuse(self, items: list[pg.PlotCurveItem], wanted: list) -> None:
        while len(items) < len(wanted):
            items.append(pg.PlotCurveItem(antialias=True))
            self.addItem(items[-1], ignoreBounds=True)
        for i, item in enumerate(items):
            item.setVisible(i < len(wanted))

    def _draw_bands(self, bands: list[Band], last: int) -> None:
        """Each band as a filled outline with its middle dashed, behind the curves."""
        self._reuse(self._bands, bands)
        self._reuse(self._middles, bands)
        for item, middle, band in zip(self._bands, self._middles, bands, strict=False):
            x = np.concatenate(([0.0], band.x, [max(round_up(last), band.x[-1])]))
            low, beta, high = (np.concatenate((v[:1], v, v[-1:])) for v in (band.low, band.middle, band.high))
            middle.setZValue(-9)
            middle.setPen(pg.mkPen(colour(band.ink, 0.6), width=1, style=Qt.PenStyle.DashLine))
            middle.setData(x, self._scaled(beta))
            item.setZValue(-10)
            item.setFillLevel("enclosed")
            item.setPen(pg.mkPen(colour(band.ink, 0.35), width=1))
            item.setBrush(pg.mkBrush(colour(band.ink, 0.12)))
            outline = np.concatenate((high, low[::-1], high[:1]))
            item.setData(np.concatenate((x, x[::-1], x[:1])), self._scaled(outline))

    def _scaled(self, y: np.ndarray) -> np.ndarray:
        return np.log10(np.maximum(y, FLOOR)) if self._log else y

    def _fitted(self, lines: list[Line], bands: list[Band], fixed) -> tuple[float, float]:
        """The range of y: the one there is while the curves fit and fill it, so that it seldom moves."""
        if fixed is not None:
            self._y_range = None
            return fixed[0] - 0.05, fixed[1] + 0.1
        told = [y for line in lines for y in (line.around or (line.y,)) if len(y)]
        values = [self._scaled(y[y > FLOOR] if self._log else y) for y in told]
        values += [self._scaled(np.maximum(edge, 0.1)) for band in bands for edge in (band.low, band.high)]
        values = np.concatenate(values) if values else np.empty(0)
        if not len(values):
            return (-2.0, 0.0) if self._log else (0.0, 1.0)
        low, high = float(values.min()), float(values.max())
        low = max(low, high - DECADES) if self._log else low
        span = max(high - low, 0.05 * abs(high), 1e-6)
        wanted = (low - 0.06 * span, high + 0.14 * span)
        if not self._log and low >= 0 and low < 0.5 * high:
            wanted = (0.0, wanted[1])
        kept = self._y_range
        if kept is None or low < kept[0] or high > kept[1] or high - low < FILLED * (kept[1] - kept[0]):
            self._y_range = wanted
        return self._y_range

    def set_cursor(self, step: int | None) -> None:
        """Stand the vertical line at the shown step."""
        self._cursor.setVisible(step is not None)
        if step is not None:
            self._cursor.setValue(step)

    def set_marks(self, marks: dict[int, str]) -> None:
        """Steps at which the controls changed, with what is said of each."""
        self.marks = dict(marks)
        self._draw_marks()

    def _draw_marks(self) -> None:
        (first, last), (low, high) = self.viewRange()
        steps = np.array(sorted(self.marks), float)
        # One for those that would flow together; all are told where the mouse is.
        cells = np.floor((steps - first) / max(last - first, 1) * MARKS)
        steps = np.repeat(steps[np.diff(cells, prepend=-1) > 0], 2)
        self._mark_lines.setData(steps, np.tile([low, low + 0.07 * (high - low)], len(steps) // 2))

    # the mouse

    def release(self) -> None:
        """Follow the curves again, after the user has zoomed or moved, or another view was chosen."""
        self._y_range = None
        self.held = False
        self.held_changed.emit(False)

    @property
    def reach(self) -> tuple[float, float]:
        """The first and last step in sight."""
        return tuple(self.getPlotItem().vb.viewRange()[0])

    def _hold(self) -> None:
        if not self.held:
            self.held = True
            self.held_changed.emit(True)

    def step_at(self, point: QPointF) -> int | None:
        """The step under a point of the scene, None outside the plot."""
        view = self.getPlotItem().vb
        return round(view.mapSceneToView(point).x()) if view.sceneBoundingRect().contains(point) else None

    def _clicked(self, event) -> None:
        step = self.step_at(event.scenePos())
        if event.button() == Qt.MouseButton.LeftButton and step is not None:
            event.accept()
            self.step_chosen.emit(max(step, 0))

    def _hovered(self, point: QPointF) -> None:
        step = self.step_at(point)
        if step is None or not self.marks:
            return
        reach = 5 * self.getPlotItem().vb.viewPixelSize()[0]
        nearest = min(self.marks, key=lambda mark: abs(mark - step))
        if abs(nearest - step) <= reach:
            QToolTip.showText(
                self.mapToGlobal(self.mapFromScene(point)), f"step {nearest:,}\n{self.marks[nearest]}", self
            )


def x_range(last: float) -> tuple[float, float]:
    """The steps that the axis shows; of a short run, whose every point is a dot, the ends stand clear of the frame."""
    span = round_up(last)
    return (-0.03 * span, max(span, 1.03 * last)) if last <= SHORT else (-0.008 * span, span)


def round_up(last: float) -> float:
    """A round number a little past the last step, so that the axis moves seldom."""
    quarter = 10 ** np.floor(np.log10(max(last, 4))) / 4
    return float(np.ceil(max(last, 1) / quarter) * quarter)
