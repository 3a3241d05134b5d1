"""3DPW: the official pickles of Python 2, and extractions of it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.readers import read_poses
from tests.core import made_datasets as made


def test_pickles_are_as_python_2_wrote_them(tmp_path):
    """The fixture is of the old kind: numpy.core, texts as bytes; the standard library reads it as latin-1."""
    file = next(made.pw3d(tmp_path).rglob("*.pkl"))
    raw = file.read_bytes()
    assert raw[:2] == b"\x80\x02" and b"cnumpy.core.multiarray\n_reconstruct\n" in raw
    assert pickle.loads(raw, encoding="latin1")["sequence"] == file.stem


def test_every_person_in_every_valid_frame(tmp_path):
    folder = made.pw3d(tmp_path)
    poses = read_poses(folder)
    assert poses.name == "3DPW test" and poses.clips == ("downtown_walking_00", "office_phoneCall_00")
    assert len(poses) == 2 * 2 * 4 and poses.subjects() == [0, 1, 2, 3], "the last frame's camera is not valid"
    seen = made.bodies(5, 11) + np.array([0.5, 0.1, 5.0])
    own = poses.take(poses.tag[:, 0] == 1)
    np.testing.assert_allclose(own.xyz, seen[:4], atol=1e-5)
    assert torch.equal(project(poses.xyz, poses.camera), poses.uv)


def test_portrait_images_are_padded_to_squares(tmp_path):
    poses = read_poses(made.pw3d(tmp_path))
    portrait = poses.take(poses.tag[:, 1] == 0)
    x, y, z = portrait.xyz.double().unbind(-1)
    pixel_x, pixel_y = 1962 * x / z + 540, 1969 * y / z + 960
    torch.testing.assert_close(portrait.uv[..., 0].double(), 2 * (pixel_x + 420) / 1920 - 1, atol=1e-5, rtol=0)
    torch.testing.assert_close(portrait.uv[..., 1].double(), 2 * pixel_y / 1920 - 1, atol=1e-5, rtol=0)
    landscape = poses.take(poses.tag[:, 1] == 1)
    x, z = landscape.xyz[..., 0], landscape.xyz[..., 2]
    torch.testing.assert_close(landscape.uv[..., 0], 2 * (1962 * x / z + 960) / 1920 - 1, atol=1e-5, rtol=0)
    assert any("1 of 2 sequences are portrait" in note for note in poses.notes)


def test_options(tmp_path):
    folder = made.pw3d(tmp_path)
    assert read_poses(f"{folder}?split=train").clips == ("courtyard_box_00",)
    assert len(read_poses(f"{folder}?split=all").clips) == 3
    some = read_poses(f"{folder}?sequences=office_phoneCall_00&stride=2")
    assert some.clips == ("office_phoneCall_00",) and set(some.tag[:, 2].tolist()) == {0, 2}
    assert read_poses(folder / "train" / "courtyard_box_00.pkl").subjects() == [0, 1]
    with pytest.raises(UserError, match="split=validation; it has test, train"):
        read_poses(f"{folder}?split=validation")


def test_other_pickles_are_refused(tmp_path):
    for content, word in (
        ({"poses": 1}, "jointPositions, cam_poses, cam_intrinsics missing"),
        ([1, 2], "missing"),
        ({"jointPositions": [np.zeros((2, 70))], "cam_poses": np.zeros((2, 4, 4)), "cam_intrinsics": np.eye(3)}, "72"),
    ):
        (tmp_path / "some.pkl").write_bytes(pickle.dumps(content))
        with pytest.raises(UserError) as caught:
            read_poses(tmp_path / "some.pkl")
        assert word in str(caught.value)


def test_extractions(tmp_path):
    poses = read_poses(made.spin_pw3d(tmp_path))
    assert poses.name == "3DPW" and poses.clips == ("downtown_arguing_00",)
    xyz = made.bodies(4, 9) + np.array([0.1, 0, 4.0])
    np.testing.assert_allclose(poses.xyz, xyz, atol=1e-4)
    assert poses.uv.abs().max() < 1 and (project(poses.xyz, poses.camera) - poses.uv).abs().max() < 1e-5
    with pytest.raises(UserError, match="pose, shape, gender, and no 3D joints.*sequenceFiles"):
        read_poses(made.spin_pw3d(tmp_path, joints=False))
