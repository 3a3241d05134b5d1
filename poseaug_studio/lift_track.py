"""The frames of lifted keypoints as a line to scrub: how sure the detector was in each, and play."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QToolButton, QWidget

from poseaug_core.plain_text import NAME, plain
from poseaug_studio import icons
from poseaug_studio.labels import MarkedLabel, marked
from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme

PAD = 8
SPEEDS = {"5/s": 5, "15/s": 15, "30/s": 30, "60/s": 60}


class Strip(QWidget):
    """``chosen`` carries a frame. Bars are the mean confidence of a frame, amber marks joints that were filled in."""

    chosen = Signal(int)

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.confidence = np.zeros((0, 16), np.float32)
        self.shown = 0
        self.setMinimumHeight(44)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_confidence(self, confidence: np.ndarray) -> None:
        self.confidence, self.shown = confidence, 0
        self.update()

    def frame_at(self, x: float) -> int:
        share = (x - PAD) / max(self.width() - 2 * PAD, 1)
        return int(np.clip(round(share * (len(self.confidence) - 1)), 0, max(len(self.confidence) - 1, 0)))

    def x_of(self, frame: int) -> float:
        return PAD + (self.width() - 2 * PAD) * frame / max(len(self.confidence) - 1, 1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and len(self.confidence):
            self.chosen.emit(self.frame_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and len(self.confidence):
            self.chosen.emit(self.frame_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self.confidence) - 1
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        if last >= 0 and event.key() in moves:
            self.chosen.emit(int(np.clip(self.shown + moves[event.key()], 0, last)))
        elif last >= 0 and event.key() in ends:
            self.chosen.emit(ends[event.key()])
        else:
            event.ignore()

    def paintEvent(self, event) -> None:
        t, painter = self.theme, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top, tall, wide = 8.0, self.height() - 16.0, self.width() - 2 * PAD
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(t.surface, t.text, 0.06)))
        painter.drawRoundedRect(QRectF(PAD, top, wide, tall), 4, 4)
        count = len(self.confidence)
        if count:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            # As many bars as pixels at the most; each shows the least sure of its frames.
            bars = min(count, int(wide) // 2)
            edges = np.linspace(0, count, bars + 1).astype(int)
            sure = np.minimum.reduceat(self.confidence.mean(1), edges[:-1])
            filled = np.maximum.reduceat((self.confidence == 0).sum(1), edges[:-1])
            step = wide / bars
            for number, (high, holes) in enumerate(zip(sure.tolist(), filled.tolist(), strict=True)):
                left = PAD + number * step
                bar = QRectF(left, top + tall * (1 - high), max(step - (step > 4), 1), tall * high)
                painter.fillRect(bar, QColor(mix(t.surface, t.accent, 0.42)))
                if holes:
                    height = max(2.0, tall * holes / 16)
                    painter.fillRect(QRectF(left, top + tall - height, bar.width(), height), QColor(t.warning))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            x = self.x_of(self.shown)
            painter.setPen(QPen(QColor(t.text), 2))
            painter.drawLine(QPointF(x, top - 4), QPointF(x, top + tall + 4))
            if self.hasFocus():
                painter.setPen(QPen(QColor(t.accent), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(QRectF(PAD - 2, top - 2, wide + 4, tall + 4), 5, 5)
        painter.end()


class FrameTrack(QFrame):
    """The strip with its buttons; ``chosen`` carries the frame to show."""

    chosen = Signal(int)

    def __init__(self, theme: Theme):
        super().__init__(objectName="foot")
        self.setFixedHeight(60)
        self.strip = Strip(theme)
        self.strip.setToolTip("Mean confidence of the joints in each frame; amber: joints that were filled in")
        self.strip.chosen.connect(self._choose)
        self.previous = self._button("One frame back", lambda: self._choose(max(self.strip.shown - 1, 0)))
        self.play = self._button("Play (Space)", self._play, checkable=True)
        self.following = self._button("One frame on", lambda: self._choose(self._next()))
        self.loop = self._button("Play again from the start", lambda: None, checkable=True)
        self.loop.setChecked(True)
        self.speed = QComboBox(toolTip="Frames a second")
        self.speed.addItems(list(SPEEDS))
        self.speed.setCurrentText("30/s")
        self.speed.setFixedWidth(76)
        self.speed.currentTextChanged.connect(lambda text: self.clock.setInterval(1000 // SPEEDS[text]))
        self.words = MarkedLabel(minimumWidth=170)
        self.words.setFont(font(12, tabular=True))
        row = QHBoxLayout(self, spacing=4)
        row.setContentsMargins(12, 0, 14, 0)
        for part in (self.previous, self.play, self.following, self.loop, self.speed):
            row.addWidget(part)
        row.addSpacing(8)
        row.addWidget(self.strip, 1)
        row.addSpacing(8)
        row.addWidget(self.words)
        self.clock = QTimer(self, interval=1000 // SPEEDS["30/s"])
        self.clock.timeout.connect(self._advance)
        self.names: tuple[str, ...] = ()
        self.set_theme(theme)

    def _button(self, tip: str, act, checkable: bool = False) -> QToolButton:
        button = QToolButton(toolTip=tip, checkable=checkable, objectName="quiet", iconSize=QSize(16, 16))
        button.setFixedSize(28, 28)
        button.clicked.connect(act)
        return button

    @property
    def fps(self) -> float:
        return float(SPEEDS[self.speed.currentText()])

    def set_theme(self, theme: Theme) -> None:
        self.theme = self.strip.theme = theme
        faded = mix(theme.muted, theme.surface, 0.55)
        for button, name in ((self.previous, "previous"), (self.following, "next"), (self.loop, "loop")):
            button.setIcon(icons.icon(name, theme.text, faded))
        self._show()

    def set_frames(self, names: tuple[str, ...], confidence: np.ndarray) -> None:
        """confidence: (n, 16) of the frames with these names."""
        self.clock.stop()
        self.names = names
        self.strip.set_confidence(confidence)
        self._show()

    def stop(self) -> None:
        self.clock.stop()
        self._show()

    def _show(self) -> None:
        count, t = len(self.names), self.theme
        for part in (self.previous, self.play, self.following, self.loop):
            part.setEnabled(count > 1)
        self.play.setChecked(self.clock.isActive())
        faded = mix(t.muted, t.surface, 0.55)
        self.play.setIcon(icons.icon("pause" if self.clock.isActive() else "train", t.text, faded))
        if count:
            whole = plain(self.names[self.strip.shown], NAME)
            name = self.words.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideMiddle, 170)
            count_words = f"<b>{self.strip.shown + 1:,}</b> of {count:,}"
            self.words.setText(f"{count_words}<br><span style='color:{t.muted}'>{marked(name)}</span>")
        else:
            self.words.setText("")
        self.strip.update()

    def _choose(self, frame: int) -> None:
        self.strip.shown = frame
        self._show()
        self.chosen.emit(frame)

    def _next(self) -> int:
        return min(self.strip.shown + 1, max(len(self.names) - 1, 0))

    def _play(self) -> None:
        if self.clock.isActive():
            self.clock.stop()
        elif len(self.names) > 1:
            if self.strip.shown == len(self.names) - 1:
                self._choose(0)
            self.clock.start()
        self._show()

    def _advance(self) -> None:
        if self.strip.shown < len(self.names) - 1:
            self._choose(self.strip.shown + 1)
        elif self.loop.isChecked() and self.names:
            self._choose(0)
        else:
            self.stop()
