"""Small data sets in exactly the layouts of the published ones, a function a layout; people stand about and turn."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from poseaug_core.readers.h36m_cameras import cameras
from tests.studio.fakes import STANDING

#: Where our 16 joints are in the others' numbering.
H36M_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27)
H36M_17 = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16)
DHP_17 = (14, 8, 9, 10, 11, 12, 13, 15, 1, 0, 5, 6, 7, 2, 3, 4)
SPIN_24 = (14, 2, 1, 0, 3, 4, 5, 16, 12, 18, 9, 10, 11, 8, 7, 6)
SMPL_24 = (0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 16, 18, 20, 17, 19, 21)
MPII_16 = (6, 2, 1, 0, 3, 4, 5, None, 7, 9, 13, 14, 15, 12, 11, 10)
LSP_14 = (None, 2, 1, 0, 3, 4, 5, None, 12, 13, 9, 10, 11, 8, 7, 6)


def bodies(count: int, seed: int = 0, size: float = 1.0) -> np.ndarray:
    """(count, 16, 3) metres, camera axes, the pelvis at 0, each turned about the vertical."""
    rng = np.random.default_rng(seed)
    angle, zero, one = rng.uniform(-np.pi, np.pi, count), np.zeros(count), np.ones(count)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.stack([c, zero, s, zero, one, zero, -s, zero, c], -1).reshape(-1, 3, 3)
    moved = size * (STANDING + rng.normal(0, 0.02, (count, 16, 3))) @ turn.transpose(0, 2, 1)
    return moved - moved[:, :1]


def scattered(points: np.ndarray, places, joints: int, fill: float = np.nan) -> np.ndarray:
    """(..., joints, d) with our points at their places and ``fill`` elsewhere."""
    out = np.full((*points.shape[:-2], joints, points.shape[-1]), float(fill))
    for ours, theirs in enumerate(places):
        if theirs is not None:
            out[..., theirs, :] = points[..., ours, :]
    return out


# Human3.6M


def world_bodies(count: int, seed: int) -> np.ndarray:
    """(count, 16, 3) metres in Human3.6M's world, z up, people near the middle of the room."""
    rng = np.random.default_rng(seed)
    body = bodies(count, seed)
    upright = np.stack((body[..., 0], body[..., 2], -body[..., 1]), axis=-1)
    return upright + np.concatenate((rng.uniform(-1, 1, (count, 1, 2)), np.full((count, 1, 1), 0.95)), axis=2)


def h36m(
    folder: Path,
    subjects=("S1", "S5", "S6", "S7", "S8", "S9", "S11"),
    actions=("Walking", "Walking 1", "Sitting"),
    joints: int = 32,
    frames: int = 6,
) -> Path:
    """data_3d_h36m.npz: subject -> action -> (frames, joints, 3) float32 metres of the world."""
    places = {32: H36M_32, 17: H36M_17, 16: range(16)}[joints]
    table = {
        subject: {
            action: scattered(world_bodies(frames + a, 100 * s + a), places, joints, 0.123).astype(np.float32)
            for a, action in enumerate(actions)
        }
        for s, subject in enumerate(subjects)
    }
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=table)
    return folder / "data_3d_h36m.npz"


def h36m_detections(
    data: Path, name: str, joints: int = 17, noise: float = 3.0, cut: int = 0, left_out: tuple[str, str] | None = None
) -> Path:
    """data_2d_h36m_{name}.npz: the 3D projected without distortion, with noise, ``cut`` frames shorter in camera 2."""
    table = np.load(data, allow_pickle=True)["positions_3d"].item()
    rng = np.random.default_rng(1)
    places = H36M_17 if joints == 17 else range(16)
    flat: dict = {}
    for subject, actions in table.items():
        flat[subject] = {}
        for action, world in actions.items():
            if (subject, action) == left_out:
                continue
            views = []
            for number, camera in enumerate(cameras(subject)):
                xyz = camera.seen(world[:, H36M_32].astype(float))
                uv = camera.nine[:2] * xyz[..., :2] / xyz[..., 2:] + camera.nine[2:4]
                pixels = (uv * camera.size[0] + camera.size) / 2 + rng.normal(0, noise, uv.shape)
                pixels = scattered(pixels, places, joints, 500.0).astype(np.float32)
                views.append(pixels[: len(pixels) - cut] if number == 1 and cut else pixels)
            flat[subject][action] = views
    symmetry = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
    path = data.parent / f"data_2d_h36m_{name}.npz"
    metadata = {"layout_name": "h36m", "num_joints": joints, "keypoints_symmetry": symmetry}
    np.savez_compressed(path, positions_2d=flat, metadata=metadata)
    return path


