"""Reading whatever is named: which reader a file or folder is for, and what is asked of all of them.

A set is named as ``path?key=value&key=value`` (a path that exists as it stands has no options), or ``demo:source``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from poseaug_core.errors import UserError
from poseaug_core.keypoints import Keypoints
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.motion.demo import demo_set
from poseaug_core.poses import Poses
from poseaug_core.readers import h36m, lsp, mpii, pw3d, spin
from poseaug_core.readers.arrays import read_arrays
from poseaug_core.readers.body import DEFAULT_FPS
from poseaug_core.readers.dhp import ANNOTATIONS, read_dhp
from poseaug_core.readers.keypoint_json import read_keypoint_file
from poseaug_core.readers.mat_file import is_mat5, read_mat5
from poseaug_core.readers.mocap import read_motion
from poseaug_core.readers.motion_files import MOTION, SKELETON
from poseaug_core.readers.npz_file import explained, open_npz
from poseaug_core.readers.spec import Spec, exists, parse_spec


def read_poses(
    spec: str | Path,
    rig: str = "lab",
    fps: float | None = DEFAULT_FPS,
    seed: int = 0,
    progress: Progress | None = None,
    split: str = "train",
) -> Poses:
    """Poses of what spec names; docs/data.md lists every format with its options.

    rig, fps and seed are for motion capture, which is filmed, and for the demo; options of the spec go before them.
    split, 'train' or 'test', is the part of Human3.6M that is meant where the spec does not say. progress(share,
    text) is also told what was decided and left out; it returns False to cancel.
    Raises UserError for what cannot be read, Cancelled where progress says stop.
    """
    spec = parse_spec(spec)
    kind = kind_of(spec)
    if is_flat(spec):
        raise UserError(f"{spec.text} holds 2D keypoints alone, and poses with 3D are needed; name another set.")
    tell(progress, 0.0, f"reading {spec.text}")
    poses = READERS[kind](spec, rig=rig, fps=fps, seed=seed, progress=progress, split=split)
    for note in poses.notes:
        tell(progress, 1.0, note)
    tell(progress, 1.0, f"read {len(poses):,} poses")
    return poses


def read_keypoints(
    spec: str | Path,
    rig: str = "lab",
    fps: float | None = DEFAULT_FPS,
    seed: int = 0,
    progress: Progress | None = None,
    split: str = "train",
) -> Keypoints:
    """2D poses of what spec names: MPII, LSP, files of keypoints, or the 2D of any set that read_poses reads.

    Of the latter, images are the clips and sizes are not known. Arguments and errors as read_poses.
    """
    found = parse_spec(spec)
    if is_flat(found):
        return _annotated(found, progress) if kind_of(found) == ".mat" else read_keypoint_file(spec, progress)
    poses = read_poses(spec, rig, fps, seed, progress, split)
    return Keypoints(
        poses.uv,
        torch.ones(len(poses), poses.uv.shape[1]),
        torch.zeros(len(poses), 2),
        poses.tag[:, 1].long(),
        poses.clips,
        poses.name,
        poses.notes,
    )


def data_set(spec: str | Path) -> str:
    """'h36m' where spec names Human3.6M as its preparation scripts leave it, else ''."""
    spec = parse_spec(spec)
    named = spec.path.suffix.lower() == ".npz" and spec.path.is_file()
    return "h36m" if named and _npz_layout(spec.path) == h36m.KEY else ""


def is_flat(spec: str | Path | Spec) -> bool:
    """Whether spec names 2D keypoints without 3D, by names and headers alone."""
    spec = spec if isinstance(spec, Spec) else parse_spec(spec)
    kind = kind_of(spec)
    if kind == ".mat" and spec.path.is_file():
        return is_mat5(spec.path)
    return kind in KEYPOINT_SUFFIXES or (kind == ".npz" and _npz_layout(spec.path) == "keypoints")


def kind_of(spec: Spec) -> str:
    """The key in READERS, or '.json', '.npy' for keypoints, of what spec names; UserError where there is none."""
    if spec.place.startswith("demo:"):
        return "demo"
    if not spec.place.strip():
        raise UserError("No poses are named; give a file, a folder of motion capture, or demo:source.")
    path = spec.path
    if not exists(path):
        raise UserError(f"{path} does not exist; check the name and the folder.")
    suffix = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if suffix not in (*READERS, *KEYPOINT_SUFFIXES):
        known = ", ".join(key for key in READERS if key.startswith("."))
        raise UserError(f"{path}: '{suffix or 'no suffix'}' files cannot be read; give one of {known} or a folder.")
    return suffix


def _folder(path: Path) -> str:
    """What a folder holds, by the first of FOLDERS that is in it at any depth; motion capture where nothing is."""
    try:
        for pattern, kind in FOLDERS.items():
            if next(path.rglob(pattern), None) is not None:
                return kind
    except PermissionError:
        pass
    return ".bvh"


def _npz(spec: Spec, split: str, progress: Progress | None, **_) -> Poses:
    layout = _npz_layout(spec.path)
    if layout == h36m.KEY:
        return h36m.read_h36m(spec, split, progress)
    if layout == spin.KEYS[0]:
        return spin.read_spin(spec)
    return _arrays(spec)


def _npz_layout(path: Path) -> str:
    """The name of the array that tells what an NPZ file holds; '' where none does and for another file."""
    with explained(path), open(path, "rb") as stream:
        magic = stream.read(4)
    if magic != b"PK\x03\x04":
        return ""
    with open_npz(path) as file:
        return next((key for key in (h36m.KEY, spin.KEYS[0], "pose3d", "keypoints") if key in file.headers), "")


def _arrays(spec: Spec, **_) -> Poses:
    """Plain arrays. Options: subjects (numbers), stride, and joints (h36m17, h36m32) for those of Human3.6M."""
    spec.only("subjects", "stride", "joints")
    joints = spec.choice("joints", ("h36m16", "h36m17", "h36m32"), "h36m16") if "joints" in spec.options else ""
    poses = read_arrays(spec.path, joints=joints)
    named = spec.names("subjects", list(map(str, poses.subjects())))
    stride = spec.number("stride", 1, 1, 10_000)
    if named is not None:
        poses = poses.take(torch.isin(poses.tag[:, 0], torch.tensor(list(map(int, named)), dtype=torch.int32)))
        poses = replace(poses, name=f"{poses.name} {','.join(named)}")
    return poses.take(poses.tag[:, 2] % stride == 0) if stride > 1 else poses


def _motion(spec: Spec, rig: str, fps: float | None, seed: int, progress: Progress | None, **_) -> Poses:
    """Motion capture. Options: rig, fps (0 for all frames) and seed."""
    spec.only("rig", "fps", "seed")
    if "fps" in spec.options:
        fps = spec.number("fps", 30, 0, 100_000) or None
    seed = spec.number("seed", seed, 0) if "seed" in spec.options else seed
    return read_motion(spec.path, spec.options.get("rig", rig), fps, seed, progress)


def _pickles(spec: Spec, progress: Progress | None, **_) -> Poses:
    return pw3d.read_pw3d(spec, progress)


def _matlab(spec: Spec, progress: Progress | None, **_) -> Poses:
    return read_dhp(spec, progress)


def _annotated(spec: Spec, progress: Progress | None) -> Keypoints:
    """MPII or LSP, told apart by the variables of the file."""
    found = read_mat5(spec.path, mpii.KEY, lsp.KEY, progress=progress)
    if mpii.KEY in found:
        return mpii.mpii_keypoints(spec, found[mpii.KEY], progress)
    if lsp.KEY in found:
        return lsp.lsp_keypoints(spec, found[lsp.KEY], progress)
    raise UserError(
        f"{spec.path} has neither {mpii.KEY} (MPII) nor {lsp.KEY} (LSP); give mpii_human_pose_v1_u12_1.mat, joints.mat "
        f"or the {ANNOTATIONS} of MPI-INF-3DHP."
    )


def _demo(spec: Spec, seed: int, progress: Progress | None, **_) -> Poses:
    which, _, query = spec.text.removeprefix("demo:").partition("?")
    spec.only("seed", "size")
    try:
        seed, size = int(spec.options.get("seed", seed)), float(spec.options.get("size", 1))
    except ValueError:
        raise UserError(
            f"{spec.text}: seed must be a whole number and size a number, as in demo:{which}?seed=1."
        ) from None
    return demo_set(which, seed, size, progress)


#: What each kind of source with 3D is read by: suffix, or 'demo'.
READERS: dict[str, Callable[..., Poses]] = {
    ".npz": _npz,
    ".h5": _arrays,
    ".hdf5": _arrays,
    ".mat": _matlab,
    ".pkl": _pickles,
    **dict.fromkeys((*MOTION, SKELETON), _motion),
    "demo": _demo,
}

#: Files of 2D keypoints without 3D that read_keypoints reads beside them.
KEYPOINT_SUFFIXES = (".json", ".npy")

#: What a folder is read as, by the first pattern that something below it matches.
FOLDERS = {
    ANNOTATIONS: ".mat",
    "*.[bB][vV][hH]": ".bvh",
    "*.[aA][mM][cC]": ".bvh",
    "*.pkl": ".pkl",
    "*.json": ".json",
}
