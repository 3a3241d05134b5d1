"""Timeline: every recorded snapshot on one line; drag to look back while the training goes on."""

from __future__ import annotations

from bisect import bisect_right

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QToolButton, QVBoxLayout

from poseaug_core.config import Config
from poseaug_studio import icons
from poseaug_studio.history import History, phase_names
from poseaug_studio.labels import MarkedLabel
from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme
from poseaug_studio.timeline_track import Track

SPEEDS = {"5/s": 5, "10/s": 10, "20/s": 20}
#: What the state says at its longest: its room must not grow, or the line would shrink under the mouse.
LONGEST = ("history, 999,999 behind", "step 9,999,999 of history")


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
        self.state = MarkedLabel()
        self.state.setFont(font(12, tabular=True))
        self.state.setMinimumWidth(max(map(QFontMetrics(self.state.font()).horizontalAdvance, LONGEST)) + 4)
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
        self.track.repaint_still()
        faded = mix(theme.muted, theme.surface, 0.55)
        shapes = ((self.previous, "previous"), (self.following, "next"), (self.loop, "loop"))
        for button, name in shapes:
            button.setIcon(icons.icon(name, theme.text, faded))
        self._show()

    def show_config(self, config: Config) -> None:
        """Name the phases as they are in a run of this config."""
        self.track.names = phase_names(config)
        self.track.repaint_still()

    def show_history(self, history: History, total: int) -> None:
        """total: steps of the whole run, so that the line of one that trains shows what is still to come."""
        self.track.show_history(history, total)
        self._show()

    def show_position(self, shown: int | None, training: bool) -> None:
        """shown: the recorded step on screen, None for the newest. training: whether more will come."""
        if (shown, training) != (self.track.shown, self.training):
            self.training = training
            self.track.show_position(shown, training)
            self._show()

    def _show(self) -> None:
        t, steps, shown = self.theme, self.track.steps, self.track.shown
        for part in (self.previous, self.play, self.following, self.loop):
            part.setEnabled(bool(steps))
        playing = self.clock.isActive()
        self.play.setChecked(playing)
        self.play.setIcon(icons.icon("pause" if playing else "train", t.text, mix(t.muted, t.surface, 0.55)))
        if shown is not None:
            behind = len(steps) - bisect_right(steps, shown)
            words = f"<b>Step {shown:,}</b><br><span style='color:{t.muted}'>history, {behind:,} behind</span>"
        elif self.training:
            head = f"<b style='color:{t.good}'>\u25cf Live</b>"
            count = f"{len(steps):,} snapshot{'' if len(steps) == 1 else 's'}"
            words = f"{head}<br><span style='color:{t.muted}'>{count}</span>"
        elif steps:
            words = f"<b>Last snapshot</b><br><span style='color:{t.muted}'>step {steps[-1]:,} of history</span>"
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
