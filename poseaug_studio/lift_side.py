"""Beside lifted keypoints: what was decided while reading them, and how sure each joint of the frame is."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from poseaug_core.skeleton import HUMAN16
from poseaug_studio.labels import Label, MarkedLabel, marked
from poseaug_studio.plotting import LEFT, RIGHT, draw_text, plot_font
from poseaug_studio.style import mix
from poseaug_studio.theme import Theme

ROW = 17


class JointBars(QWidget):
    """A bar a joint: confidence, or 'filled in'."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.confidence: np.ndarray | None = None
        self.setFixedHeight(ROW * HUMAN16.joint_count)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def present(self, confidence: np.ndarray | None) -> None:
        self.confidence = confidence
        self.update()

    def paintEvent(self, event) -> None:
        t, painter = self.theme, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(plot_font(self.font(), 0.85))
        parts = HUMAN16.part_of_joint()
        for number, name in enumerate(HUMAN16.names):
            top = number * ROW
            draw_text(painter, QRectF(0, top, 92, ROW), name, t.text, LEFT)
            track = QRectF(96, top + 6, self.width() - 96 - 46, 5)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(t.surface, t.text, 0.09)))
            painter.drawRoundedRect(track, 2.5, 2.5)
            if self.confidence is None:
                continue
            sure = float(self.confidence[number])
            painter.setBrush(QColor(t.parts[parts[number]]))
            if sure > 0:
                painter.drawRoundedRect(QRectF(track.left(), track.top(), max(track.width() * sure, 4), 5), 2.5, 2.5)
            words, ink = (f"{sure:.2f}", t.muted) if sure > 0 else ("filled in", t.warning)
            draw_text(painter, QRectF(self.width() - 60, top, 60, ROW), words, ink, RIGHT)
        painter.end()


class LiftSide(QWidget):
    """set_notes(sentences) once a file, present(confidence) each frame."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.setFixedWidth(264)
        self.bars = JointBars(theme)
        self.notes = MarkedLabel(objectName="muted", wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        inside = QWidget(objectName="scrolled")
        column = QVBoxLayout(inside, spacing=8)
        column.setContentsMargins(14, 12, 14, 12)
        column.addWidget(Label("Confidence of the joints", objectName="group"))
        column.addWidget(self.bars)
        column.addSpacing(6)
        self.heading = Label("What was read", objectName="group")
        column.addWidget(self.heading)
        column.addWidget(self.notes)
        column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def set_theme(self, theme: Theme) -> None:
        self.bars.theme = theme
        self.bars.update()

    def set_notes(self, notes: tuple[str, ...]) -> None:
        self.heading.setVisible(bool(notes))
        self.notes.setText("".join(f"<p style='margin:0 0 6px 0'>{marked(note)}</p>" for note in notes))

    def present(self, confidence: np.ndarray | None) -> None:
        self.bars.present(confidence)
