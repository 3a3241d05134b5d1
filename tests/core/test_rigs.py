"""Rigs and filming: exact projection, what is dropped, and where cameras stand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.motion.actions import walk
from poseaug_core.motion.clip import Clip
from poseaug_core.motion.demo import perform
from poseaug_core.motion.filming import ROOM, SHOT_FRAMES, centred, film, resized
from poseaug_core.motion.rigs import LAB, wild
from poseaug_core.skeleton import HUMAN16


@pytest.fixture(scope="module")
def clips():
    return perform({"walk": walk}, (1, 2), 2, seed=0, frames=60)


@pytest.mark.parametrize("rig", ["lab", "wild"])
def test_filmed_poses_reproject_exactly(clips, rig):
    poses = film(clips, rig, np.random.default_rng(0)).poses
    assert torch.equal(project(poses.xyz, poses.camera), poses.uv)
    assert poses.uv[..., 0].abs().max() <= 1 and poses.xyz[..., 2].min() > 0.3


def test_filming_keeps_limbs_and_uprightness(clips):
    poses = film(clips, "lab", np.random.default_rng(0), stride=3).poses
    for subject, clip in ((1, clips[0]), (2, clips[2])):
        expected = torch.from_numpy(HUMAN16.lengths(clip.xyz)).mean(0)
        found = HUMAN16.lengths(poses.xyz[poses.tag[:, 0] == subject])
        torch.testing.assert_close(found, expected.expand_as(found), atol=1e-5, rtol=0)
    assert (poses.root_relative[:, HUMAN16.names.index("head"), 1] < -0.4).all(), "y is down: heads are above"
    assert set(poses.tag[:, 2].tolist()) == set(range(0, 60, 3))


def test_left_stays_left(clips):
    """Seen from in front, a person's left is on the right of the image."""
    poses = film(clips, "lab", np.random.default_rng(0)).poses
    left, right = (HUMAN16.names.index(f"{side} shoulder") for side in ("left", "right"))
    across, up = poses.xyz[:, left] - poses.xyz[:, right], poses.xyz[:, 8] - poses.xyz[:, 0]
    facing = torch.linalg.cross(across, up)[:, 2] < -0.05
    assert 0 < facing.float().mean() < 1
    assert (poses.uv[facing, left, 0] > poses.uv[facing, right, 0]).float().mean() > 0.99


def test_lab_looks_like_the_benchmark(clips, mocap):
    poses = film(clips, "lab", np.random.default_rng(0)).poses
    bench = np.load(mocap / "bench" / "source_train.npz")
    assert abs(poses.xyz[:, 0, 2].mean().item() - bench["pose3d"][:, 0, 2].mean()) < 0.2
    assert abs(poses.xyz[:, 0, 2].std().item() - bench["pose3d"][:, 0, 2].std()) < 0.15
    lenses = np.unique(bench["cam"], axis=0)
    for camera in LAB.cameras:
        assert np.abs(lenses - camera.lens).max(1).min() < 2e-3


def test_lab_cameras_stand_around_the_room():
    positions = np.array([camera.position for camera in LAB.cameras])
    assert (np.abs(positions[:, 2] - 1.55) < 0.1).all()
    assert {tuple(np.sign(position[:2])) for position in positions} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_wild_cameras_keep_their_ranges():
    rng = np.random.default_rng(0)
    cameras = [wild(rng).cameras[0] for _ in range(300)]
    place, lens = np.array([c.position for c in cameras]), np.array([c.lens for c in cameras])
    distance = np.hypot(place[:, 0], place[:, 1])
    assert 2.5 <= distance.min() < 2.8 and 6.7 < distance.max() <= 7
    assert 0.3 <= place[:, 2].min() < 0.5 and 3.3 < place[:, 2].max() <= 3.5
    assert lens[:, 0].std() > 0.2 and not lens[:, 2:].any()
    for camera in cameras[:20]:
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.rotation) == pytest.approx(1)


def test_a_wild_camera_films_one_shot(clips):
    poses = film(clips, "wild", np.random.default_rng(0)).poses
    shot = poses.tag[:, 1] * 100 + poses.tag[:, 2] // SHOT_FRAMES
    for number in shot.unique():
        assert len(poses.camera[shot == number].unique(dim=0)) == 1
    assert len(poses.camera.unique(dim=0)) == len(shot.unique())


def test_poses_outside_the_image_are_dropped_and_said(clips):
    away = [Clip("tall", 1, 30.0, clips[0].xyz + np.float32((0, 0, 0.9)))]
    footage = film(away, "lab", np.random.default_rng(0))
    assert 0 < len(footage.poses) < 4 * len(away[0])
    assert f"{4 * len(away[0]) - len(footage.poses)} of {4 * len(away[0])} poses" in footage.notes[0]
    with pytest.raises(UserError, match="None of 240 poses"):
        film([Clip("giant", 1, 30.0, clips[0].xyz * 8.0)], "lab", np.random.default_rng(0))


def test_long_walks_stay_in_the_room():
    xyz = np.zeros((200, 16, 3)) + np.linspace(0, 20, 200)[:, None, None] * (1, 0.3, 0)
    inside = centred(xyz)
    assert np.abs(inside[..., :2]).max() <= ROOM / 2 + 1e-6
    steps = np.diff(inside[:, 0, 0])
    assert (steps < 0).sum() == 6, "carried back only when the room ends"


def test_resizing_keeps_directions_sides_and_ground(clips):
    xyz = clips[0].xyz.astype(np.float64)
    other = resized(xyz, np.random.default_rng(1))
    before, after = HUMAN16.bones(xyz), HUMAN16.bones(other)
    cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    assert cosine.min() > 1 - 1e-9
    lengths = np.linalg.norm(after, axis=-1)
    np.testing.assert_allclose(lengths, lengths[:1, list(HUMAN16.mirror_bones)].repeat(len(xyz), 0), atol=1e-9)
    assert np.abs(other[..., 2].min(1) - xyz[..., 2].min(1)).max() < 0.04


@pytest.mark.parametrize("wrong", [{"rig": "studio"}, {"proportions": "mine"}, {"stride": 0}])
def test_wrong_choices_are_refused(clips, wrong):
    with pytest.raises(UserError, match=str(next(iter(wrong.values())))):
        film(clips, **{"rig": "lab", "rng": np.random.default_rng(0), **wrong})
