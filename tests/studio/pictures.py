"""Reference pictures: a widget as it is painted against one kept beside the tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

FOLDER = Path(__file__).parent / "pictures"
#: Side in pixels of the squares whose mean colours are compared: letters and antialiasing differ between machines.
SQUARE = 10
#: Allowed differences of 255: of the whole picture on average, and of its worst square.
MEAN, WORST = 1.2, 40.0


@pytest.fixture
def typeface(qapp):
    """The studio's own typeface for this test, so that text is as wide on every machine."""
    from poseaug_studio import style

    before = QApplication.font()
    style.load_fonts()
    QApplication.setFont(style.font())
    yield
    QApplication.setFont(before)


def pixels(widget: QWidget) -> np.ndarray:
    """(h, w, 3) colours of a widget, 0..255."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    return _array(image)


def _array(image: QImage) -> np.ndarray:
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).astype(float)


def _squares(picture: np.ndarray) -> np.ndarray:
    height, width = (side // SQUARE * SQUARE for side in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // SQUARE, SQUARE, width // SQUARE, SQUARE, 3)
    return blocks.mean((1, 3))


def assert_like_picture(widget: QWidget, name: str) -> None:
    """Compare with pictures/NAME.png; with POSEAUG_KEEP_PICTURES=1 in the environment, keep it as the new reference."""
    path = FOLDER / f"{name}.png"
    if os.environ.get("POSEAUG_KEEP_PICTURES"):
        image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        image.save(str(path))
    kept = _array(QImage(str(path)).convertToFormat(QImage.Format.Format_RGB888))
    shown = pixels(widget)
    assert kept.shape == shown.shape, f"{name}: {shown.shape} instead of {kept.shape}"
    difference = np.abs(_squares(shown) - _squares(kept))
    assert difference.mean() < MEAN, f"{name}: differs by {difference.mean():.1f} on average"
    assert difference.max() < WORST, f"{name}: one square differs by {difference.max():.0f}"