# MPI-INF-3DHP

DHP_SIZE = {5: (1920, 1080), 6: (1920, 1080)}
DHP_CAMERA = {5: (1683.5, 1671.9, 939.3, 560.1), 6: (1683.5, 1671.9, 939.3, 560.1)}


def dhp_frames(count: int, sequence: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, 16, 3) metres in the camera's frame and (count, 16, 2) pixels of a test sequence."""
    rng = np.random.default_rng(sequence)
    place = np.stack([rng.uniform(-0.5, 0.5, count), rng.uniform(-0.2, 0.2, count), rng.uniform(3, 4, count)], -1)
    xyz = bodies(count, 50 + sequence) + place[:, None]
    fx, fy, cx, cy = DHP_CAMERA.get(sequence, (1500.7, 1500.8, 1017.4, 1043.1))
    return xyz, np.stack((fx * xyz[..., 0] / xyz[..., 2] + cx, fy * xyz[..., 1] / xyz[..., 2] + cy), axis=-1)


def dhp_official(folder: Path, sequences=(1, 2, 5), frames: int = 8) -> Path:
    """TS*/annot_data.mat, MATLAB 7.3: an HDF5 file after 512 bytes; every third frame is not valid."""
    for sequence in sequences:
        (folder / f"TS{sequence}").mkdir(parents=True)
        xyz, pixels = dhp_frames(frames, sequence)
        with h5py.File(folder / f"TS{sequence}" / "annot_data.mat", "w", userblock_size=512) as file:
            file["annot2"] = scattered(pixels, DHP_17, 17, 7.0)[:, None]
            file["annot3"] = 1100 * scattered(xyz, DHP_17, 17, 7.0)[:, None]
            file["univ_annot3"] = 1000 * scattered(xyz, DHP_17, 17, 7.0)[:, None]
            file["valid_frame"] = (np.arange(frames) % 3 != 2).astype(float)[:, None]
            file["activity_annotation"] = (1 + np.arange(frames) // 4).astype(float)[:, None]
    return folder


def spin_dhp(folder: Path, frames: int = 5) -> Path:
    """mpi_inf_3dhp_valid.npz of SPIN: 24 joints, 3D relative to the pelvis, with flags."""
    images, part, solid = [], [], []
    for sequence in (1, 2, 5, 6):
        xyz, pixels = dhp_frames(frames, sequence)
        part.append(np.concatenate((scattered(pixels, SPIN_24, 24, 0), _flags(SPIN_24, frames)), axis=2))
        solid.append(np.concatenate((scattered(xyz - xyz[:, :1], SPIN_24, 24, 0), _flags(SPIN_24, frames)), axis=2))
        images += [f"mpi_inf_3dhp_test_set/TS{sequence}/imageSequence/img_{i + 1:06d}.jpg" for i in range(frames)]
    columns = {"imgname": images, "part": np.concatenate(part), "S": np.concatenate(solid)}
    np.savez(
        folder / "mpi_inf_3dhp_valid.npz", **columns, center=np.zeros((len(images), 2)), scale=np.ones(len(images))
    )
    return folder / "mpi_inf_3dhp_valid.npz"


def test_3dhp(folder: Path, frames: int = 5) -> Path:
    """test_3dhp.npz of PoseAug: 16 joints, 3D relative to the pelvis, 2D normalised by the width, no cameras."""
    body, flat = [], []
    for sequence in (1, 5):
        xyz, pixels = dhp_frames(frames, sequence)
        size = np.array(DHP_SIZE.get(sequence, (2048, 2048)))
        body.append(xyz - xyz[:, :1])
        flat.append((2 * pixels - size) / size[0])
    np.savez(folder / "test_3dhp.npz", pose3d=np.concatenate(body), pose2d=np.concatenate(flat))
    return folder / "test_3dhp.npz"


test_3dhp.__test__ = False


def _flags(places, frames: int) -> np.ndarray:
    flags = np.zeros((frames, 24, 1))
    flags[:, list(places)] = 1
    return flags


# 3DPW


class Python2Pickler(pickle._Pickler):
    """Writes protocol 2 as Python 2's cPickle did: texts and bytes are the same, modules have their old names."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, stream):
        super().__init__(stream, protocol=2, fix_imports=True)

    def save_text(self, value) -> None:
        raw = value if isinstance(value, bytes) else value.encode("latin-1")
        short = len(raw) < 256
        self.write(
            pickle.SHORT_BINSTRING + bytes([len(raw)]) if short else pickle.BINSTRING + struct.pack("<i", len(raw))
        )
        self.write(raw)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_text

    def reducer_override(self, value):
        if isinstance(value, np.ndarray):
            _, (_, *rest), state = value.__reduce_ex__(2)
            return _Named("numpy.core.multiarray", "_reconstruct"), (np.ndarray, *rest), state
        return NotImplemented

    def save_global(self, value, name=None) -> None:
        module, name = (value.module, value.name) if isinstance(value, _Named) else (value.__module__, value.__name__)
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(value)

    def save_reduce(self, call, arguments, state=None, *rest, obj=None) -> None:
        self.save_global(call) if isinstance(call, _Named) else self.save(call)
        self.save(arguments)
        self.write(pickle.REDUCE)
        if obj is not None:
            self.memoize(obj)
        if state is not None:
            self.save(state)
            self.write(pickle.BUILD)


class _Named:
    """A function of a module that is not here."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def __call__(self, *_):
        raise AssertionError("only its name is written")


def pickled2(value) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream).dump(value)
    return stream.getvalue()


