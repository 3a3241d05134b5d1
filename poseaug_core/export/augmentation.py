"""The augmentation strip, after PoseAug Fig. 3: a pose before and after each operation, in 3D and in 2D."""

from __future__ import annotations

import numpy as np

from poseaug_core.export.body import View, alignment, draw_body, draw_ghost, draw_ground, draw_projection, frame
from poseaug_core.export.page import NORMAL, SMALL, TITLE, Page
from poseaug_core.export.shown import Shown
from poseaug_core.palette import STAGE_SUBTITLES, STAGE_TITLES, mix
from poseaug_core.snapshot import STAGES, Snapshot

EDGE, GAP, HEAD, LINE = 1.5, 3.0, 7.0, 6.5  # millimetres: sheet edge, between panels, titles, between rows of poses
#: Under a narrow panel: height of the number and of each line of what it is, and so many lines at most.
NUMBER, SMALL_LINE, MOST = 2.9, 2.4, 4
#: Panels narrower than this put their caption under the image instead of beside it.
NARROW = 32.0


def _sizes(width: float) -> tuple[float, float, float, float]:
    """Panel width, height of the 3D panel, side of the image, height of a row of poses."""
    panel = (width - 2 * EDGE - 3 * GAP) / 4
    side = panel if panel < NARROW else 0.56 * panel
    body = 1.22 * panel
    return panel, body, side, body + 1.5 + side + (1 + NUMBER + MOST * SMALL_LINE if panel < NARROW else 0)


def height(width: float, shown: Shown) -> float:
    """Millimetres that the figure needs at this width."""
    return 2 * EDGE + HEAD + len(shown.rows) * _sizes(width)[3] + (len(shown.rows) - 1) * LINE


def draw(page: Page, shown: Shown) -> None:
    panel, body, side, row_height = _sizes(page.width)
    theme, view = page.theme, View()
    for column, stage in enumerate(STAGES):
        left = EDGE + column * (panel + GAP)
        page.swatch(left, EDGE, panel, 0.7, theme.stage(stage))
        page.text(left, EDGE + 1.7, STAGE_TITLES[stage], TITLE, theme.stage(stage), weight="semibold")
        if panel >= NARROW:
            page.text(left + panel, EDGE + 2.0, STAGE_SUBTITLES[stage], SMALL, theme.muted, ha="right")
    for line, row in enumerate(shown.rows):
        top = EDGE + HEAD + line * (row_height + LINE)
        _draw_row(page, shown, row, top, view, (panel, body, side))


def _draw_row(page: Page, shown: Shown, row: int, top: float, view: View, sizes: tuple[float, float, float]) -> None:
    snapshot, theme, skeleton = shown.snapshot, page.theme, shown.skeleton
    panel, body, side = sizes
    poses = snapshot.xyz[:, row] - snapshot.xyz[:, row, :1]
    turned = alignment(poses[2], poses[3])
    clouds = [view(np.concatenate(poses[max(i - 1, 0) : i + 1])) for i in range(4)]
    # One scale for the row, so that a longer bone is drawn longer; 0.4 m for the thickness of limbs and the floor.
    metres = max(max(np.ptp(c[:, 1]), np.ptp(c[:, 0]) * body / panel) for c in clouds) + 0.4
    captions = captions_of(snapshot, row, turned)
    for column, stage in enumerate(STAGES):
        left = EDGE + column * (panel + GAP)
        axes = page.axes(left, top, panel, body, filled=True)
        frame(axes, list(poses[max(column - 1, 0) : column + 1]), view, metres, panel / body)
        draw_ground(axes, poses[column], view, theme, turned if stage == "rt" else None, skeleton)
        if column:
            draw_ghost(axes, poses[column - 1], view, theme, theme.stage(STAGES[column - 1]), skeleton)
            _arrow(page, left - GAP, top + body / 2)
        draw_body(axes, poses[column], view, theme, skeleton)
        image = page.axes(left, top + body + 1.5, side, side, filled=True)
        draw_projection(image, snapshot.uv[column, row], theme, skeleton, width=1.2 if panel >= NARROW else 0.9)
        number, unit = captions[stage]
        if panel >= NARROW:
            beside, below = left + side + 2, top + body + 1.5
            page.text(beside, below + 1.5, number, TITLE + 1.5, theme.stage(stage), weight="medium")
            for i, text in enumerate(unit):
                page.text(beside, below + 6.3 + 3.0 * i, text, SMALL, theme.muted)
        else:
            below = top + body + 1.5 + side + 1
            page.text(left, below, number, NORMAL, theme.stage(stage), weight="medium")
            for i, text in enumerate(unit):
                page.text(left, below + NUMBER + SMALL_LINE * i, text, SMALL - 0.8, theme.muted)


def captions_of(snapshot: Snapshot, row: int, turned: np.ndarray) -> dict[str, tuple[str, list[str]]]:
    """What each operation did to a pose: a number, and what it is in short lines, by stage.

    turned (3, 3): the rotation from the BL to the RT pose; its angle is at most 180 degrees.
    """
    ratios = snapshot.length_ratio[row]
    largest = ratios[np.abs(ratios).argmax()]
    most = f"up to {100 * largest:+.0f} %"
    rotation = np.degrees(np.arccos(np.clip((np.trace(turned) - 1) / 2, -1, 1)))
    away, moved = snapshot.xyz[[2, 3], row, 0]
    outside = int((np.abs(snapshot.uv[3, row]) > 1).any(-1).sum())
    notes = [f"moved {np.linalg.norm(moved - away):.1f} m", f"to {np.linalg.norm(moved):.1f} m away"]
    return {
        "original": (f"{np.linalg.norm(snapshot.xyz[0, row, 0]):.1f} m", ["from camera"]),
        "ba": (f"{snapshot.angle_degrees(row).mean():.0f}°", ["mean angle", "change"]),
        "bl": (
            f"{100 * np.abs(ratios).mean():.0f} %",
            ["mean change", "of bone lengths", most],
        ),
        "rt": (f"{rotation:.0f}°", ["rotation", *notes, *([f"{outside} joints outside"] if outside else [])]),
    }


def _arrow(page: Page, left: float, middle: float) -> None:
    """A small chevron in the gap left of a panel."""
    axes = page.axes(left + 0.9, middle - 1.2, GAP - 1.8, 2.4)
    axes.plot([0, 1, 0], [0, 0.5, 1], color=mix(page.theme.muted, page.theme.line, 0.2), linewidth=0.9, clip_on=False)
    axes.set(xlim=(0, 1), ylim=(0, 1))
