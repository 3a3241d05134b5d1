"""The part-aware KCS: scores of the five parts, real against augmented, and one pose's matrices."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from poseaug_core.export.page import SMALL, TITLE, Page, panel_colour, style_axes
from poseaug_core.export.shown import Shown
from poseaug_core.judged import NO_3D
from poseaug_core.palette import Theme, mix
from poseaug_core.skeleton import Skeleton

EDGE, GAP, HEAD, NAMES, BAR = 1.5, 3.0, 7.0, 23.0, 11.0  # millimetres; NAMES: bone names left of the matrices
#: A single part's panel is no wider.
WIDEST = 84.0
#: Up-right figure for the little body in each part's title: joint positions (right, up) in its own units.
ICON = np.array([
    [0, 0], [-0.25, 0], [-0.3, -0.75], [-0.32, -1.5], [0.25, 0], [0.3, -0.75], [0.32, -1.5], [0, 0.42], [0, 0.85],
    [0, 1.3], [0.35, 0.85], [0.62, 0.35], [0.75, -0.2], [-0.35, 0.85], [-0.62, 0.35], [-0.75, -0.2],
])  # fmt: skip


def _names(width: float) -> float:
    """Room for the bones' names; narrow figures tell bones by the colours of their parts alone."""
    return NAMES if width > 120 else 0.0


def _sizes(width: float, parts: int) -> tuple[int, float, float, float]:
    """Score panels a line, their width and height, side of a matrix."""
    across = parts if width > 120 else (parts + 1) // 2
    panel = min((width - 2 * EDGE - (across - 1) * GAP) / across, WIDEST)
    matrix = (width - 2 * EDGE - 2 * GAP - _names(width) - BAR) / 3
    return across, panel, 24.0, matrix


def height(width: float, shown: Shown) -> float:
    if not shown.skeleton.parts:
        return 2 * EDGE + HEAD
    across, _, tall, matrix = _sizes(width, len(shown.skeleton.parts))
    lines = -(-len(shown.skeleton.parts) // across)
    return EDGE + HEAD + lines * (tall + 12) + 2 + HEAD + matrix + (7 if width > 120 else 10) + EDGE


def draw(page: Page, shown: Shown) -> None:
    snapshot, theme, row = shown.snapshot, page.theme, shown.rows[0]
    if not shown.skeleton.parts:
        page.text(EDGE, EDGE + 0.6, NO_3D, TITLE, theme.muted)
        return
    across, panel, tall, matrix = _sizes(page.width, len(shown.skeleton.parts))
    low, high = np.nanpercentile(snapshot.scores3d, (0.5, 99.5))
    limits = min(low, -0.1) - 0.1, max(high, 1.1) + 0.1
    _draw_heading(page, snapshot.scores3d.shape[1])
    top = EDGE + HEAD
    for number, part in enumerate(shown.skeleton.parts):
        left, line = EDGE + number % across * (panel + GAP), number // across
        _draw_part(page, shown, number, part, (left, top + line * (tall + 12), panel, tall), limits)
    top += -(-len(shown.skeleton.parts) // across) * (tall + 12) + 2
    real, fake = snapshot.kcs(row, "original", shown.skeleton), snapshot.kcs(row, "ba", shown.skeleton)
    diverging = _diverging(theme)
    trio = (("Real", real, theme.real), ("Augmented", fake, theme.stage("ba")), ("Difference", fake - real, theme.text))
    for number, (title, values, colour) in enumerate(trio):
        left = EDGE + _names(page.width) + number * (matrix + GAP)
        page.text(left, top + 1.8, title, TITLE, colour, weight="semibold")
        axes = page.axes(left, top + HEAD, matrix, matrix)
        _draw_matrix(axes, values, diverging, theme, shown.skeleton, named=number == 0 and page.width > 120)
    bar = page.bar(page.width - EDGE - BAR + 2.2, top + HEAD, 2.2, matrix, diverging)
    bar.set_yticks((0, 0.5, 1), ("−1", "0", "1"))
    bar.yaxis.tick_right()
    bar.tick_params(colors=theme.muted, labelsize=SMALL, length=0, pad=1.5)
    notes = ["cosines between bones"]
    if len(shown.skeleton.parts) > 1:
        notes.append("faded cells are in no part: the discriminator never sees them")
    for line, note in enumerate([" · ".join(notes)] if page.width > 120 else notes):
        page.text(EDGE + _names(page.width), top + HEAD + matrix + 2 + 3 * line, note, SMALL, theme.muted)


def _draw_heading(page: Page, count: int) -> None:
    theme, left = page.theme, EDGE
    page.text(left, EDGE + 0.6, "3D plausibility score", TITLE, weight="semibold")
    for text, colour, offset in (("augmented", theme.stage("ba"), 16), ("real", theme.real, 28)):
        page.swatch(page.width - EDGE - offset, EDGE + 1.5, 2.2, 1.6, colour)
        page.text(page.width - EDGE - offset + 3, EDGE + 0.9, text, SMALL, theme.muted)
    if page.width > 120:
        page.text(left + 35, EDGE + 1.1, f"{count} poses each; the mark is the pose below", SMALL, theme.muted)


def _draw_part(page: Page, shown: Shown, number: int, part: str, box: tuple, limits: tuple[float, float]) -> None:
    """Densities of real scores above the line and augmented below it, with medians and the shown pose."""
    theme, row = page.theme, shown.rows[0]
    left, top, panel, tall = box
    _draw_icon(page.axes(left, top, 4.4, 6.2), shown.skeleton, part, theme)
    page.text(left + 5.6, top + 1.6, part, SMALL + 0.5, theme.text, weight="medium")
    axes = page.axes(left, top + 7, panel, tall, filled=True)
    style_axes(axes, theme)
    grid = np.linspace(*limits, 160)
    scores = shown.snapshot.scores3d[:, :, number]
    heights = [_density(side, grid) for side in scores]
    peak = max(curve.max() for curve in heights)
    for side, colour, sign in ((0, theme.real, 1), (1, theme.stage("ba"), -1)):
        curve = sign * heights[side] / peak
        axes.fill_between(grid, 0, curve, color=mix(colour, panel_colour(theme), 0.45), linewidth=0, zorder=2)
        axes.plot(grid, curve, color=colour, linewidth=0.8, zorder=3)
        middle = np.median(scores[side])
        reach = np.interp(middle, grid, heights[side]) / peak
        axes.plot([middle, middle], [0, sign * reach], color=colour, linewidth=0.8, zorder=3)
        axes.plot([scores[side, row]], [sign * 0.08], marker="v" if sign > 0 else "^", markersize=3.6, zorder=5,
                  color=theme.text, markeredgewidth=0.4, markeredgecolor=panel_colour(theme))  # fmt: skip
    axes.axhline(0, color=mix(theme.line, theme.muted, 0.5), linewidth=0.5, zorder=4)
    axes.set(xlim=limits, ylim=(-1.1, 1.1), yticks=(), xticks=(0, 0.5, 1))
    axes.spines["left"].set_visible(False)
    axes.set_xticklabels(["0 fake", "", "1 real"])


def _density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Gaussian kernel density with Scott's width, at least a hundredth."""
    values = values[np.isfinite(values)].astype(float)
    width = max(1.06 * values.std() * len(values) ** -0.2, 0.01)
    return np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).mean(1) / width


def _draw_icon(axes: Axes, skeleton: Skeleton, part: str, theme: Theme) -> None:
    """A little body with the part's bones in its colour."""
    if skeleton.joint_count != len(ICON):
        return
    quiet = mix(theme.line, theme.muted, 0.25)
    chosen = [bone in skeleton.parts[part] for bone in range(skeleton.bone_count)]
    for lit in (False, True):
        lines = [ICON[list(edge)] for edge, on in zip(skeleton.edges, chosen, strict=True) if on == lit]
        colour, width = (theme.parts.get(part, theme.text), 1.3) if lit else (quiet, 0.8)
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="round"), autolim=False)
    axes.set(xlim=(-1.1, 1.1), ylim=(-1.65, 1.45))


