"""The published data sets on the command line: info, convert, train and evaluate on each layout."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from poseaug_core.cli import main
from poseaug_core.readers import read_poses
from tests.core import made_datasets as made
from tests.core.small import SMALL


def poseaug(*arguments, code: int = 0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result


def flags(**settings) -> list[str]:
    return [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run trained on Human3.6M's layout for an epoch, as a reader of the paper would."""
    folder = tmp_path_factory.mktemp("h36m")
    data = made.h36m(folder)
    made.h36m_detections(data, "cpn_ft_h36m_dbb", cut=1)
    made.mpii(folder)
    spec = f"{data}?split=s1s5&keypoints=cpn"
    settings = {**SMALL, "epochs": 1, "warmup_epochs": 0}
    extra = ("--extra-2d", folder / "mpii_human_pose_v1_u12_1.mat", "--cross", made.dhp_official(folder / "3dhp"))
    result = poseaug("train", "--source", spec, *extra, "--out", folder / "run", "--json", *flags(**settings))
    return folder, json.loads(result.stdout)


def test_training_on_human36m(run):
    folder, result = run
    assert result["state"] == "finished"
    assert {"source_test", "MPI-INF-3DHP test"} <= {name.split("/")[0] for name in result["evaluation"]}
    found = json.loads(poseaug("info", folder / "run", "--json").stdout)
    assert "Human3.6M s1s5 cpn, 162 poses, 2 subjects" in found["data"]["source"], "six frames have no 2D"
    assert "2 subjects" in found["data"]["source_test"]


@pytest.mark.parametrize(
    "make, poses",
    [(made.dhp_official, 18), (made.spin_dhp, 20), (made.test_3dhp, 10), (made.pw3d, 16), (made.spin_pw3d, 4)],
)
def test_evaluation_on_the_other_sets(run, tmp_path, make, poses):
    path = make(tmp_path)
    found = json.loads(poseaug("evaluate", run[0] / "run", "--on", path, "--device", "cpu", "--json").stdout)
    assert found["sets"][0]["poses"] == poses
    assert 0 < found["sets"][0]["metrics"]["poseaug16/mpjpe"] < 5000


def test_evaluation_is_on_the_test_people(run):
    data = run[0] / "data_3d_h36m.npz"
    found = json.loads(poseaug("evaluate", run[0] / "run", "--on", data, "--device", "cpu", "--json").stdout)
    assert found["sets"][0]["poses"] == len(read_poses(data, split="test"))


def test_info_tells_what_was_found(run, tmp_path):
    data = f"{run[0] / 'data_3d_h36m.npz'}?keypoints=cpn&subjects=S1"
    found = json.loads(poseaug("info", data, "--json").stdout)
    assert found["name"] == "Human3.6M S1 cpn" and found["views"] == 4 and "unequal length" in found["notes"][0]
    found = json.loads(poseaug("info", made.lsp(tmp_path), "--json").stdout)
    assert found["people"] == 5 and found["3D"].startswith("none") and found["notes"]
    assert "midpoints" in poseaug("info", tmp_path / "joints.mat").stdout


def test_any_set_becomes_plain_arrays(run, tmp_path):
    data = run[0] / "data_3d_h36m.npz"
    found = json.loads(poseaug("convert", "poses", f"{data}?subjects=S9", "--out", tmp_path / "s9.h5", "--json").stdout)
    assert found["poses"] == 84 and len(read_poses(f"{tmp_path / 's9.h5'}?subjects=9")) == 84
    assert len(read_poses(f"{tmp_path / 's9.h5'}?stride=3")) == 32
    told = poseaug("convert", "poses", made.pw3d(tmp_path / "3DPW"), "--out", tmp_path / "pw3d.npz")
    assert "16 poses of 3DPW test" in told.stdout and "portrait" in told.stderr
    assert "is the file that is read" in poseaug("convert", "poses", data, "--out", data, code=2).output
    (tmp_path / "link.npz").symlink_to(data)
    for spec, out in ((f"{data}?subjects=S1", data), (data, tmp_path / "link.npz")):
        assert "is the file that is read" in poseaug("convert", "poses", spec, "--out", out, code=2).output
    made.lsp(tmp_path)
    assert (
        "2D keypoints alone"
        in poseaug("convert", "poses", tmp_path / "joints.mat", "--out", tmp_path / "a.h5", code=2).output
    )


def test_refused_in_one_sentence(tmp_path):
    data = made.h36m(tmp_path, subjects=("S1",))
    result = poseaug("info", f"{data}?split=tset", code=2)
    assert result.output.count("\n") == 1 and "did you mean 'test'" in result.output
