"""Own keypoints: every format gives the 2D it was made from; joints, people, sizes and gaps are dealt with and said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from poseaug_core.errors import UserError
from poseaug_core.keypoint_filling import fill
from poseaug_core.keypoint_maps import HEAD_BEYOND_TRUNK, LAYOUTS
from poseaug_core.readers import keypoint_sizes
from poseaug_core.readers.arrays import read_arrays
from poseaug_core.readers.keypoint_images import ImageFiles, find_image
from poseaug_core.readers.keypoint_json import read_keypoint_file
from tests.core.detectors import (
    SIZE,
    J,
    annotations,
    detected,
    mmpose_instances,
    moving_uv,
    openpose_frame,
    pixels,
    results,
)

WHERE = f"?width={SIZE[0]}&height={SIZE[1]}"
UV = moving_uv()


def wrote(folder: Path, document, name: str = "keypoints.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def people(layout: str) -> np.ndarray:
    return detected(pixels(UV), layout)


def keyed(layout: str, key: str, joints: str) -> dict:
    """AlphaPose's 'cmu' and 'open' forms: a frame by the name of its image."""
    return {f"{i}.jpg": {"version": "AlphaPose v0.3", key: [{joints: one.ravel().tolist()}]}
            for i, one in enumerate(people(layout))}  # fmt: skip


