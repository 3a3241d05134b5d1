"""View points and positions, after PoseAug Fig. 7: original beside baselines, augmented and further snapshots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from poseaug_core.diversity import VIEW_EDGES, Views, density, position_diversity, position_edges, view_diversity
from poseaug_core.export.page import SMALL, TITLE, Page, panel_colour, ramp, style_axes
from poseaug_core.export.shown import Shown
from poseaug_core.palette import mix

EDGE, HEAD, BAR = 1.5, 6.5, 10.0  # millimetres: sheet edge, titles, colour bars
GAP, WIDE_GAP = 4.5, 10.0  # between columns; between panels that all carry numbers
LABELS, NOTE = 9.0, 5.5  # left of the first column; the line with the diversity numbers
#: Looks at the globe of view points, whose front is the body's front: degrees to its side and above.
GLOBE_TURN, GLOBE_TILT = 28.0, 22.0


@dataclass(frozen=True)
class Column:
    title: str
    colour: str
    view_point: np.ndarray  # (m, 2) degrees
    position: np.ndarray  # (m, 3) metres


def _columns(shown: Shown, page: Page) -> list[Column]:
    stage, first = page.theme.stage, shown.snapshot
    others = [page.theme.accent, stage("ba"), stage("bl")]
    further = [(title, others[i % 3], other) for i, (title, other) in enumerate(shown.columns.items())]
    baselines = [Column(title, ink, views.view_point, views.position) for title, ink, views in further
                 if isinstance(views, Views)]  # fmt: skip
    pairs = [("Original", stage("original"), first, 0), ("Augmented", stage("rt"), first, 1)]
    pairs += [(title, ink, other, 1) for title, ink, other in further if not isinstance(other, Views)]
    columns = [Column(title, colour, s.view_point[side], s.position[side]) for title, colour, s, side in pairs]
    return [columns[0], *baselines, *columns[1:]]


def _wide(width: float, count: int) -> bool:
    """Whether there is room for globe and map, and for both views of positions, side by side."""
    return width > 70 * count


def _panel(width: float, count: int) -> float:
    gap = WIDE_GAP if _wide(width, count) else GAP
    return (width - 2 * EDGE - LABELS - BAR - (count - 1) * gap) / count


def _bands(width: float, count: int) -> list[tuple[float, float]]:
    """(top, height) of globe, view-point map, top view and front view, millimetres; wide panels pair them."""
    panel = _panel(width, count)
    half = (panel - WIDE_GAP) / 2
    if _wide(width, count):
        return [(EDGE + HEAD + NOTE, half * 0.86)] * 2 + [(EDGE + HEAD + 2 * NOTE + half * 0.86 + 9, half * 0.86)] * 2
    heights, tops, top = (panel, 0.62 * panel, 0.85 * panel, 0.6 * panel), [], EDGE + HEAD + NOTE
    for i, tall in enumerate(heights):
        tops.append((top, tall))
        top += tall + (2.5, 9 + NOTE, 8, 0)[i]
    return tops


def height(width: float, shown: Shown) -> float:
    top, tall = _bands(width, 2 + len(shown.columns))[-1]
    return top + tall + 8 + EDGE + (0 if _worded(width, 2 + len(shown.columns)) else NOTE)


def _worded(width: float, count: int) -> bool:
    """Whether there is room to name entropy and spread beside each of their numbers."""
    return _panel(width, count) > 45


def draw(page: Page, shown: Shown) -> None:
    columns = _columns(shown, page)
    panel, bands = _panel(page.width, len(columns)), _bands(page.width, len(columns))
    wide, worded = _wide(page.width, len(columns)), _worded(page.width, len(columns))
    gap = WIDE_GAP if wide else GAP
    half = (panel - gap) / 2
    limits = _limits([column.position for column in columns])
    cells = [position_edges(*pair) for pair in limits]
    planes = ((0, 2), (0, 1))
    maps = [[density(c.view_point, VIEW_EDGES)] + [_plane(c, plane, cells) for plane in planes] for c in columns]
    tops = [max(float(grids[i].max()) for grids in maps) for i in (0, 1, 2)]
    tops[1:] = [max(tops[1:])] * 2
    ramps = [ramp(page.theme, column.colour) for column in columns]
    for number, (column, grids) in enumerate(zip(columns, maps, strict=True)):
        left = EDGE + LABELS + number * (panel + gap)
        boxes = [(left + (half + gap if wide and i % 2 else 0), top, half if wide else panel, tall)
                 for i, (top, tall) in enumerate(bands)]  # fmt: skip
        page.swatch(left, EDGE, panel, 0.7, column.colour)
        page.text(left, EDGE + 1.6, column.title, TITLE, column.colour, weight="semibold")
        views, places = view_diversity(column.view_point), position_diversity(column.position)
        entropy, spread = ("entropy ", "spread ") if worded else ("", "")
        note = f"{entropy}{views.entropy:.1f} bits · {spread}{views.spread[0]:.0f}° × {views.spread[1]:.0f}°"
        page.text(left, bands[0][0] - 4.6, note, SMALL, page.theme.muted)
        note = f"{entropy}{places.entropy:.1f} bits · {spread}{places.spread[0]:.1f} × {places.spread[1]:.1f} m"
        page.text(left, bands[2][0] - 4.6, note, SMALL, page.theme.muted)
        _draw_globe(page.axes(*boxes[0]), column, page, boxes[0])
        edges = [VIEW_EDGES, (cells[0], cells[2]), (cells[0], cells[1])]
        for i, (box, grid) in enumerate(zip(boxes[1:], grids, strict=True)):
            axes = page.axes(*box, filled=True)
            _draw_cells(axes, edges[i], grid, tops[i], ramps[number])
            first = number == 0
            if i == 0:
                _view_axes(axes, page, named=first or wide)
            else:
                _position_axes(axes, page, limits, planes[i - 1], named=first or wide)
                _tell_beyond(axes, column.position, limits, planes[i - 1])
    for i, (top, tall) in enumerate(bands[1:]):
        if not (wide and i == 1):
            _draw_bars(page, ramps, tops[i], top, tall)
    if not worded:
        legend = "numbers: entropy · spread (azimuth × elevation, x × z)"
        page.text(EDGE + LABELS, page.height - EDGE, legend, SMALL, page.theme.muted, va="bottom")


def _tell_beyond(axes: Axes, position: np.ndarray, limits: list, plane: tuple[int, int]) -> None:
    """Add to the label of x what share of the poses lies outside the axes, where it is half a percent or more."""
    low, high = np.array([limits[axis] for axis in plane]).T
    inside = ((position[:, list(plane)] >= low) & (position[:, list(plane)] <= high)).all(-1)
    beyond = 100 * (1 - inside.mean())
    if beyond >= 0.5:
        axes.set_xlabel(f"{axes.get_xlabel()} · {beyond:.0f} % beyond", labelpad=1)


def _plane(column: Column, plane: tuple[int, int], cells: list[np.ndarray]) -> np.ndarray:
    return density(column.position[:, list(plane)], (cells[plane[0]], cells[plane[1]]))


def _limits(positions: list[np.ndarray]) -> list[tuple[float, float]]:
    """Shared limits of x, y and z in metres that hold 99 % of every column's positions; z starts at the camera."""
    finite = [p[np.isfinite(p).all(-1)] for p in positions]
    low = np.min([np.percentile(p, 0.5, axis=0) for p in finite], axis=0) - 0.25
    high = np.max([np.percentile(p, 99.5, axis=0) for p in finite], axis=0) + 0.25
    across = np.maximum(np.maximum(-low, high), 0.75)[:2]
    return [(-across[0], across[0]), (-across[1], across[1]), (min(0.0, low[2]), high[2])]


