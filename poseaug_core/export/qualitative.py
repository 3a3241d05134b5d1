"""Estimates beside the truth, after PoseAug Fig. 5: the 2D input and the estimator's answer from two sides."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from poseaug_core.export.body import View, draw_body, draw_ghost, draw_projection, frame
from poseaug_core.export.page import SMALL, TITLE, Page
from poseaug_core.export.shown import Shown

EDGE, GAP, BLOCK, HEAD, LINE, FOOT = 1.5, 1.5, 5.0, 7.5, 1.5, 3.6  # millimetres; FOOT: the line under a pose
#: Views of the answer: nearly the camera's own, and from the side, where errors in depth show.
VIEWS = ((View(8, 6), "front"), (View(82, 6), "side"))
#: Joints further from the truth than this are joined to it by a line, metres.
FAR = 0.08
NARROW = 25.0  # image sides below this leave no room for the legend
#: A view is so much wider than high, shows at least a person, and leaves room for limbs around the joints, metres.
ASPECT, LEAST, AROUND = 0.8, 1.2, 0.45


def _sizes(width: float) -> tuple[float, float]:
    """Side of an image (square; the views are as high and ASPECT as wide), width of a block of three."""
    block = (width - 2 * EDGE - BLOCK) / 2
    return (block - 2 * GAP) / (1 + 2 * ASPECT), block


def height(width: float, shown: Shown) -> float:
    side = _sizes(width)[0]
    return 2 * EDGE + HEAD + 4 + len(shown.rows) * (side + FOOT + LINE) - LINE


def draw(page: Page, shown: Shown) -> None:
    snapshot, theme = shown.snapshot, page.theme
    side, block = _sizes(page.width)
    for number, (stage, index, title) in enumerate((("original", 0, "Original"), ("rt", 3, "Augmented"))):
        left, colour = EDGE + number * (block + BLOCK), theme.stage(stage)
        page.swatch(left, EDGE, block, 0.7, colour)
        page.text(left, EDGE + 1.6, title, TITLE, colour, weight="semibold")
        if side >= NARROW:
            page.text(left + block, EDGE + 2.0, "pale: ground truth", SMALL, theme.muted, ha="right")
        columns = ((0.0, "2D input"), (side + GAP, VIEWS[0][1]), ((1 + ASPECT) * side + 2 * GAP, VIEWS[1][1]))
        for offset, name in columns:
            page.text(left + offset, EDGE + 6.2, name, SMALL, theme.muted)
        for line, row in enumerate(shown.rows):
            top = EDGE + HEAD + 4 + line * (side + FOOT + LINE) - 1
            image = page.axes(left, top, side, side, filled=True)
            draw_projection(image, snapshot.uv[index, row], theme, shown.skeleton, width=0.055 * side)
            if not (np.abs(snapshot.uv[index, row]) <= 1).all(-1).any():
                page.text(left + side / 2, top + 0.4 * side, "outside", SMALL, theme.muted, ha="center", va="center")
            truth = snapshot.xyz[index, row] - snapshot.xyz[index, row, :1]
            answer = snapshot.prediction[number, row]
            error = np.linalg.norm(answer - truth, axis=-1)
            metres = _reach(truth, answer)
            for (offset, _), (view, _) in zip(columns[1:], VIEWS, strict=True):
                axes = page.axes(left + offset, top, ASPECT * side, side, filled=True)
                frame(axes, [truth, answer], view, metres, ASPECT)
                draw_ghost(axes, truth, view, theme, theme.muted, shown.skeleton)
                draw_body(axes, answer, view, theme, shown.skeleton)
                _draw_errors(axes, truth, answer, error > FAR, view, theme.bad)
            # Under the images, where no body can lie: errors may reach any corner of the views.
            below = top + side + 0.7
            page.text(left, below, f"{1000 * error.mean():,.0f} mm", SMALL, theme.text, weight="medium")
            scale = f"views {metres:.1f} m high"
            page.text(left + block, below, scale, SMALL, theme.muted, ha="right")


def _reach(truth: np.ndarray, answer: np.ndarray) -> float:
    """Metres that the views are high: both bodies fit each of them."""
    spans = [np.ptp(view(np.concatenate((truth, answer)))[:, :2], axis=0) for view, _ in VIEWS]
    return float(max(LEAST, *(max(up, right / ASPECT) for right, up in spans)) + AROUND)


def _draw_errors(axes: Axes, truth: np.ndarray, answer: np.ndarray, far: np.ndarray, view: View, colour: str) -> None:
    pairs = np.stack((view(truth)[far, :2], view(answer)[far, :2]), axis=1)
    axes.add_collection(LineCollection(pairs, colors=colour, linewidths=0.8, capstyle="round", zorder=8), autolim=False)
    if len(pairs):
        axes.plot(*pairs[:, 0].T, "o", markersize=1.4, color=colour, markeredgewidth=0, zorder=8)
