"""Numbers that cannot be are refused wherever they come from, with the row, the number, the limits and what to do."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.io import loadmat, savemat

from poseaug_core.errors import UserError
from poseaug_core.estimators import make_estimator
from poseaug_core.motion.demo import demo_set
from poseaug_core.readers import read_keypoints, read_poses
from poseaug_core.trained import open_estimator
from poseaug_core.units import CAMERA, UV, Watch, require
from tests.core import made_datasets as made
from tests.core.acclaim_people import asf_text, write_person
from tests.core.bvh_people import bvh_text
from tests.core.detectors import detected, results


def refused(path, *words, read=read_poses) -> str:
    """The one sentence with which the file is refused; it holds the words."""
    with pytest.raises(UserError) as caught:
        read(path)
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "\n" not in text and len(text) < 700 and text.endswith("."), text
    return text


def test_a_bound_names_the_first_row_over_many_bands():
    watch = Watch(UV)
    for start in (0, 4):
        watch.look(torch.tensor([[0.5], [-10.0], [1e30], [float("nan")]]), start)
    with pytest.raises(UserError, match=r"^x: 4 of 8 poses have 2D coordinates that cannot be \(first: pose 2, 1e\+30"):
        watch.refuse("x", 8)
    require(UV, np.array([[-10.0, 10.0]]), "x")
    Watch(UV).refuse("x", 8)


def put(key: str, where, value: float):
    """Change some of two rows in a hundred."""

    def spoil(columns: dict[str, np.ndarray]) -> None:
        columns[key][(slice(7, None, 50), *where)] = value

    return spoil


def stretched(columns: dict[str, np.ndarray]) -> None:
    """The left wrist 1.2 m from its elbow, in some rows."""
    rows = columns["pose3d"][7::50]
    bone = rows[:, 12] - rows[:, 11]
    rows[:, 12] = rows[:, 11] + 1.2 * bone / np.linalg.norm(bone, axis=-1, keepdims=True)


def shrunk(columns: dict[str, np.ndarray]) -> None:
    rows = columns["pose3d"][7::50]
    rows[:] = rows[:, :1] + 0.01 * (rows - rows[:, :1])


def far_away(columns: dict[str, np.ndarray]) -> None:
    columns["pose3d"][7::50] += (0, 0, 5000)


def behind(columns: dict[str, np.ndarray]) -> None:
    rows = columns["pose3d"][7::50]
    rows[:] = rows - (0, 0, 1) * (rows[:, :1] + 1)


SPOILED = {
    "2D of 1e30": (put("pose2d", (3, 0), 1e30), "2D coordinates", "pose 7", "1e+30", "10 half image widths"),
    "focal 0": (put("cam", (0,), 0), "focal lengths", "pose 7, 0;", "0.1 to 200"),
    "focal negative": (put("cam", (1,), -2.3), "focal lengths", "-2.3"),
    "focal in pixels": (put("cam", (slice(0, 2),), 1145), "focal lengths", "2 f / width"),
    "centre of 1e30": (put("cam", (2,), 1e30), "image centres", "1e+30"),
    "radial of 1e30": (put("cam", (5,), 1e30), "radial distortions", "1e+30"),
    "tangential of 1e30": (put("cam", (8,), -1e30), "tangential distortions", "-1e+30"),
    "3D of 1e30": (put("pose3d", (4, 1), 1e30), "pelvis to farthest joint", "1e+30", "0.05 to 10 m"),
    "3D beyond float32": (put("pose3d", (4, 1), 1e300), "NaN or infinite 3D", "pose 7"),
    "a bone of 1.2 m": (stretched, "bone lengths", "pose 7, 1.2", "to 1 m"),
    "no larger than a hand": (shrunk, "pelvis to farthest joint", "0.05 to 10 m"),
    "5 km away": (far_away, "3D coordinates", "1,000 m"),
    "behind the camera": (behind, "depths of the pelvis", "pose 7"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("what", SPOILED)
def test_two_rows_in_a_hundred_of_arrays(tmp_path, what, suffix):
    spoil, *words = SPOILED[what]
    poses = demo_set("source_test", seed=0, size=0.5)
    columns = {"pose3d": poses.xyz, "pose2d": poses.uv, "cam": poses.camera}
    columns = {key: column.double().numpy().copy() for key, column in columns.items()}
    path = tmp_path / f"spoiled{suffix}"
    spoil(columns)
    if suffix == ".npz":
        np.savez(path, **columns)
    else:
        with h5py.File(path, "w") as file:
            file.update(columns)
    refused(path, "spoiled", *words)


def test_every_number_of_a_camera_has_a_bound():
    assert sorted(i for columns, _ in CAMERA for i in range(9)[columns]) == list(range(9))


def edited(path, key: str, change) -> None:
    columns = dict(np.load(path, allow_pickle=True))
    change(columns[key])
    np.savez(path, **columns)


def test_published_sets(tmp_path):
    def huge(column):
        column.reshape(-1, *column.shape[-2:])[1] = 1e30

    spin = made.spin_dhp(tmp_path)
    edited(spin, "S", lambda column: column.__setitem__((2, 14, 0), 1e30))
    refused(spin, "3D coordinates", "1e+30")
    test = made.test_3dhp(tmp_path)
    edited(test, "pose2d", huge)
    refused(test, "2D coordinates", "1e+30")
    official = made.dhp_official(tmp_path / "dhp")
    with h5py.File(official / "TS1" / "annot_data.mat", "r+") as file:
        file["univ_annot3"][1] = 1e30
    refused(official, "annot_data.mat", "3D coordinates")
    h36m = made.h36m(tmp_path)
    columns = np.load(h36m, allow_pickle=True)["positions_3d"].item()
    columns["S1"]["Walking"][2, 3] = 1e30
    np.savez(h36m, positions_3d=columns)
    refused(h36m, "Human3.6M", "first: pose 2", "e+30")


@pytest.mark.parametrize("x", [1e308, float("inf"), -1e7])
def test_images_of_mpii_and_lsp(tmp_path, x):
    path = made.lsp(tmp_path)
    joints = loadmat(path)["joints"]
    joints[0, 5, 2] = x
    savemat(path, {"joints": joints})
    refused(path, "LSP", "person 2", "coordinates", "pixels", read=read_keypoints)


KEYPOINTS = {
    "x of 1e308": (lambda a: a.__setitem__((9, 5, 0), 1e308), "1e+308", "pixels", "1e+06"),
    "x of infinity": (lambda a: a.__setitem__((9, 5, 0), np.inf), "inf", "pixels"),
    "x of 100,000": (lambda a: a.__setitem__((9, 5, 0), 1e5), "half image widths"),
    "confidence of 1e30": (lambda a: a.__setitem__((9, 5, 2), 1e30), "confidences of 1e+30"),
}


@pytest.mark.parametrize("kind", [".npy", ".json"])
@pytest.mark.parametrize("what", KEYPOINTS)
def test_keypoints(tmp_path, what, kind):
    spoil, *words = KEYPOINTS[what]
    found = detected(made.flat_people(40), "coco17")
    spoil(found)
    path = tmp_path / f"people{kind}"
    if kind == ".npy":
        np.save(path, found)
    else:
        path.write_text(json.dumps(results(found)))
    refused(f"{path}?width=640&height=480&layout=coco17", str(path), "9", *words, read=read_keypoints)


def test_sizes_of_images(tmp_path):
    columns = {"keypoints": detected(made.flat_people(3), "coco17"), "width": 1e30, "height": 480.0}
    np.savez(tmp_path / "people.npz", **columns)
    refused(tmp_path / "people.npz", "1e+30", "pixels", read=read_keypoints)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("OFFSET 0.000000 95.000000", "OFFSET 1e30 95.000000", ("offsets", "joint 0, 1e+30")),
        ("OFFSET 12.000000 0.000000", "OFFSET 120.00000 0.000000", ("bone lengths", "kept frame 0")),
        ("Frame Time: 0.0333333", "Frame Time: 1e30", ("Frame Time is 1e+30",)),
    ],
)  # fmt: skip
def test_bvh(tmp_path, old, new, words):
    text, _ = bvh_text()
    assert old in text
    (tmp_path / "a.bvh").write_text(text.replace(old, new))
    refused(tmp_path / "a.bvh", "a.bvh", *words)


def test_channels(tmp_path):
    text, _ = bvh_text()
    lines = text.rstrip().split("\n")
    for place, word in ((0, "positions"), (5, "angles")):
        row = lines[-3].split()
        row[place] = "1e30"
        (tmp_path / "a.bvh").write_text("\n".join([*lines[:-3], " ".join(row), *lines[-2:], ""]))
        refused(tmp_path / "a.bvh", word, "frame 9, 1e+30")


def test_acclaim(tmp_path):
    file = write_person(tmp_path, frames=6)[0]
    text, skeleton = file.read_text(), file.with_name("07.asf")
    lines = text.split("\n")
    at = [n for n, line in enumerate(lines) if line.startswith("lfemur ")][4]
    lines[at] = "lfemur 1e30 0 0"
    file.write_text("\n".join(lines))
    refused(file, "'lfemur'", "angles", "frame 5, 1e+30")
    file.write_text(text)
    for old, new, word in (
        ("length 0.45", "length 1e-30", "is no length"), ("position 0 0 0", "position 0 1e30 0", "beyond"),
    ):  # fmt: skip
        skeleton.write_text(asf_text().replace(old, new))
        refused(file, "07.asf", word)


def saved(folder, change) -> str:
    """A small estimator's weights, changed."""
    torch.manual_seed(0)
    state = make_estimator("simple_baseline", 16).state_dict()
    change(state)
    save_file(state, folder / "net.safetensors")
    return str(folder / "net.safetensors")


