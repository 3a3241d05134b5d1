"""What a 3D view shows, as tubes and balls in the display frame: one description, two painters.

Display frame: x right, y away from the lab camera, z up, metres, the pelvis at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np

from poseaug_core.skeleton import Skeleton
from poseaug_core.snapshot import STAGES, Snapshot
from poseaug_studio.camera_link import HALF_HEIGHT, HALF_WIDTH, Framing
from poseaug_studio.theme import Theme

#: Joint radii in metres by the last word of a joint's name: what reads as a body without hiding its bones.
RADII = {
    "pelvis": 0.056, "hip": 0.056, "knee": 0.048, "ankle": 0.037, "spine": 0.054, "thorax": 0.052,
    "head": 0.098, "shoulder": 0.047, "elbow": 0.038, "wrist": 0.031,
}  # fmt: skip
DEFAULT_RADIUS = 0.04
GHOST_RADIUS, WIRE_RADIUS = 0.019, 0.0075
#: Where the camera glyph stands in the RT view unless true positions are shown, metres from the pelvis.
GLYPH_DISTANCE = 0.98
GROUND_HALF = 1.3
SHADOW_CELLS = 56
COLOURINGS = ("part", "score", "stage")


@dataclass(frozen=True)
class Solid:
    """Tubes start, end (t, 3), radii (t, 2), colours (t, 3); balls centre (b, 3), radius (b,), colour (b, 3); alpha."""

    start: np.ndarray
    end: np.ndarray
    radii: np.ndarray
    colour: np.ndarray
    centre: np.ndarray
    ball_radius: np.ndarray
    ball_colour: np.ndarray
    alpha: float = 1.0


@dataclass(frozen=True)
class StageFigure:
    """A stage's picture: the body, translucent ghosts, its joints (j, 3) for picking, ground height and framing."""

    stage: str
    body: Solid
    ghosts: tuple[Solid, ...]
    joints: np.ndarray
    ground: float
    framing: Framing

    @cached_property
    def shadow(self) -> np.ndarray:
        """(SHADOW_CELLS, SHADOW_CELLS) float32 darkness 0..1, rows along y, columns along x, about the pelvis."""
        return contact_shadow(self.body, self.ground, self.joints[0, :2])


@dataclass(frozen=True)
class Look:
    """How bodies are drawn.

    colouring: one of COLOURINGS. part: the part emphasised, or ''. ghost: show the stage before.
    estimate: show the estimator's pose. true_position: RT stands where it is before the camera.
    """

    colouring: str = "part"
    part: str = ""
    ghost: bool = True
    estimate: bool = False
    true_position: bool = False


def same(a: StageFigure, b: StageFigure) -> bool:
    """Whether two figures look the same."""
    solids = zip((a.body, *a.ghosts), (b.body, *b.ghosts), strict=False)
    return (
        (a.stage, a.ground, a.framing, len(a.ghosts)) == (b.stage, b.ground, b.framing, len(b.ghosts))
        and np.array_equal(a.joints, b.joints)
        and all(np.array_equal(getattr(x, f.name), getattr(y, f.name)) for x, y in solids for f in fields(Solid))
    )


def rgb(colour: str) -> np.ndarray:
    """(3,) floats 0..1 of '#rrggbb'."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def mix(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """share of b in a."""
    return a + (b - a) * share


def upright(xyz: np.ndarray) -> np.ndarray:
    """Camera frame (x right, y down, z forward) to the display frame (x right, y away, z up)."""
    return np.stack((xyz[..., 0], xyz[..., 2], -xyz[..., 1]), axis=-1)


@lru_cache(maxsize=8)
def score_colours(name: str, dark: bool) -> np.ndarray:
    """(256, 3) colours from implausible to real: the part of the map that stands out from the background."""
    from pyqtgraph import colormap

    low, high = (0.16, 1.0) if dark else (0.0, 0.93)
    return colormap.get(name).map(np.linspace(low, high, 256), mode="float")[:, :3]


def part_scores(snapshot: Snapshot, row: int, stage: str) -> np.ndarray:
    """(p,) part-aware scores of a stage. Lengths and rigid moves leave a KCS score as it is: BL and RT show BA's."""
    return snapshot.scores3d[0 if stage == "original" else 1, row]


def bone_scores(snapshot: Snapshot, row: int, stage: str, skeleton: Skeleton) -> np.ndarray:
    """(j-1,) score of the part that each bone belongs to; NaN for bones that nothing judges."""
    by_part = dict(zip(skeleton.parts, part_scores(snapshot, row, stage).tolist(), strict=False))
    return np.array([by_part.get(part, np.nan) for part in skeleton.part_of_bone])


