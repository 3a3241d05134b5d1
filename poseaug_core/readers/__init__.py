"""Readers: one file a format, all giving Poses. ``read_poses`` finds the right one by what it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.motion.demo import demo_set
from poseaug_core.poses import Poses
from poseaug_core.readers.arrays import read_arrays
from poseaug_core.readers.body import DEFAULT_FPS
from poseaug_core.readers.mocap import MOTION, SKELETON, convert_motion, read_motion

__all__ = ["READERS", "convert_motion", "read_poses"]


def read_poses(
    spec: str | Path, rig: str = "lab", fps: float | None = DEFAULT_FPS, seed: int = 0, progress: Progress | None = None
) -> Poses:
    """Poses of what spec names.

    spec: a .npz, .h5 or .hdf5 file of arrays; a .bvh file or a folder of them at any depth, filmed by the
    rig at about fps frames a second; or ``demo:source``, ``demo:source_test``, ``demo:cross``, with
    ``?seed=1&size=0.5`` where wanted. progress(share, text) is also told what is left out of the files;
    it returns False to cancel.
    Raises UserError for what cannot be read, Cancelled where progress says stop.
    """
    kind = kind_of(spec)
    tell(progress, 0.0, f"reading {spec}")
    poses = READERS[kind](spec, rig=rig, fps=fps, seed=seed, progress=progress)
    tell(progress, 1.0, f"read {len(poses):,} poses")
    return poses


def kind_of(spec: str | Path) -> str:
    """The key in READERS of what spec names; UserError where there is none."""
    if str(spec).startswith("demo:"):
        return "demo"
    if not str(spec).strip():
        raise UserError("No poses are named; give a .npz, .h5 or .bvh file, a folder of .bvh files, or demo:source.")
    path = Path(spec)
    try:
        if path.is_dir():
            return ".bvh"
        if not path.exists():
            raise UserError(f"{path} does not exist; check the name and the folder.")
    except PermissionError:
        raise UserError(f"{path} may not be reached by this user; change the permissions of its folder.") from None
    suffix = path.suffix.lower()
    if suffix not in READERS:
        known = ", ".join(key for key in READERS if key.startswith("."))
        raise UserError(f"{path}: '{suffix or 'no suffix'}' files cannot be read; give one of {known} or a folder.")
    return suffix


def _arrays(spec, **_) -> Poses:
    return read_arrays(spec)


def _demo(spec, seed: int, progress: Progress | None, **_) -> Poses:
    which, _, query = str(spec).removeprefix("demo:").partition("?")
    options = {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    unknown = set(options) - {"seed", "size"}
    if unknown:
        raise UserError(f"{spec}: the demo has no option '{sorted(unknown)[0]}', only seed and size.")
    try:
        seed, size = int(options.get("seed", seed)), float(options.get("size", 1))
    except ValueError:
        raise UserError(f"{spec}: seed must be a whole number and size a number, as in demo:{which}?seed=1.") from None
    return demo_set(which, seed, size, progress)


#: What each kind of source is read by: suffix, or 'demo'. A folder is read as motion capture.
READERS: dict[str, Callable[..., Poses]] = {
    ".npz": _arrays,
    ".h5": _arrays,
    ".hdf5": _arrays,
    **dict.fromkeys((*MOTION, SKELETON), read_motion),
    "demo": _demo,
}