def test_weights(tmp_path):
    assert open_estimator(saved(tmp_path, lambda state: None)).width == 16
    for value, words in ((float("nan"), ("w2.weight", "1 of 720 numbers")), (float("inf"), ("w2.weight",))):
        path = saved(tmp_path, lambda state, value=value: state["w2.weight"].view(-1)[5].fill_(value))
        refused(path, path, *words, "NaN or infinite", read=open_estimator)
    for key, value in (("w2.bias", 1e4), ("w2.bias", 3e38), ("batch_norm1.running_var", -1.0)):
        path = saved(tmp_path, lambda state, key=key, value=value: state[key].fill_(value))
        refused(path, path, "standing person", "10 m", read=open_estimator)
    torch.save({"model_pos": load_file(path)}, tmp_path / "ckpt.pth.tar")
    refused(tmp_path / "ckpt.pth.tar", "standing person", read=open_estimator)


def test_answers_of_onnx(tmp_path):
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, save

    def write(factor: float, batch="batch", kind=TensorProto.FLOAT) -> None:
        shape = helper.make_tensor_value_info
        nodes = [
            helper.make_node("ReduceSum", ["uv", "axes"], ["sum"], keepdims=1),
            helper.make_node("Concat", ["sum", "sum", "sum"], ["three"], axis=2),
            helper.make_node("Mul", ["three", "factor"], ["xyz"]),
        ]
        constants = [helper.make_tensor("axes", TensorProto.INT64, [1], [2])]
        constants += [helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])]
        made = helper.make_graph(
            nodes, "net", [shape("uv", kind, [batch, 16, 2])], [shape("xyz", kind, [batch, 16, 3])], constants
        )
        opset = [helper.make_opsetid("", 18)]
        save(helper.make_model(made, opset_imports=opset, ir_version=9), tmp_path / "net.onnx")

    write(1.0)
    assert open_estimator(tmp_path / "net.onnx").name == "onnx"
    for factor in (1e4, float("nan")):
        write(factor)
        refused(tmp_path / "net.onnx", "net.onnx", "standing person", "10 m", read=open_estimator)
    write(1.0, 2**31)
    refused(tmp_path / "net.onnx", "2,147,483,648 poses", "65,536", read=open_estimator)
    write(1.0)
    path = tmp_path / "net.onnx"
    path.write_bytes(path.read_bytes().replace(b"uv", b"u\xff"))
    refused(path, "cannot be run as ONNX", read=open_estimator)