def limb_colours(
    snapshot: Snapshot, row: int, stage: str, skeleton: Skeleton, theme: Theme, look: Look
) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the bones (j-1, 3) and of the joints (j, 3). Scores that nothing gives leave the stage's colour."""
    if look.colouring == "score" and skeleton.parts:
        table = score_colours(theme.score_map, theme.name == "dark")
        scores = bone_scores(snapshot, row, stage, skeleton)
        bones = table[(np.nan_to_num(scores).clip(0, 1) * 255).astype(int)]
        bones[np.isnan(scores)] = rgb(theme.muted)
    elif look.colouring == "part":
        bones = np.stack([rgb(theme.parts[part]) for part in skeleton.paint])
    else:
        bones = np.tile(rgb(theme.stage(stage)), (skeleton.bone_count, 1))
    chosen = np.array([part == look.part for part in skeleton.part_of_bone])
    root = skeleton.names.index("spine") - 1
    joints = mix(bones[[root, *range(len(bones))]], rgb("#ffffff" if theme.name == "dark" else "#10161d"), 0.16)
    if look.part:
        quiet = mix(rgb(theme.surface), rgb(theme.muted), 0.38)
        bones = np.where(chosen[:, None], bones, mix(bones, quiet, 0.86))
        chosen = chosen[[root, *range(len(chosen))]]
        joints = np.where(chosen[:, None], joints, mix(joints, quiet, 0.86))
    return bones, joints


def body(joints: np.ndarray, bones: np.ndarray, balls: np.ndarray, skeleton: Skeleton) -> Solid:
    """A person of tapered limbs and round joints, the head larger."""
    radius = np.array([RADII.get(name.split()[-1], DEFAULT_RADIUS) for name in skeleton.names])
    limb = 0.8 * np.minimum(radius, 0.056)
    parents, children = skeleton.edges.T
    return Solid(
        joints[parents], joints[children], np.stack((limb[parents], limb[children]), 1), bones, joints, radius, balls
    )


def ghost(joints: np.ndarray, colour: np.ndarray, skeleton: Skeleton, alpha: float) -> Solid:
    """A thin translucent person of one colour."""
    parents, children = skeleton.edges.T
    radius = np.full(len(joints), GHOST_RADIUS)
    radius[[name.split()[-1] == "head" for name in skeleton.names]] *= 2.6
    return Solid(
        joints[parents], joints[children], np.full((len(parents), 2), GHOST_RADIUS),
        np.tile(colour, (len(parents), 1)), joints, radius, np.tile(colour, (len(joints), 1)), alpha,
    )  # fmt: skip


def ghost_colour(index: int, theme: Theme, look: Look) -> np.ndarray:
    """(3,) accent of the stage before the index-th; grey beside scores, whose colours it must not tint."""
    return rgb(theme.muted if look.colouring == "score" else theme.stage(STAGES[index - 1]))


def camera_glyph(apex: np.ndarray, pelvis: np.ndarray, size: float, colour: np.ndarray, dashes: int) -> Solid:
    """The lab camera as a wire pyramid that looks along +y of the display frame, and its dashed line to the pelvis."""
    width, height, depth = 0.5 * size, 0.36 * size, 0.62 * size
    signs = np.array([(-1, 1, -1), (1, 1, -1), (1, 1, 1), (-1, 1, 1)])
    corners = apex + signs * (width, depth, height)
    top = apex + np.array((0, depth, height * 1.45))
    pairs = [(apex, c) for c in corners] + list(zip(corners, np.roll(corners, -1, axis=0), strict=True))
    pairs += [(corners[3], top), (corners[2], top)]
    t = np.linspace(0.0, 1.0, 2 * dashes + 2)
    pairs += [(mix(apex, pelvis, t[i]), mix(apex, pelvis, t[i + 1])) for i in range(1, 2 * dashes, 2)]
    start, end = (np.stack(side) for side in zip(*pairs, strict=True))
    wire = WIRE_RADIUS * max(1.0, size / 0.3)
    return Solid(
        start, end, np.full((len(pairs), 2), wire), np.tile(colour, (len(pairs), 1)),
        np.vstack((apex[None], corners)), np.full(5, wire), np.tile(colour, (5, 1)), 0.75,
    )  # fmt: skip


