"""Timeline: every recorded snapshot on one line; drag to look back while the training goes on."""

from __future__ import annotations

from bisect import bisect_left

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from poseaug_core.config import Config
from poseaug_studio import icons
from poseaug_studio.history import BEST, CONTROL, EVALUATION, History, Mark, phase_names
from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme

SPEEDS = {"5/s": 5, "10/s": 10, "20/s": 20}
PAD = 10


class Track(QWidget):
    """The line itself. ``chosen`` carries a recorded step."""

    chosen = Signal(int)

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.steps: list[int] = []
        self.marks: list[Mark] = []
        self.history = History()
        self.names = phase_names(Config())
        self.shown: int | None = None
        self.total = 0
        self.dragging = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(44)

    def sizeHint(self) -> QSize:
        return QSize(400, 44)

    @property
    def last(self) -> int:
        return max(self.total, self.steps[-1] if self.steps else 0, 1)

    def x_of(self, step: float) -> float:
        return PAD + step / self.last * (self.width() - 2 * PAD)

    def nearest(self, x: float) -> int | None:
        """The recorded step closest to a pixel."""
        if not self.steps:
            return None
        step = (x - PAD) / max(self.width() - 2 * PAD, 1) * self.last
        at = bisect_left(self.steps, step)
        return min(self.steps[max(at - 1, 0) : at + 1], key=lambda s: abs(s - step))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.steps:
            self.dragging = True
            self.chosen.emit(self.nearest(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self.dragging:
            self.chosen.emit(self.nearest(x))
            return
        near = [mark for mark in self.marks if abs(self.x_of(mark.step) - x) < 6]
        if near:
            QToolTip.showText(
                event.globalPosition().toPoint(), "\n".join(f"step {m.step}: {m.text}" for m in near[-6:]), self
            )
        elif self.steps:
            QToolTip.showText(event.globalPosition().toPoint(), f"step {self.nearest(x)}", self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.dragging = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: -1}
        if self.steps and event.key() in moves:
            self.chosen.emit(self.steps[self.moved(moves[event.key()])])
        elif self.steps and event.key() in ends:
            self.chosen.emit(self.steps[ends[event.key()]])
        else:
            event.ignore()

    def moved(self, by: int) -> int:
        """The place in ``steps`` that lies ``by`` snapshots from the shown one."""
        at = (
            len(self.steps) - 1 if self.shown is None else min(bisect_left(self.steps, self.shown), len(self.steps) - 1)
        )
        return min(max(at + by, 0), len(self.steps) - 1)

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_spans(painter)
        self._paint_ticks(painter)
        for mark in self.marks:
            self._paint_mark(painter, mark)
        if self.steps:
            self._paint_head(painter)

    def _paint_spans(self, painter: QPainter) -> None:
        t = self.theme
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(t.surface, t.text, 0.06)))
        painter.drawRoundedRect(QRectF(PAD, 16, self.width() - 2 * PAD, 14), 4, 4)
        painter.setFont(font(10, 500))
        tints = {"pretrain": t.real, "warm-up": t.stage("ba"), "poseaug": t.accent}
        for span in self.history.spans:
            left, right = self.x_of(span.start), self.x_of(min(span.stop, self.last))
            tint = tints.get(span.name, t.muted)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(t.surface, tint, 0.26)))
            painter.drawRoundedRect(QRectF(left, 16, max(right - left - 1, 1), 14), 3, 3)
            name = self.names.get(span.name, span.name)
            if painter.fontMetrics().horizontalAdvance(name) < right - left - 8:
                painter.setPen(QColor(mix(tint, t.text, 0.35)))
                painter.drawText(QRectF(left + 2, 0, right - left, 14), Qt.AlignmentFlag.AlignLeft, name)

    def _paint_ticks(self, painter: QPainter) -> None:
        """One hair line a snapshot, one a pixel at the most."""
        painter.setPen(QPen(QColor(mix(self.theme.surface, self.theme.text, 0.38)), 1))
        drawn = -1.0
        for step in self.steps:
            x = round(self.x_of(step)) + 0.5
            if x - drawn >= 2:
                painter.drawLine(QPointF(x, 20), QPointF(x, 26))
                drawn = x

    def _paint_mark(self, painter: QPainter, mark: Mark) -> None:
        t, x = self.theme, self.x_of(mark.step)
        painter.setPen(Qt.PenStyle.NoPen)
        if mark.kind == EVALUATION:
            painter.setBrush(QColor(t.real))
            painter.drawPolygon(QPolygonF([QPointF(x, 32), QPointF(x - 3.5, 38), QPointF(x + 3.5, 38)]))
        elif mark.kind == CONTROL:
            painter.setBrush(QColor(t.warning))
            painter.drawPolygon(
                QPolygonF([QPointF(x, 31.5), QPointF(x - 3.5, 35), QPointF(x, 38.5), QPointF(x + 3.5, 35)])
            )
        elif mark.kind == BEST:
            painter.setBrush(QColor(t.good))
            painter.drawEllipse(QPointF(x, 35.5), 4, 4)

    def _paint_head(self, painter: QPainter) -> None:
        t, live = self.theme, self.shown is None
        x = self.x_of(self.steps[-1] if live else self.shown)
        color = QColor(t.good if live else t.accent)
        painter.setPen(QPen(color, 2))
        painter.drawLine(QPointF(x, 13), QPointF(x, 40))
        painter.setPen(QPen(QColor(t.surface), 1.5))
        painter.setBrush(color)
        painter.drawEllipse(QPointF(x, 23), 6, 6)
        if self.hasFocus():
            painter.setPen(QPen(color, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, 23), 8.5, 8.5)


