"""Arrays: round trips, tags, and one entrance for every kind of source."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.geometry import project
from poseaug_core.motion.demo import demo_set
from poseaug_core.readers import READERS, convert_motion, read_poses
from poseaug_core.readers.arrays import read_arrays, write_arrays
from tests.core.bvh_people import write_bvh

COLUMNS = ("xyz", "uv", "camera", "tag")


def same(a, b) -> bool:
    return a.clips == b.clips and all(torch.equal(getattr(a, column), getattr(b, column)) for column in COLUMNS)


@pytest.fixture(scope="module")
def poses():
    return demo_set("source_test", seed=4, size=0.5)


@pytest.fixture
def folder(tmp_path):
    for subject in (1, 2):
        for take in (1, 2):
            write_bvh(tmp_path / "mocap" / f"{subject:02}" / f"{subject:02}_{take:02}.bvh", seed=take, frames=30)
    return tmp_path / "mocap"


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".hdf5"])
def test_written_poses_are_read_back_the_same(tmp_path, poses, suffix):
    path = write_arrays(poses, tmp_path / f"poses{suffix}")
    assert same(read_arrays(path), poses) and same(read_poses(path), poses)
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "nothing else is left"


def test_content_decides_not_the_suffix(tmp_path, poses):
    path = write_arrays(poses, tmp_path / "poses.npz").rename(tmp_path / "poses.h5")
    assert same(read_poses(path), poses)


def test_tags_are_optional(tmp_path, poses):
    columns = {"pose3d": poses.xyz.numpy(), "pose2d": poses.uv.numpy(), "cam": poses.camera.numpy()}
    np.savez(tmp_path / "plain.npz", **columns)
    plain = read_arrays(tmp_path / "plain.npz")
    assert plain.clips == ("plain",) and plain.subjects() == [0]
    assert plain.tag[:, 2].tolist() == list(range(len(poses)))
    with h5py.File(tmp_path / "numbered.h5", "w") as file:
        for key, column in columns.items():
            file[key] = column.astype(np.float64)
        file["clip"] = np.where(np.arange(len(poses)) < 10, 70, 900)
    numbered = read_arrays(tmp_path / "numbered.h5")
    assert numbered.clips == ("numbered 70", "numbered 900") and numbered.tag[[9, 10], 1].tolist() == [0, 1]


def test_benchmark_arrays(mocap):
    poses = read_poses(mocap / "bench" / "cross_dev.npz")
    assert len(poses) == 8735 and poses.subjects() == [2, 5, 9] and "02_01" in poses.clips
    assert (project(poses.xyz, poses.camera) - poses.uv).abs().max() < 1e-5
    templates = torch.from_numpy(np.load(mocap / "bench" / "bone_templates.npy")).float()
    source = read_poses(mocap / "bench" / "source_train.npz")
    torch.testing.assert_close(source.bone_templates(), templates, atol=1e-4, rtol=0)


def test_folder_of_bvh_is_filmed(folder):
    poses = read_poses(folder, seed=1)
    assert poses.subjects() == [1, 2] and poses.clips == ("01_01", "01_02", "02_01", "02_02")
    assert set(poses.tag[:, 3].tolist()) == {0, 1, 2, 3}
    assert torch.equal(project(poses.xyz, poses.camera), poses.uv)
    assert same(read_poses(folder, seed=1), poses)
    assert not torch.equal(read_poses(folder, rig="wild", seed=1).camera[0], poses.camera[0])
    one = read_poses(folder / "01" / "01_01.bvh", fps=15)
    assert one.clips == ("01_01",) and len(set(one.tag[:, 2].tolist())) == 15


def test_demo_by_name():
    small = read_poses("demo:source_test?size=0.5", seed=4)
    assert same(small, demo_set("source_test", seed=4, size=0.5))
    assert same(read_poses("demo:cross?seed=2&size=0.25", seed=9), demo_set("cross", seed=2, size=0.25))


def test_converted_is_what_would_be_read(tmp_path, folder):
    heard = []
    summary = convert_motion(
        folder, "lab", tmp_path / "out.h5", seed=5, progress=lambda share, text: heard.append(share)
    )
    assert same(read_poses(tmp_path / "out.h5"), read_poses(folder, seed=5))
    assert summary["poses"] == 480 and summary["clips"] == 4 and summary["subjects"] == [1, 2]
    assert any(note.startswith("unit: centimetres") for note in summary["notes"])
    assert heard == sorted(heard) and heard[-1] == 1.0


def test_seeded_proportions_differ_by_subject_alone(tmp_path, folder):
    convert_motion(folder, "lab", tmp_path / "out.npz", proportions="seeded")
    poses = read_poses(tmp_path / "out.npz")
    lengths = poses.skeleton.lengths(poses.xyz)
    one, two = (lengths[poses.tag[:, 0] == subject] for subject in (1, 2))
    assert max(one.std(0).max(), two.std(0).max()) < 1e-3 < (one.mean(0) - two.mean(0)).abs().max()


def test_cancelled_conversion_leaves_nothing(tmp_path, folder):
    with pytest.raises(Cancelled):
        convert_motion(folder, "lab", tmp_path / "out.h5", progress=lambda share, text: share < 0.9)
    assert not list(tmp_path.glob("*.h5")) and not list(tmp_path.glob(".out*"))


def test_a_file_that_cannot_be_used_is_said(tmp_path, folder):
    (folder / "03_01.bvh").write_text("not a BVH file")
    summary = convert_motion(folder, "lab", tmp_path / "out.h5")
    assert summary["clips"] == 4 and any("03_01.bvh" in sentence for sentence in summary["left_out"])
    heard = []
    read_poses(folder, progress=lambda share, text: heard.append(text))
    assert any("03_01.bvh is not a BVH file" in text for text in heard)


def test_every_reader_is_named():
    assert {".npz", ".h5", ".hdf5", ".bvh", ".amc", ".asf", "demo"} <= set(READERS)
    with pytest.raises(UserError, match="source_test"):
        read_poses("demo:nothing")


@pytest.mark.parametrize("joints", [17, 32])
def test_joints_of_human36m_in_plain_arrays(tmp_path, poses, joints):
    """Refused with the remedy, which works."""
    places = {17: [*range(9), *range(10, 17)], 32: [0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27]}[joints]
    columns = {"cam": poses.camera.numpy()}
    for key, column in (("pose3d", poses.xyz), ("pose2d", poses.uv)):
        columns[key] = np.full((len(poses), joints, column.shape[-1]), 0.5, np.float32)
        columns[key][:, places] = column
    np.savez(tmp_path / "more.npz", **columns)
    with pytest.raises(UserError, match=f"joints=h36m{joints}"):
        read_poses(tmp_path / "more.npz")
    read = read_poses(f"{tmp_path / 'more.npz'}?joints=h36m{joints}")
    assert torch.equal(read.xyz, poses.xyz) and torch.equal(read.uv, poses.uv)
    with pytest.raises(UserError, match="does not fit"):
        read_poses(f"{tmp_path / 'more.npz'}?joints=h36m{49 - joints}")


def test_subjects_and_stride_of_plain_arrays(tmp_path, poses):
    path = write_arrays(poses, tmp_path / "poses.h5")
    one = read_poses(f"{path}?subjects=6&stride=4")
    assert one.subjects() == [6] and set((one.tag[:, 2] % 4).tolist()) == {0} and one.name == "poses 6"
    with pytest.raises(UserError, match="subjects names '5'; there are 6, 7"):
        read_poses(f"{path}?subjects=5")


def test_a_path_that_exists_has_no_options(tmp_path, poses):
    path = write_arrays(poses, tmp_path / "what?subjects=6.h5")
    assert same(read_poses(path), poses)


def test_motion_capture_has_its_own_rig_rate_and_seed(folder):
    assert same(read_poses(f"{folder}?rig=wild&fps=15&seed=3"), read_poses(folder, rig="wild", fps=15, seed=3))
    for query, word in (("rig=moon", "moon"), ("fps=-1", "from 0"), ("rgi=lab", "did you mean 'rig'")):
        with pytest.raises(UserError, match=word):
            read_poses(f"{folder}?{query}")
