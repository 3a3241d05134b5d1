"""Laws of the method: invariances, round trips, packed against naive."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from poseaug_core import augmentor, discriminators, geometry, losses, metrics
from poseaug_core.estimators import ESTIMATORS, make_estimator
from poseaug_core.history_pool import HistoryPool
from poseaug_core.layers import dropout, frozen, kept_statistics
from poseaug_core.skeleton import HUMAN16, JUDGED, PAPER_PARTS
from poseaug_core.viewpoint import view_point


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(1)


@pytest.fixture
def poses(rng):
    """Random trees of joints in front of a camera, (8, 16, 3)."""
    return HUMAN16.joints(0.3 * torch.randn(8, 15, 3, generator=rng)) + torch.tensor([0.1, 0.0, 5.0])


@pytest.fixture
def cameras():
    return torch.tensor([[2.3, 2.3, 0.02, 0.03, -0.2, 0.24, 0.0, -0.001, -0.001]]).expand(8, 9)


def test_bones_and_joints_are_inverse(poses):
    torch.testing.assert_close(HUMAN16.joints(HUMAN16.bones(poses)), poses - poses[:, :1])
    np.testing.assert_allclose(HUMAN16.to_bones @ HUMAN16.to_joints, np.eye(15), atol=1e-6)


def test_paper_parts_are_disjoint_and_whole():
    assert sorted(bone for part in PAPER_PARTS.values() for bone in part) == list(range(15))


def test_mirroring_twice_changes_nothing(poses):
    twice = geometry.mirror(geometry.mirror(poses, HUMAN16.mirror), HUMAN16.mirror)
    torch.testing.assert_close(twice, poses)
    assert all(HUMAN16.length_groups[bone] == HUMAN16.length_groups[HUMAN16.mirror_bones[bone]] for bone in range(15))


def test_rotation_is_rigid(poses, rng):
    turn = torch.randn(8, 3, generator=rng)
    matrix = geometry.rotation_matrix(turn)
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(3).expand(8, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.det(matrix), torch.ones(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(geometry.rotation_matrix(-turn), matrix.mT, atol=1e-5, rtol=0)
    torch.testing.assert_close((matrix @ turn[..., None])[..., 0], turn, atol=1e-5, rtol=0)


def test_rotation_has_a_gradient_at_zero():
    turn = torch.zeros(1, 3, requires_grad=True)
    geometry.rotation_matrix(turn).sum().backward()
    assert turn.grad.isfinite().all()


def test_alignment_undoes_a_similarity(poses, rng):
    moved = 0.7 * geometry.rigid(poses, torch.randn(8, 3, generator=rng), torch.randn(8, 3, generator=rng))
    torch.testing.assert_close(geometry.similarity_align(moved, poses), poses, atol=1e-4, rtol=0)


def test_alignment_does_not_mirror(poses):
    aligned = geometry.similarity_align(poses * torch.tensor([-1.0, 1, 1]), poses)
    assert (aligned - poses).norm(dim=-1).mean() > 0.01


def test_undistorted_projection_is_a_pinhole(poses):
    camera = torch.tensor([[2.0, 3.0, 0.1, 0.2, 0, 0, 0, 0, 0]]).expand(8, 9)
    expected = poses[..., :2] / poses[..., 2:] * torch.tensor([2.0, 3.0]) + torch.tensor([0.1, 0.2])
    torch.testing.assert_close(geometry.project(poses, camera), expected)


@pytest.mark.parametrize("depth", [0.0, -0.0, 1e-30, -1e-12, 1e-5])
def test_a_joint_at_the_cameras_depth_has_a_finite_place_and_gradient(depth):
    xyz = torch.tensor([[[0.3, -0.2, depth], [0.0, 0.0, depth], [0.1, 0.2, 4.0]]], requires_grad=True)
    uv = geometry.project(xyz, torch.tensor([[2.0, 2.0, 0, 0, -0.2, 0.2, 0, 0.01, 0.01]]))
    uv.sum().backward()
    assert uv.isfinite().all() and xyz.grad.isfinite().all()


@pytest.mark.parametrize("azimuth", [-120.0, -30.0, 0.0, 45.0, 170.0])
@pytest.mark.parametrize("elevation", [-40.0, 0.0, 25.0])
def test_view_point_finds_the_camera(azimuth, elevation):
    from tests.studio.fakes import STANDING

    body = torch.tensor(STANDING) * torch.tensor([1.0, 1.0, 0.0])  # flat, facing a camera at -z, y down
    a, e = math.radians(azimuth), math.radians(elevation)
    camera = 4 * torch.tensor([math.sin(a) * math.cos(e), -math.sin(e), -math.cos(a) * math.cos(e)])
    found = view_point((body - camera)[None])[0]
    torch.testing.assert_close(found, torch.tensor([azimuth, elevation]), atol=0.5, rtol=0)


def test_ba_keeps_lengths_and_root_and_bl_keeps_directions(poses, rng):
    ba, change = augmentor.turn_bones(poses, torch.randn(8, 15, 3, generator=rng), fix_trunk=False)
    torch.testing.assert_close(HUMAN16.lengths(ba), HUMAN16.lengths(poses))
    torch.testing.assert_close(ba[:, 0], poses[:, 0])
    assert (change > 1e-4).all()
    bl, ratio = augmentor.stretch_bones(poses, torch.randn(8, 9, generator=rng))
    unit = torch.nn.functional.normalize
    torch.testing.assert_close(unit(HUMAN16.bones(bl), dim=-1), unit(HUMAN16.bones(poses), dim=-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(HUMAN16.lengths(bl) / HUMAN16.lengths(poses), 1 + ratio[:, HUMAN16.length_groups])
    assert ratio.abs().max() <= 0.2


def test_fixed_trunk_stays(poses, rng):
    raw = torch.randn(8, 15, 3, generator=rng)
    trunk = [HUMAN16.names.index("spine") - 1, HUMAN16.names.index("thorax") - 1]
    change = augmentor.turn_bones(poses, raw, fix_trunk=True)[1]
    assert change[:, trunk].abs().max() < 1e-6 < augmentor.turn_bones(poses, raw, fix_trunk=False)[1][:, trunk].min()


@pytest.mark.parametrize("off", ["apply_ba", "apply_bl", "apply_rt"])
def test_an_operation_that_is_off_hands_the_pose_on(poses, cameras, rng, off):
    network = augmentor.Augmentor()
    made = network(poses, cameras, network.draw(torch.arange(8), rng), **{off: False})
    before, after = {"apply_ba": (poses, made.ba), "apply_bl": (made.ba, made.bl), "apply_rt": (made.bl, made.rt)}[off]
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)
    torch.testing.assert_close(made.uv_rt, geometry.project(made.rt, cameras))


def test_grouped_augmentor_equals_four_separate_networks(poses, rng):
    """The batched trunks against plain layers, generator by generator."""
    network = augmentor.Augmentor()
    noise = network.draw(torch.arange(8), rng)
    pose, lengths = (poses - poses[:, :1]).flatten(1), HUMAN16.lengths(poses)
    found = network.regress(poses, noise)
    for group, head in enumerate(network.heads):
        x = torch.cat((pose, noise[group], lengths if group == 1 else torch.zeros(8, 15)), dim=1)
        for weight, bias in zip((network.input, *network.hidden), network.bias, strict=True):
            x = x @ weight[group] + bias[group]
            x = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
            x = torch.nn.functional.leaky_relu(x, 0.01)
        torch.testing.assert_close(found[group], head(x), atol=2e-4, rtol=1e-4)


def test_part_kcs_scores_each_part_alone(poses, rng):
    """A score moves exactly when a bone of its part turns against the part's others."""
    d3d = discriminators.PartKCS()
    for bone in range(15):
        raw = torch.zeros(8, 15, 3)
        raw[:, bone] = torch.randn(8, 3, generator=rng)
        moved = (d3d(augmentor.turn_bones(poses, raw, fix_trunk=False)[0]) - d3d(poses)).abs().amax(0) > 1e-4
        assert moved.tolist() == [bone in bones for bones in HUMAN16.parts.values()]


