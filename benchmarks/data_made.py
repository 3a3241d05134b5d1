"""Files of the sizes that are measured: arrays and takes like Human3.6M's, motion capture as text."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.motion.actions import SOURCE_ACTIONS
from poseaug_core.motion.bvh_writer import write_bvh
from poseaug_core.motion.demo import demo_set, perform
from poseaug_core.readers.h36m import SPLITS
from poseaug_core.readers.h36m_cameras import cameras
from poseaug_core.readers.joints import H36M_17, H36M_32

#: Human3.6M's poses to train on: frames of five people through four cameras.
POSES = 1_560_000
ACTIONS = 30
#: Frames of a take at full size: five people's takes through four cameras are POSES.
FRAMES = POSES // (5 * 4 * ACTIONS)


def arrays(folder: Path, share: float) -> Path:
    """Plain arrays in HDF5 of ``share`` of POSES."""
    base = demo_set("source")
    rows, path = round(POSES * share), folder / f"arrays-{share:g}.h5"
    columns = {"pose3d": base.xyz, "pose2d": base.uv, "cam": base.camera}
    with h5py.File(path, "w") as file:
        for key, column in columns.items():
            _fill(file.create_dataset(key, (rows, *column.shape[1:]), "f4"), column.numpy())
        for i, key in enumerate(("subject", "clip", "frame", "view")):
            _fill(file.create_dataset(key, (rows,), "i4"), base.tag[:, i].numpy())
        file.create_dataset("clips", data=list(base.clips), dtype=h5py.string_dtype())
    return path


def packed(plain: Path) -> Path:
    """The same as float64 in NPZ, as numpy.savez writes it."""
    path = plain.with_suffix(".npz")
    with h5py.File(plain) as file:
        wide = {key: file[key][()].astype(float) for key in ("pose3d", "pose2d", "cam")}
        np.savez(path, **wide, **{key: file[key][()] for key in ("subject", "clip", "frame", "view")})
    return path


def human36m(folder: Path, share: float) -> Path:
    """data_3d_h36m.npz, packed, and CPN's 2D beside it, of all seven people, in a folder of their own."""
    folder = folder / f"h36m-{share:g}"
    folder.mkdir()
    frames = round(FRAMES * share)
    world = np.concatenate([clip.xyz for clip in perform(SOURCE_ACTIONS, (1, 2), 2, 0)])
    world = world - world[:, :1] * [1, 1, 0] * 0.7  # so that nobody walks past a camera
    rng = np.random.default_rng(0)
    solid: dict[str, dict] = {}
    flat: dict[str, dict] = {}
    for subject in SPLITS["all"]:
        solid[subject], flat[subject] = {}, {}
        for action in range(ACTIONS):
            rows = np.arange(rng.integers(len(world)), len(world) + frames)[:frames] % len(world)
            seen = [camera.seen(world[rows].astype(float)) for camera in cameras(subject)]
            pixels = [_pixels(xyz, camera, rng) for xyz, camera in zip(seen, cameras(subject), strict=True)]
            solid[subject][f"Action {action}"] = _spread(world[rows], H36M_32, 32)
            flat[subject][f"Action {action}"] = [_spread(view, H36M_17, 17) for view in pixels]
    _objects(folder / "data_2d_h36m_cpn_ft_h36m_dbb.npz", positions_2d=flat, metadata={"num_joints": 17})
    return _objects(folder / "data_3d_h36m.npz", positions_3d=solid)


def bvh_files(folder: Path, count: int, frames: int) -> Path:
    """A folder with ``count`` BVH files of so many frames."""
    home = folder / f"bvh-{count}"
    home.mkdir()
    xyz = np.concatenate([clip.xyz for clip in perform(SOURCE_ACTIONS, (1, 2), 2, 0, 600)])
    y_up = np.stack((xyz[..., 0], xyz[..., 2], -xyz[..., 1]), axis=-1)
    write_bvh(y_up[:frames], home / "01_0001.bvh", 120)
    text = (home / "01_0001.bvh").read_bytes()
    for number in range(2, count + 1):
        (home / f"01_{number:04d}.bvh").write_bytes(text)
    return home


def _fill(dataset: h5py.Dataset, rows: np.ndarray) -> None:
    """The rows repeated until the dataset is full; more of them than zlib can look back on."""
    for start in range(0, len(dataset), len(rows)):
        part = rows[: len(dataset) - start]
        dataset[start : start + len(part)] = part


def _pixels(xyz: np.ndarray, camera, rng: np.random.Generator) -> np.ndarray:
    uv = camera.nine[:2] * xyz[..., :2] / xyz[..., 2:] + camera.nine[2:4]
    return (uv * camera.size[0] + camera.size) / 2 + rng.normal(0, 3, uv.shape)


def _spread(points: np.ndarray, places: tuple[int, ...], joints: int) -> np.ndarray:
    out = np.zeros((len(points), joints, points.shape[-1]), dtype=np.float32)
    out[:, list(places)] = points
    return out


def _objects(path: Path, **tables) -> Path:
    """As numpy.savez_compressed writes object arrays, but packed as fast as can be."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, table in tables.items():
            head = io.BytesIO()
            np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": ()})
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                member.write(head.getvalue())
                pickle.dump(np.array(table, dtype=object), member, protocol=3)
    return path
