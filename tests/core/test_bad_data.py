"""What cannot be used is refused with one sentence that names it, and nothing is left half-written."""

from __future__ import annotations

import errno
import os
import pickle
import re
import shutil
from collections import namedtuple

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseaug_core.errors import UserError
from poseaug_core.motion.demo import demo_set
from poseaug_core.readers import convert_motion, read_poses
from poseaug_core.readers.arrays import read_arrays, write_arrays
from poseaug_core.readers.bvh import read_bvh
from poseaug_core.skeleton import HUMAN16
from tests.core.bvh_people import bvh_text, write_bvh

as_root = hasattr(os, "geteuid") and os.geteuid() == 0
unprivileged = pytest.mark.skipif(as_root, reason="the superuser may read and write everything")


@pytest.fixture(scope="module")
def poses():
    return demo_set("source_test", seed=0, size=0.5)


@pytest.fixture
def columns(poses):
    return {"pose3d": poses.xyz.numpy().copy(), "pose2d": poses.uv.numpy().copy(), "cam": poses.camera.numpy().copy()}


def refused(path, *words) -> str:
    """The one sentence with which the file is refused; it must name the file and hold the words."""
    with pytest.raises(UserError) as caught:
        read_poses(path)
    text = str(caught.value)
    for word in (getattr(path, "stem", str(path)), *words):
        assert word in text, text
    assert "\n" not in text and len(text) < 700 and text.endswith(".")
    return text


def doubled(xyz):
    """The fifth pose's left knee lies on its hip."""
    child = HUMAN16.names.index("left knee")
    xyz[4, child] = xyz[4, HUMAN16.parents[child]]
    return xyz


SPOILED = {
    "17 joints": (lambda c: c | {"pose3d": np.zeros((9, 17, 3)) + 0.3}, ("17 joints", "16")),
    "half in millimetres": (
        lambda c: c | {"pose3d": np.concatenate((c["pose3d"][:-2], c["pose3d"][-2:] * 1000))},
        ("2 of", "10 m", "metres"),
    ),
    "millimetres": (lambda c: c | {"pose3d": c["pose3d"] * 1000}, ("millimetres", "1000")),
    "centimetres": (lambda c: c | {"pose3d": c["pose3d"] * 100}, ("centimetres", "100")),
    "pixels": (lambda c: c | {"pose2d": (c["pose2d"] + 1) * 500}, ("pixels",)),
    "NaN": (lambda c: c | {"pose3d": np.where(np.arange(16)[:, None] == 3, np.nan, c["pose3d"])}, ("NaN",)),
    "empty": (lambda c: {key: column[:0] for key, column in c.items()}, ("0 poses",)),
    "no cam": (lambda c: {key: column for key, column in c.items() if key != "cam"}, ("cam missing", "pose2d")),
    "other keys": (lambda c: {"positions": c["pose3d"]}, ("pose3d", "positions")),
    "fewer 2D": (lambda c: c | {"pose2d": c["pose2d"][:-1]}, ("2D poses have shape",)),
    "text": (lambda c: c | {"cam": np.full((len(c["cam"]), 9), "a")}, ("cam", "numbers")),
    "scalar": (lambda c: c | {"pose3d": np.float32(1)}, ("shape",)),
    "fraction tags": (lambda c: c | {"subject": np.zeros(len(c["cam"]))}, ("subject", "integers")),
    "long tags": (lambda c: c | {"frame": np.arange(5)}, ("frame", "integers")),
    "clip unnamed": (lambda c: c | {"clip": np.full(len(c["cam"]), 3), "clips": np.array(["a"])}, ("names only 1",)),
    "negative": (lambda c: c | {"view": np.full(len(c["cam"]), -1)}, ("view", "-1")),
    "zero bone": (lambda c: c | {"pose3d": doubled(c["pose3d"])}, ("pose 4, left hip-left knee", "remove")),
    "behind": (lambda c: c | {"pose3d": c["pose3d"] * (1, 1, -1)}, ("front of the camera",)),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("what", SPOILED)
def test_spoiled_arrays(tmp_path, columns, what, suffix):
    spoil, words = SPOILED[what]
    path = tmp_path / f"spoiled{suffix}"
    if suffix == ".npz":
        np.savez(path, **spoil(columns))
    else:
        with h5py.File(path, "w") as file:
            for key, column in spoil(columns).items():
                text = np.asarray(column).dtype.kind == "U"
                file.create_dataset(key, data=column.tolist() if text else column)
    refused(path, *words)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_arrays(tmp_path, poses, suffix, share):
    path = write_arrays(poses, tmp_path / f"cut{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path)


@given(data=st.data())
def test_garbled_arrays_never_crash(tmp_path_factory, poses, data):
    """Any bytes overwritten: read, or refused in a sentence."""
    folder = tmp_path_factory.mktemp("garbled")
    path = write_arrays(poses.take(slice(0, 4)), folder / f"g{data.draw(st.sampled_from(['.npz', '.h5']))}")
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    path.write_bytes(raw)
    try:
        assert read_arrays(path).xyz.isfinite().all()
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".bvh"])
@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"hello\n", b"PK\x03\x04garbage", b"\x89HDF\r\n\x1a\nx"]
)
def test_wrong_kind_of_file(tmp_path, suffix, content):
    path = tmp_path / f"wrong{suffix}"
    path.write_bytes(content)
    refused(path)


