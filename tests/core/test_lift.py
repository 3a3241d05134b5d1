"""Lifting: chunks equal the whole, files give the answers back, BVH moves as the poses do, errors are evaluate's."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from poseaug_core import inference, lifting
from poseaug_core.checkpoints import write_checkpoint
from poseaug_core.cli import main
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.estimators import make_estimator
from poseaug_core.evaluation import evaluate
from poseaug_core.export.lifted import Lifted, draw_lifted
from poseaug_core.lifted_files import LiftedPoses, write_lifted
from poseaug_core.lifting import Held, errors_of, example, lift, lift_array, open_lifter, read_2d
from poseaug_core.motion.actions import SOURCE_ACTIONS
from poseaug_core.motion.bvh_writer import euler_zxy, swing, write_bvh
from poseaug_core.motion.demo import perform
from poseaug_core.motion.hard_actions import CROSS_ACTIONS
from poseaug_core.motion.turning import rotations
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.readers.bvh import read_bvh
from poseaug_core.skeleton import HUMAN16
from tests.core.detectors import SIZE, annotations, detected, moving_uv, pixels
from tests.core.small import small_poses


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """An estimator of 32 units whose batch statistics have seen something."""
    torch.manual_seed(1)
    estimator = make_estimator("simple_baseline", 32)
    estimator.train()(torch.randn(64, 16, 2) * 0.3)
    tensors = {f"estimator.{name}": value for name, value in estimator.state_dict().items()}
    path = tmp_path_factory.mktemp("estimator") / "mine.safetensors"
    return write_checkpoint(path, tensors, {"estimator": {"name": "simple_baseline", "width": 32}})


@pytest.fixture
def keypoints(tmp_path) -> Path:
    path = tmp_path / "people.json"
    path.write_text(json.dumps(annotations(detected(pixels(moving_uv(20)), "coco17"))))
    return path


def run(*arguments) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["lift", *map(str, arguments)])
    return result.exit_code, result.output


def test_parts_equal_the_whole_and_a_batch_of_one(checkpoint, monkeypatch):
    uv, lifter = moving_uv(20), open_lifter(checkpoint)
    whole = lift_array(lifter, uv)
    assert whole.shape == (20, 16, 3) and (whole[:, 0] == 0).all()
    for rows, part in ((2, 1), (4, 7), (512, 3)):
        monkeypatch.setattr(inference, "ROWS", rows)
        monkeypatch.setattr(lifting, "PART", part)
        np.testing.assert_allclose(lift_array(lifter, uv), whole, atol=1e-6)


def test_flipping_gives_the_mirrored_answer_to_the_mirrored_input(checkpoint):
    uv, lifter = moving_uv(6), open_lifter(checkpoint)
    mirrored = uv[:, list(HUMAN16.mirror)] * (-1.0, 1.0)
    answer, other = lift_array(lifter, uv), lift_array(lifter, mirrored)
    expected = other[:, list(HUMAN16.mirror)] * np.array((-1.0, 1.0, 1.0))
    np.testing.assert_allclose(answer, expected, atol=1e-6)
    assert np.abs(lift_array(lifter, uv, flip=False) - answer).max() > 1e-3


def test_cancelled_lifting_stops(checkpoint):
    with pytest.raises(Cancelled):
        lift_array(open_lifter(checkpoint), moving_uv(20), progress=lambda *_: False)


def test_an_estimator_that_diverged_is_named(checkpoint):
    lifter = open_lifter(checkpoint)
    with torch.no_grad():
        lifter.network.w2.bias[3] = float("nan")
    with pytest.raises(UserError, match="mine.safetensors answers NaN"):
        lift_array(lifter, moving_uv(2))


def test_errors_of_poses_are_those_of_evaluate(checkpoint, monkeypatch):
    monkeypatch.setattr(lifting, "PART", 7)
    poses, lifter = small_poses(30), open_lifter(checkpoint)
    parts = list(lift([lifter], Held(poses)))
    assert len(parts) == 5
    found = errors_of([part.sums[0] for part in parts], len(poses))
    assert found == pytest.approx(evaluate(lifter.network, poses, flip=True))


def made_poses(baseline: bool = True) -> LiftedPoses:
    rng = np.random.default_rng(0)
    xyz, uv, sure = (rng.normal(size=(9, 16, d)).astype(np.float32) for d in (3, 2, 1))
    names = [f"image, {i}" for i in range(9)]
    return LiftedPoses(xyz, uv, np.abs(sure[..., 0]).clip(0, 1), names, "mine", 2 * xyz if baseline else None)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_arrays_hold_what_was_lifted(tmp_path, suffix):
    poses = made_poses()
    path, _ = write_lifted(poses, tmp_path / f"out{suffix}")
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
    else:
        with h5py.File(path) as file:
            found = {key: file[key].asstr()[()] if key == "images" else file[key][()] for key in file}
            assert "metres" in file.attrs["units"]
    for key, column in poses.columns().items():
        np.testing.assert_array_equal(found[key], column)
    assert list(found["images"]) == poses.names and "pose3d_baseline" in found


def test_csv_has_a_header_of_joints_and_a_row_a_pose(tmp_path):
    poses = made_poses()
    path, _ = write_lifted(poses, tmp_path / "out.csv")
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9 and rows[3]["image"] == "image, 3"
    for axis in range(3):
        found = [float(row[f"left_wrist_{'xyz'[axis]}"]) for row in rows]
        np.testing.assert_allclose(found, poses.xyz[:, 12, axis], atol=1e-5)
        found = [float(row[f"baseline_head_{'xyz'[axis]}"]) for row in rows]
        np.testing.assert_allclose(found, poses.baseline[:, 9, axis], atol=1e-5)
    assert float(rows[0]["pelvis_confidence"]) == pytest.approx(float(poses.confidence[0, 0]), abs=1e-5)


def test_json_is_whole_and_named(tmp_path):
    poses = made_poses(baseline=False)
    path, _ = write_lifted(poses, tmp_path / "out.json")
    found = json.loads(path.read_text())
    assert found["joints"] == list(HUMAN16.names) and len(found["poses"]) == 9
    np.testing.assert_allclose([one["xyz"] for one in found["poses"]], poses.xyz, atol=1e-5)
    assert found["poses"][4]["image"] == "image, 4" and "baseline_xyz" not in found["poses"][0]


def camera_frame(xyz: np.ndarray) -> np.ndarray:
    """World poses, z up, as seen by a level camera, about their pelvis."""
    turned = np.stack((xyz[..., 0], -xyz[..., 2], xyz[..., 1]), axis=-1).astype(np.float64)
    return turned - turned[:, :1]


def centred(xyz: np.ndarray) -> np.ndarray:
    """About the middle of the hips, where readers put the pelvis."""
    return xyz - (xyz[:, 1:2] + xyz[:, 4:5]) / 2


def bone_angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between the bones of two poses."""
    a, b = HUMAN16.bones(a), HUMAN16.bones(b)
    across = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(across, (a * b).sum(-1)))