def _draw_cells(axes: Axes, edges: tuple, share: np.ndarray, top: float, colours: LinearSegmentedColormap) -> None:
    """A 2D histogram; empty cells are left out. The square root lets single poses be seen beside crowds."""
    filled = np.argwhere(share > 0)
    low, high = (np.stack([edge[filled[:, axis] + step] for axis, edge in enumerate(edges)], -1) for step in (0, 1))
    corners = np.stack((low, np.stack((high[:, 0], low[:, 1]), -1), high, np.stack((low[:, 0], high[:, 1]), -1)), 1)
    shades = colours(np.sqrt(share[tuple(filled.T)] / max(top, 1e-9)))
    # Edges in the cells' own colour close the hairlines that viewers leave between neighbours.
    axes.add_collection(PolyCollection(corners, facecolors=shades, edgecolors=shades, linewidths=0.15, zorder=2))


def _view_axes(axes: Axes, page: Page, named: bool) -> None:
    style_axes(axes, page.theme)
    axes.set(xlim=(-180, 180), ylim=(-90, 90), xticks=(-180, -90, 0, 90, 180), yticks=(-90, -45, 0, 45, 90))
    axes.set_xticklabels(["back", "right", "front", "left", ""])
    axes.set_xlabel("azimuth", labelpad=1)
    if named:
        axes.set_ylabel("elevation (°)", labelpad=1)
    else:
        axes.set_yticklabels([])


