"""Run bar: train or pause, step, stop; and what the training is doing."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QProgressBar, QPushButton, QToolButton, QVBoxLayout

from poseaug_core.config import Config
from poseaug_core.live import ENDED, Status
from poseaug_studio import icons
from poseaug_studio.history import phase_names
from poseaug_studio.labels import Label, tip
from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme

STAGES = {"pretrain": "estimator on real pairs", "warm-up": "warm-up: augmentor and discriminators",
          "evaluate": "evaluating the estimator"}  # fmt: skip
STATES = {
    "idle": "Ready", "preparing": "Preparing", "running": "Training", "paused": "Paused", "finished": "Finished",
    "stopped": "Stopped", "failed": "Failed", "elsewhere": "Training elsewhere",
}  # fmt: skip
#: What stepping can be restricted to, and its menu text.
ONLY = {"augmentor": "Augmentor only", "discriminators": "Discriminators only", "estimator": "Estimator only"}


class RunBar(QFrame):
    """``toggled`` asks to train, pause or go on; ``stepped`` carries the learner or ''; ``stopped`` asks to end."""

    toggled = Signal()
    stepped = Signal(str)
    stopped = Signal()

    def __init__(self, theme: Theme):
        super().__init__(objectName="bar")
        self.setFixedHeight(52)
        self.status = Status(state="idle")
        self.resumable = False
        self.phases = phase_names(Config())
        self._sign = ("", "")
        self.asked = ""  # what was clicked and is not yet acknowledged by the trainer
        self.train = QPushButton("Train", objectName="primary", minimumWidth=92)
        self.train.clicked.connect(self._toggle)
        self.step = QToolButton(text="Step", popupMode=QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.step.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.step.clicked.connect(lambda: self._step(""))
        self.menu = QMenu(self.step)
        for name, text in {"": "One iteration", **ONLY}.items():
            action = QAction(text, self.menu)
            action.triggered.connect(lambda _=False, name=name: self._step(name))
            self.menu.addAction(action)
        self.menu.insertSeparator(self.menu.actions()[1])
        self.step.setMenu(self.menu)
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(self._stop)
        self.pill = Label(alignment=Qt.AlignmentFlag.AlignCenter)
        self.pill.setFixedHeight(22)
        self.phase = Label()
        self.epoch = Label(objectName="muted")
        self.progress = QProgressBar(textVisible=False, minimum=0, maximum=1000)
        self.progress.setMinimumWidth(80)
        self.percent, self.rate, self.eta = Label(), Label(), Label(objectName="muted")
        self.device = Label(objectName="muted")
        for label in (self.epoch, self.percent, self.rate, self.eta, self.device):
            label.setFont(font(12, tabular=True))
        words = QVBoxLayout(spacing=1)
        words.addStretch(1)
        words.addWidget(self.phase)
        words.addWidget(self.epoch)
        words.addStretch(1)
        row = QHBoxLayout(self, spacing=8)
        row.setContentsMargins(12, 0, 14, 0)
        for part in (self.train, self.step, self.stop):
            part.setFixedHeight(32)
            row.addWidget(part)
        row.addSpacing(8)
        row.addWidget(self.pill)
        row.addLayout(words)
        row.addSpacing(8)
        row.addWidget(self.progress, 1)
        for label, least in ((self.percent, 40), (self.rate, 66), (self.eta, 76)):
            label.setMinimumWidth(least)
            row.addWidget(label)
        row.addWidget(self.device)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        faded = mix(theme.muted, theme.surface, 0.5)
        self.step.setIcon(icons.icon("step", theme.text, faded))
        self.stop.setIcon(icons.icon("stop", theme.bad, faded))
        self.show_status(self.status, self.resumable)

    def show_config(self, config: Config) -> None:
        """Name the phases as they are in a run of this config."""
        self.phases = phase_names(config)
        self._show_words()

    def show_status(self, status: Status, resumable: bool = False) -> None:
        """resumable: whether a run that ended can go on."""
        self.status, self.resumable = status, resumable
        acknowledged = {"pause": ("paused",), "go": ("running", "preparing"), "stop": ENDED}
        if status.state in acknowledged.get(self.asked, ()) or status.state in ENDED:
            self.asked = ""
        self._show_buttons()
        self._show_words()

    def _show_buttons(self) -> None:
        state, on_accent = self.status.state, "#ffffff" if self.theme.name == "light" else "#06121f"
        moving = state in ("running", "preparing") and self.asked != "pause" or self.asked == "go"
        ended = "Continue" if self.resumable else "Train again"
        words = {"paused": "Resume"} | dict.fromkeys(ENDED, ended)
        self.train.setText("Pause" if moving else words.get(state, "Resume" if self.asked == "pause" else "Train"))
        self.train.setEnabled(state != "elsewhere" and self.asked != "stop")
        self.train.setToolTip("Another process trains this run" if state == "elsewhere" else "")
        sign = ("pause" if moving else "train", on_accent)
        if sign != self._sign:
            self._sign = sign
            self.train.setIcon(icons.icon(*sign, on_accent))
        self.train.setIconSize(QSize(14, 14))
        self.step.setEnabled(state in ("running", "paused"))
        self.stop.setEnabled(state in ("running", "paused", "preparing") and self.asked != "stop")

    def _show_words(self) -> None:
        s, t = self.status, self.theme
        colors = {"running": t.good, "paused": t.warning, "failed": t.bad, "preparing": t.accent, "finished": t.accent,
                  "elsewhere": t.good}  # fmt: skip
        color = colors.get(s.state, t.muted)
        word = {"pause": "Pausing\u2026", "stop": "Stopping\u2026"}.get(self.asked, STATES.get(s.state, s.state))
        self.pill.setText(word)
        dress = (
            f"background: {mix(t.surface, color, 0.18)}; color: {mix(color, t.text, 0.25)}; border-radius: 11px;"
            "padding: 0 10px; font-size: 12px; font-weight: 600;"
        )
        if dress != self.pill.styleSheet():  # a style sheet set anew is laid out anew
            self.pill.setStyleSheet(dress)
        stage = STAGES.get(s.stage, s.stage)
        phase = s.message if s.state == "preparing" and s.message else self.phases.get(s.phase, "")
        if not phase:  # before its first iteration a run is in no phase, but may evaluate what it begins with
            phase, stage = "No run yet" if s.state == "idle" else stage[:1].upper() + stage[1:], ""
        self.phase.setText(phase)
        epoch = f"epoch {min(s.epoch + 1, s.epochs)}/{s.epochs}" if s.epochs else ""
        step = f"step {s.step:,}".replace(",", "\u202f") if s.step else ""
        self.epoch.setText(" \u00b7 ".join(part for part in (epoch, step, stage) if part))
        self.epoch.setVisible(bool(self.epoch.text()))
        share = s.done if s.state == "preparing" else s.step / s.steps if s.steps else 0.0
        self._show_share(round(1000 * share))
        self.percent.setText(f"{100 * share:.0f} %" if s.steps or share else "")
        self.rate.setText(f"{s.rate:.0f} it/s" if s.rate >= 10 else f"{s.rate:.1f} it/s" if s.rate else "")
        self.eta.setText(f"{clock(s.eta)} left" if s.eta is not None and s.state == "running" else "")
        memory = f" \u00b7 {s.memory / 2**20:.0f} MB" if s.memory else ""
        noted = s.message if s.state == "running" else ""  # what the run found out about its device
        self.device.setText(f"{s.device}{memory}" + (" \u00b7 not recorded" if noted else ""))
        self.device.setToolTip(tip(noted))

    def _show_share(self, value: int) -> None:
        if value != self.progress.value():
            # A progress bar paints at once, and with it all that changed, not yet laid out; the training then holds
            # the interpreter for seconds. With updates disabled it is painted with the rest.
            self.progress.setUpdatesEnabled(False)
            self.progress.setValue(value)
            self.progress.setUpdatesEnabled(True)

    def _toggle(self) -> None:
        if self.status.state in ("running", "preparing"):
            self.asked = "" if self.asked == "pause" else "pause"
        elif self.status.state == "paused":
            self.asked = "go"
        self._acknowledge()
        self.toggled.emit()

    def _step(self, only: str) -> None:
        self.asked = "pause"
        self._acknowledge()
        self.stepped.emit(only)

    def _stop(self) -> None:
        self.show_stopping()
        self.stopped.emit()

    def show_stopping(self) -> None:
        """Asked to stop, by a click or by what is to begin next."""
        self.asked = "stop"
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Show the click before the trainer has seen it."""
        self._show_buttons()
        self._show_words()


def clock(seconds: float) -> str:
    """6:12, or 1:03:20."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
