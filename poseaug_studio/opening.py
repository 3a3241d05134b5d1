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
        return (
            ("run", "")
            if len(paths) == 1
            else ("", "Several things were dropped, a run among them; open one run at a time.")
        )
    if len(paths) == 1 and first.is_dir():
        if next(first.rglob("*.[bB][vV][hH]"), None) is None:
            return (
                "",
                f"{first} holds no BVH files and is no run; choose a folder with .bvh files, or a run.",
            )
        return "poses", ""
    for path in paths:
        if path.is_dir() or path.suffix.lower() not in (*ARRAYS, *MOTION):
            what = "a folder" if path.is_dir() else f"a {path.suffix or 'nameless'} file"
            return "", f"{path.name} is {what}; choose BVH files (.bvh), or poses as .npz or .h5."
    if len({path.suffix.lower() in MOTION for path in paths}) > 1:
        return "", "Motion capture (.bvh) and arrays (.npz, .h5) were chosen together; open one kind at a time."
    return "poses", ""


def is_motion(path: Path) -> bool:
    """Whether what kind_of calls poses is motion capture, to be filmed first."""
    return path.is_dir() or path.suffix.lower() in MOTION


def convert(paths: list[Path], rig: str, fps: float, seed: int, out: Path, progress) -> Path:
    """Film BVH files, or every one below a folder, and write the arrays to ``out``. Raises UserError, Cancelled.

    progress(share, text) answers False to cancel.
    """
    import numpy as np

    from poseaug_core.errors import Cancelled
    from poseaug_core.motion.filming import film
    from poseaug_core.readers.arrays import write_arrays
    from poseaug_core.readers.bvh import read_bvh, read_folder

    def half(start: float):
        return lambda share, text="": progress(start + share / 2, text)

    if paths[0].is_dir():
        clips, _ = read_folder(paths[0], fps, half(0.0))
    else:
        clips = []
        for i, path in enumerate(paths):
            if not half(0.0)(i / len(paths), path.name):
                raise Cancelled
            clips.append(read_bvh(path, fps))
    footage = film(clips, rig, np.random.default_rng(seed), name=out.stem, progress=half(0.5))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(footage.poses, out)
    return out
