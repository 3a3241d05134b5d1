"""Estimates beside the truth, after PoseAug Fig. 5: the 2D input and the estimator's answer from two sides."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from poseaug_core.export.body import View, draw_body, draw_ghost, draw_projection, frame
from poseaug_core.export.page import SMALL, TITLE, Page
from poseaug_core.export.shown import Shown

EDGE, GAP, BLOCK, HEAD, LINE = 1.5, 1.5, 5.0, 7.5, 2.5  # millimetres
#: Views of the answer: nearly the camera's own, and from the side, where errors in depth show.
VIEWS = ((View(8, 6), "front"), (View(82, 6), "side"))
#: Joints further from the truth than this are joined to it by a line, metres.
FAR = 0.08
NARROW = 25.0  # image sides below this leave no free corner in the views


def _sizes(width: float) -> tuple[float, float]:
    """Side of an image (square; the views are as high and 0.8 as wide), width of a block of three."""
    block = (width - 2 * EDGE - BLOCK) / 2
    return (block - 2 * GAP) / 2.6, block


def height(width: float, shown: Shown) -> float:
    side = _sizes(width)[0]
    return 2 * EDGE + HEAD + 4 + len(shown.rows) * (side + LINE) - LINE


def draw(page: Page, shown: Shown) -> None:
    snapshot, theme = shown.snapshot, page.theme
    side, block = _sizes(page.width)
    for number, (stage, index, title) in enumerate((("original", 0, "Original"), ("rt", 3, "Augmented"))):
        left, colour = EDGE + number * (block + BLOCK), theme.stage(stage)
        page.swatch(left, EDGE, block, 0.7, colour)
        page.text(left, EDGE + 1.6, title, TITLE, colour, weight="semibold")
        if side >= NARROW:
            page.text(left + block, EDGE + 2.0, "pale: ground truth", SMALL, theme.muted, ha="right")
        columns = ((0.0, "2D input"), (side + GAP, VIEWS[0][1]), (1.8 * side + 2 * GAP, VIEWS[1][1]))
        for offset, name in columns:
            page.text(left + offset, EDGE + 6.2, name, SMALL, theme.muted)
        for line, row in enumerate(shown.rows):
            top = EDGE + HEAD + 4 + line * (side + LINE) - 1
            image = page.axes(left, top, side, side, filled=True)
            draw_projection(image, snapshot.uv[index, row], theme, shown.skeleton, width=0.055 * side)
            truth = snapshot.xyz[index, row] - snapshot.xyz[index, row, :1]
            answer = snapshot.prediction[number, row]
            error = np.linalg.norm(answer - truth, axis=-1)
            metres = max(np.ptp(np.concatenate((truth, answer))[:, 1]), np.ptp(truth[:, 0]) / 0.8, 1.2) + 0.45
            for (offset, _), (view, _) in zip(columns[1:], VIEWS, strict=True):
                axes = page.axes(left + offset, top, 0.8 * side, side, filled=True)
                frame(axes, [truth, answer], view, metres, 0.8)
                draw_ghost(axes, truth, view, theme, theme.muted, shown.skeleton)
                draw_body(axes, answer, view, theme, shown.skeleton)
                _draw_errors(axes, truth, answer, error > FAR, view, theme.bad)
            # Narrow views have no free corner; the image beside them does.
            right = columns[2][0] + 0.8 * side if side >= NARROW else side
            page.text(left + right - 0.8, top + side - 0.7, f"{1000 * error.mean():.0f} mm",
                      SMALL, theme.text, ha="right", va="bottom", weight="medium")  # fmt: skip


def _draw_errors(axes: Axes, truth: np.ndarray, answer: np.ndarray, far: np.ndarray, view: View, colour: str) -> None:
    pairs = np.stack((view(truth)[far, :2], view(answer)[far, :2]), axis=1)
    axes.add_collection(LineCollection(pairs, colors=colour, linewidths=0.8, capstyle="round", zorder=8), autolim=False)
    if len(pairs):
        axes.plot(*pairs[:, 0].T, "o", markersize=1.4, color=colour, markeredgewidth=0, zorder=8)
