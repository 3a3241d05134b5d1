"""Opening: what kind of thing the user has chosen or dropped, told by its name and place alone."""

from __future__ import annotations

from pathlib import Path

ARRAYS, MOTION = (".npz", ".h5", ".hdf5"), (".bvh",)


def kind_of(paths: list[Path]) -> tuple[str, str]:
    """('run' or 'poses', '') for what can be opened, else ('', a sentence with the remedy)."""
    for path in paths:
        if not path.exists():
            return "", f"{path} does not exist; choose a run folder, BVH files, or poses as .npz or .h5."
    first = paths[0]
    if first.is_dir() and (first / "config.toml").is_file():
        return ("run", "") if len(paths) == 1 else ("", "Several things were dropped, a run among them; open one run at a time.")
    if len(paths) == 1 and first.is_dir():
        if next(first.rglob("*.[bB][vV][hH]"), None) is None:
            return "", f"{first} holds no BVH files and is no run; choose a folder with .bvh files, or one that training has made."
        return "poses", ""
    for path in paths:
        if path.is_dir() or path.suffix.lower() not in (*ARRAYS, *MOTION):
            what = "a folder" if path.is_dir() else f"a {path.suffix or 'nameless'} file"
            return "", f"{path.name} is {what}; choose BVH files (.bvh), or poses as .npz or .h5."
    if len({path.suffix.lower() in MOTION for path in paths}) > 1:
        return "", "Motion capture (.bvh) and arrays (.npz, .h5) were chosen together; open one kind at a time."
    return "poses", ""
