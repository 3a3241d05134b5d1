"""The BVH format itself: hierarchy, motion numbers, and forward kinematics over all frames at once.

Any channel order, any subset of the six channels on any joint, End Sites. Positions are left in the
file's own unit and axes; what the joints mean is bvh_names' business.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.turning import rotations
from poseaug_core.readers.limits import require_room
from poseaug_core.units import ANGLE, FRAME_TIME, OFFSET, POSITION, require

#: Bytes of memory that a byte of the file takes while its numbers are told apart.
EXPANDED = 12
_CHANNELS = {f"{axis}{kind}": (kind, "xyz".index(axis)) for axis in "xyz" for kind in ("position", "rotation")}


@dataclass(frozen=True)
class Hierarchy:
    """Joints in file order, End Sites among them (named '' and without channels).

    parents: -1 for a root. offsets: (joints, 3). channels: of each joint, (kind, axis) in file order.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    channels: tuple[tuple[tuple[str, int], ...], ...]

    @property
    def channel_count(self) -> int:
        return sum(map(len, self.channels))

    def with_ancestors(self, wanted) -> list[int]:
        """The joints wanted and all above them, parents first."""
        needed = set()
        for joint in wanted:
            while joint >= 0 and joint not in needed:
                needed.add(joint)
                joint = self.parents[joint]
        return sorted(needed)


@dataclass(frozen=True)
class Motion:
    """values: (frames kept, channels) float64; fps: of the frames kept; step: every step-th was kept."""

    values: np.ndarray
    fps: float
    step: int


def parse(path: Path, fps: float | None) -> tuple[Hierarchy, Motion]:
    """The hierarchy and the motion, thinned to about ``fps`` frames a second (None keeps all).

    Frames that are not kept are counted but not decoded. Raises UserError for anything that is not a
    complete BVH file.
    """
    try:
        size = path.stat().st_size
        require_room(path, EXPANDED * size, size)
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the name and the folder.") from None
    except PermissionError:
        raise UserError(f"{path} may not be read by this user; change its permissions (chmod u+r).") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; copy it again.") from None
    head, found, tail = data.partition(b"MOTION")
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").upper().startswith(b"HIERARCHY"):
        raise UserError(f"{path} is not a BVH file (it begins with {data[:12]!r}, not HIERARCHY).")
    if not found:
        raise UserError(f"{path} has no MOTION section, it is cut short; copy or export it again.")
    hierarchy = _hierarchy(head.decode("utf-8-sig", "replace"), path)
    motion = _motion(tail, hierarchy.channel_count, fps, path)
    moves = np.array([kind == "position" for channels in hierarchy.channels for kind, _ in channels])
    for bound, columns in ((POSITION, moves), (ANGLE, ~moves)):
        require(bound, motion.values[:, columns], path, "frame", "frames", range(0, 1 << 62, motion.step))
    return hierarchy, motion


def _hierarchy(text: str, path: Path) -> Hierarchy:
    names, parents, offsets, channels = [], [], [], []
    open_joints: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        # Taken from the left one by one, which a list would do in a time that grows with the square of a long line.
        words = deque(line.replace("{", " { ").replace("}", " } ").split())
        while words:
            key = words.popleft()
            try:
                if key == "HIERARCHY":
                    continue
                if key in ("ROOT", "JOINT", "End"):
                    label = _label(words)
                    names.append("" if key == "End" else label)
                    parents.append(open_joints[-1] if key != "ROOT" else -1)
                    offsets.append((0.0, 0.0, 0.0))
                    channels.append(())
                elif key == "{":
                    open_joints.append(len(names) - 1)
                elif key == "}":
                    open_joints.pop()
                elif key == "OFFSET":
                    offsets[-1] = tuple(float(words.popleft()) for _ in range(3))
                elif key == "CHANNELS":
                    channels[-1] = tuple(_CHANNELS[words.popleft().lower()] for _ in range(int(words.popleft())))
                else:
                    raise ValueError(key)
            except (ValueError, KeyError, IndexError):
                raise UserError(
                    f"{path}: line {number} of the hierarchy, '{line.strip()[:60]}', cannot be understood; "
                    "export the file again as BVH."
                ) from None
    if open_joints or not names:
        raise UserError(f"{path}: the hierarchy leaves {len(open_joints)} braces open; export the file again as BVH.")
    offsets = np.array(offsets)
    if not np.isfinite(offsets).all():
        raise UserError(f"{path}: an OFFSET is NaN or infinite; export the file again as BVH.")
    require(OFFSET, offsets, path, "joint", "joints")
    return Hierarchy(tuple(names), tuple(parents), offsets, tuple(channels))