def pw3d(folder: Path, people: int = 2, frames: int = 5) -> Path:
    """sequenceFiles/{train,test}/*.pkl as Python 2 wrote them; one sequence is upright, one lying."""
    for part, name, size, seed in (
        ("test", "downtown_walking_00", (1080, 1920), 1),
        ("test", "office_phoneCall_00", (1920, 1080), 2),
        ("train", "courtyard_box_00", (1080, 1920), 3),
    ):
        (folder / "sequenceFiles" / part).mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        pose = np.tile(np.eye(4), (frames, 1, 1))
        pose[:, :3, :3] = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
        pose[:, :3, 3] = rng.uniform(-0.2, 0.2, (frames, 3))
        joints, camera = [], np.array([[1962.0, 0, size[0] / 2], [0, 1969.0, size[1] / 2], [0, 0, 1]])
        for person in range(people):
            seen = bodies(frames, 10 * seed + person) + np.array([person - 0.5, 0.1, 4.0 + person])
            # SMPL's head joint is half as far from the neck as ours.
            seen[:, 9] = (seen[:, 8] + seen[:, 9]) / 2
            world = (seen - pose[:, None, :3, 3]) @ pose[0, :3, :3]
            joints.append(scattered(world, SMPL_24, 24, 0.0).reshape(frames, 72))
        data = {
            "sequence": name,
            "jointPositions": joints,
            "cam_poses": pose,
            "cam_intrinsics": camera,
            "campose_valid": [np.array([1] * (frames - 1) + [0])] * people,
            "genders": ["m"] * people,
            "poses2d": [np.zeros((frames, 3, 18))] * people,
            "img_frame_ids": np.arange(frames),
        }
        (folder / "sequenceFiles" / part / f"{name}.pkl").write_bytes(pickled2(data))
    return folder / "sequenceFiles"