def test_pickles_are_never_opened(tmp_path, columns):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    np.savez(tmp_path / "trap.npz", **(columns | {"clips": np.array([Trap()], dtype=object)}))
    refused(tmp_path / "trap.npz", "pickled")
    (tmp_path / "trap.h5").write_bytes(pickle.dumps(Trap()))
    refused(tmp_path / "trap.h5", "neither NPZ nor HDF5")
    assert not (tmp_path / "opened").exists()


def test_names_that_lead_nowhere(tmp_path):
    refused(tmp_path / "absent.npz", "does not exist")
    refused(tmp_path / "absent", "does not exist")
    refused(tmp_path, "0 .bvh or .amc files")
    (tmp_path / "poses.csv").write_text("1,2")
    refused(tmp_path / "poses.csv", "'.csv'", ".npz", ".bvh")
    (tmp_path / "poses").write_text("1,2")
    refused(tmp_path / "poses", "no suffix")
    for spec in (
        "",
        "demo:",
        "demo:source?seed=x",
        "demo:source?speed=1",
        "demo:source?seed=-1",
        "demo:source?size=nan",
    ):
        with pytest.raises(UserError):
            read_poses(spec)


@unprivileged
def test_unreadable_files(tmp_path, poses):
    path = write_arrays(poses, tmp_path / "secret.npz")
    path.chmod(0)
    refused(path, "may not be read")
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="may not be written"):
        write_arrays(poses, tmp_path / "new.npz")
    tmp_path.chmod(0o700)


def test_permission_errors_are_said(tmp_path, poses, monkeypatch):
    """As an ordinary user meets them, whoever runs the test."""
    path = write_arrays(poses, tmp_path / "secret.npz")
    bvh = write_bvh(tmp_path / "secret.bvh")

    def deny(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", deny)
    monkeypatch.setattr("pathlib.Path.read_bytes", deny)
    refused(path, "may not be read")
    refused(bvh, "may not be read")
    monkeypatch.undo()
    monkeypatch.setattr("poseaug_core.storage.tempfile.mkstemp", deny)
    with pytest.raises(UserError, match="may not be written"):
        write_arrays(poses, tmp_path / "new.h5")


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_full_disk_before_and_while_writing(tmp_path, poses, monkeypatch, suffix):
    target = tmp_path / f"out{suffix}"
    target.write_bytes(b"what was there")
    usage = namedtuple("usage", "total used free")
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6 - 4321, 4321))
    with pytest.raises(UserError, match=r"its disk has 4,321 bytes free of the [\d,]+ needed"):
        write_arrays(poses, target)
    monkeypatch.setattr(shutil, "disk_usage", real)

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("poseaug_core.readers.column_files._write_npz", fail)
    monkeypatch.setattr("poseaug_core.readers.column_files.Hdf5Writer.append", fail)
    with pytest.raises(UserError, match="bytes free"):
        write_arrays(poses, target)
    assert target.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [target]


def test_nowhere_to_write(tmp_path, poses):
    with pytest.raises(UserError, match="'.txt'"):
        write_arrays(poses, tmp_path / "out.txt")
    with pytest.raises(UserError, match="does not exist"):
        write_arrays(poses, tmp_path / "no" / "out.h5")
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        write_arrays(poses, tmp_path / "folder.h5")
    unwritten = [tmp_path / "out.txt", tmp_path / "no" / "out.h5", tmp_path / "folder.h5"]
    for target in unwritten:
        with pytest.raises(UserError, match=target.name):
            convert_motion(tmp_path / "not looked at", "lab", target)
    with pytest.raises(UserError, match="rig 'moon'"):
        convert_motion(write_bvh(tmp_path / "a.bvh"), "moon", tmp_path / "out.h5")
    with pytest.raises(UserError, match="seed is -3"):
        convert_motion(tmp_path / "a.bvh", "lab", tmp_path / "out.h5", seed=-3)
    assert not (tmp_path / "out.h5").exists()


