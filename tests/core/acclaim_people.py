"""ASF/AMC files of a standing person, written by the tests that read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

#: bone: parent, offset at rest in inches, y up, x to the person's left, and its degrees of freedom.
BONES: dict[str, tuple[str, tuple[float, float, float], str]] = {
    "lowerback": ("root", (0, 4.5, -0.2), "rx ry rz"),
    "upperback": ("lowerback", (0, 4.5, 0), "rx ry rz"),
    "thorax": ("upperback", (0, 4.5, 0), "rx ry rz"),
    "lowerneck": ("thorax", (0, 3.4, 0.3), "rx ry rz"),
    "upperneck": ("lowerneck", (0, 3.4, 0), "rx ry rz"),
    "head": ("upperneck", (0, 3.5, 0), "rx ry rz"),
    **{
        side + name: (parent.replace("?", side), (sign * x, y, z), dof)
        for side, sign in (("l", 1), ("r", -1))
        for name, parent, (x, y, z), dof in (
            ("hipjoint", "root", (3.5, -4, 1), ""),
            ("femur", "?hipjoint", (5.5, -15, 0), "rx ry rz"),
            ("tibia", "?femur", (5.2, -15.5, 0), "rx"),
            ("clavicle", "thorax", (7.5, 2, 0), "ry rz"),
            ("humerus", "?clavicle", (11, 0, 0), "rx ry rz"),
            ("radius", "?humerus", (9.5, 0, 0), "rx"),
        )
    },
}
#: The axis line of some bones: degrees and the order in which they are applied.
AXES = {"lfemur": "0 0 20 XYZ", "rfemur": "0 0 -20 XYZ", "lhumerus": "180 -30 -90 XYZ", "rhumerus": "180 30 90 ZXY"}
NO_AXIS = "0 0 0 XYZ"


def asf_text(length: float = 0.45, angle: str = "deg", names: dict[str, str] | None = None) -> str:
    """length: as the units line says; bones are written in 1 / length inches. names: bones called otherwise."""
    call = lambda name: (names or {}).get(name, name)  # noqa: E731
    scale = 1.0 if angle == "deg" else np.pi / 180
    lines = [":version 1.10", ":name TEST", ":units", "  mass 1.0", f"  length {length}", f"  angle {angle}"]
    lines += [
        ":root",
        "   order TX TY TZ RX RY RZ",
        "   axis XYZ",
        "   position 0 0 0",
        "   orientation 0 0 0",
        ":bonedata",
    ]
    for number, (name, (_, offset, dof)) in enumerate(BONES.items(), 1):
        size = float(np.linalg.norm(offset))
        *angles, order = AXES.get(name, NO_AXIS).split()
        lines += ["  begin", f"     id {number}", f"     name {call(name)}"]
        lines += [f"     direction {' '.join(f'{value / size:.9f}' for value in offset)}"]
        lines += [f"     length {size * length:.9f}"]
        lines += [f"     axis {' '.join(f'{float(a) * scale:.9f}' for a in angles)}  {order}"]
        if dof:
            lines += [f"    dof {dof}", *("    limits (-180 180)" if i == 0 else "   (-90 90)" for i in range(2))]
        lines += ["  end"]
    lines += [":hierarchy", "  begin"]
    for parent in ("root", *BONES):
        children = [call(name) for name, (above, *_) in BONES.items() if above == parent]
        if children:
            lines += [f"    {call(parent)} {' '.join(children)}"]
    return "\r\n".join([*lines, "  end", ""])


def random_angles(frames: int, seed: int, degrees: float = 40.0) -> dict[str, np.ndarray]:
    """bone -> (frames, dof) in degrees; the root's first three numbers are inches."""
    rng = np.random.default_rng(seed)
    swing = np.sin(np.arange(frames)[:, None] / 5 + rng.uniform(0, 6, 1))
    angles = {
        name: rng.uniform(-degrees, degrees, len(dof.split())) * swing for name, (_, _, dof) in BONES.items() if dof
    }
    place = np.column_stack((0.4 * np.arange(frames), np.full(frames, 38.0), 0.2 * np.arange(frames)))
    return {"root": np.hstack((place, rng.uniform(-degrees, degrees, 3) * swing)), **angles}


def amc_text(
    angles: dict[str, np.ndarray], length: float = 0.45, unit: str = "DEGREES", first: int = 1, gap: int = 1
) -> str:
    """The motion; numbers of frames begin at first and rise by gap."""
    scale = 1.0 if unit == "DEGREES" else np.pi / 180
    lines = ["#!OML:ASF nowhere", ":FULLY-SPECIFIED", f":{unit}"]
    for frame in range(len(angles["root"])):
        lines += [str(first + frame * gap)]
        for name, values in angles.items():
            row = np.array(values[frame]) * scale
            if name == "root":
                row[:3] = values[frame, :3] * length
            lines += [f"{name} {' '.join(f'{value:.9g}' for value in row)}"]
    return "\r\n".join([*lines, ""])


def write_person(folder: Path, subject: str = "07", trials: int = 1, frames: int = 24, **options) -> list[Path]:
    """NN/NN.asf with NN_01.amc and so on; gives the .amc files."""
    home = folder / subject
    home.mkdir(parents=True)
    (home / f"{subject}.asf").write_bytes(asf_text().encode())
    files = [home / f"{subject}_{trial:02d}.amc" for trial in range(1, trials + 1)]
    for seed, file in enumerate(files):
        file.write_bytes(amc_text(random_angles(frames, seed), **options).encode())
    return files
