"""Errors from every side: by action, joint, part, subject and view, under both protocols."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from poseaug_core.breakdown import SIDES, Breakdown, action_of, part_joints
from poseaug_core.checkpoints import write_checkpoint
from poseaug_core.cli import main
from poseaug_core.commands.evaluate import SIDES as OFFERED
from poseaug_core.estimators import make_estimator
from poseaug_core.evaluation import evaluate, evaluate_detail
from poseaug_core.metrics import METRICS, PROTOCOLS, auc, joint_errors, joint_values, pck, summarise
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.skeleton import HUMAN16
from tests.core.small import small_poses


@pytest.fixture(scope="module")
def poses():
    made = small_poses(40)
    tag = made.tag.clone()
    tag[:, 3] = torch.arange(40) % 3
    return replace(made, tag=tag, clips=("S1 Walking 1", "S1 Sitting", "S9 Walking", "S9 Sitting 2"))


@pytest.fixture(scope="module")
def pred(poses):
    noise = torch.randn(40, 16, 3, generator=torch.Generator().manual_seed(0))
    noise[:, 0] = 0
    scale = torch.linspace(0.02, 0.15, 40)[:, None, None]
    return poses.root_relative + scale * noise


@pytest.fixture(scope="module")
def detail(pred, poses):
    return Breakdown.of(pred, poses)


def test_each_row_is_what_its_poses_alone_give(detail, pred, poses):
    action = torch.tensor([0, 1, 0, 1])[poses.tag[:, 1].long()]
    masks = {"action": {"Walking": action == 0, "Sitting": action == 1}}
    masks["subject"] = {str(s): poses.tag[:, 0] == s for s in (0, 1)}
    masks["view"] = {str(v): poses.tag[:, 3] == v for v in (0, 1, 2)}
    for side, rows in masks.items():
        found = detail.by(side)
        assert list(found) == [*rows, "mean"]
        for label, mask in rows.items():
            alone = Breakdown.of(pred[mask], poses.take(mask)).overall()
            assert found[label] == pytest.approx(alone | {"poses": int(mask.sum())}, rel=1e-6)


def test_the_mean_counts_every_action_alike():
    poses = small_poses(40).take([*range(10), *range(30, 33)])  # ten poses of one clip, three of another
    pred = poses.root_relative.clone()
    pred[:10, 3] += 0.016
    rows = Breakdown.of(pred, poses).by("action")
    assert rows["clip0"]["poseaug16/mpjpe"] == pytest.approx(1000 * 0.016 * 3**0.5 / 16, rel=1e-4)
    assert rows["clip3"]["poseaug16/mpjpe"] == pytest.approx(0, abs=1e-4)
    assert rows["mean"]["poseaug16/mpjpe"] == pytest.approx(rows["clip0"]["poseaug16/mpjpe"] / 2, rel=1e-4)
    assert rows["mean"]["poses"] == 13


def test_joints_and_parts_add_up(detail, poses, pred):
    joints, parts, overall = detail.by("joint"), detail.by("part"), detail.overall()
    errors = joint_errors(pred, poses.root_relative).double().mean(0)
    for number, name in enumerate(HUMAN16.names):
        assert joints[name]["poseaug16/mpjpe"] == pytest.approx(errors[number].item())
    for protocol, counted in PROTOCOLS.items():
        for metric in METRICS:
            key = f"{protocol}/{metric}"
            told = [joints[name][key] for name in HUMAN16.names if joints[name][key] is not None]
            assert len(told) == len(counted) and sum(told) / len(told) == pytest.approx(overall[key])
            of_parts = [(parts[part][key], len(set(joints) & set(counted)))
                        for part, joints in part_joints().items() if part in HUMAN16.parts]  # fmt: skip
            assert sum(value * n for value, n in of_parts) / len(counted) == pytest.approx(overall[key])


def test_joints_outside_a_protocol_have_no_number_in_it(detail):
    for name, row in detail.by("joint").items():
        assert (row["3dhp14/mpjpe"] is None) == (name in ("pelvis", "spine"))
        assert row["poseaug16/mpjpe"] is not None


def test_parts_are_the_body_once_and_limbs_by_how_far_out():
    parts = part_joints()
    once = sorted(joint for part in HUMAN16.parts for joint in parts[part])
    assert once == list(range(16))
    names = lambda part: [HUMAN16.names[j] for j in parts[part]]  # noqa: E731
    assert names("left arm") == ["left shoulder", "left elbow", "left wrist"]
    assert names("legs") == names("right leg") + names("left leg")
    assert set(names("ankles, wrists")) == {f"{s} {j}" for s in ("left", "right") for j in ("ankle", "wrist")}


def test_sixteen_joints_flatter_by_what_the_note_says(detail):
    overall = detail.overall()
    joints = detail.by("joint")
    gain = overall["poseaug16/pck150"] - overall["3dhp14/pck150"]
    assert gain > 0.5 and f"PCK@150 by {gain:+.2f} points" in detail.note()
    free = [joints[name]["poseaug16/pck150"] for name in HUMAN16.names[1:]]
    assert f"({overall['poseaug16/pck150'] - sum(free) / 15:+.2f} by the pelvis" in detail.note()
    assert joints["pelvis"]["poseaug16/pck150"] == 100
    assert joints["pelvis"]["poseaug16/auc"] == pytest.approx(100 * 30 / 31)  # the limit 0 counts nothing


def test_pck_and_auc_by_their_definition():
    errors = torch.tensor([[0.0, 4.999, 5.0, 75.0, 149.99, 150.0, 151.0, 1e6]])
    assert pck(errors).tolist() == [[100, 100, 100, 100, 100, 0, 0, 0]]
    limits = [5 * k for k in range(31)]
    by_hand = [[100 * sum(error < limit for limit in limits) / 31 for error in errors[0].tolist()]]
    assert auc(errors).tolist() == [pytest.approx(by_hand[0])]


def test_recorded_pck_and_auc(reference):
    import numpy as np

    arrays = {name: torch.as_tensor(value) for name, value in np.load(reference / "metrics.npz").items()}
    found = summarise(joint_values(arrays["pred_wide"], arrays["target"]))
    assert found["poseaug16/pck150"] == pytest.approx(arrays["pck150"].item(), rel=1e-5)
    assert found["poseaug16/auc"] == pytest.approx(arrays["auc"].item(), rel=1e-5)


@pytest.mark.parametrize(
    "clip, action",
    [("S9 Walking 1", "Walking"), ("Directions", "Directions"), ("S11/WalkDog 2", "WalkDog"), ("07_01", "07_01"),
     ("courtyard_golf_00", "courtyard_golf"), ("Sitting.1", "Sitting"), ("TS3", "TS3"), ("pick up", "pick up")],
)  # fmt: skip
def test_actions_by_the_names_of_clips(clip, action):
    assert action_of(clip) == action


def test_an_estimator_is_evaluated_the_same_in_brief_and_in_detail(poses):
    estimator = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 48), torch.nn.Unflatten(1, (16, 3)))
    detail = evaluate_detail(estimator, poses, flip=True, batch_size=7)
    assert detail.overall() == evaluate(estimator, poses, flip=True, batch_size=7)
    assert {"3dhp14/n_mpjpe", "poseaug16/pa_mpjpe"} <= set(detail.overall())


def test_poses_without_names_of_clips_are_told_by_number(pred, poses):
    rows = Breakdown.of(pred, replace(poses, clips=())).by("action")
    assert list(rows) == ["0", "1", "2", "3", "mean"]


def test_the_command_offers_every_side():
    assert OFFERED == SIDES


def test_the_command_prints_and_writes_what_is_asked_for(tmp_path, poses):
    estimator = make_estimator("simple_baseline", 16)
    tensors = {f"estimator.{name}": value for name, value in estimator.state_dict().items()}
    meta = {"estimator": {"name": "simple_baseline", "width": 16}}
    checkpoint = write_checkpoint(tmp_path / "net.safetensors", tensors, meta)
    write_arrays(poses, tmp_path / "poses.npz")
    words = ["evaluate", str(checkpoint), "--on", str(tmp_path / "poses.npz"), "--by", "action", "--by", "joint"]
    (found,) = json.loads(CliRunner().invoke(main, [*words, "--json", "--protocol", "3dhp14"]).stdout)["sets"]
    assert list(found["by"]) == ["action", "joint"]
    assert set(found["by"]["action"]["Sitting"]) == {"poses", *(f"3dhp14/{name}" for name in METRICS)}
    assert found["by"]["joint"]["pelvis"]["3dhp14/mpjpe"] is None
    detail = evaluate_detail(estimator, poses, flip=True)
    assert found["by"]["action"]["Walking"]["3dhp14/auc"] == pytest.approx(detail.by("action")["Walking"]["3dhp14/auc"])
    printed = CliRunner().invoke(main, words).stdout
    sixteen, fourteen = printed.split("By joint on ")[1:]
    assert "pelvis" in sixteen and "pelvis" not in fourteen.split("poseaug16 counts")[0]
    assert found["note"] in printed and detail.note().split(" changes ")[1] in printed