def edited(old: str, new: str, count: int = 1):
    return lambda text: text.replace(old, new, count)


BROKEN_BVH = {
    "not a number": (lambda t: t.rstrip()[:-4] + "oops\n", "not a number"),
    "NaN": (lambda t: t.rstrip().rsplit(" ", 1)[0] + " nan\n", "NaN"),
    "last frames cut": (lambda t: "\n".join(t.splitlines()[:-3]), "cut short"),
    "a number cut": (lambda t: t.rstrip().rsplit(" ", 1)[0], "cut short"),
    "no motion": (lambda t: t[: t.index("MOTION")], "no MOTION"),
    "no frames": (edited("Frames: 12", "Frames: 0"), "0 frames"),
    "absurd frames": (edited("Frames: 12", "Frames: 999999999999"), "999999999999 frames"),
    "words for frames": (edited("Frames: 12", "Frames: many"), "Frames:"),
    "no frame time": (edited("Frame Time", "Tempo"), None),
    "zero frame time": (lambda t: t.replace("Frame Time: 0.0333333", "Frame Time: 0"), "Frame Time is 0"),
    "unknown channel": (edited("Zrotation", "Wrotation"), "cannot be understood"),
    "short offset": (lambda t: t.replace("OFFSET 0.000000 95.000000 0.000000", "OFFSET 0"), "cannot be understood"),
    "infinite offset": (lambda t: t.replace("OFFSET 0.000000 95.000000", "OFFSET 0 inf"), "OFFSET"),
    "open brace": (lambda t: t.replace("}\nMOTION", "\nMOTION"), "braces open"),
    "extra brace": (lambda t: t.replace("}\nMOTION", "}\n}\nMOTION"), "cannot be understood"),
    "no size": (lambda t: re.sub(r"OFFSET.*", "OFFSET 0 0 0", t), "stature"),
    "far away": (lambda t: t[: t.rstrip().rindex("\n") + 1] + "1e300 " + t.rstrip().rsplit("\n", 1)[1].split(" ", 1)[1],
                 "1e+300"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN_BVH)
def test_broken_bvh(tmp_path, what):
    spoil, word = BROKEN_BVH[what]
    text, _ = bvh_text()
    (tmp_path / "broken.bvh").write_text(spoil(text))
    if word is None:
        assert len(read_bvh(tmp_path / "broken.bvh")) == 12, "the words before the colon do not matter"
    else:
        refused(tmp_path / "broken.bvh", word)


@given(data=st.data())
def test_garbled_bvh_never_crashes(tmp_path_factory, data):
    raw = bytearray(bvh_text(frames=3)[0].encode())
    start = data.draw(st.integers(0, len(raw) - 1))
    stop = start + data.draw(st.integers(0, 60))
    raw[start:stop] = data.draw(st.binary(max_size=12) | st.sampled_from([b"{", b"}", b"\nEnd Site", b" 1e308 ", b"-"]))
    path = tmp_path_factory.mktemp("garbled") / "g.bvh"
    path.write_bytes(raw)
    try:
        assert np.isfinite(read_bvh(path).xyz).all()
    except UserError as error:
        assert "\n" not in str(error)


def test_wrong_frame_rate(tmp_path):
    with pytest.raises(UserError, match="-5"):
        read_bvh(write_bvh(tmp_path / "a.bvh"), fps=-5)


@pytest.mark.parametrize("mistake", ["rows in another order", "y up", "divided by the height"])
def test_2d_that_does_not_belong_to_its_3d_is_refused(mistake):
    from poseaug_core.poses import make_poses
    from tests.core.small import small_poses

    poses = small_poses(60)
    xyz, uv = poses.xyz.clone(), poses.uv.clone()
    if mistake == "rows in another order":
        uv = uv.flip(0)
    elif mistake == "y up":
        xyz[..., 1] *= -1
    else:  # v = 2 py / h - 1 of an image of 16 to 9
        uv[..., 1] *= 16 / 9
        uv[..., 1] += 0.1
    with pytest.raises(UserError, match="where the camera projects"):
        make_poses(xyz, uv, poses.camera)


def test_detected_2d_is_accepted():
    """Noise of 3 % of the half image, more than any detector's."""
    from poseaug_core.poses import make_poses
    from tests.core.small import small_poses

    poses = small_poses(60)
    noise = torch.randn(poses.uv.shape, generator=torch.Generator().manual_seed(0))
    assert len(make_poses(poses.xyz, poses.uv + 0.03 * noise, poses.camera)) == 60
