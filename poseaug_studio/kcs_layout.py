"""Where everything stands in the KCS panel, for its painting and for the mouse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetrics

from poseaug_core.skeleton import Skeleton

MARGIN = 12
#: Name of the row that shows the 2D discriminator, under those of the parts.
WHOLE_2D = "2D pose"
ACCURACIES = ("d3d_real", "d3d_fake", "d2d_real", "d2d_fake")


@dataclass(frozen=True)
class Layout:
    """Rectangles in pixels; the first matrix, caption or accuracy is the leftmost. Without bones there are no matrices,
    and a sentence stands in ``matrix_title``."""

    title: QRectF
    rows: dict[str, QRectF]
    plot: tuple[float, float]  # left and right of the score axis
    axis: QRectF
    matrix_title: QRectF
    matrices: tuple[QRectF, ...]
    captions: tuple[QRectF, ...]
    legend: QRectF
    accuracy_title: QRectF
    accuracies: tuple[QRectF, ...]


def arrange(
    width: float, height: float, metrics: QFontMetrics, skeleton: Skeleton, names: tuple[str, ...],
    bones: tuple[int, ...], accuracies: int = len(ACCURACIES),
) -> Layout:  # fmt: skip
    """The panel of a size with rows of these names, the matrices of some bones and so many bars of accuracy; rows take
    what height the rest leaves."""
    line = float(metrics.height())
    small = line * 0.9
    few = 0 < len(bones) <= 10
    labels = max(small_width(metrics, bone_label(skeleton, bone)) for bone in bones) + 6 if few else 0.0
    inner = width - 2 * MARGIN
    side = (inner - labels - 16) / 3 if bones else 0.0
    headings, captions, accuracy = 3 * (line + 6), (small + 4) + (small + 2) + (small + 8), 2 * (line + 2)
    fixed = 8 + headings + captions + 14 + 10 + accuracy + 8
    if bones:
        side = max(40.0, min(side, height - fixed - len(names) * 27))
    row = max(22.0, min(70.0, (height - fixed - side) / len(names)))
    y = 8.0
    title = QRectF(MARGIN, y, inner, line + 4)
    y += line + 6
    rows = {}
    widest = 12 + max(metrics.horizontalAdvance(name) for name in names) * 0.95
    for name in names:
        rows[name] = QRectF(4, y, width - 8, row)
        y += row
    plot = (MARGIN + widest + 8, width - MARGIN - small_width(metrics, "−0.00") - 6)
    axis = QRectF(plot[0], y, plot[1] - plot[0], small + 4)
    y += small + 4 + 14
    matrix_title = QRectF(MARGIN, y, inner, line + 4)
    y += line + 6
    gap = (inner - labels - 3 * side) / 2
    lefts = [MARGIN + labels + i * (side + gap) for i in range(3)] if bones else []
    matrices = tuple(QRectF(left, y, side, side) for left in lefts)
    y += side
    captions = tuple(QRectF(left - gap / 2, y + 2, side + gap, small) for left in lefts)
    legend = QRectF(MARGIN + labels, y + small + 6, inner - labels, small)
    y += 2 * small + 20 if bones else 10
    accuracy_title = QRectF(MARGIN, y, inner, line + 4)
    y += line + 6
    half, tall = (inner - 16) / 2, line + 2
    bars = tuple(QRectF(MARGIN + (i // 2) * (half + 16), y + (i % 2) * tall, half, tall) for i in range(accuracies))
    return Layout(title, rows, plot, axis, matrix_title, matrices, captions, legend, accuracy_title, bars)


def bone_label(skeleton: Skeleton, bone: int) -> str:
    """Short name of a bone: the joint at its outer end."""
    return skeleton.names[bone + 1].replace("left ", "L ").replace("right ", "R ")


def small_width(metrics: QFontMetrics, text: str) -> float:
    """Width of a text in the panel's small type."""
    return metrics.horizontalAdvance(text) * 0.88


def score_range(scores: np.ndarray) -> tuple[float, float]:
    """The axis of all scores: fake and real with a margin, wider in tenths if the scores need it, within [-1, 2]."""
    low, high = np.quantile(scores, (0.005, 0.995))
    low, high = np.floor(min(low, -0.2) * 10) / 10, np.ceil(max(high, 1.2) * 10) / 10
    return max(float(low), -1.0), min(float(high), 2.0)