class Timeline(QFrame):
    """The line with its buttons. ``scrubbed`` carries a recorded step, ``followed`` asks for the newest."""

    scrubbed = Signal(int)
    followed = Signal()

    def __init__(self, theme: Theme):
        super().__init__(objectName="foot")
        self.setFixedHeight(64)
        self.training = False
        self.track = Track(theme)
        self.track.chosen.connect(self._choose)
        self.previous = self._button("One snapshot back", lambda: self._move(-1))
        self.play = self._button("Play the recorded snapshots", self._play, checkable=True)
        self.following = self._button("One snapshot on", lambda: self._move(1))
        self.loop = self._button("Play again from the start", lambda: None, checkable=True)
        self.speed = QComboBox(toolTip="Snapshots a second")
        self.speed.addItems(list(SPEEDS))
        self.speed.setCurrentText("10/s")
        self.speed.setFixedWidth(76)
        self.speed.currentTextChanged.connect(self._set_speed)
        self.state = QLabel(minimumWidth=148)
        self.state.setFont(font(12, tabular=True))
        self.live = QToolButton(text="Live", toolTip="Jump to the newest (L)")
        self.live.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.live.clicked.connect(self.followed)
        # Its room stays when it hides: the line must not stretch under the mouse that begins to scrub.
        policy = self.live.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.live.setSizePolicy(policy)
        self.live.setFixedWidth(84)
        row = QHBoxLayout(self, spacing=4)
        row.setContentsMargins(12, 0, 14, 0)
        for part in (self.previous, self.play, self.following, self.loop, self.speed):
            row.addWidget(part)
        row.addSpacing(8)
        row.addWidget(self.track, 1)
        row.addSpacing(8)
        words = QVBoxLayout(spacing=0)
        words.addWidget(self.state)
        row.addLayout(words)
        row.addWidget(self.live)
        self.clock = QTimer(self, interval=100)
        self.clock.timeout.connect(self._advance)
        self.set_theme(theme)

    def _button(self, tip: str, act, checkable: bool = False) -> QToolButton:
        button = QToolButton(toolTip=tip, checkable=checkable, objectName="quiet", iconSize=QSize(16, 16))
        button.setFixedSize(28, 28)
        button.clicked.connect(act)
        return button

    def set_theme(self, theme: Theme) -> None:
        self.theme = self.track.theme = theme
        faded = mix(theme.muted, theme.surface, 0.55)
        shapes = ((self.previous, "previous"), (self.following, "next"), (self.loop, "loop"))
        for button, name in shapes:
            button.setIcon(icons.icon(name, theme.text, faded))
        self._show()

    def show_config(self, config: Config) -> None:
        """Name the phases as they are in a run of this config."""
        self.track.names = phase_names(config)
        self.track.update()

    def show_history(self, history: History, total: int) -> None:
        """total: steps of the whole run, so that the line shows what is still to come."""
        self.track.history, self.track.steps, self.track.total = history, history.steps, total
        self.track.marks = history.marks()
        self._show()

    def show_position(self, shown: int | None, training: bool) -> None:
        """shown: the recorded step on screen, None for the newest. training: whether more will come."""
        if (shown, training) != (self.track.shown, self.training):
            self.track.shown, self.training = shown, training
            self._show()

    def _show(self) -> None:
        t, steps, shown = self.theme, self.track.steps, self.track.shown
        for part in (self.previous, self.play, self.following, self.loop):
            part.setEnabled(bool(steps))
        playing = self.clock.isActive()
        self.play.setChecked(playing)
        self.play.setIcon(icons.icon("pause" if playing else "train", t.text, mix(t.muted, t.surface, 0.55)))
        if shown is not None:
            behind = sum(1 for step in steps if step > shown)
            words = f"<b>Step {shown}</b><br><span style='color:{t.muted}'>history, {behind} behind</span>"
        elif self.training:
            head = f"<b style='color:{t.good}'>\u25cf Live</b>"
            words = (
                f"{head}<br><span style='color:{t.muted}'>{len(steps)} snapshot{'' if len(steps) == 1 else 's'}</span>"
            )
        elif steps:
            words = f"<b>Last snapshot</b><br><span style='color:{t.muted}'>step {steps[-1]} of history</span>"
        else:
            words = f"<span style='color:{t.muted}'>Nothing recorded yet</span>"
        self.state.setText(words)
        self.live.setVisible(shown is not None)
        self.live.setText("Live" if self.training else "Last")
        self.live.setIcon(icons.icon("live", t.good if self.training else t.text))
        self.track.update()

    def _choose(self, step: int) -> None:
        self.clock.stop()
        self.scrubbed.emit(step)

    def _move(self, by: int) -> None:
        if self.track.steps:
            self._choose(self.track.steps[self.track.moved(by)])

    def _play(self) -> None:
        """Play from the shown snapshot; from the first when the newest is shown."""
        if self.clock.isActive():
            self.clock.stop()
        else:
            if self.track.moved(0) == len(self.track.steps) - 1:
                self.scrubbed.emit(self.track.steps[0])
            self.clock.start()
        self._show()

    def _advance(self) -> None:
        steps, at = self.track.steps, self.track.moved(1)
        if not steps:
            self.clock.stop()
        elif steps[at] != self.track.shown:
            self.scrubbed.emit(steps[at])
        elif self.loop.isChecked():
            self.scrubbed.emit(steps[0])
        else:
            self.clock.stop()
        self._show()

    def _set_speed(self, text: str) -> None:
        self.clock.setInterval(1000 // SPEEDS[text])
