"""Human3.6M as its preparation scripts leave it: cameras, subjects and actions, joints, 2D files of unequal length."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from poseaug_core.config import make_config
from poseaug_core.datasets import load_data
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.geometry import project
from poseaug_core.readers import h36m, h36m_cameras, read_keypoints, read_poses
from poseaug_core.readers.npz_file import NpzFile
from tests.core import made_datasets as made


@pytest.fixture
def data(tmp_path):
    return made.h36m(tmp_path)


def test_cameras_are_those_of_the_released_code(reference):
    """World to camera by quaternions as VideoPose3D writes it, and the nine numbers of each camera."""
    import json

    constants = json.loads((reference / "h36m_constants.json").read_text())
    point = np.array([0.3, -0.4, 1.2])
    for subject, outside in constants["extrinsics"].items():
        for camera, where, inside in zip(h36m_cameras.cameras(subject), outside, constants["intrinsics"], strict=True):
            w, v = where["orientation"][0], -np.array(where["orientation"][1:])
            moved = point - np.array(where["translation"]) / 1000
            turned = moved + 2 * (w * np.cross(v, moved) + np.cross(v, np.cross(v, moved)))
            np.testing.assert_allclose(camera.seen(point), turned, atol=1e-6)
            np.testing.assert_allclose(camera.nine[0], 2 * inside["focal_length"][0] / inside["res_w"], rtol=1e-6)
            centre = (2 * inside["center"][1] - inside["res_h"]) / inside["res_w"]
            np.testing.assert_allclose(camera.nine[3], centre, rtol=1e-5)
            np.testing.assert_allclose(camera.nine[4:7], inside["radial_distortion"], rtol=1e-6)
    assert h36m_cameras.templates().numpy() == pytest.approx(np.array(constants["bone_length_templates_m"]["values"]))
    assert list(h36m.SPLITS["train"]) == constants["subjects"]["train"]
    assert list(h36m.SPLITS["test"]) == constants["subjects"]["test"]


def test_every_frame_through_every_camera(data):
    poses = read_poses(data)
    assert poses.name == "Human3.6M train" and poses.subjects() == [1, 5, 6, 7, 8]
    assert len(poses) == 5 * 4 * (6 + 7 + 8)
    assert poses.clips == ("Walking", "Walking 1", "Sitting")
    one = poses.take((poses.tag == torch.tensor([5, 1, 3, 2])).all(1))
    assert len(one) == 1
    world = made.world_bodies(7, 100 * 1 + 1)[3]
    torch.testing.assert_close(
        one.xyz[0].double(), torch.from_numpy(h36m_cameras.cameras("S5")[2].seen(world)), atol=1e-5, rtol=0
    )
    assert torch.equal(project(poses.xyz, poses.camera), poses.uv)


@pytest.mark.parametrize("joints", [17, 16])
def test_fewer_joints_are_the_same_poses(tmp_path, data, joints):
    (tmp_path / "fewer").mkdir()
    fewer = read_poses(made.h36m(tmp_path / "fewer", joints=joints))
    assert torch.equal(fewer.xyz, read_poses(data).xyz)


def test_subjects_actions_and_stride(data):
    assert read_poses(data, split="test").subjects() == [9, 11]
    assert read_poses(f"{data}?split=s1s5").subjects() == [1, 5]
    assert read_poses(f"{data}?split=s1").subjects() == [1]
    assert len(read_poses(f"{data}?split=all").subjects()) == 7
    some = read_poses(f"{data}?subjects=S9,11&actions=Walking&stride=3")
    assert some.subjects() == [9, 11] and some.clips == ("Walking", "Walking 1")
    assert set(some.tag[:, 2].tolist()) == {0, 3, 6}
    assert read_poses(f"{data}?actions=Walking 1").clips == ("Walking 1",)


def test_detections_are_trimmed_and_that_is_said(data):
    made.h36m_detections(data, "cpn_ft_h36m_dbb", cut=2, left_out=("S5", "Sitting"))
    told = []
    poses = read_poses(f"{data}?keypoints=cpn", progress=lambda share, text: told.append(text) or True)
    truth = read_poses(data)
    assert len(poses) == len(truth) - 5 * 3 * 2 + 2 - 4 * 8
    apart = (poses.uv - project(poses.xyz, poses.camera)).norm(dim=-1)
    assert 0.001 < apart.median() < 0.05
    trimmed = next(note for note in poses.notes if "unequal length" in note)
    assert "14 of 56 sequences" in trimmed and "28 frames in all" in trimmed and "S1 Walking camera 2" in trimmed
    assert any("S5 Sitting has no 2D" in note for note in poses.notes)
    assert set(poses.notes) <= set(told)


@pytest.mark.parametrize("name, file, joints", [("det", "detectron_ft_h36m", 17), ("hr", "hr", 16)])
def test_other_detectors(data, name, file, joints):
    path = made.h36m_detections(data, file, joints=joints)
    poses = read_poses(f"{data}?keypoints={name}&split=s1")
    assert torch.equal(poses.uv, read_poses(f"{data}?keypoints={path.name}&split=s1").uv)
    assert poses.name == f"Human3.6M s1 {name}"


def test_what_is_asked_for_in_vain(data, tmp_path):
    for query, words in {
        "split=trian": ("did you mean 'train'",),
        "subjects=S2": ("S2", "S11"),
        "actions=Walk": ("did you mean 'Walking'",),
        "keypoints=cpm": ("data_3d_h36m.npz?keypoints=cpm", "did you mean 'cpn'"),
        "keypoints=hr": ("data_2d_h36m_hr.npz is not there", "take keypoints=gt"),
        "stride=0": ("stride", "from 1"),
        "subject=S1": ("no option 'subject'", "did you mean 'subjects'"),
        "stride": ("key=value",),
    }.items():
        with pytest.raises(UserError) as caught:
            read_poses(f"{data}?{query}")
        assert all(word in str(caught.value) for word in words), caught.value
    (tmp_path / "few").mkdir()
    few = made.h36m(tmp_path / "few", subjects=("S1", "S9"))
    assert "S5, S6, S7, S8 are not in the file" in read_poses(few).notes
    with pytest.raises(UserError, match="S5 are wanted, but the file has S1, S9"):
        read_poses(f"{few}?subjects=S5")


@pytest.mark.parametrize(
    "table, word",
    [
        ({"S1": {"Walking": np.zeros((3, 25, 3))}}, "(3, 25, 3)"),
        ({"S1": {"Walking": [1, 2]}}, "list"),
        ({"S1": [1]}, "table of subjects"),
        ([1, 2], "table of subjects"),
        ({"S1": {"Walking": made.scattered(1000 * made.world_bodies(3, 1), range(16), 16)}}, "millimetres"),
    ],
)
def test_other_layouts_are_refused(tmp_path, table, word):
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(table, dtype=object) if table else table)
    with pytest.raises(UserError) as caught:
        read_poses(f"{tmp_path / 'data_3d_h36m.npz'}?split=s1")
    assert word in str(caught.value)


def test_detections_in_the_order_of_coco_are_refused(data):
    path = made.h36m_detections(data, "detectron_pt_coco")
    columns = dict(np.load(path, allow_pickle=True))
    columns["metadata"] = {"num_joints": 17, "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10]]}
    np.savez(path, **columns)
    with pytest.raises(UserError, match="COCO's order"):
        read_poses(f"{data}?keypoints={path.name}")


def test_the_file_is_unpickled_once_a_training_and_asks_before_it(data, monkeypatch):
    """Source, test people and the other sets are all taken of one reading, which is not kept beyond."""
    read, opened = NpzFile.read, []
    monkeypatch.setattr(NpzFile, "read", lambda file, *names: opened.append(names) or read(file, *names))
    config = make_config(source=str(data), cross=[f"{data}?split=all"])
    load_data(config)
    assert opened.count(("positions_3d",)) == 1
    load_data(config)
    assert opened.count(("positions_3d",)) == 2
    with pytest.raises(Cancelled):
        load_data(config, lambda share, text: False)
    assert opened.count(("positions_3d",)) == 2


def test_training_on_it(data, tmp_path):
    """Test people are held out by themselves, and the released templates are swapped in."""
    loaded = load_data(make_config(source=f"{data}?split=s1&stride=2", cross=[str(data)], extra_2d=[str(data)]))
    assert loaded.source.subjects() == [1] and loaded.source_test.subjects() == [9, 11]
    assert loaded.cross["Human3.6M test"].subjects() == [9, 11] and set(loaded.source_test.tag[:, 2].tolist()) <= {
        0,
        2,
        4,
        6,
    }
    assert torch.equal(loaded.templates, h36m_cameras.templates()) and any(
        "S1, S5, S6" in note for note in loaded.notes
    )
    assert len(loaded.extra) == len(read_keypoints(data))
    (tmp_path / "alone").mkdir()
    alone = load_data(make_config(source=str(made.h36m(tmp_path / "alone", subjects=("S1", "S5")))))
    assert alone.source_test.subjects() == [1, 5] and any("held out" in note for note in alone.notes)