@pytest.mark.parametrize("kind", ["parts", "paper_parts", "whole_body"])
def test_kcs_ignores_view_position_and_size(poses, rng, kind):
    d3d = discriminators.PartKCS(JUDGED[kind].parts)
    assert d3d(poses).shape == (8, len(JUDGED[kind].parts))
    moved = geometry.rigid(1.3 * poses, torch.randn(8, 3, generator=rng), torch.randn(8, 3, generator=rng))
    torch.testing.assert_close(d3d(moved), d3d(poses), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["parts", "paper_parts", "whole_body"])
def test_packed_kcs_equals_zero_padded_mlps(poses, kind):
    d3d = discriminators.PartKCS(JUDGED[kind].parts)
    found = d3d(poses)
    directions = torch.nn.functional.normalize(HUMAN16.bones(poses), dim=-1)
    cosines = directions @ directions.transpose(1, 2)
    for p, bones in enumerate(JUDGED[kind].parts.values()):
        x = cosines[:, bones][:, :, bones].flatten(1)
        act = lambda x: torch.nn.functional.leaky_relu(x, 0.01)  # noqa: E731
        layer = lambda k, x: x @ d3d.weight[k][p, : x.shape[1]] + d3d.bias[k][p]  # noqa: E731, B023
        first = act(layer(0, x))
        expected = layer(4, act(layer(3, layer(2, act(layer(1, first))) + first)))[:, 0]
        torch.testing.assert_close(found[:, p], expected, atol=1e-5, rtol=1e-5)