def spin_pw3d(folder: Path, joints: bool = True) -> Path:
    """3dpw_test.npz: as SPIN makes it (SMPL parameters only), or with S and part as extractions with joints have."""
    frames = 4
    xyz = bodies(frames, 9) + np.array([0.1, 0, 4.0])
    pixels = 1962 * xyz[..., :2] / xyz[..., 2:] + np.array([540.0, 960.0])
    columns = {"imgname": [f"imageFiles/downtown_arguing_00/image_{i:05d}.jpg" for i in range(frames)]}
    columns |= {"pose": np.zeros((frames, 72)), "shape": np.zeros((frames, 10)), "gender": ["m"] * frames}
    if joints:
        columns["part"] = np.concatenate((scattered(pixels, SPIN_24, 24, 0), _flags(SPIN_24, frames)), axis=2)
        columns["S"] = np.concatenate((scattered(xyz - xyz[:, :1], SPIN_24, 24, 0), _flags(SPIN_24, frames)), axis=2)
    np.savez(folder / "3dpw_test.npz", **columns)
    return folder / "3dpw_test.npz"


# MPII and LSP


def flat_people(count: int, centre=(320.0, 240.0), seed: int = 0) -> np.ndarray:
    """(count, 16, 2) pixels of people some 200 high; spine and pelvis where the tables put midpoints."""
    pixels = bodies(count, seed)[..., :2] * 115 + np.array(centre)
    pixels[:, 0] = (pixels[:, 1] + pixels[:, 4]) / 2
    pixels[:, 7] = (pixels[:, 0] + pixels[:, 8]) / 2
    return pixels


def mpii(folder: Path, count: int = 4, images: bool = False) -> Path:
    """mpii_human_pose_v1_u12_1.mat: one person lacks joints, one image has two people and one nobody."""
    pixels = flat_people(count)
    entries = []
    for number in range(count):
        joints = scattered(pixels[number], MPII_16, 16)
        # The upper neck is annotated and not used.
        joints[8] = joints[7] - (0, 10)
        ids = [j for j in range(16) if not (number == 1 and j in (0, 5))]
        points = np.array(
            [(float(joints[j, 0]), float(joints[j, 1]), float(j), float(j % 2)) for j in ids],
            dtype=[("x", object), ("y", object), ("id", object), ("is_visible", object)],
        )[None]
        person = (1.1, {"x": 320.0, "y": 240.0}, {"point": points})
        people = [person, (1.1, {"x": 320.0, "y": 240.0}, {"point": points})] if number == 2 else [person]
        rect = np.empty((1, len(people)), dtype=[("scale", object), ("objpos", object), ("annopoints", object)])
        rect[0, :] = people
        entries.append(({"name": f"{number:09d}.jpg"}, rect))
    entries.append(({"name": "nobody.jpg"}, np.zeros((0, 0))))
    annolist = np.empty((1, len(entries)), dtype=[("image", object), ("annorect", object)])
    annolist[0, :] = entries
    path = folder / "mpii_human_pose_v1_u12_1.mat"
    savemat(path, {"RELEASE": {"annolist": annolist, "img_train": np.ones((1, len(entries)))}}, do_compression=True)
    if images:
        write_images(folder / "images", [f"{n:09d}.jpg" for n in range(count)], (640, 480))
    return path


def lsp(folder: Path, count: int = 5, extended: bool = False, images: bool = False) -> Path:
    """joints.mat: (3, 14, n), or of the extended set (14, 3, n), where one person lacks a joint."""
    joints = scattered(flat_people(count, (60.0, 80.0)), LSP_14, 14)
    flags = np.ones((count, 14, 1)) if extended else np.zeros((count, 14, 1))
    if extended:
        flags[1, 6] = 0
    joints = np.concatenate((joints, flags), axis=2)
    savemat(folder / "joints.mat", {"joints": joints.transpose(1, 2, 0) if extended else joints.transpose(2, 1, 0)})
    if images:
        write_images(folder / "images", [f"im{n + 1:04d}.jpg" for n in range(count)], (120, 200))
    return folder / "joints.mat"


def write_images(folder: Path, names: list[str], size: tuple[int, int]) -> None:
    from PIL import Image

    folder.mkdir()
    for name in names:
        Image.new("RGB", size).save(folder / name)