FORMATS = {
    "COCO annotations": ("coco17", lambda: annotations(people("coco17"))),
    "COCO results": ("coco17", lambda: results(people("coco17"))),
    "AlphaPose results": ("coco17", lambda: results(people("coco17"), "{:d}.jpg", box=[0, 0, 9, 9], idx=[0.0])),
    "AlphaPose results, Halpe": ("halpe26", lambda: results(people("halpe26"), "{:d}.jpg", box=[0, 0, 9, 9])),
    "AlphaPose results, Halpe-FullBody": ("halpe136", lambda: results(people("halpe136"), "{:d}.jpg")),
    "AlphaPose results, cmu": ("openpose18", lambda: keyed("openpose18", "bodies", "joints")),
    "AlphaPose results, open": ("openpose18", lambda: keyed("openpose18", "people", "pose_keypoints_2d")),
    "MMPose results, demo": ("coco17", lambda: {
        "meta_info": {"dataset_name": "coco", "num_keypoints": 17},
        "instance_info": [{"frame_id": i + 1, "instances": mmpose_instances([one])}
                          for i, one in enumerate(people("coco17"))]}),
    "MMPose results, video": ("coco17", lambda: [{"frame_id": i, "instances": mmpose_instances([one])}
                                                 for i, one in enumerate(people("coco17"))]),
    "MMPose results, inferencer": ("coco133", lambda: {"visualization": [], "predictions": [
        mmpose_instances([one]) for one in people("coco133")]}),
    "MMPose results, h36m": ("h36m17", lambda: [mmpose_instances([one]) for one in people("h36m17")]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_back_the_2d_it_was_made_from(tmp_path, name):
    layout, make = FORMATS[name]
    read = read_keypoint_file(f"{wrote(tmp_path, make())}{WHERE}")
    np.testing.assert_allclose(read.uv.numpy(), UV, atol=1e-5)
    assert read.notes[0].startswith(name.split(",")[0]) and LAYOUTS[layout].title in read.notes[1]
    assert len(read.images) == len(UV) and read.image.tolist() == list(range(len(UV)))
    assert bool((read.confidence > 0).all())


@pytest.mark.parametrize("layout", ["openpose25", "openpose18"])
def test_openpose_folders_are_in_the_order_of_their_frames(tmp_path, layout):
    made = people(layout)
    for i, one in enumerate(made):
        wrote(tmp_path, openpose_frame(one[None]), f"video_{i}_keypoints.json")
    read = read_keypoint_file(f"{tmp_path}{WHERE}")
    np.testing.assert_allclose(read.uv.numpy(), UV, atol=1e-5)
    assert read.images[2] == "video_2" and read.images[10] == "video_10"
    single = read_keypoint_file(f"{tmp_path / 'video_11_keypoints.json'}{WHERE}")
    np.testing.assert_allclose(single.uv.numpy(), UV[11:], atol=1e-5)


@pytest.mark.parametrize("layout", ["coco17", "h36m17", "h36m16", "mpii16", "openpose25"])
def test_arrays_of_any_layout_are_told_apart(tmp_path, layout):
    made = people(layout)
    np.savez(tmp_path / "k.npz", keypoints=made, width=SIZE[0], height=SIZE[1])
    np.save(tmp_path / "k.npy", made)
    for read in (read_keypoint_file(tmp_path / "k.npz"), read_keypoint_file(f"{tmp_path / 'k.npy'}{WHERE}")):
        np.testing.assert_allclose(read.uv.numpy(), UV, atol=1e-5)
        assert LAYOUTS[layout].title in read.notes[1]


@pytest.mark.parametrize("frame", range(0, 12, 4))
@pytest.mark.parametrize("layout", ["coco17", "h36m17"])
def test_seventeen_joints_of_a_single_pose_are_told_apart(tmp_path, layout, frame):
    path = wrote(tmp_path, results(people(layout)[frame : frame + 1]))
    read = read_keypoint_file(f"{path}{WHERE}")
    np.testing.assert_allclose(read.uv.numpy(), UV[frame : frame + 1], atol=1e-5)


def test_seventeen_joints_that_may_be_either_are_asked_about(tmp_path):
    cloud = np.random.default_rng(0).uniform(100, 600, (3, 17, 3)) * (1, 1, 1 / 600)
    path = wrote(tmp_path, results(cloud))
    with pytest.raises(UserError, match=r"\?layout=(coco17|h36m17) or \?layout="):
        read_keypoint_file(f"{path}{WHERE}")
    for layout in ("coco17", "h36m17"):
        read = read_keypoint_file(f"{path}{WHERE}&layout={layout}")
        assert LAYOUTS[layout].title in read.notes[1]


def test_a_file_that_says_that_it_is_coco_is_believed_unless_bones_contradict(tmp_path):
    cloud = annotations(np.random.default_rng(0).uniform(100, 600, (3, 17, 3)))
    for document in (cloud, annotations(people("coco17")), results(people("coco17"))):
        assert read_keypoint_file(f"{wrote(tmp_path, document)}{WHERE}").notes[1].endswith("by the file's own format.")
    other = read_keypoint_file(f"{wrote(tmp_path, annotations(people('h36m17')))}{WHERE}")
    assert LAYOUTS["h36m17"].title in other.notes[1] and "where they lie" in other.notes[1]


def test_names_in_the_file_decide_even_where_the_joints_do_not(tmp_path):
    names = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
    names += [f"{s}_{j}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in ("left", "right")]
    made = annotations(np.random.default_rng(0).uniform(100, 600, (3, 17, 3)))
    made["categories"][0]["keypoints"] = names
    assert "names in the file" in read_keypoint_file(wrote(tmp_path, made)).notes[1]


def test_a_layout_of_another_number_of_joints_is_refused(tmp_path):
    path = wrote(tmp_path, results(people("coco17")))
    with pytest.raises(UserError, match="17 joints, openpose25 has 25"):
        read_keypoint_file(f"{path}{WHERE}&layout=openpose25")
    with pytest.raises(UserError, match="There is no layout 'smpl'"):
        read_keypoint_file(f"{path}{WHERE}&layout=smpl")


def test_portrait_images_are_padded_to_squares_and_that_is_said(tmp_path):
    size = (720, 1280)
    path = wrote(tmp_path, annotations(detected(pixels(UV, size), "coco17"), size))
    read = read_keypoint_file(path)
    np.testing.assert_allclose(read.uv.numpy(), UV, atol=1e-5)
    assert any("portrait" in note for note in read.notes)
    assert read.size[0].tolist() == [720, 1280]
    # Human3.6M's images are square but for two rows.
    path = wrote(tmp_path, annotations(detected(pixels(UV, (1000, 1002)), "coco17"), (1000, 1002)))
    read = read_keypoint_file(path)
    np.testing.assert_allclose(read.uv.numpy(), UV, atol=1e-5)
    assert not any("portrait" in note for note in read.notes)


def test_of_several_people_the_best_is_taken_and_others_on_demand(tmp_path):
    made, documents = people("coco17"), []
    for i in range(3):
        for shift, score in ((0, 0.9), (40, 0.95), (90, 0.2)):
            documents.append({"image_id": i, "keypoints": (made[i] + (shift, 0, 0)).ravel().tolist(), "score": score})
    path = wrote(tmp_path, documents)
    shifted = lambda by: UV[:3] + (2 * by / SIZE[0], 0)  # noqa: E731
    read = read_keypoint_file(f"{path}{WHERE}")
    np.testing.assert_allclose(read.uv.numpy(), shifted(40), atol=1e-5)
    assert any("highest score" in note and "6 others" in note for note in read.notes)
    np.testing.assert_allclose(read_keypoint_file(f"{path}{WHERE}&person=2").uv.numpy(), shifted(90), atol=1e-5)
    everyone = read_keypoint_file(f"{path}{WHERE}&person=all")
    assert everyone.image.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.raises(UserError, match="no image shows 4 people, at most 3; give person=0 to 2, or all"):
        read_keypoint_file(f"{path}{WHERE}&person=3")


def test_without_scores_the_largest_person_is_taken(tmp_path):
    small = people("openpose25")[0] * (0.5, 0.5, 1)
    path = wrote(tmp_path, openpose_frame(np.stack((small, people("openpose25")[0]))))
    read = read_keypoint_file(f"{path}{WHERE}")
    np.testing.assert_allclose(read.uv.numpy(), UV[:1], atol=1e-5)
    assert any("largest" in note for note in read.notes)


@pytest.mark.parametrize("layout", ["openpose25", "coco17"])
def test_joints_that_were_not_found_make_nobody_larger(tmp_path, layout):
    """Detectors write 0, 0, 0 for them: a box from the corner of the image to the person would be the largest."""
    complete = people(layout)[0]
    small = complete * (0.3, 0.3, 1) + (850, 480, 0)
    small[LAYOUTS[layout].joints["left wrist"][0]] = 0
    both = np.stack((small, complete))
    if layout == "coco17":  # of COCO's annotations, v = 0 says so
        document = annotations(both)
        for person in document["annotations"]:
            person["image_id"] = 7
    else:
        document = openpose_frame(both)
    read = read_keypoint_file(f"{wrote(tmp_path, document)}{WHERE}")
    np.testing.assert_allclose(read.uv.numpy(), UV[:1], atol=1e-5)
    assert any("largest" in note for note in read.notes)


def test_gaps_are_bridged_in_time_and_counted(tmp_path):
    made = people("coco17")
    made[4:7, 9, 2] = 0  # left wrist
    made[5, 16] = np.nan  # right ankle
    read = read_keypoint_file(f"{wrote(tmp_path, results(made))}{WHERE}")
    wrist = J["left wrist"]
    straight = UV[3, wrist] + (UV[7, wrist] - UV[3, wrist]) * np.array([[0.25], [0.5], [0.75]])
    np.testing.assert_allclose(read.uv[4:7, wrist].numpy(), straight, atol=1e-5)
    assert (read.confidence[4:7, wrist] == 0).all() and read.confidence[5, J["right ankle"]] == 0
    assert int((read.confidence == 0).sum()) == 4
    assert any(
        note.startswith("4 of 192 joints were not found") and "neighbouring frames" in note for note in read.notes
    )


def test_a_limb_is_filled_in_beside_the_other_one():
    xy = np.array(UV[:1])
    xy[:, J["left knee"]] = np.nan
    assert fill(xy, frames=True) == {"the other side": 1}
    expected = UV[0, J["left hip"]] + UV[0, J["right knee"]] - UV[0, J["right hip"]]
    np.testing.assert_allclose(xy[0, J["left knee"]], expected)


def test_whatever_is_missing_everything_is_filled_in_near_the_person(tmp_path):
    rng = np.random.default_rng(0)
    made = np.repeat(people("coco17"), 20, axis=0)
    made[rng.random(made.shape[:2]) < 0.35, 2] = 0
    read = read_keypoint_file(f"{wrote(tmp_path, results(made))}{WHERE}&layout=coco17")
    assert bool(read.uv.isfinite().all()) and len(read) > 150
    truth = UV[np.array([int(name) for name in read.images]) // 20]
    extent = np.ptp(UV, axis=1).max()
    assert np.abs(read.uv.numpy() - truth).max() < 1.5 * extent
    assert np.median(np.linalg.norm(read.uv.numpy() - truth, axis=-1)[read.confidence.numpy() == 0]) < 0.2 * extent


def test_people_of_whom_too_little_is_seen_are_left_out(tmp_path):
    made = people("coco17")
    made[3, 5:, 2] = 0  # a face alone
    read = read_keypoint_file(f"{wrote(tmp_path, results(made))}{WHERE}")
    assert len(read) == 11 and any("1 of 12 people show fewer" in note for note in read.notes)
    assert "3" not in read.images


def test_the_head_lies_as_far_from_the_shoulders_as_in_motion_capture(mocap):
    xyz = read_arrays(mocap / "bench" / "source_test.npz").xyz.numpy()[::10]
    shoulders = (xyz[:, J["left shoulder"]] + xyz[:, J["right shoulder"]]) / 2
    trunk = np.linalg.norm(shoulders - xyz[:, 0], axis=-1)
    share = np.linalg.norm(xyz[:, J["head"]] - shoulders, axis=-1) / trunk
    assert np.median(share) == pytest.approx(HEAD_BEYOND_TRUNK, abs=0.03)


def test_the_size_comes_from_the_images_or_is_guessed_and_said(tmp_path):
    path = wrote(tmp_path, results(people("coco17"), "{:d}.jpg"))
    guessed = read_keypoint_file(path)
    assert any("is assumed" in note for note in guessed.notes)
    (tmp_path / "images").mkdir()
    for i in range(12):
        Image.new("RGB", SIZE).save(tmp_path / "images" / f"{i}.jpg")
    read = read_keypoint_file(f"{path}?images={tmp_path / 'images'}")
    np.testing.assert_allclose(read.uv.numpy(), UV, atol=1e-5)
    assert any("1280 x 720, from the images" in note for note in read.notes)
    with pytest.raises(UserError, match="no image called 0.jpg"):
        (tmp_path / "other").mkdir()
        read_keypoint_file(f"{path}?images={tmp_path / 'other'}")
    with pytest.raises(UserError, match="lie outside their images"):
        read_keypoint_file(f"{path}?width=300&height=200")


def test_images_of_a_folder_listed_once_are_those_found_one_by_one(tmp_path):
    for name in ("a.jpg", "a.png", "b.PNG", "b_rendered.png", "c_rendered.JPG", "d.tar.webp", "e.txt", "f.JpEg", "g"):
        (tmp_path / name).touch()
    (tmp_path / "h.png").mkdir()
    listed = ImageFiles(tmp_path)
    names = ("a", "a.png", "a.bmp", "x/b", "b.jpg", "c", "c.mp4", "d", "d.tar", "e", "e.txt", "f", "f.JpEg", "g", "h",
             "h.png", "", "..", "../a", "x\\a.jpg", "nothing")  # fmt: skip
    assert {name: listed.find(name) for name in names} == {name: find_image(tmp_path, name) for name in names}
    found = {name: path.name for name in names if (path := listed.find(name))}
    assert found["a"] == "a.jpg" and found["a.png"] == "a.png" and found["b.jpg"] == "b.PNG"
    assert found["c"] == "c_rendered.JPG" and found["d.tar"] == "d.tar.webp" and found["f.JpEg"] == "f.JpEg"
    assert not {"d", "e", "f", "g", "h", "h.png", "", "..", "nothing"} & set(found)
    assert not len(ImageFiles(tmp_path / "missing"))


def test_images_are_not_asked_of_the_disk_one_by_one(tmp_path, monkeypatch):
    path = wrote(tmp_path, results(people("coco17"), "{:d}.jpg"))
    Image.new("RGB", (8, 8)).save(tmp_path / "another.png")
    asked, listed = [], []
    monkeypatch.setattr("pathlib.Path.is_file", lambda self: bool(asked.append(self)))
    monkeypatch.setattr(keypoint_sizes, "ImageFiles", lambda folder: listed.append(folder) or ImageFiles(folder))
    assert any("12 images is not known" in note for note in read_keypoint_file(path).notes)
    assert listed == [tmp_path] and not [one for one in asked if one.suffix in (".jpg", ".png")]
    told = []
    read_keypoint_file(path, lambda share, text: bool(told.append(text)) or True)
    assert f"looking for image sizes in {tmp_path}" in told


def test_an_image_name_does_not_lead_out_of_its_folder(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    assert find_image(tmp_path / "in", "../secret.png") is None
    assert find_image(tmp_path / "in", str(tmp_path / "secret.png")) is None


def test_what_is_normalised_already_is_recognised_and_fractions_are_asked_about(tmp_path):
    made = detected(UV, "coco17")
    made[:, 1:5, :2] = made[:, :1, :2]
    np.save(tmp_path / "k.npy", made[..., :2])
    read = read_keypoint_file(tmp_path / "k.npy")
    hips = [J["left hip"], J["right hip"], J["pelvis"], J["spine"], J["left wrist"]]
    np.testing.assert_allclose(read.uv.numpy()[:, hips], UV[:, hips], atol=1e-5)
    assert any("normalised already" in note for note in read.notes)
    shares = people("coco17")[..., :2] / SIZE
    np.save(tmp_path / "f.npy", shares)
    with pytest.raises(UserError, match="units=fractions or"):
        read_keypoint_file(tmp_path / "f.npy")
    read = read_keypoint_file(f"{tmp_path / 'f.npy'}{WHERE}&units=fractions")
    np.testing.assert_allclose(read.uv.numpy(), UV, atol=1e-5)


HOSTILE = {
    "empty file": ("", "not whole JSON"),
    "empty list": ([], "0 people"),
    "cut short": ('[{"image_id": 1, "keypoints": [1, 2', "not whole JSON"),
    "deep": ("[" * 200_000, "too deeply"),
    "number": ("[" + "9" * 10_000 + "]", "number that cannot be read"),
    "a text": ('"hello"', "holds str"),
    "other keys": ({"weights": [1, 2]}, "its keys are weights"),
    "numbers alone": ([1, 2, 3], "its entries have int"),
    "texts": ([{"image_id": 1, "keypoints": ["a", "b", "c"] * 17}], "not numbers"),
    "nested": ([{"image_id": 1, "keypoints": [[1, 2], [3]]}], "not numbers in equal rows"),
    "short": ([{"image_id": 1, "keypoints": [1.0] * 28}], "people have 14 joints"),
    "odd": ([{"image_id": 1, "keypoints": [1.0] * 53}], "53 numbers"),
    "mixed": ([{"image_id": 1, "keypoints": [1.0] * 51}, {"image_id": 2, "keypoints": [1.0] * 75}], "keep one kind"),
    "all lost": ([{"image_id": 1, "keypoints": [float("nan")] * 51}], "a joint that was found"),
    "infinite": ([{"image_id": 1, "keypoints": [float("inf")] * 51}], "of inf"),
    "huge": ('[{"image_id": 1, "keypoints": [' + ", ".join(["1e999"] * 51) + "]}]", "of inf"),
    "long": ([{"image_id": 1, "keypoints": [10**400] * 51}], "not numbers"),
    "no joints": ([{"image_id": 1, "keypoints": []}], "expected x, y"),
    "nobody": ({"version": 1.3, "people": []}, "0 people"),
    "annotations of texts": ({"images": [], "annotations": ["a"]}, "is str, expected an object"),
    "images of texts": ({"images": 3, "annotations": []}, "images are int"),
    "instances of numbers": ([{"frame_id": 0, "instances": [3]}], "is int, expected an object"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bad_files_are_refused_in_a_sentence(tmp_path, name):
    document, words = HOSTILE[name]
    path = wrote(tmp_path, document)
    with pytest.raises(UserError) as error:
        read_keypoint_file(path)
    assert words in str(error.value) and str(path) in str(error.value) and len(str(error.value)) < 700


def test_bytes_that_are_no_text_and_files_too_large_are_refused_unread(tmp_path):
    path = tmp_path / "k.json"
    path.write_bytes(b"\xff\xfe\x00\xd8 broken")
    with pytest.raises(UserError, match="no text|not whole JSON"):
        read_keypoint_file(path)
    with open(path, "wb") as file:
        file.truncate(2**40)  # sparse; reading it would fill the memory
    with pytest.raises(UserError, match="not whole JSON"):
        read_keypoint_file(path)


def test_a_folder_with_something_else_in_it_and_unknown_options_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds 0 .json files"):
        read_keypoint_file(tmp_path)
    wrote(tmp_path, {"a": 1}, "a.json")
    with pytest.raises(UserError, match="no frame of OpenPose"):
        read_keypoint_file(tmp_path)
    path = wrote(tmp_path, results(people("coco17")))
    for query, words in (("?widht=3", "no option 'widht'"), ("?width=3", "belong together"), ("?person=-1", "person"),
                         ("?images=/nowhere", "no folder"), ("?width=x&height=2", "width")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            read_keypoint_file(f"{path}{query}")
