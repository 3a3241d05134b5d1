"""What BVH files call our joints: one table a naming scheme, matched by name, never by position.

Names are compared in lower case without prefix (``mixamorig:``), spaces, ``_`` and ``-``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.readers.bvh_file import Hierarchy

_SIDES = {"left": ("Left", "L", "l"), "right": ("Right", "R", "r")}


@dataclass(frozen=True)
class Scheme:
    """limbs: pattern of each limb joint, with {side} {S} {s} for Left L l. head, neck: names.

    torso: joints between pelvis and neck, of which one becomes 'spine'; the highest present ones count.
    """

    title: str
    hip: str
    knee: str
    ankle: str
    shoulder: str
    elbow: str
    wrist: str
    torso: tuple[str, ...]
    neck: str = "Neck"
    head: str = "Head"

    def wanted(self) -> dict[str, str]:
        """Our joint -> this scheme's name, for the joints that are read as they are."""
        names = {"thorax": self.neck, "skull": self.head}
        for side, (word, upper, lower) in _SIDES.items():
            for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
                names[f"{side} {joint}"] = getattr(self, joint).format(side=word, S=upper, s=lower)
        return names


SCHEMES = (
    Scheme(
        "MotionBuilder, Mixamo, LAFAN1 and cgspeed CMU",
        "{side}UpLeg", "{side}Leg", "{side}Foot", "{side}Arm", "{side}ForeArm", "{side}Hand",
        ("LowerBack", "Spine", "Spine1", "Spine2", "Spine3", "Spine4"),
    ),
    Scheme(
        "Daz-friendly CMU",
        "{s}Thigh", "{s}Shin", "{s}Foot", "{s}Shldr", "{s}ForeArm", "{s}Hand", ("abdomen", "chest"), "neck", "head",
    ),
    Scheme(
        "Bandai-Namco",
        "UpperLeg_{S}", "LowerLeg_{S}", "Foot_{S}", "UpperArm_{S}", "LowerArm_{S}", "Hand_{S}",
        ("Spine", "Chest"),
    ),
    Scheme(
        "Poser",
        "{side}Hip", "{side}Knee", "{side}Ankle", "{side}Shoulder", "{side}Elbow", "{side}Wrist",
        ("Chest", "Chest2", "Chest3", "Chest4", "Spine", "Spine1", "Spine2"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Mapping:
    """Numbers of a file's joints: ours by name, the torso's from below, and the tip of the head if any."""

    title: str
    joints: dict[str, int]
    torso: tuple[int, ...]
    head_tip: int | None


def plain(name: str) -> str:
    """The name as it is compared."""
    return name.rsplit(":", 1)[-1].lower().translate(str.maketrans("", "", " _-."))


def map_names(hierarchy: Hierarchy, path: Path) -> Mapping:
    """The joints that the best fitting scheme finds; UserError naming what is missing and what is there."""
    numbers: dict[str, int] = {}
    for number, name in enumerate(hierarchy.names):
        if name:
            numbers.setdefault(plain(name), number)
    missing = {
        scheme: [f"{joint} ('{name}')" for joint, name in scheme.wanted().items() if plain(name) not in numbers]
        for scheme in SCHEMES
    }
    scheme = min(SCHEMES, key=lambda s: len(missing[s]))
    if missing[scheme]:
        lost = missing[scheme]
        more = f" and {len(lost) - 4} more" if len(lost) > 4 else ""
        there = [name for name in hierarchy.names if name]
        found = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
        raise UserError(
            f"{path}: {len(lost)} of 14 joints are missing for the closest naming, {scheme.title}: "
            f"{', '.join(lost[:4])}{more}; the file has {found}. Rename its joints to one of: "
            f"{'; '.join(s.title for s in SCHEMES)}."
        )
    joints = {joint: numbers[plain(name)] for joint, name in scheme.wanted().items()}
    above = hierarchy.with_ancestors([joints["thorax"]])
    torso = tuple(n for n in above if plain(hierarchy.names[n]) in map(plain, scheme.torso))
    return Mapping(scheme.title, joints, torso, _head_tip(hierarchy, joints["skull"]))


def _head_tip(hierarchy: Hierarchy, skull: int) -> int | None:
    """The End Site (or HeadTop_End, HeadNub) right below the head joint, unless it lies on it."""
    for number, parent in enumerate(hierarchy.parents):
        name = plain(hierarchy.names[number])
        if parent == skull and (not name or name.startswith(("headtop", "headend", "headnub"))):
            return number if (hierarchy.offsets[number] ** 2).sum() > 0 else None
    return None
