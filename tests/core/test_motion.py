"""The demo's people: within human limits, on the ground, each their own size, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from poseaug_core.errors import UserError
from poseaug_core.motion.actions import SOURCE_ACTIONS, walk
from poseaug_core.motion.body import ANGLES, AVERAGE_LENGTHS, LIMITS, limited, pose
from poseaug_core.motion.demo import SETS, demo_set, demo_sets, perform
from poseaug_core.motion.hard_actions import CROSS_ACTIONS
from poseaug_core.skeleton import HUMAN16

JOINT = HUMAN16.names.index
ACTIONS = SOURCE_ACTIONS | CROSS_ACTIONS


@pytest.fixture(scope="module")
def clips():
    return {action: perform({action: draw}, (1, 2), 3, seed=0) for action, draw in ACTIONS.items()}


@pytest.fixture(scope="module")
def sets():
    return demo_sets(seed=0)


def stacked(clips) -> np.ndarray:
    return np.concatenate([clip.xyz for clip in clips]).astype(np.float64)


def bend(xyz, upper, middle, lower) -> np.ndarray:
    """Degrees between the two bones at a joint, 0 when straight."""
    a, b = xyz[:, JOINT(middle)] - xyz[:, JOINT(upper)], xyz[:, JOINT(lower)] - xyz[:, JOINT(middle)]
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def body_forward(xyz) -> np.ndarray:
    """Unit vectors out of the belly: up the trunk crossed with the hips, right to left."""
    across = xyz[:, JOINT("left hip")] - xyz[:, JOINT("right hip")]
    forward = np.cross(across, xyz[:, JOINT("spine")] - xyz[:, JOINT("pelvis")])
    return forward / np.linalg.norm(forward, axis=-1, keepdims=True)


@pytest.mark.parametrize("action", ACTIONS)
def test_knees_and_elbows_keep_their_limits(clips, action):
    xyz = stacked(clips[action])
    for side in ("left", "right"):
        assert bend(xyz, f"{side} hip", f"{side} knee", f"{side} ankle").max() < 145.5
        assert bend(xyz, f"{side} shoulder", f"{side} elbow", f"{side} wrist").max() < 145.5
        assert (bend(xyz, "pelvis", "spine", "thorax")).max() < 60


@pytest.mark.parametrize("action", ["walk", "run", "sit", "squat", "lunge", "kick", "pick up", "jump"])
def test_knees_bend_backwards_only(clips, action):
    """The shin never lies in front of the line of the thigh, whose plane the body's front gives."""
    xyz = stacked(clips[action])
    forward = body_forward(xyz)
    for side in ("left", "right"):
        hip, knee, ankle = (xyz[:, JOINT(f"{side} {joint}")] for joint in ("hip", "knee", "ankle"))
        thigh, across = knee - hip, xyz[:, JOINT("left hip")] - xyz[:, JOINT("right hip")]
        front = np.cross(thigh, across)
        front *= np.sign((front * forward).sum(-1, keepdims=True))
        bent = bend(xyz, f"{side} hip", f"{side} knee", f"{side} ankle") > 25
        upright = np.abs((thigh * forward).sum(-1)) < 0.5 * np.linalg.norm(thigh, axis=-1)
        assert (((ankle - knee) * front).sum(-1)[bent & upright] < 0).all()


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_sinks_and_only_jumpers_and_runners_fly(clips, action):
    lowest = stacked(clips[action])[..., 2].min(1)
    assert lowest.min() > 0.035
    if action not in ("jump", "run"):
        assert lowest.max() < 0.13
    else:
        assert lowest.max() > 0.1


@pytest.mark.parametrize("action", ["walk", "reach", "sit", "squat", "kick", "wave", "turn", "punch", "stretch"])
def test_the_standing_foot_does_not_slide(clips, action):
    for clip in clips[action]:
        ankles = clip.xyz[:, [JOINT("left ankle"), JOINT("right ankle")]].astype(np.float64)
        step = np.linalg.norm(np.diff(ankles[..., :2], axis=0), axis=-1)
        lower = ankles[1:, :, 2].argmin(1)
        assert np.median(step[np.arange(len(step)), lower]) < 0.012, "metres in a thirtieth of a second"


def test_walking_goes_where_the_body_faces(clips):
    for clip in clips["walk"]:
        xyz = clip.xyz.astype(np.float64)
        speed = np.diff(xyz[:, 0, :2], axis=0) * clip.fps
        forward = (speed * body_forward(xyz)[1:, :2]).sum(-1)
        assert 0.5 < forward.mean() < 2.2, "metres a second"
    running = [np.linalg.norm(np.diff(c.xyz[:, 0, :2], axis=0), axis=-1).mean() * c.fps for c in clips["run"]]
    walking = [np.linalg.norm(np.diff(c.xyz[:, 0, :2], axis=0), axis=-1).mean() * c.fps for c in clips["walk"]]
    assert np.mean(running) > 1.4 * np.mean(walking)


