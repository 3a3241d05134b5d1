"""What the released code computes, recorded as arrays, is what this code computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from poseaug_core import augmentor, discriminators, losses, metrics
from poseaug_core.estimators import make_estimator
from poseaug_core.geometry import project
from poseaug_core.skeleton import HUMAN16


def load(path):
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.as_tensor(np.array(arrays[name])) for name in arrays.files}


@pytest.fixture(scope="module")
def ops(reference):
    return load(reference / "operations.npz")


@pytest.fixture(scope="module")
def recorded(reference):
    return load(reference / "losses.npz")


def close(found, expected, tolerance=1e-5):
    torch.testing.assert_close(found.double(), expected.double(), atol=tolerance, rtol=tolerance)


def test_skeleton_is_the_recorded_one(ops):
    assert list(HUMAN16.parents) == ops["parents"].tolist()


def test_bones(ops):
    bones = HUMAN16.bones(ops["pose3d"])
    close(bones, ops["bones"])
    close(HUMAN16.lengths(ops["pose3d"]), ops["bone_lengths"][..., 0])
    close(torch.nn.functional.normalize(bones, dim=-1), ops["bone_directions"])
    close(HUMAN16.joints(bones), ops["pose_from_bones"])


def test_projection(ops):
    close(project(ops["pose3d"], ops["camera"]), ops["pose2d"])
    linear = ops["camera"].clone()
    linear[:, 4:] = 0
    close(project(ops["pose3d"], linear), ops["pose2d_linear"])


def test_bone_angle(ops):
    ba, change = augmentor.turn_bones(ops["pose3d"], ops["ba_raw"])
    close(ba, ops["pose_ba"])
    close(change, ops["ba_diff"])
    close(project(ba, ops["camera"]), ops["pose2d_ba"])


def test_bone_length(ops):
    bl, ratio = augmentor.stretch_bones(ops["pose_ba"], ops["bl_raw"])
    close(bl, ops["pose_bl"])
    close(ratio, ops["bl_ratio"])


def test_rotation_and_translation(ops):
    rt, axis_angle, translation = augmentor.rotate_translate(ops["pose_bl"], ops["r_raw"], ops["t_raw"])
    close(rt, ops["pose_rt"])
    close(axis_angle, ops["axis_angle"])
    close(translation, ops["translation"][:, 0])
    # From the recorded pose: near the camera's plane the division by z magnifies the last bit of a pose.
    close(project(ops["pose_rt"], ops["camera"]), ops["pose2d_rt"])


def test_bone_length_swap(ops):
    lengths = ops["bone_length_templates"][ops["swap_index"]]
    close(augmentor.set_lengths(ops["pose3d"], lengths), ops["pose_length_swap"])


@pytest.mark.parametrize("part", HUMAN16.parts)
def test_part_kcs(ops, part):
    bones = list(HUMAN16.parts[part])
    expected = ops[f"kcs_{part.replace(' ', '_')}"]
    found = torch.zeros_like(expected)
    rows, columns = np.ix_(bones, bones)
    cosines = discriminators.PartKCS().cosines(ops["pose3d"])[:, list(HUMAN16.parts).index(part)]
    found[:, rows, columns] = cosines[:, : len(bones), : len(bones)]
    close(found, expected)


def test_hardness(recorded):
    close(losses.grouped_error(recorded["pred"], recorded["target"]), recorded["grouped_error"])
    ratio = losses.hardness(recorded["harder"], recorded["easier"])
    for name, beta, tolerance in (("ba", 3, 2), ("ba_late", 5, 2), ("rt", 17, 15)):
        close(losses.hardness_loss(ratio, beta, tolerance), recorded[f"hardness_range_{name}"])


def test_range_and_limit(ops, recorded):
    close(losses.angle_range_loss(ops["ba_diff"], 0.205, 0.165), recorded["ba_range_loss"])
    close(losses.length_limit_loss(ops["bl_ratio"], 0.1), recorded["bl_limit_loss"])


@pytest.mark.parametrize("beta", ["1.5", "3.0", "5.0"])
def test_equation_9(recorded, beta):
    found = losses.relative_hardness_loss(recorded["lp_augmented"], recorded["lp_original"], float(beta))
    close(found, recorded[f"eq9_beta_{beta}"])


def test_adversarial(recorded):
    real, fake = recorded["score_real"], recorded["score_fake"]
    close(losses.discriminator_loss(real, fake), recorded["lsgan_d"])
    # The released augmentor's loss adds the real side with label 0, which no weight of the augmentor changes.
    close(losses.adversarial_loss(fake) + 0.5 * real.square().mean(), recorded["lsgan_g_released"])


def test_metrics(reference):
    arrays = load(reference / "metrics.npz")
    found = metrics.summarise(metrics.joint_values(arrays["pred"], arrays["target"]))
    assert found["poseaug16/mpjpe"] == pytest.approx(arrays["mpjpe_mm"].item(), rel=1e-5)
    assert found["poseaug16/pa_mpjpe"] == pytest.approx(arrays["pa_mpjpe_mm"].item(), rel=1e-5)
    errors = metrics.joint_errors(arrays["pred_wide"], arrays["target"])
    assert metrics.pck(errors).mean().item() == pytest.approx(arrays["pck150"].item(), rel=1e-5)
    assert metrics.auc(errors).mean().item() == pytest.approx(arrays["auc"].item(), rel=1e-5)


@pytest.mark.parametrize("name", ["simple_baseline", "semgcn", "st_gcn", "vpose"])
def test_estimator(reference, name):
    arrays = load(reference / f"estimator_{name}.npz")
    estimator = make_estimator(name).eval()
    state = {key.removeprefix("state/"): value for key, value in arrays.items() if key.startswith("state/")}
    estimator.load_state_dict(state)
    assert sum(p.numel() for p in estimator.parameters()) == arrays["parameters"].item()
    close(estimator(arrays["input"]), arrays["output"], 1e-4)
    close(estimator(arrays["input"][:1]), arrays["output"][:1], 1e-4)