def test_history_pool_stores_then_swaps_half(rng):
    pool = HistoryPool(100, 1)
    first = torch.arange(100.0)[:, None]
    assert pool.exchange(first, rng) is first and pool.filled == 100
    new = torch.arange(1000.0, 1080.0)[:, None]
    out = pool.exchange(new, rng)
    old = out[:, 0] < 1000
    assert 20 <= old.sum() <= 60, "about half should come from the past"
    assert len(set(out[old, 0].tolist())) == old.sum(), "no pose is handed out twice"
    kept = pool.poses[:, 0] >= 1000
    assert sorted(pool.poses[kept, 0].tolist()) == sorted(new[old, 0].tolist()), "what went out was replaced"
    torch.testing.assert_close(new, torch.arange(1000.0, 1080.0)[:, None])


def test_history_pool_takes_batches_larger_than_itself(rng):
    pool = HistoryPool(10, 2)
    assert pool.exchange(torch.randn(37, 2, generator=rng), rng).shape == (37, 2)


def test_dropout_rate_scale_and_generator(rng):
    x = torch.ones(400, 1000)
    out = dropout(x, 0.25, rng)
    assert out.mean().item() == pytest.approx(1, abs=0.01)
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    rows = (out == 0).float().mean(1)
    assert rows.std() < 0.03, "every byte of a word must be as random as the others"
    assert torch.equal(
        dropout(x, 0.25, torch.Generator().manual_seed(5)), dropout(x, 0.25, torch.Generator().manual_seed(5))
    )
    assert dropout(x, 0.25, None) is x


@pytest.mark.parametrize("name", ESTIMATORS)
def test_kept_statistics_and_frozen_weights(name, rng):
    estimator = make_estimator(name, 32)
    before = {key: value.clone() for key, value in estimator.state_dict().items()}
    uv = torch.randn(16, 16, 2, generator=rng, requires_grad=True)
    with kept_statistics(estimator), frozen(estimator):
        estimator(uv, rng).sum().backward()
    assert uv.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in estimator.parameters())
    assert all(torch.equal(value, before[key]) for key, value in estimator.state_dict().items())
    estimator(uv, rng)
    assert any(not torch.equal(value, before[key]) for key, value in estimator.state_dict().items())


