"""Opening: what kind of thing the user has chosen or dropped, told by its name and place alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.paths import usable

ARRAYS, MOTION = (".npz", ".h5", ".hdf5"), (".bvh", ".amc", ".asf")


def kind_of(paths: list[Path]) -> tuple[str, str]:
    """('run' or 'poses', '') for what can be opened, else ('', a sentence with the remedy)."""
    for path in paths:
        try:
            usable(path)
        except UserError as error:
            return "", str(error)
        if not path.exists():
            return "", f"{path} does not exist; choose a run folder, motion capture, or poses as .npz or .h5."
    first = paths[0]
    if first.is_dir() and (first / "config.toml").is_file():
        return (
            ("run", "")
            if len(paths) == 1
            else ("", "Several things were dropped, a run among them; open one run at a time.")
        )
    for path in paths:
        if path.is_dir() and not any(file.suffix.lower() in (".bvh", ".amc") for file in path.rglob("*")):
            return (
                "",
                f"{path} holds no BVH files, no ASF/AMC and is no run; choose one with .bvh or .amc files, or a run.",
            )
        if not path.is_dir() and path.suffix.lower() not in (*ARRAYS, *MOTION):
            what = f"a {path.suffix or 'nameless'} file"
            return "", f"{path.name} is {what}; choose BVH files (.bvh), ASF/AMC (.amc), or poses as .npz or .h5."
    if len({is_motion(path) for path in paths}) > 1:
        return "", "Motion capture (.bvh, .amc) and arrays (.npz, .h5) were chosen together; open one kind at a time."
    return "poses", ""


def is_motion(path: Path) -> bool:
    """Whether what kind_of calls poses is motion capture, to be filmed first."""
    return path.is_dir() or path.suffix.lower() in MOTION


def poses_in(path: Path) -> int | None:
    """The number of poses in a file of arrays, by its header alone; None where it does not say."""
    try:
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive, archive.open("pose3d.npy") as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                return read(member)[0][0]
        with h5py.File(path, "r") as file:
            return file["pose3d"].shape[0]
    except (OSError, KeyError, ValueError, IndexError, AttributeError, zipfile.BadZipFile):
        return None


def convert(paths: list[Path], rig: str, fps: float, seed: int, out: Path, progress) -> Path:
    """Film motion capture files, or every one below a folder, and write the arrays to ``out``.

    progress(share, text) answers False to cancel. Raises UserError, Cancelled.
    """
    from poseaug_core.readers import convert_motion
    from poseaug_core.storage import make_folder

    make_folder(out.parent)
    convert_motion(paths, rig, out, fps, seed, progress=progress, jobs=0)
    return out