def _label(words: deque[str]) -> str:
    """A joint's name, which may hold spaces, taken from words."""
    name = []
    while words and words[0] != "{":
        name.append(words.popleft())
    return " ".join(name)


def _motion(tail: bytes, channel_count: int, fps: float | None, path: Path) -> Motion:
    lines = [line for line in tail.splitlines() if line and not line.isspace()]
    try:
        frames = int(lines[0].split(b":")[1])
        frame_time = float(lines[1].split(b":")[1])
    except (ValueError, IndexError):
        raise UserError(f"{path}: MOTION lacks 'Frames:' and 'Frame Time:'; export the file again as BVH.") from None
    rows = lines[2:]
    if not FRAME_TIME.holds(frame_time):
        raise UserError(f"{path}: Frame Time is {frame_time} s, expected 0.00001 to 10; {FRAME_TIME.remedy}.")
    if channel_count < 1:
        raise UserError(f"{path}: its joints have 0 channels, so nothing moves; export the file again as BVH.")
    if frames < 1:
        raise UserError(f"{path}: there are {frames} frames in it, at least 1 is needed.")
    step = max(1, round(1 / frame_time / fps)) if fps else 1
    try:
        if len(rows) == frames:
            values = np.array(b" ".join(rows[::step]).split(), dtype=np.float64)
            expected = len(range(0, frames, step)) * channel_count
        else:
            values, expected = np.array(b" ".join(rows).split(), dtype=np.float64), frames * channel_count
    except ValueError as error:
        raise UserError(f"{path}: MOTION holds something that is not a number ({error}); export it again.") from None
    if len(values) != expected:
        raise UserError(
            f"{path}: MOTION has {len(rows)} lines with {len(values)} numbers where {frames} frames of "
            f"{channel_count} channels need {expected}; the file is cut short or garbled, copy it again."
        )
    values = values.reshape(-1, channel_count)[:: step if len(rows) != frames else 1]
    bad = ~np.isfinite(values).all(1)
    if bad.any():
        raise UserError(f"{path}: {bad.sum()} of {len(bad)} frames have NaN or infinite values; export it again.")
    return Motion(values, 1 / frame_time / step, step)


def positions(hierarchy: Hierarchy, values: np.ndarray, wanted: list[int]) -> np.ndarray:
    """(frames, len(wanted), 3) world positions in the file's unit and axes.

    Position channels replace the joint's OFFSET along their axis.
    """
    first = np.concatenate(([0], np.cumsum([len(c) for c in hierarchy.channels])))
    place: dict[int, np.ndarray] = {}
    turn: dict[int, np.ndarray] = {}
    for joint in hierarchy.with_ancestors(wanted):
        local = np.tile(hierarchy.offsets[joint], (len(values), 1))
        axes, columns = [], []
        for k, (kind, axis) in enumerate(hierarchy.channels[joint]):
            if kind == "position":
                local[:, axis] = values[:, first[joint] + k]
            else:
                axes.append(axis)
                columns.append(first[joint] + k)
        rotation = rotations(values[:, columns], tuple(axes))
        parent = hierarchy.parents[joint]
        if parent < 0:
            place[joint], turn[joint] = local, rotation
        else:
            place[joint] = place[parent] + (turn[parent] @ local[..., None])[..., 0]
            turn[joint] = turn[parent] @ rotation
    return np.stack([place[joint] for joint in wanted], axis=1)
