"""Notices: the banner for what went wrong, and the job bar for what runs beside the window."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from poseaug_studio import icons
from poseaug_studio.labels import Label, MarkedLabel
from poseaug_studio.runbar import clock
from poseaug_studio.session import Session
from poseaug_studio.style import font
from poseaug_studio.theme import Theme


class Banner(QFrame):
    """One sentence across the window, until it is closed or another takes its place."""

    def __init__(self, theme: Theme):
        super().__init__(objectName="banner")
        self.kind = "error"
        self.sign = Label()
        self.text = Label(wordWrap=True, textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse)
        self.shut = QToolButton(objectName="quiet", toolTip="Close (Esc)", iconSize=QSize(14, 14))
        self.shut.clicked.connect(self.hide)
        row = QHBoxLayout(self, spacing=10)
        row.setContentsMargins(16, 8, 12, 8)
        row.addWidget(self.sign)
        row.addWidget(self.text, 1)
        row.addWidget(self.shut)
        self._away = QTimer(self, singleShot=True)
        self._away.timeout.connect(self.hide)
        self.set_theme(theme)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.shut.setIcon(icons.icon("close", theme.muted))
        self._dress()

    def tell(self, sentence: str, kind: str = "error") -> None:
        """kind: 'error' stays, 'note' leaves by itself."""
        self.kind = kind
        self.text.setText(sentence)
        self._dress()
        self.show()
        self._away.start(8000) if kind == "note" else self._away.stop()

    def clear_error(self) -> None:
        """Hide what went wrong before; a note leaves by itself."""
        if self.kind == "error":
            self.hide()

    def _dress(self) -> None:
        self.setProperty("kind", self.kind)
        self.style().unpolish(self)
        self.style().polish(self)
        note = self.kind == "note"
        self.sign.setPixmap(
            icons.pixmap("check" if note else "warning", self.theme.accent if note else self.theme.bad, 16)
        )


class SavingBox(QFrame):
    """In the middle of a window that closes as soon as its run is written."""

    def __init__(self, window: QWidget):
        super().__init__(window, objectName="palette")
        text = MarkedLabel("<b>Saving the run\u2026</b><br>The window closes when the checkpoint is written.")
        busy = QProgressBar(textVisible=False, minimum=0, maximum=0)
        column = QVBoxLayout(self, spacing=14)
        column.setContentsMargins(28, 22, 28, 24)
        column.addWidget(text)
        column.addWidget(busy)
        self.adjustSize()
        self.move(window.rect().center() - self.rect().center())


class JobBar(QFrame):
    """The newest background job: what it does, how far it is, and a cancel button."""

    def __init__(self, session: Session):
        super().__init__(objectName="foot")
        self.session = session
        self.setFixedHeight(34)
        self.title, self.eta = Label(), Label(objectName="muted")
        self.eta.setFont(font(12, tabular=True))
        self.progress = QProgressBar(textVisible=False, maximum=1000)
        self.progress.setFixedWidth(220)
        self.cancel = QPushButton("Cancel", objectName="quiet")
        self.cancel.clicked.connect(self._cancel)
        row = QHBoxLayout(self, spacing=12)
        row.setContentsMargins(16, 0, 12, 0)
        row.addWidget(self.title)
        row.addWidget(self.progress)
        row.addWidget(self.eta)
        row.addStretch(1)
        row.addWidget(self.cancel)
        self._timer = QTimer(self, interval=150)
        self._timer.timeout.connect(self._show)
        session.jobs_changed.connect(self._jobs_changed)
        self.hide()

    @property
    def listed(self) -> list:
        return [job for job in self.session.jobs if not job.quiet]

    def _jobs_changed(self) -> None:
        busy = bool(self.listed)
        self.setVisible(busy)
        self._timer.start() if busy else self._timer.stop()
        self._show()

    def _show(self) -> None:
        if not self.listed:
            return
        job = self.listed[-1]
        more = f"  (+{len(self.listed) - 1})" if len(self.listed) > 1 else ""
        self.title.setText(f"{job.title}{': ' + job.text if job.text else ''}{more}")
        self.progress.setValue(max(round(1000 * job.share), 15))
        self.eta.setText("cancelling\u2026" if job.cancelled else "" if job.eta is None else f"{clock(job.eta)} left")
        self.cancel.setEnabled(not job.cancelled)

    def _cancel(self) -> None:
        if self.listed:
            self.listed[-1].cancel()
            self._show()
