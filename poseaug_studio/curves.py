"""The curves panel: losses, hardness in its band, errors and accuracies over the steps, and two histograms."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSlider, QStackedWidget, QVBoxLayout, QWidget

from poseaug_core.config import Config
from poseaug_core.controls import KNOBS
from poseaug_core.snapshot import Snapshot
from poseaug_studio.curve_plot import Band, CurvePlot, Line, round_up
from poseaug_studio.curve_styles import ACCURACY, DOTTED, HARDNESS, HISTOGRAMS, LOSSES, VIEWS, Style, styles_of
from poseaug_studio.histograms import Histograms
from poseaug_studio.labels import Label
from poseaug_studio.legend import Entry, Legend
from poseaug_studio.metric_series import MetricSeries, Staircase, smooth, summary, thin
from poseaug_studio.plotting import PlotPanel, colour, draw_empty, plot_font
from poseaug_studio.segments import Push, Segments
from poseaug_studio.selection import Selection
from poseaug_studio.theme import Theme

#: Milliseconds between two redraws while rows come in, and points of a curve: what a window can afford beside 3D views.
PERIOD = 1000
#: Milliseconds until a stretch zoomed into, or another smoothing, is drawn.
SOON = 60
POINTS = 400
#: Values a point from which a curve is drawn as its mean, with all that it runs through pale around it.
DENSE = 8
#: Width in pixels from which everything in the bar has its full name.
ROOMY = 600


class CurvesPanel(PlotPanel):
    """Metrics of a run and, over them, those of a second one. step_chosen: a step was clicked in a plot.

    The hardness of Eq. 9 as released has a band, beta +- tolerance; as printed it asks for a loss beta times the
    original's, and so an error about sqrt(beta) times as large: a line.
    """

    step_chosen = Signal(int)

    def __init__(self, theme: Theme, selection: Selection, parent: QWidget | None = None):
        super().__init__(theme, selection, parent)
        self.series = MetricSeries()
        self.other = MetricSeries()
        self.other_name = ""
        self.hidden: set[str] = set()
        self.logarithmic = {LOSSES}  # views on a logarithmic scale: losses span decades
        self.config = Config()
        self.bands = {"ba": Staircase(), "rt": Staircase()}
        self._drawn_state: tuple | None = None
        self._curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # smoothed, every step
        self.tabs = Segments(theme, tuple(view.name for view in VIEWS))
        self.log = Segments(theme, ("Log",))
        self.fit = Push(theme, "Fit")
        self.smoothing = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=99, value=0)
        self.smoothing.setMaximumWidth(64)
        self.smoothing.setMinimumWidth(24)
        self.smoothing.setToolTip("Smoothing: share of the past that each point keeps (exponential moving average)")
        self.smoothing_label = Label("Smooth")
        self.plot = CurvePlot(theme)
        self.legend = Legend(theme)
        self.histograms = Histograms(theme)
        self.empty = Sentence(theme)
        self._arrange()
        self._timer = QTimer(self, singleShot=True, interval=PERIOD)
        self._timer.timeout.connect(self.refresh)
        self.tabs.changed.connect(self._choose_view)
        self.log.value = 1
        self.log.changed.connect(self._choose_log)
        self.smoothing.valueChanged.connect(lambda _: self._wait(SOON))
        self.legend.toggled.connect(self._toggle)
        self.legend.removed.connect(lambda: self.compare("", None))
        self.plot.step_chosen.connect(self.step_chosen)
        self.plot.held_changed.connect(self.fit.setVisible)
        self.plot.moved.connect(lambda: self._wait(SOON))
        self.fit.pressed.connect(self._fit)
        self._theme_changed()
        self.refresh()

    def _arrange(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 6, 8, 0)
        bar.setSpacing(8)
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        for item in (self.fit, self.smoothing_label, self.smoothing, self.log):
            bar.addWidget(item)
        self.fit.hide()
        self.scroll = QScrollArea(frameShape=QFrame.Shape.NoFrame, widgetResizable=True)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setWidget(self.legend)
        page = QWidget()
        row = QHBoxLayout(page)
        row.setContentsMargins(4, 0, 4, 2)
        row.setSpacing(8)
        row.addWidget(self.plot, 1)
        row.addWidget(self.scroll)
        self.pages = QStackedWidget()
        for widget in (page, self.histograms, self.empty):
            self.pages.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)  # the bar adapts to the width it gets
        column.addLayout(bar)
        column.addWidget(self.pages, 1)

    def sizeHint(self) -> QSize:
        return QSize(640, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(390, 130)

    # what comes in

    def show_series(self, series: MetricSeries) -> None:
        """Draw these metrics, which may have grown since they were last shown, within PERIOD."""
        self.series = series
        self._wait()

    def clear(self) -> None:
        """Forget the run: its rows, bands and marks; the comparison stays."""
        self.series = MetricSeries()
        self.bands = {name: Staircase() for name in self.bands}
        self.plot.set_marks({})
        self._drawn_state = None
        self.refresh()

    def set_config(self, config: Config) -> None:
        """Show a run of this config: only bands and limits that it reads are drawn."""
        self.config = config
        self.histograms.set_config(config)
        self._drawn_state = None
        self.refresh()

    def compare(self, name: str, series: MetricSeries | None) -> None:
        """Draw a second run, dotted, under this one; None ends the comparison."""
        self.other, self.other_name = series or MetricSeries(), name if series else ""
        self._drawn_state = None
        self.refresh()

    def mark(self, step: int, text: str) -> None:
        """Note a change of the controls at a step; several at one step share a mark."""
        marks = self.plot.marks
        before = marks.get(step)
        self.plot.set_marks(marks | {step: f"{before}\n{text}" if before else text})

    def present(self, snapshot: Snapshot | None, row: int) -> None:
        if snapshot is self.snapshot and row == self.row:
            return
        self.snapshot, self.row = snapshot, row
        if snapshot is not None:
            for name, band in self.bands.items():
                if (found := self._band(name, snapshot.controls)) is not None:
                    band.add(snapshot.step, found)
        self.plot.set_cursor(None if snapshot is None else snapshot.step)
        self.histograms.present(snapshot, row)
        self._wait()

    def _band(self, stage: str, controls: dict[str, float]) -> tuple[float, float] | None:
        """The middle and half width that the hardness of a stage is asked to keep, None where it is not."""
        if KNOBS[f"beta_{stage}"].in_use(self.config):
            beta, tolerance = controls.get(f"beta_{stage}"), controls.get(f"tolerance_{stage}")
            return None if beta is None or tolerance is None else (float(beta), float(tolerance))
        if stage == "rt" and KNOBS["beta"].in_use(self.config) and "beta" in controls:
            return float(controls["beta"]) ** 0.5, 0.0
        return None

    # what is drawn

    def refresh(self) -> None:
        """Draw everything that came since, now."""
        self._timer.stop()
        view = self.tabs.value
        styles = styles_of(self.series.names() + self.other.names(), view)
        works = self.snapshot is not None and self.snapshot.phase != "pretrain"
        something = works if view == HISTOGRAMS else bool(styles)
        self._show_tools()
        if not something:
            self.empty.say(VIEWS[view].empty)
        self.pages.setCurrentIndex(2 if not something else 1 if view == HISTOGRAMS else 0)
        if not something or view == HISTOGRAMS:
            return
        state = self._state()
        if state != self._drawn_state:
            self._drawn_state = state
            self._draw(styles)
        self._show_legend(styles)

    def _state(self) -> tuple:
        """Whatever the plot depends on: while it stays, only the cursor and the legend's numbers move."""
        view = self.tabs.value
        look = (view, view in self.logarithmic, self.smoothing.value(), self.theme.name, frozenset(self.hidden))
        seen = tuple((*band.steps, *band.levels) for band in self.bands.values()) if view == HARDNESS else ()
        reach = self.plot.reach if self.plot.held else round_up(self._last())
        return look, seen, self.series.changes, self.other.changes, self.other_name, reach

    def _last(self) -> int:
        return max(self.series.last_step, self.other.last_step, self.snapshot.step if self.snapshot else 0)

    def _draw(self, styles: dict[str, Style]) -> None:
        view = self.tabs.value
        self._curves = {name: self.curve(name) for name in styles}
        shown = {name: style for name, style in styles.items() if name not in self.hidden}
        lines = [self._line(name, style, *self._curves[name], style.dash) for name, style in shown.items()]
        others = [
            self._line(name, style, *self._smoothed(self.other, name), DOTTED)
            for name, style in shown.items()
            if self.other_name
        ]
        fixed = (0.0, 1.0) if view == ACCURACY else None
        bands = self._bands() if view == HARDNESS else []
        unit = VIEWS[view].unit
        if view == HARDNESS and KNOBS["beta"].in_use(self.config):
            unit += "; dashed: \u221abeta"
        self.plot.draw(lines, others, bands, view in self.logarithmic, fixed, self._last(), unit)

    def curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of a metric, smoothed."""
        return self._smoothed(self.series, name)

    def _smoothed(self, series: MetricSeries, name: str) -> tuple[np.ndarray, np.ndarray]:
        steps, values = series.get(name)
        return steps, smooth(values, self.smoothing.value() / 100)

    def _line(self, name: str, style: Style, steps: np.ndarray, values: np.ndarray, dash: Qt.PenStyle) -> Line:
        """What is drawn of a curve: of a stretch zoomed into all that there is room for."""
        if self.plot.held:
            first, last = np.searchsorted(steps, self.plot.reach)
            steps, values = steps[max(first - 1, 0) : last + 1], values[max(first - 1, 0) : last + 1]
        if len(steps) <= DENSE * POINTS:
            return Line(name, *thin(steps, values, POINTS), style.ink(self.theme), dash)
        steps, mean, *around = summary(steps, values, POINTS)
        return Line(name, steps, mean, style.ink(self.theme), dash, tuple(around))

    def _bands(self) -> list[Band]:
        bands = []
        for name, band in self.bands.items():
            if band.steps and f"hardness/{name}" not in self.hidden:
                beta, tolerance = np.array(band.levels).T
                ink = self.theme.stage(name)
                bands.append(Band(np.array(band.steps, float), beta - tolerance, beta, beta + tolerance, ink))
        return bands

    def _show_legend(self, styles: dict[str, Style]) -> None:
        step = self.snapshot.step if self.snapshot is not None else self.series.last_step
        entries = [self._entry(name, style, step) for name, style in styles.items()]
        if self.other_name:
            entries.append(Entry("", self.other_name, self.theme.muted, DOTTED))
        self.legend.show_entries(f"step {step:,}", tuple(entries))

    def _entry(self, name: str, style: Style, step: int) -> Entry:
        """A curve's line in the legend; what only the second run has stands there as it is drawn, with its value."""
        curve, dash = self._curves[name], style.dash
        if not len(curve[0]):
            curve, dash = self._smoothed(self.other, name), DOTTED
            step = max(step, int(curve[0][0])) if len(curve[0]) else step
        return Entry(name, style.label, style.ink(self.theme), dash, _value(*curve, step), name not in self.hidden)

    # what the user does

    def _choose_view(self) -> None:
        self.log.value = int(self.tabs.value in self.logarithmic)
        self.log.update()
        self._fit()

    def _choose_log(self, on: int) -> None:
        (self.logarithmic.add if on else self.logarithmic.discard)(self.tabs.value)
        self._fit()

    def _fit(self) -> None:
        self.plot.release()
        self._drawn_state = None
        self.refresh()

    def _toggle(self, name: str) -> None:
        self.hidden ^= {name}
        self.refresh()

    def _wait(self, within: int = PERIOD) -> None:
        if self.isVisible() and (not self._timer.isActive() or self._timer.remainingTime() > within):
            self._timer.start(within)

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self.scroll.setFixedWidth(min(max(int(self.width() * 0.35), 148), 224))
        narrow = self.width() < ROOMY
        self.tabs.set_names(tuple(view.short if narrow else view.name for view in VIEWS))
        self._show_tools()

    def _show_tools(self) -> None:
        """The tools that the view has a use for and the width has room for."""
        view = self.tabs.value
        self.log.setVisible(view not in (ACCURACY, HISTOGRAMS))
        self.smoothing.setVisible(view != HISTOGRAMS)
        self.smoothing_label.setVisible(view != HISTOGRAMS and self.width() >= ROOMY)

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self.refresh()

    def _theme_changed(self) -> None:
        theme = self.theme
        for part in (self.tabs, self.log, self.fit, self.plot, self.legend, self.histograms, self.empty):
            part.set_theme(theme)
        self.scroll.setStyleSheet(f"QScrollArea, QScrollArea > QWidget {{ background: {theme.surface}; }}")
        self.smoothing_label.setFont(plot_font(self.font(), 0.92))
        self.smoothing_label.setStyleSheet(f"color: {theme.muted};")
        self.refresh()

    def paintEvent(self, event) -> None:
        QPainter(self).fillRect(self.rect(), colour(self.theme.surface))


class Sentence(QWidget):
    """What is said where there is no curve yet."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.text = ""

    def say(self, text: str) -> None:
        self.text = text
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour(self.theme.surface))
        draw_empty(painter, QRectF(self.rect()), self.theme, self.text)


def _value(steps: np.ndarray, values: np.ndarray, step: int) -> float | None:
    """A curve's value at a step: of the last point up to it."""
    index = int(np.searchsorted(steps, step, side="right")) - 1
    return float(values[index]) if index >= 0 else None