def test_hardness_is_free_within_its_band():
    ratio = torch.tensor([[1.5, 3.0, 4.9]])
    assert losses.hardness_loss(ratio, 3.0, 2.0) == 0
    assert losses.hardness_loss(ratio, 3.0, 1.0) == pytest.approx((1.5**2 + 1.9**2) / 3)


def test_eq_10_as_printed_looks_at_each_pose_as_a_whole():
    change = torch.zeros(3, 15, 3)
    change[1] = 0.3
    change[2, 0] = 1.0  # large, but small in the mean
    assert losses.rectified_loss(change, 0.2).item() == pytest.approx(45 * 0.09 / 3)
    assert losses.rectified_loss(change, 0.0).item() == pytest.approx((45 * 0.09 + 3) / 3)
    assert losses.rectified_loss(change, 0.31).item() == 0


def test_eq_9_as_printed_is_smallest_at_beta_and_stays_finite():
    easy = torch.full((5,), 0.01)
    hard = torch.tensor([0.01, 0.02, 0.04, 50.0, 1e6], requires_grad=True)
    loss = losses.relative_hardness_loss(hard, easy, beta=2.0)
    assert loss.argmin() == 1 and loss[1] == 0 and loss.isfinite().all()
    loss.sum().backward()
    assert hard.grad[0] < 0 < hard.grad[2] < hard.grad[3] == hard.grad[4]


def test_square_error_is_in_the_unit_asked_for(rng):
    pred, target = torch.randn(2, 4, 16, 3, generator=rng)
    metres = losses.square_error(pred, target, 1.0)
    torch.testing.assert_close(metres, (pred - target).norm(dim=-1).square().mean(1))
    torch.testing.assert_close(losses.square_error(pred, target, 0.1), 100 * metres)


def test_gan_losses_as_printed_are_twice_the_released(rng):
    real, fake = torch.randn(2, 6, generator=rng)
    printed, released = losses.GAN_SCALE["unscaled"], losses.GAN_SCALE["halved"]
    expected = (real - 1).square().mean() + fake.square().mean()
    torch.testing.assert_close(losses.discriminator_loss(real, fake, printed), expected)
    torch.testing.assert_close(losses.discriminator_loss(real, fake, released), expected / 2)
    torch.testing.assert_close(losses.adversarial_loss(fake, printed), 2 * losses.adversarial_loss(fake, released))


def test_protocols_differ_by_the_root(rng):
    truth = HUMAN16.joints(0.3 * torch.randn(50, 15, 3, generator=rng))
    pred = truth + 0.1 * torch.randn(50, 16, 3, generator=rng)
    pred[:, 0] = 0
    values = metrics.joint_values(pred, truth)
    found = metrics.summarise(values)
    assert found["3dhp14/mpjpe"] > found["poseaug16/mpjpe"]
    assert found["3dhp14/pck150"] < found["poseaug16/pck150"]
    assert values["pa_mpjpe"].mean() < values["mpjpe"].mean()
    assert values["n_mpjpe"].mean() <= values["mpjpe"].mean() + 1e-3


def test_adam_is_torchs(rng):
    from poseaug_core.adam import Adam

    ours, theirs = torch.nn.Linear(5, 3), torch.nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    adam, reference = Adam(ours.parameters()), torch.optim.Adam(theirs.parameters(), lr=1e-2)
    for scale in (0.01, 1.0, 100.0):
        x = scale * torch.randn(7, 5, generator=rng)
        for network in (ours, theirs):
            network(x).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        reference.step()
        reference.zero_grad()
        adam.update(1e-2, clip=1.0)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    assert all(p.grad is None for p in ours.parameters())
