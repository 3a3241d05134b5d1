"""MPI-INF-3DHP's test set: the official files, SPIN's extraction and PoseAug's test_3dhp.npz hold the same poses."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch

from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.readers import dhp, read_poses
from poseaug_core.readers.arrays import write_arrays
from tests.core import made_datasets as made


def relative(xyz) -> np.ndarray:
    xyz = np.asarray(xyz, dtype=float)
    return xyz - xyz[:, :1]


def test_official_files(tmp_path):
    poses = read_poses(made.dhp_official(tmp_path / "mpi_inf_3dhp_test_set"))
    assert poses.name == "MPI-INF-3DHP test" and poses.subjects() == [1, 2, 5]
    assert poses.clips == ("Standing and walking", "Exercise")
    first = poses.take(poses.tag[:, 0] == 5)
    assert first.tag[:, 2].tolist() == [0, 1, 3, 4, 6, 7], "frames that are not valid are left out"
    xyz, pixels = made.dhp_frames(8, 5)
    rows = first.tag[:, 2].numpy()
    np.testing.assert_allclose(first.xyz, xyz[rows], atol=1e-5)
    np.testing.assert_allclose(first.uv, (2 * pixels[rows] - (1920, 1080)) / 1920, atol=1e-5)
    assert (project(poses.xyz, poses.camera) - poses.uv).abs().max() < 1e-5
    assert any("TS5: 6 of 8 frames" in note for note in poses.notes)


def test_options_of_the_official_files(tmp_path):
    folder = made.dhp_official(tmp_path)
    own = read_poses(f"{folder}?annotation=annot3&sequences=TS2&stride=2")
    assert own.subjects() == [2] and len(own) == 3
    scaled = read_poses(f"{folder}?sequences=TS2&stride=2")
    torch.testing.assert_close(own.xyz, 1.1 * scaled.xyz)
    assert len(read_poses(folder / "TS1" / "annot_data.mat")) == 6
    with pytest.raises(UserError, match="did you mean 'univ_annot3'"):
        read_poses(f"{folder}?annotation=univ_annot")
    with pytest.raises(UserError, match="sequences names 'TS6'"):
        read_poses(f"{folder}?sequences=TS6")


def test_extraction_of_spin_holds_the_same_poses(tmp_path):
    poses = read_poses(made.spin_dhp(tmp_path))
    assert poses.subjects() == [1, 2, 5, 6] and len(poses) == 20
    for sequence in (1, 5):
        own = poses.take(poses.tag[:, 0] == sequence)
        xyz, pixels = made.dhp_frames(5, sequence)
        np.testing.assert_allclose(relative(own.xyz), relative(xyz), atol=1e-5)
        size = np.array(made.DHP_SIZE.get(sequence, (2048, 2048)))
        np.testing.assert_allclose(own.uv, (2 * pixels - size) / size[0], atol=1e-5)
        # The place is fitted with the usual focal length, which is not quite this camera's.
        assert np.abs(own.xyz[:, 0, 2].numpy() - xyz[:, 0, 2]).max() < 0.1
        assert own.tag[:, 2].tolist() == [1, 2, 3, 4, 5]
    assert (project(poses.xyz, poses.camera) - poses.uv).abs().max() < 0.01
    assert any("relative to the pelvis" in note for note in poses.notes)


def test_people_without_all_joints_are_left_out_of_extractions(tmp_path):
    path = made.spin_dhp(tmp_path)
    columns = dict(np.load(path))
    columns["S"][3, 14, 3] = 0
    np.savez(path, **columns)
    poses = read_poses(path)
    assert len(poses) == 19 and any("1 of 20 people lack joints" in note for note in poses.notes)


def test_arrays_of_the_released_code(tmp_path):
    poses = read_poses(made.test_3dhp(tmp_path))
    np.testing.assert_allclose(relative(poses.xyz), relative(np.load(tmp_path / "test_3dhp.npz")["pose3d"]), atol=1e-5)
    np.testing.assert_allclose(poses.uv, np.load(tmp_path / "test_3dhp.npz")["pose2d"], atol=1e-6)
    assert (project(poses.xyz, poses.camera) - poses.uv).abs().max() < 0.02


def test_all_2929_frames_are_told_apart_by_their_order(tmp_path):
    body, flat = [], []
    for sequence, count in enumerate(dhp.COUNTS, 1):
        xyz, pixels = made.dhp_frames(count, sequence)
        size = np.array(made.DHP_SIZE.get(sequence, (2048, 2048)))
        body.append(relative(xyz))
        flat.append((2 * pixels - size) / size[0])
    np.savez(tmp_path / "test_3dhp.npz", pose3d=np.concatenate(body), pose2d=np.concatenate(flat))
    poses = read_poses(tmp_path / "test_3dhp.npz")
    assert len(poses) == 2929 and poses.subjects() == [1, 2, 3, 4, 5, 6]
    assert [int((poses.tag[:, 0] == n).sum()) for n in range(1, 7)] == list(dhp.COUNTS)
    assert (project(poses.xyz, poses.camera) - poses.uv).abs().max() < 0.01
    write_arrays(poses, tmp_path / "plain.h5")
    assert torch.equal(read_poses(tmp_path / "plain.h5").xyz, poses.xyz)


def test_files_of_another_layout(tmp_path):
    folder = made.dhp_official(tmp_path, sequences=(1,))
    path = folder / "TS1" / "annot_data.mat"
    for spoil, word in (
        (lambda f: f.__delitem__("annot2"), "annot2 missing"),
        (lambda f: f.__setitem__("annot2", np.zeros((8, 1, 14, 2))), "(8, 1, 14, 2)"),
        (lambda f: f.__setitem__("valid_frame", np.zeros(8)), "0 of its 8 frames are valid"),
    ):
        with h5py.File(path, "r+") as file:
            kept = {key: file[key][()] for key in file}
            for key in ("annot2", "valid_frame"):
                if key in file and word != f"{key} missing":
                    del file[key]
            spoil(file)
            for key, column in kept.items():
                if key not in file and word != f"{key} missing":
                    file[key] = column
        with pytest.raises(UserError) as caught:
            read_poses(folder)
        assert word in str(caught.value)
        path.unlink()
        path.parent.rmdir()
        made.dhp_official(tmp_path, sequences=(1,))
    (tmp_path / "empty.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(UserError, match=r"empty\.mat"):
        read_poses(tmp_path / "empty.mat")


@pytest.mark.parametrize("name", ["valid_frame", "activity_annotation"])
def test_columns_that_are_shorter_than_the_frames(tmp_path, name):
    home = made.dhp_official(tmp_path, (1,))
    with h5py.File(home / "TS1" / "annot_data.mat", "r+") as file:
        short = file[name][:3]
        del file[name]
        file[name] = short
    with pytest.raises(UserError, match=rf"{name} is float64 of shape \(3, 1\), but 8 frames need a number each"):
        read_poses(home)
