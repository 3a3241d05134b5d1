"""Bodies as vectors: rounded limbs sorted by depth, ghosts, ground and shadow, and 2D projections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from poseaug_core.export.page import panel_colour
from poseaug_core.palette import Theme, mix
from poseaug_core.skeleton import HUMAN16, Skeleton

#: Radii of a limb at its parent and child joint, metres, by the child's name without its side.
RADII = {
    "hip": (0.062, 0.062), "knee": (0.062, 0.046), "ankle": (0.046, 0.028), "spine": (0.070, 0.076),
    "thorax": (0.076, 0.060), "head": (0.036, 0.036), "shoulder": (0.052, 0.045), "elbow": (0.045, 0.034),
    "wrist": (0.034, 0.023),
}  # fmt: skip
PLAIN = (0.04, 0.04)
HEAD_RADIUS = 0.085
GROUND_RADIUS, GROUND_STEP = 0.75, 0.25  # metres


@dataclass(frozen=True)
class View:
    """From where a body is looked at: degrees to the side of the camera's own view and above it."""

    azimuth: float = 24.0
    elevation: float = 13.0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera-frame points as (..., 3) right, up, towards the viewer, in metres."""
        azimuth, elevation = np.radians((self.azimuth, self.elevation))
        right, up, towards = points[..., 0], -points[..., 1], -points[..., 2]
        right, towards = (
            np.cos(azimuth) * right + np.sin(azimuth) * towards,
            np.cos(azimuth) * towards - np.sin(azimuth) * right,
        )
        up, towards = (
            np.cos(elevation) * up - np.sin(elevation) * towards,
            np.cos(elevation) * towards + np.sin(elevation) * up,
        )
        return np.stack((right, up, towards), axis=-1)


def capsule(a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float, corners: int = 9) -> np.ndarray:
    """(k, 2) outline of the hull of two circles in the plane."""
    axis = b - a
    length = float(np.hypot(*axis))
    if length <= abs(radius_a - radius_b) + 1e-6:
        centre, radius = (a, radius_a) if radius_a >= radius_b else (b, radius_b)
        angle = np.linspace(0, 2 * np.pi, 2 * corners, endpoint=False)
        return centre + radius * np.stack((np.cos(angle), np.sin(angle)), -1)
    heading = np.arctan2(axis[1], axis[0])
    open_angle = np.arccos((radius_a - radius_b) / length)
    around_a = np.linspace(heading + open_angle, heading + 2 * np.pi - open_angle, corners)
    around_b = np.linspace(heading - open_angle, heading + open_angle, corners)
    circle = lambda centre, radius, angle: centre + radius * np.stack((np.cos(angle), np.sin(angle)), -1)  # noqa: E731
    return np.concatenate((circle(a, radius_a, around_a), circle(b, radius_b, around_b)))


def _limbs(xyz: np.ndarray, skeleton: Skeleton) -> list[tuple[np.ndarray, np.ndarray, float, float, str]]:
    """(start, end, radius, radius, part) of each thing to draw; the head is a limb of its own."""
    limbs = []
    for bone, (parent, child) in enumerate(skeleton.edges):
        name, part = skeleton.names[child], skeleton.paint[bone]
        a, b = xyz[parent], xyz[child]
        if name == "head":
            # The joint is the crown: a neck up to the skull, and the skull below the crown.
            limbs.append((a + 0.5 * (b - a), b - 0.25 * (b - a), HEAD_RADIUS * 0.8, HEAD_RADIUS, part))
            b = a + 0.5 * (b - a)
        limbs.append((a, b, *RADII.get(name.split()[-1], PLAIN), part))
    return limbs


def draw_body(axes: Axes, xyz: np.ndarray, view: View, theme: Theme, skeleton: Skeleton = HUMAN16, zorder: float = 5):
    """A body with limbs in their parts' colours; xyz (16, 3) metres, camera frame, root-relative or not.

    Farther limbs are drawn first and paler. Every limb is lit from above left by two lighter strokes.
    """
    ground = panel_colour(theme)
    limbs = _limbs(xyz, skeleton)
    depths = np.array([view(np.stack(limb[:2]))[:, 2].mean() for limb in limbs])
    nearness = (depths - depths.min()) / max(np.ptp(depths), 0.3)
    seam = float(np.clip(0.007 * 72 * axes.bbox.height / axes.figure.dpi, 0.25, 0.7))
    for order in np.argsort(depths):
        a, b, radius_a, radius_b, part = limbs[order]
        start, end = view(a)[:2], view(b)[:2]
        colour = mix(theme.parts[part], ground, 0.32 * (1 - nearness[order]))
        light = np.array([-0.25, 0.30])
        shades = ((1.0, mix(colour, "#000000", 0.16)), (0.72, colour), (0.30, mix(colour, "#ffffff", 0.22)))
        for size, shade in shades:
            shift_a, shift_b = (1 - size) * radius_a * light, (1 - size) * radius_b * light
            outline = capsule(start + shift_a, end + shift_b, radius_a * size, radius_b * size)
            edge = {"edgecolors": ground, "linewidths": seam} if size == 1.0 else {"linewidths": 0}
            axes.add_collection(
                PolyCollection([outline], facecolors=shade, zorder=zorder + 0.01 * (depths[order] + 5), **edge),
                autolim=False,
            )


def draw_ghost(
    axes: Axes, xyz: np.ndarray, view: View, theme: Theme, colour: str, skeleton: Skeleton = HUMAN16, zorder: float = 4
) -> None:
    """A slimmer body in one pale colour, behind the body; no transparency, so crossings do not darken."""
    shapes = [capsule(view(a)[:2], view(b)[:2], 0.62 * ra, 0.62 * rb) for a, b, ra, rb, _ in _limbs(xyz, skeleton)]
    pale = mix(colour, panel_colour(theme), 0.6)
    axes.add_collection(PolyCollection(shapes, facecolors=pale, linewidths=0, zorder=zorder), autolim=False)


def draw_ground(
    axes: Axes, xyz: np.ndarray, view: View, theme: Theme, rotation: np.ndarray | None = None, skeleton=HUMAN16
) -> None:
    """A disc of floor with a grid under the body and the body's shadow on it.

    rotation (3, 3): how the floor is turned against the camera's horizon (a rotated pose keeps its floor).
    """
    rotation = np.eye(3) if rotation is None else rotation
    upright = (xyz - xyz[0]) @ rotation  # as it stood before the rotation
    floor = float(upright[:, 1].max()) + 0.03
    centre = np.array([upright[:, 0].mean(), floor, upright[:, 2].mean()])
    place = lambda flat: view((centre + flat) @ rotation.T + xyz[0])[..., :2]  # noqa: E731
    angle = np.linspace(0, 2 * np.pi, 73)
    ring = GROUND_RADIUS * np.stack((np.cos(angle), 0 * angle, np.sin(angle)), -1)
    disc = mix(panel_colour(theme), theme.line, 0.40)
    axes.add_collection(PolyCollection([place(ring)], facecolors=disc, linewidths=0, zorder=1), autolim=False)
    lines = []
    for offset in np.arange(-GROUND_RADIUS + GROUND_STEP, GROUND_RADIUS - 1e-6, GROUND_STEP):
        reach = np.sqrt(GROUND_RADIUS**2 - offset**2)
        ends = np.array([[offset, 0, -reach], [offset, 0, reach]])
        lines += [place(ends), place(ends[:, ::-1])]
    grid = mix(panel_colour(theme), theme.line, 0.95)
    axes.add_collection(LineCollection(lines, colors=grid, linewidths=0.35, zorder=2), autolim=False)
    flat = upright * (1, 0, 1) - centre * (1, 0, 1)
    shade = mix(theme.line, theme.muted, 0.18) if theme.name == "light" else mix(theme.background, theme.line, 0.25)
    edges = [(place(flat[p]), place(flat[c])) for p, c in skeleton.edges]
    shadow = [capsule(a, b, 0.032, 0.032) for a, b in edges]
    axes.add_collection(PolyCollection(shadow, facecolors=shade, linewidths=0, zorder=3), autolim=False)


def draw_projection(axes: Axes, uv: np.ndarray, theme: Theme, skeleton: Skeleton = HUMAN16, width: float = 1.3) -> None:
    """2D joints (16, 2) in the image, whose width is [-1, 1]; the image border is the axes' frame."""
    points = uv * (1, -1)
    segments = [points[list(edge)] for edge in skeleton.edges]
    colours = [theme.parts[part] for part in skeleton.paint]
    axes.add_collection(
        LineCollection(segments, colors=colours, linewidths=width, capstyle="round", zorder=4), autolim=False
    )
    axes.plot(*points.T, "o", markersize=0.8 * width, markeredgewidth=0, color=theme.text, zorder=5)
    axes.set(xlim=(-1, 1), ylim=(-1, 1))
    axes.spines[:].set(visible=True, color=mix(theme.line, theme.muted, 0.5), linewidth=0.6)
    cross = {"color": mix(theme.line, panel_colour(theme), 0.3), "linewidth": 0.4, "zorder": 1}
    axes.axhline(0, **cross)
    axes.axvline(0, **cross)


def frame(axes: Axes, clouds: list[np.ndarray], view: View, height: float, aspect: float) -> None:
    """Show ``height`` metres, ``aspect`` times as wide, centred on the (k, 3) points of the clouds."""
    seen = view(np.concatenate(clouds))[:, :2]
    x, y = (seen.min(0) + seen.max(0)) / 2
    axes.set(xlim=(x - height * aspect / 2, x + height * aspect / 2), ylim=(y - height / 2, y + height / 2))


def alignment(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(3, 3) rotation that best turns root-relative source joints onto target (Kabsch)."""
    u, _, vt = np.linalg.svd(np.asarray(target, float).T @ np.asarray(source, float))
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
