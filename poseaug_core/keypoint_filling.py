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
    first, stop, _ = counted.indices(len(xy))
    lost = np.isnan(xy[first:stop, :, 0]).sum()
    counts = {}
    if frames:
        _from_time(xy)
    rows = np.flatnonzero(np.isnan(xy[..., 0]).any(1))
    own, some = (rows >= first) & (rows < stop), xy[rows]
    for means, act in (
        ("neighbouring frames", lambda some: None),
        ("the trunk", _trunk),
        ("the other side", _from_mirror),
        ("the joints above", _from_parents),
    ):
        act(some)
        left = np.isnan(some[own, :, 0]).sum()
        if filled := int(lost - left):
            counts[means] = filled
        lost = left
    xy[rows] = some
    return counts


def enough(xy: np.ndarray) -> np.ndarray:
    """(n,) whether a person shows FEWEST joints, and two of the trunk, so that the rest can be filled in."""
    there = ~np.isnan(xy[..., 0])
    trunk = there[:, [J[name] for name in ("pelvis", "thorax", "spine", "left hip", "right hip", "left shoulder",
                                           "right shoulder")]]  # fmt: skip
    return (there.sum(1) >= FEWEST) & (trunk.sum(1) >= 2)


def _from_time(xy: np.ndarray) -> None:
    """Straight from the frame before a gap to the one after it, where the frames show one person moving."""
    joint, row = np.nonzero(~np.isnan(xy[..., 0]).T)
    length = np.where(np.diff(joint) == 0, np.diff(row), 0)
    if not (gaps := (length > 1) & (length <= LONGEST_GAP + 1)).any():
        return
    steps = np.linalg.norm(np.diff(xy, axis=0), axis=-1)
    low, high = over_joints(np.fmin, xy), over_joints(np.fmax, xy)
    for frames in np.unique(length[gaps]).tolist():
        which = np.flatnonzero(length == frames)
        before, lost = row[which], joint[which]
        rows = before[:, None] + np.arange(frames + 1)
        extent = high[rows].max(1) - low[rows].min(1)
        goes_on = _usual_step(steps[rows[:, :-1]]) < SAME_PERSON * np.linalg.norm(extent, axis=-1)
        rows, lost = rows[goes_on], lost[goes_on]
        share = (np.arange(1, frames) / frames)[:, None]
        start, end = xy[rows[:, 0], lost][:, None], xy[rows[:, -1], lost][:, None]
        xy[rows[:, 1:-1], lost[:, None]] = (1 - share) * start + share * end


def over_joints(act: np.ufunc, xy: np.ndarray) -> np.ndarray:
    """(n, 2) of xy (n, 16, 2): act.reduce over the joints, by halves, as NumPy is slow along short axes."""
    while xy.shape[1] > 1:
        half = xy.shape[1] // 2
        xy = act(xy[:, :half], xy[:, half:])
    return xy[:, 0]


def _usual_step(steps: np.ndarray) -> np.ndarray:
    """(g,) medians of how far joints move from frame to frame (g, frames, 16), NaN where they are missing; infinite
    where two neighbouring frames share no joint."""
    shared = ~np.isnan(steps)
    count = shared.sum((1, 2))
    ordered = np.sort(steps.reshape(len(steps), -1), axis=1)  # NaN comes last
    middle = np.arange(len(steps)), (count - 1) // 2, count // 2
    median = (ordered[middle[0], middle[1]] + ordered[middle[0], middle[2]]) / 2
    return np.where(shared.any(2).all(1), median, np.inf)


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
