"""Reference images: a view compared with the picture kept of it, with room for other fonts and rasterisers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

FOLDER = Path(__file__).parent / "reference"


def pixels(image: QImage) -> np.ndarray:
    """(h, w, 3) uint8."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def assert_like(image: QImage, name: str, mean: float = 1.2, far: float = 0.01, write: bool = True) -> None:
    """The image is its reference up to a mean difference (of 255) and a share of pixels that are far (> 48) off.

    POSEAUG_WRITE_REFERENCES=1 writes the reference instead, unless told not to.
    """
    path = FOLDER / f"{name}.png"
    if os.environ.get("POSEAUG_WRITE_REFERENCES") and write:
        FOLDER.mkdir(exist_ok=True)
        assert image.save(str(path))
        return
    kept = QImage(str(path))
    assert not kept.isNull(), f"{path} is missing; run once with POSEAUG_WRITE_REFERENCES=1 and look at it"
    if image.size() != kept.size():
        mode = Qt.TransformationMode.SmoothTransformation
        image = image.scaled(kept.size(), Qt.AspectRatioMode.IgnoreAspectRatio, mode)
    difference = np.abs(pixels(image).astype(int) - pixels(kept))
    assert difference.mean() <= mean, f"{name}: mean difference {difference.mean():.2f} of 255"
    share = float((difference.max(axis=2) > 48).mean())
    assert share <= far, f"{name}: {share:.3f} of the pixels differ"
