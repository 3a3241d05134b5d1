"""Extractions in the layout of SPIN: imgname, part (n, 24, 3) pixels and S (n, 24, 4) metres from the pelvis.

mpi_inf_3dhp_valid.npz is one of them, which PoseAug's test_3dhp.npz is made of. 3DPW's has often SMPL parameters only
and no joints; such a file is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoints import normalised
from poseaug_core.poses import Poses
from poseaug_core.readers.dhp import NAME, poses_without_place, sequence_in, view_of
from poseaug_core.readers.joints import SPIN_24, sixteen
from poseaug_core.readers.npz_file import open_npz
from poseaug_core.readers.placing import pinhole
from poseaug_core.readers.pw3d import FOCAL
from poseaug_core.readers.safe_pickle import numeric, plain_texts
from poseaug_core.readers.spec import Spec

KEYS = ("imgname", "part", "S")


def read_spin(spec: Spec) -> Poses:
    """Poses with all 16 joints in 3D and 2D. Options: none.

    The names of the images tell the set: MPI-INF-3DHP (.../TS1/...), else 3DPW (imageFiles/sequence/...). Raises
    UserError for files without joints and of other shapes.
    """
    spec.only()
    path = spec.path
    with open_npz(path) as file:
        found = file.read(*KEYS)
        names = ", ".join(file.headers)
    if len(found) < len(KEYS):
        raise UserError(
            f"{path} has {names}, and no 3D joints (S) with their 2D (part); for 3DPW give the official sequenceFiles."
        )
    part, solid, images = found["part"], found["S"], plain_texts(found["imgname"])
    if images is None or not numeric(part, 3) or not numeric(solid, 3):
        raise UserError(
            f"{path}: imgname must be an array of texts, part and S numbers (n, 24, 3); save it as SPIN does."
        )
    count = len(images)
    if part.shape != (count, 24, 3) or solid.shape not in ((count, 24, 3), (count, 24, 4)):
        raise UserError(
            f"{path}: part has shape {part.shape} and S {solid.shape}; expected ({count}, 24, 3) and ({count}, 24, 4)."
        )
    part, solid = (sixteen(column.astype(float), SPIN_24) for column in (part, solid))
    whole = (part[..., 2] > 0).all(1) & (solid[..., 3:] > 0).all((1, 2))
    notes = [] if whole.all() else [f"{(~whole).sum():,} of {count:,} people lack joints and are left out"]
    sequence = np.array([sequence_in(image) for image in images])
    read = _dhp if sequence.any() else _pw3d
    size, camera, subject, clip, clips, name = read(sequence, part, images)
    uv = normalised(part[..., :2], size[:, None])
    frame = np.array([_frame(image) for image in images])
    tag = np.stack((subject, clip, frame, np.zeros_like(clip)), axis=1)
    body = solid[..., :3] - solid[:, :1, :3]
    return poses_without_place(*(a[whole] for a in (body, uv, camera, tag)), clips, name, path, notes)


def _dhp(sequence: np.ndarray, part: np.ndarray, images: list[str]):
    views = [view_of(n) for n in sequence.tolist()]
    size, camera = (np.array(column) for column in zip(*views, strict=True))
    clips = ["MPI-INF-3DHP", *(f"TS{n}" for n in range(1, 10))]
    return size, camera, sequence, sequence, clips, NAME


def _pw3d(sequence: np.ndarray, part: np.ndarray, images: list[str]):
    """3DPW's images are 1080 x 1920, portrait, or landscape where 2D goes beyond that."""
    folders = [Path(image).parent.name for image in images]
    clips = list(dict.fromkeys(folders))
    number = {folder: i for i, folder in enumerate(clips)}
    clip = np.array([number[folder] for folder in folders], dtype=int)
    reach = np.full(len(clips), -np.inf)
    np.maximum.at(reach, clip, part[..., 0].max(1))
    landscape = (reach > 1080 + 200)[clip]
    size = np.where(landscape[:, None], (1920.0, 1080.0), (1080.0, 1920.0))
    camera = np.array([pinhole((FOCAL, FOCAL), s / 2, s) for s in size])
    return size, camera, clip, clip, clips, "3DPW"


def _frame(image: str) -> int:
    digits = re.findall(r"\d+", Path(image).stem)
    return int(digits[-1][-9:]) if digits else 0
