"""Lifted keypoints, after PoseAug Fig. 5: image or 2D input, our answer in 3D, the baseline's beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from poseaug_core.errors import UserError
from poseaug_core.export.body import View, draw_body, draw_ghost, draw_projection, frame
from poseaug_core.export.page import SMALL, TITLE, WIDTHS, Page, drawing
from poseaug_core.keypoints import normalising_side
from poseaug_core.palette import LIGHT, Theme
from poseaug_core.skeleton import HUMAN16, Skeleton

EDGE, GAP, BLOCK, HEAD, LINE, NAME = 1.5, 1.2, 4.0, 6.5, 2.0, 3.2  # millimetres
#: From where answers are seen: turned to the side of the camera's own view, so that errors in depth show.
VIEW = View(32, 10)
#: Width of a 3D view over its height, which is the side of the image.
NARROW = 0.78
#: How much larger than the person the part of the image is that is shown.
ROOM = 1.4
#: Pixels of a picture's longer side beyond which a figure gains nothing.
PIXELS = 900


@dataclass(frozen=True)
class Lifted:
    """One example.

    uv: (16, 2), normalised. ours, baseline, truth: (16, 3) root-relative metres, camera frame; None is left out
    (without any baseline among the examples its column goes, too). image: (h, w, 3) uint8, which uv lies on as
    keypoints.normalised says. name: a few words under it.
    """

    uv: np.ndarray
    ours: np.ndarray
    baseline: np.ndarray | None = None
    truth: np.ndarray | None = None
    image: np.ndarray | None = None
    name: str = ""


def draw_lifted(
    examples: Sequence[Lifted],
    ours: str = "PoseAug",
    baseline: str = "Baseline",
    theme: Theme = LIGHT,
    width_mm: float = WIDTHS["double"],
    across: int | None = None,
    view: View = VIEW,
    skeleton: Skeleton = HUMAN16,
) -> Figure:
    """A figure of examples, each a row of 2D input, our answer and the baseline's, in one view for all.

    ours, baseline: titles of the columns. across: examples beside each other; None takes two where they are at
    least 75 mm wide. Where an example has a truth it is drawn pale behind the answers, and each answer's MPJPE (mm,
    16 joints) is written in its corner. Not yet written: export.save does that. Raises UserError for no examples.
    Safe in any thread.
    """
    if not examples:
        raise UserError("No example is chosen; name at least one pose to draw.")
    columns = [("ours", ours, theme.accent)]
    if any(example.baseline is not None for example in examples):
        columns.append(("baseline", baseline, theme.muted))
    across = across or (2 if len(examples) > 1 and (width_mm - 2 * EDGE - BLOCK) / 2 >= 75 else 1)
    block = (width_mm - 2 * EDGE - (across - 1) * BLOCK) / across
    side = (block - len(columns) * GAP) / (1 + NARROW * len(columns))
    named = NAME if any(example.name for example in examples) else 0.0
    lines = -(-len(examples) // across)
    with drawing():
        page = Page(width_mm, 2 * EDGE + HEAD + lines * (side + named + LINE) - LINE, theme)
        for number in range(min(across, len(examples))):
            _headings(page, EDGE + number * (block + BLOCK), side, columns)
        for number, example in enumerate(examples):
            left = EDGE + (number % across) * (block + BLOCK)
            top = EDGE + HEAD + (number // across) * (side + named + LINE)
            _example(page, left, top, side, example, columns, view, skeleton)
            if example.name:
                page.text(left, top + side + 0.7, example.name, SMALL, theme.muted)
    return page.figure


def _lefts(left: float, side: float, columns) -> list[float]:
    return [left + side + GAP + number * (NARROW * side + GAP) for number in range(len(columns))]


def _headings(page: Page, left: float, side: float, columns) -> None:
    page.text(left, EDGE + 1.4, "Input", TITLE, page.theme.text, weight="semibold")
    for start, (_, title, colour) in zip(_lefts(left, side, columns), columns, strict=True):
        page.swatch(start, EDGE, NARROW * side, 0.6, colour)
        page.text(start, EDGE + 1.4, title, TITLE, colour, weight="semibold")


def _example(page: Page, left: float, top: float, side: float, example: Lifted, columns, view: View, skeleton) -> None:
    theme = page.theme
    image = page.axes(left, top, side, side, filled=True)
    draw_projection(image, example.uv, theme, skeleton, width=0.045 * side)
    close_in(image, example.uv)
    if example.image is not None:
        draw_image(image, example.image)
    poses = {"ours": example.ours, "baseline": example.baseline}
    clouds = [pose for pose in (*poses.values(), example.truth) if pose is not None]
    flat = view(np.concatenate(clouds))[:, :2]
    metres = max(np.ptp(flat[:, 1]), np.ptp(flat[:, 0]) / NARROW, 1.1) + 0.4
    for start, (key, _, _) in zip(_lefts(left, side, columns), columns, strict=True):
        axes = page.axes(start, top, NARROW * side, side, filled=True)
        frame(axes, clouds, view, metres, NARROW)
        pose = poses[key]
        if example.truth is not None:
            draw_ghost(axes, example.truth, view, theme, theme.muted, skeleton)
        if pose is None:
            continue
        draw_body(axes, pose, view, theme, skeleton)
        if example.truth is not None:
            error = 1000 * np.linalg.norm(pose - example.truth, axis=-1).mean()
            page.text(start + NARROW * side - 0.8, top + side - 0.7, f"{error:.0f} mm",
                      SMALL, theme.text, ha="right", va="bottom", weight="medium")  # fmt: skip


def draw_image(axes: Axes, image: np.ndarray) -> None:
    """What the axes show of an image (h, w, 3) uint8, placed as keypoints.normalised does, behind a projection."""
    size = np.array(image.shape[1::-1])
    pixels = normalising_side(size) / 2
    low = np.array((axes.get_xlim()[0], -axes.get_ylim()[1])) * pixels + size / 2
    high = np.array((axes.get_xlim()[1], -axes.get_ylim()[0])) * pixels + size / 2
    limits = axes.get_xlim(), axes.get_ylim()
    (left, top), (right, bottom) = np.clip((np.floor(low), np.ceil(high)), 0, size).astype(int)
    if right > left and bottom > top:
        step = -(-max(right - left, bottom - top) // PIXELS)
        edges = (np.array(((left, bottom), (right, top))) - size / 2) / pixels * (1, -1)
        extent = (edges[0, 0], edges[1, 0], edges[0, 1], edges[1, 1])
        part = image[top:bottom:step, left:right:step]
        axes.imshow(part, extent=extent, aspect="auto", zorder=1.5, interpolation="antialiased")
        axes.set(xlim=limits[0], ylim=limits[1])


def close_in(axes: Axes, uv: np.ndarray) -> None:
    """Show a square about the person alone, so that one who is small in the image is seen."""
    low, high = uv.min(0), uv.max(0)
    (x, y), half = (low + high) / 2, min(max(0.5 * ROOM * float((high - low).max()), 0.1), 1.0)
    # No further out than the image where that leaves the person in it.
    x, y = (float(np.clip(centre, half - 1, 1 - half)) if abs(centre) < 1 else float(centre) for centre in (x, y))
    axes.set(xlim=(x - half, x + half), ylim=(-y - half, -y + half))
