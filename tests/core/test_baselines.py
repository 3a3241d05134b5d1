"""The baselines: laws of evolution and random views."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from poseaug_core.baselines import RandomAugmentor, evolve
from poseaug_core.baselines.joint_limits import JointLimits
from poseaug_core.baselines.limbs import LIMBS, SUBTREES, from_local, to_local
from poseaug_core.baselines.rotations import about, after, axis_angle, quaternion
from poseaug_core.baselines.views import TITLES, baseline_views
from poseaug_core.cli import main
from poseaug_core.diversity import position_diversity, view_diversity
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.geometry import mirror, project, rigid, rotation_matrix
from poseaug_core.ranges import EvolutionRanges, RandomRanges
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.skeleton import HUMAN16
from poseaug_core.viewpoint import view_point
from tests.core.small import small_poses

TRUNK_BONES = [bone for bone in range(15) if bone not in LIMBS]
QUIET = EvolutionRanges(evolution_turn_rate=0, evolution_view_rate=0, evolution_length_rate=0, evolution_shift=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def close(found, expected, within=1e-5):
    torch.testing.assert_close(found, expected, rtol=0, atol=within)


@pytest.fixture(scope="module")
def source():
    return small_poses(200, seed=5)


@pytest.fixture(scope="module")
def evolved(source):
    return evolve(source, 600, generator())


def units(xyz):
    return torch.nn.functional.normalize(HUMAN16.bones(xyz), dim=-1)


# turns


def test_turns_compose_and_come_back_as_axis_angle():
    angles = torch.randn(3, 50, generator=generator()) * 2
    turns = [about(axis, angle) for axis, angle in enumerate(angles)]
    expected = torch.eye(3)
    for axis in (0, 1, 2):
        expected = rotation_matrix(torch.eye(3)[axis] * angles[axis][:, None]) @ expected
    found = after(turns[2], after(turns[1], turns[0]))
    close(rotation_matrix(axis_angle(found)), expected, 1e-4)
    close(rotation_matrix(axis_angle(quaternion(expected))), expected, 1e-4)


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.6, -0.8, 0)])
def test_half_a_turn_is_told(axis):
    half = torch.pi * torch.tensor([axis])
    close(rotation_matrix(axis_angle(quaternion(rotation_matrix(half)))), rotation_matrix(half), 1e-4)


# limbs in frames of their own


def test_limbs_come_back_and_do_not_know_view_place_and_size(source):
    xyz, local = source.xyz, to_local(source.xyz)
    close(from_local(xyz, local, HUMAN16.lengths(xyz)), xyz)
    turned = rigid(1.3 * (xyz - xyz[:, :1]), torch.randn(len(xyz), 3, generator=generator()), xyz[:, 0] + 1)
    close(to_local(turned), local, 1e-4)


def test_a_shin_is_told_in_the_frame_that_its_thigh_carries(source):
    knee, ankle = HUMAN16.names.index("left knee"), HUMAN16.names.index("left ankle")
    thigh, shin = LIMBS.index(knee - 1), LIMBS.index(ankle - 1)
    local = to_local(source.xyz)
    moved = local.clone()
    moved[:, thigh] = torch.nn.functional.normalize(local[:, thigh] + torch.tensor([0.3, 0.1, 0.4]), dim=-1)
    after_move = from_local(source.xyz, moved, HUMAN16.lengths(source.xyz))
    close(to_local(after_move)[:, shin], local[:, shin], 1e-4)
    bend = lambda xyz: (units(xyz)[:, knee - 1] * units(xyz)[:, ankle - 1]).sum(-1)  # noqa: E731
    close(bend(after_move), bend(source.xyz), 1e-4)  # the knee's angle is the shin's alone


def test_limbs_straight_against_their_rest_direction_stay_limbs():
    xyz = small_poses(4).xyz
    local = to_local(xyz)
    local[:, 0] = torch.tensor([0.0, -1.0, 0.0])  # a thigh that points straight up
    made = from_local(xyz, local, HUMAN16.lengths(xyz))
    assert made.isfinite().all()
    close(HUMAN16.lengths(made), HUMAN16.lengths(xyz))


def test_ten_subtrees_hang_from_the_joints_of_the_release():
    named = [{HUMAN16.names[LIMBS[place] + 1] for place in below} for below in SUBTREES]
    legs = {f"{side} {joint}" for side in ("left", "right") for joint in ("knee", "ankle")}
    arms = {f"{side} {joint}" for side in ("left", "right") for joint in ("elbow", "wrist")}
    assert len(named) == 10
    assert legs in named and arms | {"head"} in named
    assert {"left elbow", "left wrist"} in named and {"left wrist"} in named and {"right ankle"} in named


# limits


def test_limits_hold_what_was_seen_and_its_mirror_image_and_refuse_the_rest(source):
    limits = JointLimits.learn(source.xyz)
    assert limits.allow(to_local(source.xyz)).all()
    assert limits.allow(to_local(mirror(source.xyz, HUMAN16.mirror))).all()
    backwards = -to_local(source.xyz)
    assert limits.allow(backwards).float().mean() < 0.01


def test_more_slack_allows_more(source):
    shares = [JointLimits.learn(source.xyz, slack).allowed.float().mean() for slack in (0.0, 10.0, 40.0)]
    assert shares[0] < shares[1] < shares[2] < 1


def test_slack_is_in_degrees_anywhere_on_the_sphere():
    """Of one seen pose, a limb may turn by the slack but for about a cell, and not by more than a cell beyond."""
    pose = small_poses(2).xyz[:1]
    local, head = to_local(pose), LIMBS.index(HUMAN16.names.index("head") - 1)
    towards = torch.nn.functional.normalize(torch.randn(300, 3, generator=generator()), dim=-1)
    made = local.repeat(300, 1, 1)
    made[:, head] = towards
    lengths = HUMAN16.lengths(pose)
    for seen in towards[:20]:
        one = local.clone()
        one[:, head] = seen
        limits = JointLimits.learn(from_local(pose, one, lengths), slack=30.0)
        allowed = limits.allow(made)[:, head]
        mirrored = torch.stack((seen, seen * torch.tensor([-1.0, 1, 1])))
        angle = (towards @ mirrored.T).clamp(-1, 1).acos().rad2deg().amin(1)
        assert allowed[angle < 20].all() and not allowed[angle > 40].any()


def test_limits_of_a_shin_depend_on_its_thigh():
    """Only with the thigh forward is the knee bent: both directions were seen, the pair of bent and straight not."""
    pose = small_poses(2).xyz[:1]
    knee = LIMBS.index(HUMAN16.names.index("right knee") - 1)
    local = to_local(pose)
    shin = knee + 1
    bent = local.clone()
    bent[:, knee] = torch.nn.functional.normalize(local[:, knee] + torch.tensor([0, 0, 3.0]), dim=-1)
    bent[:, shin] = torch.nn.functional.normalize(torch.tensor([0.1, 0.2, -1.0]), dim=0)
    lengths = HUMAN16.lengths(pose)
    limits = JointLimits.learn(torch.cat((pose, from_local(pose, bent, lengths))), slack=5.0)
    assert limits.allow(bent).all()
    mixed = local.clone()
    mixed[:, shin] = bent[:, shin]
    allowed = limits.allow(mixed)[0]
    assert allowed[knee] and not allowed[shin]


# evolution


def test_children_are_inside_the_image_with_the_uv_of_their_sources_camera(source, evolved):
    assert len(evolved.poses) == 600
    close(evolved.poses.camera, source.camera[evolved.parent])
    close(evolved.poses.uv, project(evolved.poses.xyz, evolved.poses.camera))
    assert (evolved.poses.uv.abs() <= 1).all() and (evolved.poses.xyz[..., 2] > 0).all()
    assert torch.equal(evolved.poses.tag, source.tag[evolved.parent])


def test_children_keep_the_limits_and_stand_within_the_range(source, evolved):
    limits = JointLimits.learn(source.xyz, EvolutionRanges().evolution_slack)
    assert limits.allow(to_local(evolved.poses.xyz)).float().mean() > 0.999  # rounding at the borders of cells
    away = (evolved.poses.xyz[:, 0] - source.xyz[evolved.parent, 0]).abs()
    assert (
        away.max() <= EvolutionRanges().evolution_shift + 1e-5 and away.max() > 0.9 * EvolutionRanges().evolution_shift
    )


def test_every_source_pose_has_children(source, evolved):
    children = torch.bincount(evolved.parent, minlength=len(source))
    assert children.min() >= 1 and children.max() <= 20  # 3 on average
    assert (evolved.parent.diff() >= 0).all()


def test_the_generator_decides(source, evolved):
    again, other = evolve(source, 600, generator()), evolve(source, 600, generator(1))
    assert torch.equal(again.poses.xyz, evolved.poses.xyz) and torch.equal(again.parent, evolved.parent)
    assert not torch.equal(other.poses.xyz, evolved.poses.xyz)


def test_crossover_alone_recombines_limbs_that_exist(source):
    made = evolve(source, 100, generator(), QUIET)
    own, limbs = to_local(source.xyz), to_local(made.poses.xyz)
    far = torch.cdist(limbs.transpose(0, 1), own.transpose(0, 1)).amin(-1)  # to the nearest of the source, by limb
    assert far.max() < 1e-3
    changed = (limbs - own[made.parent]).norm(dim=-1) > 1e-3
    assert 0.1 < changed.float().mean() < 0.9
    close(units(made.poses.xyz)[:, TRUNK_BONES], units(source.xyz[made.parent])[:, TRUNK_BONES], 1e-4)
    close(made.poses.xyz[:, 0], source.xyz[made.parent, 0])


def test_each_mutation_does_what_it_says(source):
    quiet = evolve(source, 100, generator(), QUIET)
    angles = evolve(source, 100, generator(), replace(QUIET, evolution_turn_rate=1.0))
    far = torch.cdist(to_local(angles.poses.xyz).transpose(0, 1), to_local(source.xyz).transpose(0, 1)).amin(-1)
    assert far.max() > 0.02
    lengths = evolve(source, 100, generator(), replace(QUIET, evolution_length_rate=1.0))
    ratio = HUMAN16.lengths(lengths.poses.xyz)[:, None] / source.bone_templates()
    spread = ratio.std(-1).amin(1)  # all bones of one template times one size
    close(spread, torch.zeros_like(spread), 1e-4)
    assert ratio.mean(-1).min() < 0.95
    viewed = evolve(source, 100, generator(), replace(QUIET, evolution_view_rate=1.0))
    elevation = [view_point(made.poses.xyz)[:, 1].std() for made in (quiet, viewed)]
    assert elevation[1] > 2 * elevation[0]


def test_children_of_children_differ_more(source):
    few, many = (evolve(source, count, generator(), QUIET) for count in (100, 2000))
    changed = [(to_local(m.poses.xyz) - to_local(source.xyz[m.parent])).norm(dim=-1) > 1e-3 for m in (few, many)]
    assert changed[1].float().mean() > changed[0].float().mean()


def test_evolution_tells_progress_and_can_be_cancelled(source):
    told = []
    evolve(source, 50, generator(), progress=lambda share, text: told.append((share, text)))
    assert told[0] == (0, "evolving small") and [share for share, _ in told] == sorted(share for share, _ in told)
    with pytest.raises(Cancelled):
        evolve(source, 50, generator(), progress=lambda share, text: False)


def test_what_cannot_evolve_is_refused_in_a_sentence(source):
    with pytest.raises(UserError, match="1 or more"):
        evolve(source, 0, generator())
    with pytest.raises(UserError, match="two parents"):
        evolve(source.take([0]), 5, generator())
    aside = source.camera + torch.tensor([0, 0, 5.0, 0, 0, 0, 0, 0, 0])  # all poses outside the image
    with pytest.raises(UserError, match="survived 20 generations.*poses inside the image"):
        evolve(replace(source, camera=aside), 5, generator())


# in an augmentor's place


def test_a_child_in_stages(source, evolved):
    rows = torch.arange(0, 200, 3)
    children = evolved.draw(rows, generator())
    assert torch.equal(evolved.parent[children], rows)
    xyz, camera = source.xyz[rows], source.camera[rows]
    made = evolved(xyz, camera, children)
    close(made.rt, evolved.poses.xyz[children], 1e-4)
    close(made.uv_rt, evolved.poses.uv[children], 1e-3)
    close(HUMAN16.lengths(made.ba), HUMAN16.lengths(xyz))
    close(HUMAN16.lengths(made.bl), HUMAN16.lengths(made.rt))
    close(rigid(made.bl - made.bl[:, :1], made.axis_angle, made.translation), made.rt)
    close(units(xyz) + made.angle_residual, units(made.ba), 1e-4)
    assert made.angle_change[:, TRUNK_BONES].abs().max() < 1e-5 < made.angle_change.mean()
    assert 0.02 < (made.axis_angle.norm(dim=1) > 0.01).float().mean() < 0.6


def test_a_pose_without_children_stays_itself(source, evolved):
    kept = evolved.parent != 7
    orphan = replace(evolved, poses=evolved.poses.take(kept), parent=evolved.parent[kept])
    rows = torch.tensor([6, 7])
    children = orphan.draw(rows, generator())
    assert children[0] >= 0 and children[1] == -1
    made = orphan(source.xyz[rows], source.camera[rows], children)
    close(made.rt[1], source.xyz[7])
    assert (made.rt[0] - source.xyz[6]).abs().max() > 0.01


@pytest.mark.parametrize("which", ["evolution", "random"])
def test_an_operation_that_is_off_hands_the_pose_on(source, evolved, which):
    augment = evolved if which == "evolution" else RandomAugmentor(RandomRanges(random_angle=10, random_length=0.1))
    rows = torch.arange(20)
    xyz, camera, draws = source.xyz[rows], source.camera[rows], augment.draw(rows, generator())
    off = augment(xyz, camera, draws, False, False, False)
    for stage in (off.ba, off.bl, off.rt):
        close(stage, xyz)
    close(off.length_ratio, torch.zeros(20, 9))
    close(off.axis_angle, torch.zeros(20, 3))
    only = augment(xyz, camera, draws, False, False, True)
    close(only.bl, xyz)
    assert (only.rt - xyz).abs().max() > 0.1
    bones = augment(xyz, camera, draws, True, True, False)
    close(bones.rt, bones.bl)
    assert bones.angle_change.max() > 1e-3 and bones.length_ratio.abs().max() > 1e-3


# random views


def test_random_views_fill_their_ranges_with_the_body_inside_the_image():
    poses = small_poses(2000, seed=2)
    poses = replace(poses, camera=poses.camera * torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0]))  # no lens distortion
    augment = RandomAugmentor()
    made = augment(poses.xyz, poses.camera, augment.draw(torch.arange(2000), generator()))
    assert made.uv_rt.abs().max() <= 0.95 + 1e-4 and made.rt[..., 2].min() > 1
    depth = made.rt[:, 0, 2]
    assert 3 <= depth.min() < 3.1 and 11.9 < depth.max() <= 12
    assert made.uv_rt.abs().amax((1, 2)).max() > 0.94
    views = view_point(made.rt)
    assert torch.histc(views[:, 0], 8, -180, 180).min() > 150
    assert 15 < views[:, 1].std() < 30
    close(made.ba, poses.xyz)
    close(HUMAN16.lengths(made.rt), HUMAN16.lengths(poses.xyz))
    assert made.angle_change.max() < 1e-6


def test_each_range_is_kept():
    poses = small_poses(500, seed=3)
    rows = torch.arange(500)
    still = dict(random_yaw=0.0, random_pitch=0.0, random_roll=0.0, random_near=5.0, random_far=5.0)

    def made(**ranges):
        augment = RandomAugmentor(RandomRanges(**{**still, **ranges}))
        return augment(poses.xyz, poses.camera, augment.draw(rows, generator()))

    close(made().axis_angle, torch.zeros(500, 3))
    close(made().translation[:, 2], torch.full((500,), 5.0))
    yaw = made(random_yaw=90.0).axis_angle
    close(yaw[:, [0, 2]], torch.zeros(500, 2))
    assert 85 < yaw[:, 1].rad2deg().abs().max() <= 90
    assert made(random_pitch=20.0).axis_angle[:, 0].rad2deg().std() == pytest.approx(20, rel=0.15)
    assert made(random_roll=6.0).axis_angle[:, 2].rad2deg().std() == pytest.approx(6, rel=0.15)
    stretched = made(random_length=0.1).length_ratio
    assert stretched.min() == pytest.approx(-0.1, abs=0.005) and stretched.max() == pytest.approx(0.1, abs=0.005)
    turned = (1 - made(random_angle=10.0).angle_change[:, list(LIMBS)]).clamp(-1, 1).acos().rad2deg()
    assert turned.square().mean().sqrt() == pytest.approx(10, rel=0.1)
    assert made(random_angle=10.0).angle_change[:, TRUNK_BONES].max() < 1e-6
    assert made(random_reach=0.5).uv_rt.abs().amax((1, 2)).median() < 0.55


def test_a_range_the_wrong_way_round_is_refused():
    with pytest.raises(UserError, match="nearest pelvis is at 8 m, the farthest at 3 m"):
        RandomRanges(random_near=8.0, random_far=3.0)


# Fig. 7


def test_views_of_baselines_repeat_and_random_views_are_the_most_diverse(source):
    found = {name: baseline_views(name, source, 100) for name in TITLES}
    again = baseline_views("evolution", source, 100)
    assert np.array_equal(again.view_point, found["evolution"].view_point)
    assert found["evolution"].position.shape == (100, 3) and found["random"].view_point.shape == (100, 2)
    places = {name: position_diversity(views.position).entropy for name, views in found.items()}
    assert places["random"] > places["evolution"] > 0
    assert (
        view_diversity(found["random"].view_point).spread[1] > view_diversity(view_point(source.xyz).numpy()).spread[1]
    )
    with pytest.raises(UserError, match="choose one of evolution, random"):
        baseline_views("genetic", source, 10)


def test_the_figure_has_a_column_for_each_baseline(tmp_path):
    run = tmp_path / "run"
    write_arrays(small_poses(60), tmp_path / "source.npz")
    words = ["train", "--source", str(tmp_path / "source.npz"), "--estimator-width", "16", "--batch-size", "32"]
    words += [
        "--threads",
        "1",
        "--evaluate-epochs",
        "0",
        "--pretrain-epochs",
        "1",
        "--epochs",
        "1",
        "--crowd-size",
        "24",
        "--out",
        str(run),
    ]
    assert poseaug(*words).exit_code == 0
    given = ["export", "figure", str(run), "--figure", "distributions", "--baseline", "evolution"]
    done = poseaug(*given, "--baseline", "random", "--out", str(tmp_path / "fig.svg"), "--json")
    assert json.loads(done.stdout)["figure"] == "distributions"
    drawn = (tmp_path / "fig.svg").read_text()
    assert all(f">{heading}<" in drawn for heading in ("Original", "Li et al.", "Random views", "Augmented"))
    refused = poseaug("export", "figure", str(run), "--figure", "kcs", "--baseline", "random", "--out", "x.pdf")
    assert refused.exit_code == 2 and "not to kcs" in refused.stderr


def poseaug(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))
