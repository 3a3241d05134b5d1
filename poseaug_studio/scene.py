"""The scene: a pose at its four stages, Original -> BA -> BL -> RT, in linked 3D views with 2D projections below."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QImage,
    QKeySequence,
    QLinearGradient,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
    QShortcut,
)  # fmt: skip
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from poseaug_core.judged import NO_3D
from poseaug_core.skeleton import HUMAN16, Skeleton
from poseaug_core.snapshot import STAGES, Snapshot
from poseaug_studio.camera_link import PRESETS, Mouse, TurntableCamera, to_pixels
from poseaug_studio.figure import COLOURINGS, Look, StageFigure, bone_scores, compose, pick_bone, score_colours
from poseaug_studio.labels import MarkedLabel
from poseaug_studio.painter_bodies import paint
from poseaug_studio.plotting import plot_font
from poseaug_studio.projection import ProjectionStrip, StageTitles, stage_number
from poseaug_studio.segments import Push, Segments
from poseaug_studio.selection import Selection
from poseaug_studio.stage_columns import column_at, columns
from poseaug_studio.theme import Theme
from poseaug_studio.views_painter import PainterViews

log = logging.getLogger(__name__)

GL_RENDERER = 0x1F01
#: Height in pixels of the panel under which its titles take one line and the 2D views close in on the person.
LOW = 370
#: Device files of which a Linux machine with a graphics card has one; without them a context need not be tried.
CARDS = ("/dev/dri", "/dev/nvidiactl", "/dev/dxg")
SOFTWARE = ("llvmpipe", "softpipe", "swiftshader")
PRESET_TITLES = {"three-quarter": "3/4", "front": "Front", "side": "Side", "top": "Top"}
#: Switches of the tool row: the field of Look, its title and its tooltip.
SWITCHES = {
    "ghost": ("Ghost", "Show the stage before, thin and translucent"),
    "estimate": ("Estimate", "Show the estimator's answer in the Original and RT views, in the accent colour"),
    "true_position": ("True place", "RT: the person where they are in front of the camera, not drawn close to it"),
}


def opengl_renderer() -> str:
    """The name of what draws OpenGL in widgets of this screen, '' if nothing can, as on Qt's offscreen platform."""
    if QGuiApplication.platformName() in ("offscreen", "minimal"):
        return ""
    surface, context = QOffscreenSurface(), QOpenGLContext()
    surface.create()
    if not (context.create() and context.makeCurrent(surface)):
        return ""
    name = context.functions().glGetString(GL_RENDERER)
    context.doneCurrent()
    return str(name)


def choose_opengl() -> bool:
    """Whether a graphics card draws OpenGL here; says in the log why not.

    Where the processor draws it (llvmpipe), the painter is cheaper: a window with an OpenGL widget is put together
    anew, 15 ms on such a machine, whenever any of its plots changes.
    """
    renderer = "llvmpipe" if sys.platform == "linux" and not any(map(os.path.exists, CARDS)) else opengl_renderer()
    if not renderer or QGuiApplication.platformName() in ("offscreen", "minimal"):
        log.info("No OpenGL on this screen: the painter draws the 3D views.")
    elif any(word in renderer.lower() for word in SOFTWARE):
        log.info("OpenGL has no graphics card here (%s): the painter draws the 3D views, which costs less.", renderer)
    else:
        return True
    return False


def make_views(camera: TurntableCamera, theme: Theme, parent: QWidget, opengl: bool | None, count: int = 4):
    """``count`` views side by side: GLViews on a graphics card, else PainterViews, which draw the same figures;
    ``opengl`` overrules the choice."""
    if not (choose_opengl() if opengl is None else opengl):
        return PainterViews(camera, theme, parent, count)
    from poseaug_studio.views_gl import GLViews

    # OpenGL that was asked for may be the processor's, where multisampling would cost three times as much.
    return GLViews(camera, theme, parent, samples=4 if opengl is None else 0, count=count)