@pytest.mark.parametrize("action", ["walk", "sit", "kick", "lie", "crawl", "jump"])
def test_bvh_read_back_moves_as_the_poses_did(tmp_path, action):
    actions = SOURCE_ACTIONS | CROSS_ACTIONS
    clip = perform({action: actions[action]}, (1,), 1, seed=0)[0]
    poses = camera_frame(clip.xyz)
    said = write_bvh(poses, tmp_path / "out.bvh", 30)
    back = camera_frame(read_bvh(tmp_path / "out.bvh", None).xyz)[-len(poses) :]
    poses = poses[-len(back) :]
    assert np.linalg.norm(centred(poses) - centred(back), axis=-1).max() < 1e-3
    assert bone_angles(poses, back).max() < 0.5
    assert said["moved_mm"] < 0.1


def test_bvh_of_motion_capture_read_back(tmp_path, mocap):
    file = sorted((mocap / "cmu_bvh").rglob("*.bvh"))[0]
    poses = camera_frame(read_bvh(file, 30).xyz)
    said = write_bvh(poses, tmp_path / "out.bvh", 30)
    back = camera_frame(read_bvh(tmp_path / "out.bvh", None).xyz)
    poses = poses[-len(back) :]
    # Trunks in motion capture bend between our joints, which lengths held constant cannot follow wholly.
    assert np.linalg.norm(centred(poses) - centred(back), axis=-1).mean() < 0.003 + said["moved_mm"] / 1000
    assert np.median(bone_angles(poses, back)) < 0.5


