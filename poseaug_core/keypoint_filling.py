"""Joints that a detector did not find, filled in from neighbouring frames, the other side of the body, or the trunk."""

from __future__ import annotations

import numpy as np

from poseaug_core.keypoint_maps import HEAD_BEYOND_TRUNK, SHARES
from poseaug_core.skeleton import HUMAN16

#: Frames that a gap may last to be bridged in time.
LONGEST_GAP = 10
#: Rows beside a row on which its filling depends.
BESIDE = LONGEST_GAP + 1
#: Two frames show the same person going on where its joints have moved by less than this share of its extent.
SAME_PERSON = 0.25
#: Joints of which a person must show so many, or it is left out.
FEWEST = 6
J = {name: number for number, name in enumerate(HUMAN16.names)}


def fill(xy: np.ndarray, frames: bool, counted: slice = slice(None)) -> dict[str, int]:
    """Fill the NaN of xy (n, 16, 2), y down, in place, and count what gave how many: {'neighbouring frames': 3, ...}.

    frames: whether rows are frames, one after the other, so that those which show the same person are one motion.
    counted: rows that count; a part of a long motion needs BESIDE rows on each side to be filled as in the whole.
    Each row needs FEWEST joints, a shoulder and a hip or a second joint of the trunk for a sensible result.
    """
    counts = {}
    lost = lambda: int(np.isnan(xy[counted, :, 0]).sum())  # noqa: E731
    for means, act in (
        ("neighbouring frames", lambda: _from_time(xy) if frames else None),
        ("the trunk", lambda: _trunk(xy)),
        ("the other side", lambda: _from_mirror(xy)),
        ("the joints above", lambda: _from_parents(xy)),
    ):
        before = lost()
        act()
        if filled := before - lost():
            counts[means] = filled
    return counts


def enough(xy: np.ndarray) -> np.ndarray:
    """(n,) whether a person shows FEWEST joints, and two of the trunk, so that the rest can be filled in."""
    there = ~np.isnan(xy[..., 0])
    trunk = there[:, [J[name] for name in ("pelvis", "thorax", "spine", "left hip", "right hip", "left shoulder",
                                           "right shoulder")]]  # fmt: skip
    return (there.sum(1) >= FEWEST) & (trunk.sum(1) >= 2)


def _from_time(xy: np.ndarray) -> None:
    """Straight from the frame before a gap to the one after it."""
    whole = xy.copy()
    for joint in range(16):
        there = np.flatnonzero(~np.isnan(whole[:, joint, 0]))
        apart = np.diff(there)
        gaps = np.flatnonzero((apart > 1) & (apart <= LONGEST_GAP + 1))
        for before, after in zip(there[gaps], there[gaps + 1], strict=True):
            if _goes_on(whole[before : after + 1]):
                share = (np.arange(1, after - before) / (after - before))[:, None]
                xy[before + 1 : after, joint] = (1 - share) * whole[before, joint] + share * whole[after, joint]


def _goes_on(rows: np.ndarray) -> bool:
    """Whether neighbouring rows (m, 16, 2) show one person moving."""
    extent = np.nanmax(rows, axis=(0, 1)) - np.nanmin(rows, axis=(0, 1))
    moved = np.linalg.norm(np.diff(rows, axis=0), axis=-1)
    shared = ~np.isnan(moved)
    return bool(shared.any(1).all() and np.nanmedian(moved) < SAME_PERSON * np.linalg.norm(extent))


def _trunk(xy: np.ndarray) -> None:
    """Pelvis, thorax, spine, hips, shoulders and head, from those of them that are there."""
    put = lambda name, value: _put(xy, J[name], value)  # noqa: E731
    at = lambda name: xy[:, J[name]]  # noqa: E731
    for end, pair in (("pelvis", "hip"), ("thorax", "shoulder")):
        for side, other in (("left", "right"), ("right", "left")):
            put(f"{side} {pair}", 2 * at(end) - at(f"{other} {pair}"))
    # One hip or shoulder alone: the other end of the trunk tells which way the body is turned.
    for end, pair, far in (("pelvis", "hip", "shoulder"), ("thorax", "shoulder", "hip")):
        across = (at(f"left {far}") - at(f"right {far}")) / 2 * (SHARES[pair] / SHARES[far])
        put(end, at(f"left {pair}") - across)
        put(end, at(f"right {pair}") + across)
        put(end, at(f"left {pair}"))
        put(end, at(f"right {pair}"))
    width = np.linalg.norm(at("left shoulder") - at("right shoulder"), axis=-1)
    reach = np.nan_to_num(np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1)).max(1) / 2
    down = np.stack((np.zeros(len(xy)), np.fmax(1.6 * width, 0.5 * reach)), axis=-1)
    put("thorax", 2 * at("spine") - at("pelvis"))
    put("pelvis", 2 * at("spine") - at("thorax"))
    put("pelvis", at("thorax") + down)
    put("thorax", at("pelvis") - down)
    put("spine", (at("pelvis") + at("thorax")) / 2)
    for pair, end, far, away in (("hip", "pelvis", "shoulder", "thorax"), ("shoulder", "thorax", "hip", "pelvis")):
        for side in ("left", "right"):
            put(f"{side} {pair}", at(end) + (at(f"{side} {far}") - at(away)) * (SHARES[pair] / SHARES[far]))
            put(f"{side} {pair}", at(end))
    put("head", at("thorax") + HEAD_BEYOND_TRUNK * (at("thorax") - at("pelvis")))


def _from_mirror(xy: np.ndarray) -> None:
    """A limb beside the one that is there: the bone of the other side, moved over."""
    for joint, parent in enumerate(HUMAN16.parents):
        twin = HUMAN16.mirror[joint]
        if parent > 0 and twin != joint:
            _put(xy, joint, xy[:, parent] + xy[:, twin] - xy[:, HUMAN16.parents[twin]])


def _from_parents(xy: np.ndarray) -> None:
    """Limbs that hang down along the trunk where neither side was found."""
    trunk = xy[:, J["pelvis"]] - xy[:, J["thorax"]]
    for joint, parent in enumerate(HUMAN16.parents):
        name = HUMAN16.names[joint].split()[-1]
        if name in ("knee", "ankle", "elbow", "wrist"):
            _put(xy, joint, xy[:, parent] + SHARES[name] * trunk)


def _put(xy: np.ndarray, joint: int, value: np.ndarray) -> None:
    """The value (n, 2) where the joint is missing and the value is not."""
    missing = np.isnan(xy[:, joint, 0])
    xy[missing, joint] = value[missing]
