"""MPII and LSP: people annotated in images, as keypoints; and the 2D of 3D sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.io import savemat

from poseaug_core.errors import UserError
from poseaug_core.readers import is_flat, read_keypoints, read_poses
from tests.core import made_datasets as made


def test_mpii_with_its_images(tmp_path):
    people = read_keypoints(made.mpii(tmp_path, images=True))
    assert people.name == "MPII" and len(people) == 4
    assert people.images == ("000000000.jpg", "000000002.jpg", "000000003.jpg") and people.image.tolist() == [
        0,
        1,
        1,
        2,
    ]
    expected = (2 * made.flat_people(4)[[0, 2, 2, 3]] - (640, 480)) / 640
    np.testing.assert_allclose(people.uv, expected, atol=1e-5)
    assert people.size.tolist() == [[640, 480]] * 4 and (people.confidence == 1).all()
    assert any("1 of 5 people lack joints" in note for note in people.notes)


def test_mpii_without_images_takes_squares_around_people(tmp_path):
    people = read_keypoints(made.mpii(tmp_path))
    side = 1.25 * 200 * 1.1
    expected = 2 * (made.flat_people(4)[[0, 2, 2, 3]] - (320, 240)) / side
    np.testing.assert_allclose(people.uv, expected, atol=1e-5)
    assert (people.size == 0).all() and any("images=FOLDER" in note for note in people.notes)


def test_images_may_lie_elsewhere(tmp_path):
    path = made.mpii(tmp_path, images=True)
    (tmp_path / "images").rename(tmp_path / "pictures")
    assert (read_keypoints(f"{path}?images=pictures").size > 0).all()
    with pytest.raises(UserError, match="nowhere is not a folder"):
        read_keypoints(f"{path}?images=nowhere")


def test_lsp(tmp_path):
    people = read_keypoints(made.lsp(tmp_path, images=True))
    pixels = made.flat_people(5, (60.0, 80.0))
    # 120 x 200 pixels, padded to 200 x 200.
    np.testing.assert_allclose(people.uv, 2 * (pixels + (40, 0)) / 200 - 1, atol=1e-5)
    assert people.images[0] == "im0001.jpg" and any("padded to squares" in note for note in people.notes)


def test_lsp_extended_marks_what_is_annotated(tmp_path):
    people = read_keypoints(made.lsp(tmp_path, extended=True))
    assert len(people) == 4 and people.images == ("im00001.jpg", "im00003.jpg", "im00004.jpg", "im00005.jpg")
    low, high = people.uv.amin(1), people.uv.amax(1)
    torch.testing.assert_close((high - low).amax(1), torch.full((4,), 2 / 1.25)), "a square of 1.25 times the person"


def test_lsp_splits(tmp_path):
    path = made.lsp(tmp_path, count=1003)
    assert len(read_keypoints(f"{path}?split=train")) == 1000
    test = read_keypoints(f"{path}?split=test")
    assert test.images == ("im1001.jpg", "im1002.jpg", "im1003.jpg") and test.name == "LSP test"


def test_2d_of_any_set(tmp_path):
    people = read_keypoints("demo:source_test?size=0.5")
    poses = read_poses("demo:source_test?size=0.5")
    assert torch.equal(people.uv, poses.uv) and people.images == poses.clips
    assert not is_flat("demo:source")


def test_2d_alone_is_no_training_set(tmp_path):
    path = made.lsp(tmp_path)
    assert is_flat(path)
    with pytest.raises(UserError, match="2D keypoints alone"):
        read_poses(path)


def test_other_mat_files_are_refused(tmp_path):
    for content, word in (
        ({"a": 1}, "neither RELEASE"),
        ({"joints": np.zeros((3, 15, 4))}, "(3, 15, 4)"),
        ({"RELEASE": {"x": 1}}, "no annolist"),
        ({"joints": np.full((14, 3, 4), 0.0)}, "0 of 4 people"),
    ):
        savemat(tmp_path / "some.mat", content)
        with pytest.raises(UserError) as caught:
            read_keypoints(tmp_path / "some.mat")
        assert word in str(caught.value), caught.value
