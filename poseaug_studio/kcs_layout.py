"""Where everything stands in the KCS panel, for its painting and for the mouse."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetrics

from poseaug_core.skeleton import Skeleton

MARGIN = 12
#: Name of the row that shows the 2D discriminator, under those of the parts.
WHOLE_2D = "2D pose"
ACCURACIES = ("d3d_real", "d3d_fake", "d2d_real", "d2d_fake")


@dataclass(frozen=True)
class Layout:
    """Rectangles in pixels; the first matrix, caption or accuracy is the leftmost."""

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


def arrange(width: float, height: float, metrics: QFontMetrics, skeleton: Skeleton, bones: tuple[int, ...]) -> Layout:
    """The panel of a size with the matrices of some bones; rows take what height the rest leaves."""
    line = float(metrics.height())
    small = line * 0.9
    labels = 0.0 if len(bones) > 10 else max(small_width(metrics, bone_label(skeleton, bone)) for bone in bones) + 6
    inner = width - 2 * MARGIN
    side = (inner - labels - 16) / 3
    headings, captions, accuracy = 3 * (line + 6), (small + 4) + (small + 2) + (small + 8), 2 * (line + 2)
    fixed = 8 + headings + captions + 14 + 10 + accuracy + 8
    count = len(skeleton.parts) + 1
    side = max(40.0, min(side, height - fixed - count * 27))
    row = max(22.0, min(70.0, (height - fixed - side) / count))
    y = 8.0
    title = QRectF(MARGIN, y, inner, line + 4)
    y += line + 6
    rows = {}
    names = 12 + max(metrics.horizontalAdvance(name) for name in (*skeleton.parts, WHOLE_2D)) * 0.95
    for name in (*skeleton.parts, WHOLE_2D):
        rows[name] = QRectF(4, y, width - 8, row)
        y += row
    plot = (MARGIN + names + 8, width - MARGIN - small_width(metrics, "−0.00") - 6)
    axis = QRectF(plot[0], y, plot[1] - plot[0], small + 4)
    y += small + 4 + 14
    matrix_title = QRectF(MARGIN, y, inner, line + 4)
    y += line + 6
    gap = (inner - labels - 3 * side) / 2
    lefts = [MARGIN + labels + i * (side + gap) for i in range(3)]
    matrices = tuple(QRectF(left, y, side, side) for left in lefts)
    y += side
    captions = tuple(QRectF(left - gap / 2, y + 2, side + gap, small) for left in lefts)
    y += small + 2
    legend = QRectF(MARGIN + labels, y + 4, inner - labels, small)
    y += small + 8 + 10
    accuracy_title = QRectF(MARGIN, y, inner, line + 4)
    y += line + 6
    half, tall = (inner - 16) / 2, line + 2
    accuracies = tuple(
        QRectF(MARGIN + (i // 2) * (half + 16), y + (i % 2) * tall, half, tall) for i in range(len(ACCURACIES))
    )
    return Layout(title, rows, plot, axis, matrix_title, matrices, captions, legend, accuracy_title, accuracies)


def bone_label(skeleton: Skeleton, bone: int) -> str:
    """Short name of a bone: the joint at its outer end."""
    return skeleton.names[bone + 1].replace("left ", "L ").replace("right ", "R ")


def small_width(metrics: QFontMetrics, text: str) -> float:
    """Width of a text in the panel's small type."""
    return metrics.horizontalAdvance(text) * 0.88