def _diverging(theme: Theme) -> LinearSegmentedColormap:
    """Orange below zero, the panel's ground at zero, blue above: safe for colour-blind readers."""
    low, high = theme.stage("ba"), theme.accent
    end = "#000000" if theme.name == "light" else "#ffffff"
    ends = [mix(low, end, 0.25), low, panel_colour(theme), high, mix(high, end, 0.25)]
    return LinearSegmentedColormap.from_list("cosines", ends)


def _draw_matrix(axes: Axes, values: np.ndarray, colours, theme: Theme, skeleton: Skeleton, named: bool) -> None:
    """(15, 15) cosines with bones grouped by the part whose colour they wear."""
    order = sorted(range(skeleton.bone_count), key=lambda bone: list(theme.parts).index(skeleton.paint[bone]))
    n, ground = len(order), panel_colour(theme)
    seen = np.zeros((n, n), bool)
    for bones in skeleton.parts.values():
        seen[np.ix_(bones, bones)] = True
    for i, a in enumerate(order):
        for k, b in enumerate(order):
            colour = np.array(colours(0.5 + 0.5 * float(np.clip(values[a, b], -1, 1))))
            colour = "#" + "".join(f"{round(255 * c):02x}" for c in colour[:3])
            colour = colour if seen[a, b] else mix(colour, ground, 0.78)
            axes.add_patch(Rectangle((k + 0.04, i + 0.04), 0.92, 0.92, facecolor=colour, linewidth=0, zorder=2))
    for i, bone in enumerate(order):
        colour = theme.parts[skeleton.paint[bone]]
        for corner, size in (((-0.75, i + 0.04), (0.45, 0.92)), ((i + 0.04, -0.75), (0.92, 0.45))):
            axes.add_patch(Rectangle(corner, *size, facecolor=colour, linewidth=0))
    axes.set(xlim=(-0.8, n), ylim=(n, -0.8))
    axes.set_facecolor("none")
    if named:
        axes.set_yticks(np.arange(n) + 0.5, [skeleton.names[bone + 1] for bone in order])
        axes.tick_params(colors=theme.muted, labelsize=SMALL if n * SMALL * 0.36 < 44 else SMALL - 1, length=0, pad=1.5)
