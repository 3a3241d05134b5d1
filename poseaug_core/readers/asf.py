"""ASF, the skeleton file of the Acclaim format, and forward kinematics over all frames at once.

A bone is turned about axes of its own: in its parent's frame by ``C M C^-1``, where C is its ``axis`` line and M the
product of its degrees of freedom, the first of either applied first. Its direction at rest is the world's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.turning import rotations
from poseaug_core.units import LENGTH, OFFSET

ROOT = "root"
_AXES = {"rx": 0, "ry": 1, "rz": 2}


@dataclass(frozen=True)
class Bone:
    """offset: (3,) from its start to its end at rest. rest: (3, 3), C above. dof: 'rx', ... as AMC files list them.

    The root is a bone of no length whose dof place it.
    """

    name: str
    parent: str
    offset: np.ndarray
    rest: np.ndarray
    dof: tuple[str, ...]


@dataclass(frozen=True)
class Body:
    """bones: by name, the root first, parents before children; lengths in the file's unit, y up.

    inches: inches in one unit, as the file says. degrees: whether its angles are. origin: (3,) where the root rests.
    """

    bones: dict[str, Bone]
    origin: np.ndarray
    inches: float
    degrees: bool

    def with_ancestors(self, wanted: Sequence[str]) -> list[Bone]:
        """The bones wanted and all above them, parents first."""
        needed = set()
        for name in wanted:
            while name and name not in needed:
                needed.add(name)
                name = self.bones[name].parent
        return [bone for name, bone in self.bones.items() if name in needed]


def read_asf(path: Path) -> Body:
    """The skeleton in an ASF file. Raises UserError for anything that is not a complete one."""
    try:
        text = path.read_text("utf-8-sig", "replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check the name and its permissions.") from None
    sections = _sections(text)
    if not {"root", "bonedata", "hierarchy"} <= set(sections):
        raise UserError(
            f"{path} is not an ASF file, or it is cut short: it needs :root, :bonedata and :hierarchy; copy it again."
        )
    units = {words[0].lower(): words[1].lower() for _, words in sections.get("units", []) if len(words) == 2}
    degrees = not units.get("angle", "deg").startswith("rad")
    scale = 1.0 if degrees else 180 / np.pi
    try:
        inches = 1 / float(units.get("length", "1"))
        if not LENGTH.holds(inches):
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise UserError(
            f"{path}: the unit 'length {units['length'][:40]}' is no length; 0.45 is what CMU has."
        ) from None
    entries = _entries(sections["bonedata"])
    root = {words[0].lower(): words[1:] for _, words in sections["root"]}
    bones = {}
    for name, parent in _parents(sections["hierarchy"], entries, path).items():
        try:
            bones[name] = _bone(name, parent, entries[name], scale) if parent else _root(root, scale)
            origin = _numbers(root.get("position", ["0"] * 3))
        except (ValueError, KeyError, IndexError):
            raise UserError(
                f"{path}: the entry of '{name}' cannot be understood or is not complete (direction, length, axis and "
                f"dof of a bone, order and axis of the root), or its numbers are beyond {OFFSET.high:,g}; copy "
                "or export the ASF file again."
            ) from None
    return Body(bones, origin, inches, degrees)


def _sections(text: str) -> dict[str, list[tuple[int, list[str]]]]:
    """Section -> its lines as (line number, words); what follows the section's name on its line comes first."""
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    into: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words and words[0].startswith(":"):
            into = sections.setdefault(words.pop(0)[1:].lower(), [])
        if words:
            into.append((number, words))
    return sections


def _entries(lines: list[tuple[int, list[str]]]) -> dict[str, dict[str, list[str]]]:
    """Bone -> what stands between its begin and end, by the first word of each line; limits are not read."""
    entries: dict[str, dict[str, list[str]]] = {}
    entry: dict[str, list[str]] = {}
    for _, words in lines:
        if words[0] == "begin":
            entry = {}
        elif words[0] == "end":
            entries[" ".join(entry.get("name", []))] = entry
        else:
            entry[words[0]] = words[1:]
    return entries


def _parents(lines: list[tuple[int, list[str]]], entries: dict, path: Path) -> dict[str, str]:
    """Bone -> its parent, parents before children, '' for the root."""
    parents = {ROOT: ""}
    for number, (parent, *children) in lines:
        if parent in ("begin", "end"):
            continue
        wrong = next((child for child in children if child in parents or child not in entries), None)
        if parent not in parents or wrong:
            raise UserError(
                f"{path}: line {number} of the hierarchy puts {', '.join(children)[:60]} below '{parent}', but "
                f"'{wrong or parent}' is not known there or has its place already; copy or export the ASF file again."
            )
        parents |= dict.fromkeys(children, parent)
    return parents


def _root(entry: dict[str, list[str]], scale: float) -> Bone:
    dof = tuple(word.lower() for word in entry["order"])
    rest = _turn(entry.get("orientation", ["0"] * 3), entry["axis"][0], scale)
    return Bone(ROOT, "", np.zeros(3), rest, _known(dof))


def _bone(name: str, parent: str, entry: dict[str, list[str]], scale: float) -> Bone:
    direction, length = _numbers(entry["direction"]), _numbers(entry["length"], 1)[0]
    size = np.linalg.norm(direction)
    offset = direction * (length / size if size else 0.0)
    rest = _turn(entry["axis"][:3], entry["axis"][3], scale)
    dof = _known(tuple(word.lower() for word in entry.get("dof", [])))
    if any(word not in _AXES for word in dof):
        raise ValueError(dof)
    return Bone(name, parent, offset, rest, dof)


def _known(dof: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(dof)) != len(dof) or not set(dof) <= {*_AXES, "tx", "ty", "tz"}:
        raise ValueError(dof)
    return dof


def _numbers(words: Sequence[str], count: int = 3) -> np.ndarray:
    values = np.array(words, dtype=np.float64)
    if values.shape != (count,) or not OFFSET.holds(values).all():
        raise ValueError(words)
    return values


def _turn(angles: Sequence[str], axes: str, scale: float) -> np.ndarray:
    """(3, 3) of the angles about x, y, z, applied in the order of the axes' letters."""
    order = ["xyz".index(letter) for letter in axes.lower()]
    if len(set(order)) != len(order):
        raise ValueError(axes)
    values = _numbers(angles) * scale
    return rotations(values[order[::-1]], tuple(order[::-1]))


def ends(body: Body, angles: dict[str, np.ndarray], wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """(frames, 3) where each wanted bone ends, and each above it, in the file's unit and axes; the root is ``root``.

    angles: bone -> (frames, dof), degrees and units of length. Bones without dof need no entry.
    """
    frames = len(angles[ROOT])
    place: dict[str, np.ndarray] = {}
    turned: dict[str, np.ndarray] = {}
    for bone in body.with_ancestors(wanted):
        columns = [i for i, word in enumerate(bone.dof) if word in _AXES][::-1]
        move = np.broadcast_to(np.eye(3), (frames, 3, 3))
        if columns:
            axes = tuple(_AXES[bone.dof[i]] for i in columns)
            move = bone.rest @ rotations(angles[bone.name][:, columns], axes) @ bone.rest.T
        if not bone.parent:
            turned[bone.name], place[bone.name] = move, np.tile(body.origin, (frames, 1))
            for i, word in enumerate(bone.dof):
                if word not in _AXES:
                    place[bone.name][:, "xyz".index(word[1])] += angles[bone.name][:, i]
        else:
            turned[bone.name] = turned[bone.parent] @ move
            place[bone.name] = place[bone.parent] + turned[bone.name] @ bone.offset
    return place