def test_bvh_of_changing_lengths_says_how_far_joints_moved(tmp_path):
    rng = np.random.default_rng(0)
    poses = camera_frame(perform({"walk": SOURCE_ACTIONS["walk"]}, (1,), 1, seed=0)[0].xyz)
    poses = poses * (1 + 0.1 * rng.uniform(-1, 1, (len(poses), 1, 1)))
    said = write_bvh(poses, tmp_path / "out.bvh")["moved_mm"]
    back = camera_frame(read_bvh(tmp_path / "out.bvh", None).xyz)
    apart = 1000 * np.linalg.norm(centred(poses[-len(back) :]) - centred(back), axis=-1).mean()
    assert 5 < said < 60 and apart == pytest.approx(said, rel=0.15)


def test_rotations_of_bvh_hold_everywhere():
    rng = np.random.default_rng(0)
    a, b = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in rng.normal(size=(2, 50, 3)))
    b[:3] = -a[:3]  # half turns
    b[3] = a[3]
    turned = swing(a, b)
    np.testing.assert_allclose((turned @ a[..., None])[..., 0], b, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-6)
    np.testing.assert_allclose(rotations(euler_zxy(turned), (2, 0, 1)), turned, atol=1e-6)


def test_several_people_an_image_are_no_motion(tmp_path):
    poses = LiftedPoses(**{**vars(made_poses()), "one_person": False})
    with pytest.raises(UserError, match=r"choose one by \?person=0"):
        write_lifted(poses, tmp_path / "out.bvh")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".csv", ".json", ".bvh"])
def test_the_command_writes_every_kind(tmp_path, keypoints, checkpoint, suffix):
    code, text = run(keypoints, "--with", checkpoint, "--out", tmp_path / f"o{suffix}")
    assert code == 0 and "COCO annotations: 20 people in 20 images." in text and "20 poses" in text
    assert (tmp_path / f"o{suffix}").stat().st_size > 1000


def test_the_command_draws_and_sums_up_in_json(tmp_path, keypoints, checkpoint):
    out, figure = tmp_path / "o.npz", tmp_path / "f.pdf"
    code, text = run(
        keypoints, "--with", checkpoint, "--beside", checkpoint, "--out", out, "--figure", figure, "--json"
    )
    found = json.loads(text)
    assert code == 0 and found["poses"] == 20 and found["errors"] == {}
    assert any("Image size: 1280 x 720, from the file." in note for note in found["notes"])
    assert figure.read_bytes().startswith(b"%PDF") and b"/Subtype /Type3" not in figure.read_bytes()
    with np.load(out) as file:
        np.testing.assert_array_equal(file["pose3d"], file["pose3d_baseline"])


def test_the_command_prints_errors_of_poses(tmp_path, checkpoint):
    poses = write_arrays(small_poses(30), tmp_path / "poses.npz")
    code, text = run(poses, "--with", checkpoint, "--out", tmp_path / "o.npz", "--json")
    expected = evaluate(open_lifter(checkpoint).network, small_poses(30), flip=True)
    found = {name.removeprefix("with/"): value for name, value in json.loads(text)["errors"].items()}
    assert code == 0 and found == pytest.approx(expected, rel=1e-5)