@pytest.mark.parametrize("action", ACTIONS)
def test_motion_is_smooth(clips, action):
    for clip in clips[action]:
        body = (clip.xyz - clip.xyz[:, :1]).astype(np.float64)
        assert np.linalg.norm(np.diff(body, axis=0), axis=-1).max() * clip.fps < 14, "metres a second"


def test_takes_and_people_differ(clips):
    walks = clips["walk"]
    lengths = [HUMAN16.lengths(clip.xyz.astype(np.float64)) for clip in walks]
    assert all(length.std(0).max() < 1e-5 for length in lengths)
    np.testing.assert_allclose(lengths[0].mean(0), lengths[1].mean(0), atol=1e-5)
    assert np.abs(lengths[0].mean(0) - lengths[3].mean(0)).max() > 0.005
    np.testing.assert_allclose(lengths[0], lengths[0][:, list(HUMAN16.mirror_bones)], atol=1e-5)
    assert np.abs(walks[0].xyz - walks[1].xyz).max() > 0.1


def test_angles_beyond_the_limits_are_held():
    low, high = np.array(list(LIMITS.values())).T
    wild = np.random.default_rng(0).uniform(-720, 720, (50, len(ANGLES)))
    held = limited(wild)
    assert (held >= low).all() and (held <= high).all()
    np.testing.assert_array_equal(pose(wild, AVERAGE_LENGTHS), pose(held, AVERAGE_LENGTHS))


def test_mirrored_angles_give_the_mirrored_body():
    """Exchanging sides and turning the other way reflects y."""
    rng = np.random.default_rng(0)
    angles = {name: rng.uniform(max(low, -60), min(high, 60), 20) for name, (low, high) in LIMITS.items()}
    swap = {"left": "right", "right": "left"}
    other = {}
    for name, values in angles.items():
        side, _, rest = name.partition(" ")
        sign = -1 if name.split()[-1] in ("yaw", "roll") else 1
        other[f"{swap[side]} {rest}" if side in swap else name] = sign * values
    a, b = (pose(np.stack([drawn[name] for name in ANGLES], 1), AVERAGE_LENGTHS) for drawn in (angles, other))
    np.testing.assert_allclose(b, a[:, list(HUMAN16.mirror)] * (1, -1, 1), atol=1e-9)


def test_same_seed_same_arrays_other_seed_other_arrays(sets):
    again, other = demo_sets(seed=0), demo_sets(seed=1)
    for which, poses in sets.items():
        for column in ("xyz", "uv", "camera", "tag"):
            assert torch.equal(getattr(again[which], column), getattr(poses, column))
        assert not torch.equal(other[which].xyz[:100], poses.xyz[:100])


def test_sets_share_nobody_and_cross_shares_no_action(sets):
    assert list(sets) == ["source", "source_test", "cross"]
    people = [set(poses.subjects()) for poses in sets.values()]
    assert not people[0] & people[1] and not people[1] & people[2] and not people[0] & people[2]
    assert not set(SOURCE_ACTIONS) & set(CROSS_ACTIONS)
    assert [round(len(poses), -3) for poses in sets.values()] == [12000, 3000, 3000]


def test_cross_is_farther_from_the_source_than_the_test_set(sets):
    """Both in pose and in view point: the nearest source pose of the sampled ones is further away."""
    source = sets["source"].root_relative[::7].flatten(1)
    gap = {
        which: torch.cdist(sets[which].root_relative[::7].flatten(1), source).amin(1).mean().item()
        for which in ("source_test", "cross")
    }
    assert gap["cross"] > 1.5 * gap["source_test"]
    assert sets["source"].xyz[:, 0, 2].mean().item() == pytest.approx(5.2, abs=0.2)


def test_size_scales_the_takes():
    assert len(demo_set("cross", size=2).tag) == pytest.approx(2 * len(demo_set("cross").tag), rel=0.02)
    assert len(perform({"walk": walk}, (1,), 1, seed=0, frames=10)[0]) == 10


@pytest.mark.parametrize("wrong", [{"which": "train"}, {"size": 0}, {"size": 1e9}, {"seed": -1}])
def test_wrong_demo_is_refused(wrong):
    with pytest.raises(UserError, match=str(next(iter(wrong.values()))).replace("+", ".")):
        demo_set(**{"which": "source", **wrong})
    assert set(SETS) == {"source", "source_test", "cross"}