class ScoreLegend(QWidget):
    """A small scale of the part-score colours, laid over the first view; a sentence where nothing scores."""

    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self.theme = theme
        self.judged = True
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFont(plot_font(self.font(), 0.82))
        self.resize(self.sizeHint())

    def sizeHint(self) -> QSize:
        wide = 132 if self.judged else self.fontMetrics().horizontalAdvance(NO_3D) + 4
        return QSize(wide, self.fontMetrics().height() + 12)

    def set_judged(self, judged: bool) -> None:
        self.judged = judged
        self.resize(self.sizeHint())
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.judged:
            painter.setPen(QColor(self.theme.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, NO_3D)
            return
        table = score_colours(self.theme.score_map, self.theme.name == "dark")
        ramp = QLinearGradient(0, 0, self.width(), 0)
        for i in range(9):
            ramp.setColorAt(i / 8, paint(table[round(i / 8 * 255)]))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ramp)
        painter.drawRoundedRect(QRectF(0, 0, self.width(), 6), 3, 3)
        painter.setPen(QColor(self.theme.muted))
        words = QRectF(0, 8, self.width(), self.height() - 8)
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "0 implausible")
        painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "1 real")
        painter.end()


class ScenePanel(QWidget):
    """Four linked 3D views of the chosen probe pose and its projections.

    present(snapshot, row) shows a pose and draws nothing when both are what it shows already. Drag to orbit, shift or
    middle drag to pan, wheel to zoom, double-click or R to reset, 1-4 for preset views. Hovering a bone names it;
    clicking a limb chooses its part in the selection.
    """

    def __init__(
        self, theme: Theme, selection: Selection, skeleton: Skeleton = HUMAN16, parent: QWidget | None = None,
        opengl: bool | None = None,
    ):  # fmt: skip
        super().__init__(parent)
        self.theme = theme
        self.selection = selection
        self.skeleton = skeleton
        self.look = Look(part=selection.part)
        self.camera = TurntableCamera(self)
        self.figures: tuple[StageFigure, ...] = ()
        self._snapshot: Snapshot | None = None
        self._row = 0
        self._closed_up: bool | None = None
        self._pointer = (0.0, 0.0)
        self._build(opengl)
        self.camera.changed.connect(self._camera_moved)
        selection.part_changed.connect(self._part_chosen)
        self.set_theme(theme)

    def _build(self, opengl: bool | None) -> None:
        self._titles = StageTitles(self.theme, self)
        self.views = make_views(self.camera, self.theme, self, opengl)
        self.projections = ProjectionStrip(self.theme, self.skeleton, self)
        native = self.views.native
        native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        # What the layout of a low window leaves: a view taller than its cell would hide its feet behind the 2D views.
        native.setMinimumHeight(48)
        native.installEventFilter(self)
        self._legend = ScoreLegend(self.theme, native)
        self._legend.hide()
        self.hover_label = MarkedLabel("", native)
        self.hover_label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hover_label.hide()
        self._mouse = Mouse(native, self.camera, self._metres_per_pixel)
        self._mouse.hovered.connect(self._hover)
        self._mouse.clicked.connect(self._click)
        self._mouse.left.connect(self.hover_label.hide)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._tool_row())
        layout.addWidget(self._titles)
        layout.addWidget(native, 13)
        layout.addWidget(self.projections, 7)
        for number, preset in enumerate(PRESETS, start=1):
            self._shortcut(str(number), lambda preset=preset: self.camera.look(preset))
        self._shortcut("R", self.camera.reset)

    def _shortcut(self, key: str, act) -> None:
        shortcut = QShortcut(QKeySequence(key), self, activated=act)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _tool_row(self) -> QWidget:
        self._tool_bar = QWidget(self)
        self._tool_bar.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self._tool_bar)
        row.setSpacing(6)
        row.setContentsMargins(10, 8, 10, 8)
        self._colouring = Segments(self.theme, tuple(name.title() for name in COLOURINGS), self)
        self._colouring.setToolTip("Colour limbs by body part, by their part's KCS score, or by stage")
        self._colouring.changed.connect(lambda i: self.set_look(colouring=COLOURINGS[i]))
        row.addWidget(self._colouring)
        self._tools = [self._colouring]
        for field, (title, tip) in SWITCHES.items():
            switch = Segments(self.theme, (title,), self)
            switch.value = int(getattr(self.look, field))
            switch.setToolTip(tip)
            switch.changed.connect(lambda on, field=field: self.set_look(**{field: bool(on)}))
            self._tools.append(switch)
            row.addWidget(switch)
        close_up = Segments(self.theme, ("2D close-up",), self)
        close_up.setToolTip("2D: close in on the person, not the whole image; a low panel does so by itself")
        close_up.changed.connect(self._close_up)
        row.addWidget(close_up)
        row.addStretch(1)
        self._presets = Segments(self.theme, tuple(PRESET_TITLES[name] for name in PRESETS), self)
        self._presets.setToolTip("Preset views (keys 1 to 4)")
        self._presets.changed.connect(lambda i: self.camera.look(list(PRESETS)[i]))
        reset = Push(self.theme, "Reset", self)
        reset.setToolTip("Reset the view (R, or double-click)")
        reset.pressed.connect(self.camera.reset)
        row.addWidget(self._presets)
        row.addWidget(reset)
        self._tools += [close_up, self._presets, reset]
        return self._tool_bar

    def _fit(self) -> None:
        """A narrow panel leaves out tools, the least needed first; a low one has no subtitles."""
        colouring, ghost, estimate, place, close_up, presets, reset = self._tools
        room = self.width() - 20 - 6 * len(self._tools)
        for tool in (colouring, presets, ghost, estimate, close_up, place, reset):
            room -= tool.sizeHint().width()
            tool.setVisible(room >= 0)
        low = self.height() < LOW
        self._titles.set_compact(low)
        if self._closed_up is None:
            close_up.value, close_up.lit = int(low), False  # lit would look as if the user had chosen it
            close_up.update()
            self.projections.set_whole(not low)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The legend stays at the bottom of the views."""
        if event.type() == QEvent.Type.Resize:
            self._legend.move(12, self.views.native.height() - self._legend.height() - 8)
        return super().eventFilter(watched, event)

    def _close_up(self, on: int) -> None:
        self._closed_up, self._tools[4].lit = bool(on), True
        self.projections.set_whole(not on)

    def present(self, snapshot: Snapshot | None, row: int) -> None:
        """Show a probe pose; free if it is shown already."""
        if snapshot is self._snapshot and row == self._row:
            return
        self._snapshot, self._row = snapshot, row
        self._show()

    def set_skeleton(self, skeleton: Skeleton) -> None:
        """Show a run whose 3D discriminator judges the parts of this skeleton."""
        self.skeleton = skeleton
        self.projections.set_skeleton(skeleton)
        self._legend.set_judged(bool(skeleton.parts))
        self._fit()
        self._show()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        for widget in (self._titles, self.views, self.projections, *self._tools):
            widget.set_theme(theme)
        self._legend.theme = theme
        self.hover_label.setStyleSheet(
            f"background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line};"
            "border-radius: 6px; padding: 5px 8px;"
        )
        self.hover_label.setFont(plot_font(self.font(), 0.9))
        self._show()

    def set_look(self, **changes) -> None:
        """Change how bodies are drawn: fields of Look."""
        self.look = replace(self.look, **changes)
        self._legend.setVisible(self.look.colouring == "score")
        self._colouring.value = COLOURINGS.index(self.look.colouring)
        self._colouring.update()
        self._show()

    def _part_chosen(self, part: str) -> None:
        self.set_look(part=part)

    def _show(self) -> None:
        if self._snapshot is None:
            self.figures = ()
            self._titles.set_numbers([""] * 4)
        else:
            row = self._row = min(self._row, self._snapshot.probe_size - 1)
            self.figures = compose(self._snapshot, row, self.skeleton, self.theme, self.look)
            self._titles.set_numbers([stage_number(self._snapshot, row, stage) for stage in STAGES])
        self.views.set_figures(self.figures)
        self.projections.present(self._snapshot, self._row, self.look)
        if self.hover_label.isVisible():
            self._hover(*self._pointer)

    def _camera_moved(self) -> None:
        places = list(PRESETS.values())
        here = (self.camera.azimuth, self.camera.elevation)
        self._presets.value = places.index(here) if here in places else -1
        self._presets.update()
        self.hover_label.hide()
        self.views.update()

    def _metres_per_pixel(self) -> float:
        native = self.views.native
        return self.camera.metres_per_pixel(
            (columns(native.width())[0][1], native.height()), self.figures[0].framing
        ) if self.figures else 0.01  # fmt: skip

    def stage_pixels(self, index: int) -> np.ndarray:
        """(j, 3) pixels in the 3D widget, and depth, of the joints of a stage."""
        native, figure = self.views.native, self.figures[index]
        left, wide = columns(native.width())[index]
        size = (wide, native.height())
        pixels = to_pixels(self.camera.matrix(size, figure.framing), figure.joints, size)
        return pixels + (left, 0, 0)

    def bone_at(self, x: float, y: float) -> tuple[int, int] | None:
        """The stage and bone under a pixel of the 3D widget."""
        index = column_at(x, self.views.native.width())
        if index is None or not self.figures:
            return None
        reach = float(np.clip(0.055 / self._metres_per_pixel(), 6, 18))
        bone = pick_bone(self.stage_pixels(index), self.skeleton, x, y, reach)
        return None if bone is None else (index, bone)

    def bone_words(self, index: int, bone: int) -> str:
        """The hover label: bone, degrees turned by BA, length change by BL, score of its part if there is one."""
        snapshot, row, part = self._snapshot, self._row, self.skeleton.part_of_bone[bone]
        ratio = 100 * snapshot.length_ratio[row, self.skeleton.length_groups[bone]]
        score = bone_scores(snapshot, row, STAGES[index], self.skeleton)[bone]
        name = self.skeleton.bone_names[bone].replace("-", " – ")
        told = f"{part}, score {score:.2f}" if np.isfinite(score) else part
        last = f"<br><span style='color:{self.theme.muted}'>{told}</span>" if told else ""
        return f"<b>{name}</b><br>turned {snapshot.angle_degrees(row)[bone]:.1f}° · length {ratio:+.1f} %{last}"

    def _hover(self, x: float, y: float) -> None:
        self._pointer = (x, y)
        found = self.bone_at(x, y)
        native = self.views.native
        native.setCursor(Qt.CursorShape.PointingHandCursor if found else Qt.CursorShape.ArrowCursor)
        if found is None:
            self.hover_label.hide()
            return
        self.hover_label.setText(self.bone_words(*found))
        self.hover_label.adjustSize()
        left = min(int(x) + 14, native.width() - self.hover_label.width() - 4)
        above = int(y) - self.hover_label.height() - 10
        self.hover_label.move(max(left, 4), above if above > 4 else int(y) + 18)
        self.hover_label.show()

    def _click(self, x: float, y: float) -> None:
        found = self.bone_at(x, y)
        part = self.skeleton.part_of_bone[found[1]] if found is not None else ""
        if part:
            self.selection.choose_part(part)
        elif self.selection.part:
            self.selection.choose_part(self.selection.part)

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self._fit()

    def grab(self) -> QImage:
        """A picture of the panel as it is, the 3D views included."""
        return super().grab().toImage()