def test_without_a_run_the_demo_lifts_and_that_is_said(tmp_path, keypoints):
    code, text = run(keypoints, "--out", tmp_path / "o.npz")
    assert code == 0 and "trained on parametric motion alone" in text


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--out", "o.txt"), "cannot write '.txt' files"),
        (("--out", "nowhere/o.npz"), "does not exist"),
        ((), "name a file with --out or --figure"),
        (("--figure", "f.doc"), "written as .pdf"),
        (("--figure", "f.pdf", "--row", "20"), "Row 20 is not among"),
        (("--out", "o.npz", "--with", "missing.safetensors"), "does not exist"),
        (("--out", "o.bvh", "--fps", "0"), "0 frames a second"),
        (("--out", "o.npz", "--precision", "tf32"), "lift in float32 or bfloat16, not in 'tf32' (tf32 is for training"),
    ],
)
def test_the_command_refuses_in_a_sentence_and_writes_nothing(tmp_path, keypoints, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, text = run(keypoints, *arguments)
    assert code == 2 and words in text and "Traceback" not in text
    assert [path.name for path in tmp_path.iterdir()] == [keypoints.name]


def test_nothing_that_is_read_is_written_over(tmp_path, keypoints, checkpoint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = write_arrays(small_poses(4), tmp_path / "a.npz")
    (tmp_path / "link.json").symlink_to(keypoints)
    (tmp_path / "weights.npz").symlink_to(checkpoint)
    (tmp_path / "sub").mkdir()
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "0.json").write_text("{}")
    before = {path: path.read_bytes() for path in (keypoints, arrays, checkpoint, frames / "0.json")}
    for arguments in (
        (keypoints, "--out", keypoints),
        (keypoints, "--out", "sub/../people.json"),
        (f"{keypoints}?person=all", "--out", "people.json"),
        ("link.json", "--out", keypoints),
        (keypoints, "--out", "link.json"),
        (arrays, "--out", "a.npz"),
        (keypoints, "--with", checkpoint, "--out", "weights.npz"),
        (keypoints, "--beside", checkpoint, "--out", "weights.npz"),
        (frames, "--out", "frames/0.json"),
    ):
        code, text = run(*arguments)
        assert code == 2 and "is the file that is read; name another to write" in text
    assert before == {path: path.read_bytes() for path in before}
    assert run(keypoints, "--with", checkpoint, "--out", "o.json")[0] == 0
    assert run(keypoints, "--with", checkpoint, "--out", "o.json")[0] == 0  # what was written may be written again


def test_progress_tells_what_lifts_and_how_many(checkpoint, monkeypatch):
    monkeypatch.setattr(lifting, "PART", 8)
    told = []
    lift_array(open_lifter(checkpoint), moving_uv(20), progress=lambda share, text: bool(told.append(text)) or True)
    assert told == [f"lifting with mine, {done} of 20 poses" for done in (0, 8, 16, 20)]
    assert lift_array(open_lifter(checkpoint), moving_uv(20)[:0], progress=lambda *_: True).shape == (0, 16, 3)


def test_a_single_pose_is_one(tmp_path, checkpoint):
    path = tmp_path / "one.npz"
    np.savez(path, keypoints=detected(pixels(moving_uv(20)), "coco17")[:1])
    code, text = run(f"{path}?layout=coco17", "--with", checkpoint, "--out", tmp_path / "o.npz")
    assert code == 0 and "1 pose\n" in text and "1 person in 1 image" in text and "size of 1 image is" in text
    assert not [many for many in ("1 poses", "1 images", "1 people") if many in text]


def test_a_figure_has_a_row_an_example_and_leaves_out_what_is_not_there(tmp_path, keypoints):
    table = read_2d(keypoints)
    answers = np.random.default_rng(0).normal(0, 0.3, (20, 16, 3)).astype(np.float32)
    alone = draw_lifted([example(table, row, [answers], None) for row in (0, 5)])
    both = draw_lifted([example(table, row, [answers, answers], None) for row in (0, 5)], "Mine", "Other")
    assert len(both.axes) - len(alone.axes) == 2
    words = {text.get_text() for text in both.texts}
    assert {"Input", "Mine", "Other", "000000000005.jpg"} <= words and not any("mm" in word for word in words)
    poses = small_poses(4)
    judged = draw_lifted([example(poses, 0, [poses.root_relative.numpy()], None)])
    assert "0 mm" in {text.get_text() for text in judged.texts}
    with pytest.raises(UserError, match="No example"):
        draw_lifted([])


def test_the_image_lies_under_its_keypoints():
    width, height = SIZE
    image = np.zeros((height, width, 3), np.uint8)
    uv = moving_uv(1)[0]
    for x, y in pixels(uv).round().astype(int):
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
    figure = draw_lifted([Lifted(uv, np.zeros((16, 3)), image=image)])
    axes = next(axes for axes in figure.axes if axes.images)
    shown, (left, right, bottom, top) = axes.images[0].get_array(), axes.images[0].get_extent()
    for u, v in uv:
        column = int((u - left) / (right - left) * shown.shape[1])
        row = int((-v - top) / (bottom - top) * shown.shape[0])
        assert shown[row, column].min() == 255
