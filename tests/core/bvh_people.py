"""BVH files of a standing person, in the joint names of several programs, written by the tests that read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

#: joint: parent and offset in metres, y up, x to the person's left, facing z.
PERSON: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "root": (None, (0, 0.95, 0)),
    "spine": ("root", (0, 0.26, 0)),
    "neck": ("spine", (0, 0.26, 0)),
    "head": ("neck", (0, 0.09, 0.01)),
    "head end": ("head", (0, 0.2, 0)),
    **{
        f"{side} {joint}": (parent.format(side=side), (sign * x, y, z))
        for side, sign in (("left", 1), ("right", -1))
        for joint, parent, (x, y, z) in (
            ("hip", "root", (0.1, -0.02, 0)),
            ("knee", "{side} hip", (0, -0.42, 0)),
            ("ankle", "{side} knee", (0, -0.43, -0.01)),
            ("foot end", "{side} ankle", (0, -0.08, 0.12)),
            ("collar", "spine", (0.03, 0.22, 0)),
            ("shoulder", "{side} collar", (0.12, 0, 0)),
            ("elbow", "{side} shoulder", (0.29, 0, 0)),
            ("wrist", "{side} elbow", (0.25, 0, 0)),
            ("hand end", "{side} wrist", (0.1, 0, 0)),
        )
    },
}

_SIDED = {"motionbuilder": "{Side}", "mixamo": "mixamorig:{Side}", "poser": "{Side}", "daz": "{s}", "bandai": "{S}"}
_CENTRE = {
    "motionbuilder": ("Hips", "Spine1", "Neck", "Head"),
    "mixamo": ("mixamorig:Hips", "mixamorig:Spine1", "mixamorig:Neck", "mixamorig:Head"),
    "poser": ("Hips", "Chest", "Neck", "Head"),
    "daz": ("hip", "chest", "neck", "head"),
    "bandai": ("Hips", "Spine", "Neck", "Head"),
}
_LIMBS = {
    "motionbuilder": "{}UpLeg {}Leg {}Foot {}Shoulder {}Arm {}ForeArm {}Hand",
    "mixamo": "{}UpLeg {}Leg {}Foot {}Shoulder {}Arm {}ForeArm {}Hand",
    "poser": "{}Hip {}Knee {}Ankle {}Collar {}Shoulder {}Elbow {}Wrist",
    "daz": "{}Thigh {}Shin {}Foot {}Collar {}Shldr {}ForeArm {}Hand",
    "bandai": "UpperLeg_{} LowerLeg_{} Foot_{} Shoulder_{} UpperArm_{} LowerArm_{} Hand_{}",
}
SCHEMES = tuple(_LIMBS)


def names_of(scheme: str) -> dict[str, str]:
    """Our joint -> the scheme's name."""
    names = dict(zip(("root", "spine", "neck", "head"), _CENTRE[scheme], strict=True))
    for side in ("left", "right"):
        word = _SIDED[scheme].format(Side=side.title(), s=side[0], S=side[0].upper())
        joints = ("hip", "knee", "ankle", "collar", "shoulder", "elbow", "wrist")
        filled = _LIMBS[scheme].replace("{}", word).split()
        names |= {f"{side} {joint}": name for joint, name in zip(joints, filled, strict=True)}
    return names


def bvh_text(
    scheme: str = "motionbuilder",
    frames: int = 12,
    fps: float = 30.0,
    unit: float = 100.0,
    seed: int = 0,
    degrees: float = 15.0,
    orders: dict[str, str] | None = None,
) -> tuple[str, dict[str, np.ndarray]]:
    """A file's text, and the angles (frames, 3) in degrees that each joint turns about x, y, z.

    orders: channel letters of a joint, as 'zxy' (default); the root has positions first.
    """
    rng, names, orders = np.random.default_rng(seed), names_of(scheme), orders or {}
    lines, rows, angles = ["HIERARCHY"], [], {}
    path = np.column_stack((0.01 * np.arange(frames), np.full(frames, 0.95), 0.02 * np.arange(frames))) * unit

    def write(joint: str, depth: int) -> None:
        parent, offset = PERSON[joint]
        pad, place = "  " * depth, " ".join(f"{value * unit:.6f}" for value in offset)
        if joint not in names:
            lines.extend((f"{pad}End Site", f"{pad}{{", f"{pad}  OFFSET {place}", f"{pad}}}"))
            return
        order = orders.get(joint, "zxy")
        turned = rng.uniform(-degrees, degrees, 3) * np.sin(np.arange(frames) / 5 + rng.uniform(0, 6, 1))[:, None]
        angles[joint] = turned
        channels = [f"{letter.upper()}rotation" for letter in order]
        columns = [turned[:, "xyz".index(letter)] for letter in order]
        if parent is None:
            channels = ["Xposition", "Yposition", "Zposition", *channels]
            columns = [*path.T, *columns]
        rows.extend(columns)
        lines.extend((f"{pad}{'JOINT' if parent else 'ROOT'} {names[joint]}", f"{pad}{{", f"{pad}  OFFSET {place}"))
        lines.append(f"{pad}  CHANNELS {len(channels)} {' '.join(channels)}")
        for child, (above, _) in PERSON.items():
            if above == joint:
                write(child, depth + 1)
        lines.append(f"{pad}}}")

    write("root", 0)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {1 / fps:.7f}"]
    lines += [" ".join(f"{value:.8f}" for value in row) for row in np.column_stack(rows)]
    return "\n".join(lines) + "\n", angles


def write_bvh(path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bvh_text(**options)[0])
    return path