def _position_axes(axes: Axes, page: Page, limits: list, plane: tuple[int, int], named: bool) -> None:
    style_axes(axes, page.theme)
    upright = plane[1]
    axes.set(xlim=limits[0], ylim=limits[upright] if upright == 2 else limits[1][::-1])
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
    axes.set_xlabel("x (m)", labelpad=1)
    # The camera: a mark on its side of the top view, a cross on its axis in the front view.
    camera = {"marker": "^", "markeredgewidth": 0} if upright == 2 else {"marker": "+", "markeredgewidth": 0.7}
    axes.plot([0], [limits[2][0] if upright == 2 else 0], markersize=3.2, color=page.theme.text, clip_on=False,
              zorder=6, **camera)  # fmt: skip
    if named:
        axes.set_ylabel("depth z (m)" if upright == 2 else "y, down (m)", labelpad=1)
    else:
        axes.set_yticklabels([])


def _draw_bars(page: Page, ramps: list, top_share: float, top: float, tall: float) -> None:
    """A bar a column side by side, one scale for all: percent of the poses in a cell."""
    left, each = page.width - EDGE - BAR + 2.2, 2.6 / len(ramps)
    for i, colours in enumerate(ramps):
        axes = page.bar(left + i * each, top, each, tall, colours)
    ticks = np.array([0, 0.25, 1.0])
    places = 0 if top_share > 0.1 else 1
    labels = ["0", *(f"{100 * top_share * tick:.{places}f} %" for tick in ticks[1:])]
    axes.set_yticks(np.sqrt(ticks), labels)
    axes.yaxis.tick_right()
    axes.tick_params(colors=page.theme.muted, labelsize=SMALL - 0.8, length=0, pad=1.5)


def _on_globe(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """(..., 3) right, up, towards the viewer of directions in degrees, front of the body nearly ahead."""
    azimuth, elevation, tilt = np.radians(azimuth + GLOBE_TURN), np.radians(elevation), np.radians(GLOBE_TILT)
    right, up, towards = np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)
    return np.stack(
        (right, np.cos(tilt) * up - np.sin(tilt) * towards, np.sin(tilt) * up + np.cos(tilt) * towards), axis=-1
    )


def _draw_globe(axes: Axes, column: Column, page: Page, box: tuple) -> None:
    """Where cameras stand around the body: near ones solid on a globe, far ones pale behind it."""
    theme = page.theme
    reach = 1.08
    aspect = box[2] / box[3]
    wide = (reach * max(aspect, 1), reach * max(1 / aspect, 1))
    axes.set(xlim=(-wide[0], wide[0]), ylim=(-wide[1], wide[1]))
    ground = panel_colour(theme)
    axes.add_patch(Circle((0, 0), 1, facecolor=ground, edgecolor=mix(theme.line, theme.muted, 0.3), linewidth=0.6))
    turn = np.linspace(-180, 180, 121)
    arcs = [_on_globe(turn, np.full_like(turn, e)) for e in (-60, -30, 0, 30, 60)]
    arcs += [_on_globe(np.full_like(turn, a), turn / 2) for a in range(-180, 180, 45)]
    for near, share in ((False, 0.65), (True, 0.0)):
        pieces = [p for arc in arcs for p in _pieces(arc, near)]
        colour = mix(mix(theme.line, theme.muted, 0.15), ground, share)
        axes.add_collection(LineCollection(pieces, colors=colour, linewidths=0.4, zorder=2), autolim=False)
    for piece in _pieces(_on_globe(turn, 0 * turn), True):
        axes.plot(*piece.T, color=mix(theme.muted, ground, 0.35), linewidth=0.6, zorder=2)
    points = _on_globe(column.view_point[:, 0], column.view_point[:, 1])
    size = np.clip(30 / np.sqrt(len(points)), 0.9, 2.6) * min(box[3] / 32, 1.2)
    near = points[:, 2] > 0
    dots = {"linestyle": "", "marker": "o", "markeredgewidth": 0.25, "markeredgecolor": ground}
    axes.plot(*points[~near, :2].T, color=mix(column.colour, ground, 0.68), markersize=0.8 * size, zorder=3, **dots)
    axes.plot(*points[near, :2].T, color=column.colour, markersize=size, zorder=4, **dots)
    front = _on_globe(np.array(0.0), np.array(0.0))
    axes.plot(*front[:2], marker="+", markersize=3.5, markeredgewidth=0.7, color=theme.text, zorder=5)


def _pieces(arc: np.ndarray, near: bool) -> list[np.ndarray]:
    """The runs of an arc (k, 3) on the near or far half of the globe, as (r, 2)."""
    visible = (arc[:, 2] >= 0) == near
    cuts = np.flatnonzero(np.diff(visible)) + 1
    runs = zip(np.split(arc, cuts), np.split(visible, cuts), strict=True)
    return [run[:, :2] for run, seen in runs if seen[0] and len(run) > 1]
