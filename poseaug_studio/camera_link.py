"""One turntable camera for the four 3D views, and the mouse that turns it; knows no painter.

Display frame: x right, y away from the lab camera, z up, metres, the pelvis at the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtWidgets import QWidget

#: Azimuth and elevation in degrees of the preset views; azimuth 0 looks as the lab camera does.
PRESETS = {"three-quarter": (32.0, 13.0), "front": (0.0, 4.0), "side": (90.0, 4.0), "top": (0.0, 89.0)}
FIELD_OF_VIEW = np.radians(22.0)
#: Metres from the middle of a view to its edge at zoom 1: a person of 1.9 m with arms out fits.
HALF_HEIGHT, HALF_WIDTH = 1.0, 0.7


@dataclass(frozen=True)
class Framing:
    """What a view looks at: a centre (display frame, metres), how many times taller than a person, and wider than one
    (None: as many times)."""

    centre: tuple[float, float, float] = (0.0, 0.0, -0.09)
    scale: float = 1.0
    width: float | None = None


class TurntableCamera(QObject):
    """azimuth, elevation in degrees, zoom (2 is twice as large), pan (metres, in the plane of the screen)."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.azimuth, self.elevation = PRESETS["three-quarter"]
        self.zoom = 1.0
        self.pan = (0.0, 0.0)

    def look(self, preset: str) -> None:
        self._assign(*PRESETS[preset], self.zoom, self.pan)

    def reset(self) -> None:
        self._assign(*PRESETS["three-quarter"], 1.0, (0.0, 0.0))

    def orbit(self, right: float, down: float) -> None:
        """Turn by degrees: dragging to the right turns the person to the right."""
        elevation = float(np.clip(self.elevation + down, -30, 89))
        self._assign((self.azimuth - right + 180) % 360 - 180, elevation, self.zoom, self.pan)

    def zoom_by(self, factor: float) -> None:
        self._assign(self.azimuth, self.elevation, float(np.clip(self.zoom * factor, 0.35, 8)), self.pan)

    def pan_by(self, right: float, up: float) -> None:
        """Move the picture by metres at the centre's depth."""
        pan = (float(np.clip(self.pan[0] + right, -2, 2)), float(np.clip(self.pan[1] + up, -2, 2)))
        self._assign(self.azimuth, self.elevation, self.zoom, pan)

    def _assign(self, azimuth: float, elevation: float, zoom: float, pan: tuple[float, float]) -> None:
        state = (float(azimuth), float(elevation), zoom, pan)
        if state != (self.azimuth, self.elevation, self.zoom, self.pan):
            self.azimuth, self.elevation, self.zoom, self.pan = state
            self.changed.emit()

    def towards_eye(self) -> np.ndarray:
        """(3,) unit vector from the centre to the eye, display frame."""
        a, e = np.radians((self.azimuth, self.elevation))
        return np.array((np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)))

    def axes(self) -> np.ndarray:
        """(3, 3) rows: the screen's right and up, and towards the eye, in the display frame."""
        a = np.radians(self.azimuth)
        right = np.array((np.cos(a), np.sin(a), 0.0))
        back = self.towards_eye()
        return np.stack((right, np.cross(back, right), back))

    def eye(self, size: tuple[float, float], framing: Framing) -> np.ndarray:
        """(3,) where the eye is, display frame."""
        right, up, back = self.axes()
        distance = self.metres_per_pixel(size, framing) * size[1] / 2 / np.tan(FIELD_OF_VIEW / 2)
        return np.asarray(framing.centre) - right * self.pan[0] - up * self.pan[1] + back * distance

    def metres_per_pixel(self, size: tuple[float, float], framing: Framing) -> float:
        """Metres a pixel covers at the centre's depth, in a view of (width, height) pixels."""
        wide = framing.scale if framing.width is None else framing.width
        half = max(HALF_HEIGHT * framing.scale, HALF_WIDTH * wide * size[1] / max(size[0], 1)) / self.zoom
        return 2 * half / max(size[1], 1)

    def matrix(self, size: tuple[float, float], framing: Framing) -> np.ndarray:
        """(4, 4) float32 display frame -> clip space, for column vectors: perspective times view."""
        half = self.metres_per_pixel(size, framing) * size[1] / 2
        distance = half / np.tan(FIELD_OF_VIEW / 2)
        axes = self.axes()
        offset = -axes @ np.asarray(framing.centre) + np.array((*self.pan, -distance))
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = axes, offset
        near, far = distance * 0.05, distance * 6
        f = 1 / np.tan(FIELD_OF_VIEW / 2)
        projection = np.zeros((4, 4))
        projection[0, 0], projection[1, 1] = f * size[1] / max(size[0], 1), f
        projection[2, 2], projection[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
        projection[3, 2] = -1
        return (projection @ view).astype(np.float32)


def to_pixels(matrix: np.ndarray, points: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """(n, 3) x right, y down in pixels of the view, and depth in metres from the eye, of points (n, 3)."""
    clip = np.c_[points, np.ones(len(points))] @ matrix.T
    w = np.maximum(clip[:, 3:], 1e-6)
    x = (clip[:, 0:1] / w + 1) * size[0] / 2
    y = (1 - clip[:, 1:2] / w) * size[1] / 2
    return np.concatenate((x, y, w), axis=1)


class Mouse(QObject):
    """Turns a widget's mouse events into camera moves: drag orbits, shift or another button pans, wheel zooms.

    hovered(x, y) and clicked(x, y) in pixels of the widget; left() when the pointer goes.
    """

    hovered = Signal(float, float)
    clicked = Signal(float, float)
    left = Signal()

    def __init__(self, widget: QWidget, camera: TurntableCamera, metres_per_pixel: Callable[[], float]):
        super().__init__(widget)
        self._camera = camera
        self._metres_per_pixel = metres_per_pixel
        self._pressed: QPointF | None = None
        self._last = QPointF()
        self._dragging = False
        widget.setMouseTracking(True)
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress:
            self._pressed = self._last = event.position()
            self._dragging = False
        elif kind == QEvent.Type.MouseMove:
            self._move(event)
        elif kind == QEvent.Type.MouseButtonRelease:
            if self._pressed is not None and not self._dragging and event.button() == Qt.MouseButton.LeftButton:
                self.clicked.emit(event.position().x(), event.position().y())
            self._pressed = None
        elif kind == QEvent.Type.MouseButtonDblClick:
            self._pressed = None
            self._camera.reset()
        elif kind == QEvent.Type.Wheel:
            self._camera.zoom_by(1.0015 ** event.angleDelta().y())
        elif kind == QEvent.Type.Leave:
            self.left.emit()
            return False
        else:
            return False
        return True

    def _move(self, event) -> None:
        position = event.position()
        if self._pressed is None:
            self.hovered.emit(position.x(), position.y())
            return
        if not self._dragging and (position - self._pressed).manhattanLength() < 4:
            return
        if not self._dragging:
            self._dragging = True
            self.left.emit()
        step = position - self._last
        self._last = position
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.buttons() == Qt.MouseButton.LeftButton and not shifted:
            self._camera.orbit(step.x() * 0.5, step.y() * 0.4)
        else:
            metres = self._metres_per_pixel()
            self._camera.pan_by(step.x() * metres, -step.y() * metres)
