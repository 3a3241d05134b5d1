"""Lifted poses in 3D: an estimator's answer and the baseline's beside it, under one camera."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from poseaug_core.skeleton import HUMAN16, Skeleton
from poseaug_studio.camera_link import PRESETS, Mouse, TurntableCamera
from poseaug_studio.figure import (
    RADII,
    Look,
    StageFigure,
    body,
    ghost,
    limb_colours,
    person_framing,
    rgb,
    upright,
)
from poseaug_studio.labels import Label
from poseaug_studio.plotting import plot_font
from poseaug_studio.scene import PRESET_TITLES, make_views
from poseaug_studio.segments import Push, Segments
from poseaug_studio.stage_columns import columns
from poseaug_studio.theme import Theme

GHOSTS = ("None", "The other", "Truth")


def compose(
    answers: tuple[np.ndarray, ...], ghosts: tuple[np.ndarray | None, ...], skeleton: Skeleton, theme: Theme
) -> tuple[StageFigure, ...]:
    """A figure for each answer (16, 3), root-relative metres, camera frame; all framed alike. Pure."""
    poses = [upright(np.nan_to_num(answer.astype(np.float64))) for answer in answers]
    framing = person_framing(np.stack(poses))
    bones, balls = limb_colours(None, 0, "original", skeleton, theme, Look())
    figures = []
    for joints, pale in zip(poses, ghosts, strict=True):
        shown = () if pale is None else (ghost(upright(pale.astype(np.float64)), rgb(theme.accent), skeleton, 0.6),)
        ground = float(joints[:, 2].min() - RADII["ankle"])
        figures.append(StageFigure("", body(joints, bones, balls, skeleton), shown, joints, ground, framing))
    return tuple(figures)


class BodyTitles(QWidget):
    """The tops of the two columns: whose answer, and a number."""

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.words = [("", ""), ("", "")]
        self.setFixedHeight(34)

    def set_words(self, words: list[tuple[str, str]]) -> None:
        self.words = words
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self.theme.line))
        tints = (self.theme.accent, self.theme.real)
        for (title, number), tint, (left, wide) in zip(self.words, tints, columns(self.width(), 2), strict=True):
            painter.fillRect(QRectF(left, 0, wide, self.height() - 1), QColor(self.theme.surface))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tint))
            painter.drawRoundedRect(QRectF(left + 12, 9, 3, self.height() - 18), 1.5, 1.5)
            painter.setFont(plot_font(self.font(), 0.92))
            room = painter.fontMetrics().horizontalAdvance(number)
            painter.setPen(QColor(self.theme.muted))
            across = QRectF(left + 23, 0, wide - 35, self.height())
            painter.drawText(across, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, number)
            painter.setFont(plot_font(self.font(), 1.0, bold=True))
            painter.setPen(QColor(self.theme.text))
            across.setWidth(max(across.width() - room - 10, 10))
            shown = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, int(across.width()))
            painter.drawText(across, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()


class Bodies(QWidget):
    """present(answer, baseline, truth) shows one frame. Drag to orbit, wheel to zoom, keys 1 to 4 for preset views."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, opengl: bool | None = None):
        super().__init__(parent)
        self.theme = theme
        self.skeleton = HUMAN16
        self.camera = TurntableCamera(self)
        self.titles = BodyTitles(theme, self)
        self.views = make_views(self.camera, theme, self, opengl, count=2)
        self._shown: tuple[np.ndarray | None, ...] = (None, None, None)
        self.figures: tuple[StageFigure, ...] = ()
        native = self.views.native
        native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.mouse = Mouse(native, self.camera, self._metres_per_pixel)
        self.hint = Label("", native, lines=True, objectName="muted", wordWrap=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.camera.changed.connect(self._camera_moved)
        layout = QVBoxLayout(self, spacing=0)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._tools())
        layout.addWidget(self.titles)
        layout.addWidget(native, 1)
        for number, preset in enumerate(PRESETS, start=1):
            shortcut = QShortcut(
                QKeySequence(str(number)), self, activated=lambda preset=preset: self.camera.look(preset)
            )
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._camera_moved()

    def _tools(self) -> QWidget:
        bar = QWidget(self)
        row = QHBoxLayout(bar, spacing=6)
        row.setContentsMargins(10, 8, 10, 8)
        self.ghosts = Segments(self.theme, GHOSTS[:2], self)
        self.ghosts.setToolTip("Behind each answer, thin and translucent: nothing, the other's answer, or the truth")
        self.ghosts.changed.connect(lambda _: self._show())
        self.presets = Segments(self.theme, tuple(PRESET_TITLES[name] for name in PRESETS), self)
        self.presets.setToolTip("Preset views (keys 1 to 4)")
        self.presets.changed.connect(lambda i: self.camera.look(list(PRESETS)[i]))
        self.reset = Push(self.theme, "Reset", self)
        self.reset.pressed.connect(self.camera.reset)
        self.label = Label("Ghost", objectName="muted")
        row.addWidget(self.label)
        row.addWidget(self.ghosts)
        row.addStretch(1)
        row.addWidget(self.presets)
        row.addWidget(self.reset)
        return bar

    def set_theme(self, theme: Theme) -> None:
        self.theme = self.titles.theme = theme
        for part in (self.views, self.ghosts, self.presets, self.reset):
            part.set_theme(theme)
        self.titles.update()
        self._show()

    def set_truth_known(self, known: bool) -> None:
        """Offer the truth as a ghost."""
        self.ghosts.value = min(self.ghosts.value, len(GHOSTS) - (1 if known else 2))
        self.ghosts.set_names(GHOSTS if known else GHOSTS[:2])

    def present(self, answer: np.ndarray | None, baseline: np.ndarray | None, truth: np.ndarray | None) -> None:
        """(16, 3) root-relative metres each, None where there is none."""
        self._shown = (answer, baseline, truth)
        self._show()

    def _show(self) -> None:
        answer, baseline, truth = self._shown
        answers = tuple(one for one in (answer, baseline) if one is not None) if answer is not None else ()
        choice = GHOSTS[self.ghosts.value]
        if choice == "The other" and len(answers) == 2:
            ghosts = answers[::-1]
        else:
            ghosts = (truth if choice == "Truth" else None,) * len(answers)
        self.figures = compose(answers, ghosts, self.skeleton, self.theme) if answers else ()
        self.views.set_figures(self.figures)
        self._place_hint()

    def _place_hint(self) -> None:
        native = self.views.native
        self.hint.setText("Choose a baseline above\nto see its answer here" if len(self.figures) == 1 else "")
        left, wide = columns(native.width(), 2)[1]
        self.hint.setGeometry(left, 0, wide, native.height())

    def _metres_per_pixel(self) -> float:
        native = self.views.native
        size = (columns(native.width(), 2)[0][1], native.height())
        return self.camera.metres_per_pixel(size, self.figures[0].framing) if self.figures else 0.01

    def _camera_moved(self) -> None:
        places, here = list(PRESETS.values()), (self.camera.azimuth, self.camera.elevation)
        self.presets.value = places.index(here) if here in places else -1
        self.presets.update()
        self.views.update()

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        tools = sum(tool.sizeHint().width() for tool in (self.label, self.ghosts, self.presets, self.reset))
        self.presets.setVisible(self.width() > tools + 50)
        self._place_hint()