def contact_shadow(solid: Solid, ground: float, centre: np.ndarray) -> np.ndarray:
    """Soft shadow on the ground: points along each tube darken what lies under them, the more the nearer they are."""
    share = np.array((0.0, 0.33, 0.67, 1.0))[:, None, None]
    points = (solid.start + share * (solid.end - solid.start)).reshape(-1, 3) - (*centre, ground)
    spread = 0.055 + 0.2 * np.maximum(points[:, 2], 0)
    cells = np.linspace(-GROUND_HALF, GROUND_HALF, SHADOW_CELLS)
    along_x = np.exp(-((cells - points[:, :1]) ** 2) / (2 * spread[:, None] ** 2))
    along_y = np.exp(-((cells - points[:, 1:2]) ** 2) / (2 * spread[:, None] ** 2))
    depth = along_y.T @ (along_x * (0.34 * (0.055 / spread) ** 1.2)[:, None])
    return (1 - np.exp(-depth)).astype(np.float32)


def person_framing(centred: np.ndarray) -> Framing:
    """Where to look so that stages (4, j, 3) about their pelvis fit: the middle of the original, which never moves.

    The scale goes in steps, so that it does not swim while a run is watched.
    """
    low, high = centred[0, :, 2].min(), centred[0, :, 2].max() + RADII["head"]
    middle = float((low + high) / 2)
    tall = np.abs(centred[..., 2] - middle).max() + 0.1
    wide = 1.05 * np.linalg.norm(centred[..., :2], axis=-1).max()  # from wherever it is looked at
    steps = [
        float(max(1.0, np.ceil(10 * need / room) / 10)) for need, room in ((tall, HALF_HEIGHT), (wide, HALF_WIDTH))
    ]
    return Framing((0.0, 0.0, middle), *steps)


def compose(snapshot: Snapshot, row: int, skeleton: Skeleton, theme: Theme, look: Look) -> tuple[StageFigure, ...]:
    """The four stages of a probe pose, ready for a painter. Pure."""
    # A run that has gone wrong is shown collapsed, not by an exception.
    poses = upright(np.nan_to_num(snapshot.xyz[:, row].astype(np.float64)))
    roots = poses[:, :1].copy()
    centred = poses - roots
    accent = {stage: rgb(theme.stage(stage)) for stage in STAGES}
    shared = person_framing(centred)
    figures = []
    for index, stage in enumerate(STAGES):
        moved = stage == "rt" and look.true_position
        place = roots[index] if moved else np.zeros((1, 3))
        joints = centred[index] + place
        ghosts, framing = [], shared
        if index and look.ghost:
            before = centred[index - 1] + (roots[index - 1] if moved else 0)
            ghosts.append(ghost(before, ghost_colour(index, theme, look), skeleton, 0.22 if look.part else 0.45))
        if look.estimate and stage in ("original", "rt"):
            answer = upright(snapshot.prediction[0 if stage == "original" else 1, row].astype(np.float64)) + place
            ghosts.append(ghost(answer, rgb(theme.accent), skeleton, 0.75))
        if stage == "rt":
            distance = float(np.linalg.norm(roots[index]))
            if moved:
                framing = Framing(tuple(joints[0] / 2 + [0, 0, -0.1]), 0.5 * distance + 0.75)
                ghosts.append(camera_glyph(np.zeros(3), joints[0], 0.75, accent[stage], max(2, round(4 * distance))))
            elif distance > 0:
                apex = -roots[index, 0] / distance * GLYPH_DISTANCE
                ghosts.append(camera_glyph(apex, joints[0], 0.3, accent[stage], 5))
        bones, balls = limb_colours(snapshot, row, stage, skeleton, theme, look)
        solid = body(joints, bones, balls, skeleton)
        ground = float(joints[:, 2].min() - RADII["ankle"])
        figures.append(StageFigure(stage, solid, tuple(ghosts), joints, ground, framing))
    return tuple(figures)


def pick_bone(joints: np.ndarray, skeleton: Skeleton, x: float, y: float, reach: float) -> int | None:
    """The bone nearest to (x, y) among joints (j, 3) of pixels and depth, the nearer one of those within reach."""
    parents, children = skeleton.edges.T
    a, b = joints[parents], joints[children]
    along = (b - a)[:, :2]
    t = (((np.array((x, y)) - a[:, :2]) * along).sum(1) / ((along**2).sum(1) + 1e-9)).clip(0, 1)
    distance = np.hypot(*((a[:, :2] + t[:, None] * along) - (x, y)).T)
    depth = a[:, 2] + t * (b - a)[:, 2]
    near = np.flatnonzero(distance <= reach)
    if not len(near):
        return None
    return int(near[np.argmin(distance[near] / reach + 2.0 * (depth[near] - depth[near].min()))])
