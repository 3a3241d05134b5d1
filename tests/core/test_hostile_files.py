"""Files that mean harm are refused with one sentence, before their memory is taken and without running anything."""

from __future__ import annotations

import copyreg
import functools
import io
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.io import savemat

from poseaug_core.config import load_toml
from poseaug_core.errors import UserError
from poseaug_core.readers import read_keypoints, read_poses
from poseaug_core.readers.safe_pickle import MAX_STEPS, read_pickle
from poseaug_core.weights import read_weights
from tests.core import made_datasets as made
from tests.core.bvh_people import bvh_text
from tests.core.reading_apart import Apart

#: Bytes that refusing a file may take, whatever it promises; reading a little of a good one takes as much.
LITTLE = 100 << 20
POSES = ("pose3d", "pose2d", "cam")
APART = Apart()


@pytest.fixture(scope="module", autouse=True)
def apart():
    """Files are read in a process of their own, which has little memory and is ended when it takes long."""
    yield
    APART.end()


def refused(path, *words, read=read_poses, most=LITTLE, free=None) -> str:
    """The one sentence with which the file is refused, having taken little memory. free: bytes that seem to be."""
    answer = APART.read(read.__name__, str(path), free)
    text = answer["text"]
    assert answer["kind"] == "UserError", answer
    assert all(word in text for word in (Path(str(path).split("?")[0]).name, *words)), text
    assert "\n" not in text and len(text) < 700 and text.endswith("."), text
    assert answer["taken"] < most, f"{answer['taken']:,} bytes were taken"
    return text


# Pickles that would run code


class Trap:
    """Unpickled, it would call what it holds."""

    def __init__(self, call, *arguments):
        self.made = (call, arguments)

    def __reduce__(self):
        return self.made


class Plain:
    """An object of a class, made through copyreg by protocols 0 and 1 and by its constructor since."""


def raw(text: str) -> bytes:
    return text.encode("latin-1")


MADE_BY_HAND = {
    "instance of protocol 0": (raw("(S'true'\nios\nsystem\n."), "os.system"),
    "object of protocol 1": (raw("(cos\nsystem\nS'true'\no."), "os.system"),
    "dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x16lib.format.os.system.x\x93.", "numpy.lib.format.os.system"),
    "numpy's own loader": (raw("cnumpy\nload\n(S'a.npy'\ntR."), "numpy.load"),
    "numpy's test runner": (raw("cnumpy.testing._private.utils\nrunstring\n(S'x'\n(dtR."), "runstring"),
    "getattr": (raw("c__builtin__\ngetattr\n(cnumpy\ndtype\nS'type'\ntR."), "__builtin__.getattr"),
    "a function changed": (raw("cnumpy.core.multiarray\nscalar\n(dS'__code__'\nS'x'\nsb."), "change a function"),
    "a type changed": (raw("cnumpy\ndtype\n(dS'build'\nS'x'\nsb."), "change a type"),
    "a call of a list": (raw("(l(tR."), "call a list"),
    "a persistent object": (raw("Pname\n."), "kept elsewhere"),
    "an extension": (b"\x80\x02\x82\x01.", "make an object"),
    "records": (raw("cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR."), "array of structures"),
    "a name of many lines": (b"\x80\x04\x8c\x04evil\x8c\x08ab\n\x1b[2Jc\x93.", "to run evil.ab[2Jc"),
}


@pytest.mark.parametrize("what", MADE_BY_HAND)
def test_pickles_made_by_hand(tmp_path, what):
    content, word = MADE_BY_HAND[what]
    (tmp_path / "trap.pkl").write_bytes(content)
    refused(tmp_path / "trap.pkl", word)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("place", ["alone", "nested", "in an object array", "as a key", "in an array's state"])
def test_nothing_in_a_pickle_is_run(tmp_path, protocol, place):
    marker = tmp_path / "ran"
    trap = Trap(os.mkdir, str(marker))
    within = {
        "alone": trap,
        "nested": {"a": [1, ({"b": trap},)]},
        "in an object array": np.array([np.zeros(3), trap], dtype=object),
        "as a key": {trap: 1},
        "in an array's state": Trap(np.ndarray, (3,), np.dtype(float), trap),
    }[place]
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps({"jointPositions": within}, protocol))
    refused(tmp_path / "trap.pkl", "wants to run", ".mkdir")
    if protocol == pickle.HIGHEST_PROTOCOL:
        for key in ("positions_3d", "clips", "imgname"):
            columns = dict.fromkeys(POSES, np.zeros((2, 3))) if key == "clips" else {"part": np.zeros(2)}
            np.savez(tmp_path / "trap.npz", **columns, **{key: np.array([within], dtype=object)})
            refused(tmp_path / "trap.npz", "wants to run", ".mkdir")
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_objects_of_classes_are_named(tmp_path, protocol):
    for thing, word in ((Plain(), ""), (functools.partial(print, 1), "functools"), (Path("a"), "pathlib")):
        (tmp_path / "object.pkl").write_bytes(pickle.dumps(thing, protocol))
        refused(tmp_path / "object.pkl", "wants to", word)
    (tmp_path / "object.pkl").write_bytes(pickle.dumps(Trap(copyreg._reconstructor, Plain, object, None), protocol))
    refused(tmp_path / "object.pkl", "wants to run copy")


def test_pickles_of_arrays_and_plain_containers_are_read():
    """What must not be refused: every protocol, order, kind and byte order, numbers of one array, and Python 2."""
    value = {
        "a": [np.arange(6, dtype=">i4").reshape(2, 3, order="F"), (1, 2.5, None, True, b"xy", "text", 10**30)],
        "objects": np.array([{"b": np.ones(2, np.float32)}, "c"], dtype=object),
        "texts": np.array(["abc", "d"]), "empty": np.zeros((0, 3)), "number": np.float32(2.5),
        "bytes": np.array([b"ab"]), "set": {1, 2},
    }  # fmt: skip
    writers = [functools.partial(pickle.dumps, protocol=p) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
    for dump in writers:
        data = dump(value)
        found = read_pickle(io.BytesIO(data), len(data), Path("value"))
        np.testing.assert_array_equal(found["a"][0], value["a"][0])
        assert found["a"][0].dtype == value["a"][0].dtype and found["a"][1] == value["a"][1]
        assert found["objects"][0]["b"].tolist() == [1, 1] and found["objects"][1] == "c"
        assert found["texts"].tolist() == ["abc", "d"] and found["bytes"].tolist() == [b"ab"] and found["set"] == {1, 2}
        assert found["empty"].shape == (0, 3) and found["number"] == 2.5
    old = {"a": np.arange(6.0).reshape(2, 3), "name": "S\xe9bastien", "list": [1, 2]}
    data = made.pickled2(old)
    found = read_pickle(io.BytesIO(data), len(data), Path("value"))
    np.testing.assert_array_equal(found["a"], old["a"])
    assert found["name"] == old["name"] and found["list"] == [1, 2]


def array_pickle(shape: tuple, dtype: str, content) -> bytes:
    """A pickled array whose state says this, whatever its content is."""
    return pickle.dumps(Trap(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b"), 2)[:-1] + (
        pickle.dumps((1, shape, np.dtype(dtype), False, content), 2)[2:-1] + b"b."
    )


ARRAY_TYPE = b"cnumpy\ndtype\n(\x8c\x02f8K\x00K\x01tR"
BOMBS = {
    "a memo of 4 billion places": (b"\x80\x02]r\xf0\xff\xff\xff.", "jointPositions"),
    "a text of 2^62 bytes": (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.", "cut short"),
    "bytes of 200 GB": (b"\x80\x04\x8e" + struct.pack("<Q", 200 << 30) + b"x.", "cut short"),
    "a frame of 200 GB": (b"\x80\x04\x95" + struct.pack("<Q", 200 << 30) + b"].", "cut short"),
    "a bytearray of 200 GB": (b"\x80\x05\x96" + struct.pack("<Q", 200 << 30) + b"].", "cut short"),
    "lists without end": (b"\x80\x02" + b"]" * (MAX_STEPS + 10) + b".", f"{MAX_STEPS:,} steps"),
    "a number of 10,000 digits": (b"L" + b"9" * 10_000 + b"L\n.", "damaged"),
    "an array larger than its bytes": (array_pickle((10**9, 3), "f8", b"12345678"), "damaged"),
    "an array of negative size": (array_pickle((-1, 3), "f8", b""), "damaged"),
    "objects fewer than their shape": (array_pickle((10**9,), "O", [1, 2]), "damaged"),
    "an array without content": (
        pickle.dumps(Trap(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b")),
        "damaged",
    ),
    "a key of nested tuples": (b"\x80\x02})" + b"2\x86" * 40 + b"Ns.", "look things up by a tuple"),
    "a set of nested tuples": (b"\x80\x04\x8f()" + b"2\x86" * 40 + b"\x90.", "look things up by a tuple"),
    "a frozenset of nested tuples": (b"\x80\x04()" + b"2\x86" * 40 + b"\x91.", "look things up by a tuple"),
    "a number of 8 Mbit as a key": (
        b"\x80\x02}\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20) + b"Ns.",
        "as long",
    ),
    "a long list called again and again": (
        b"\x80\x04ccollections\nOrderedDict\n(]("
        + b"K\x01K\x02\x86" * 30_000
        + b"et"
        + b"\x94"
        + b"R"
        + b"ccollections\nOrderedDict\nh\x00R" * 10_000
        + b".",
        "steps",
    ),
    "a long text encoded again and again": (
        b"\x80\x04\x8d"
        + struct.pack("<Q", 1 << 20)
        + b"x" * (1 << 20)
        + b"\x94"
        + b"c_codecs\nencode\nh\x00\x85R" * 10_000
        + b".",
        "steps",
    ),
    "arrays remembered and built again and again": (
        b"\x80\x04" + b"N\x94" * 60_000 + ARRAY_TYPE + b"(K\x03\x8c\x01<NNNtb" * 20_000 + b".",
        "steps",
    ),
    "a billion texts of no letters": (array_pickle((2**40,), "S0", b""), "damaged"),
    "a type of a million fields": (b"cnumpy\ndtype\n(S'" + b"f8," * 1_000_000 + b"f8'\ntR.", "array of structures"),
    "nothing": (b"", "cut short"),
}


@pytest.mark.parametrize("what", BOMBS)
def test_pickles_that_would_fill_the_memory(tmp_path, what):
    content, word = BOMBS[what]
    (tmp_path / "bomb.pkl").write_bytes(content)
    if what == "an array without content":
        word = "no content"
    refused(tmp_path / "bomb.pkl", word, most=150 << 20)


# NPZ


def npy_header(shape, dtype: str = "<f8") -> bytes:
    """A .npy header that promises this."""
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape})
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def npz_of(path: Path, **members: bytes) -> Path:
    """A .npz file with these bytes as members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


HEADERS = {
    "10 million frames": (10_000_000, 16, 3),
    "negative": (-5, 16, 3),
    "overflowing": (2**40, 2**40, 3),
    "one too many": (2, 16, 3),
}


@pytest.mark.parametrize("what", HEADERS)
@pytest.mark.parametrize("names", [POSES, ("positions_3d",), ("imgname", "part", "S")])
def test_headers_that_promise_more_than_there_is(tmp_path, what, names):
    content = npy_header(HEADERS[what]) + bytes(16 * 3 * 8)
    refused(npz_of(tmp_path / "header.npz", **dict.fromkeys(names, content)), "damaged")


@pytest.mark.parametrize("header", [b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x09\x00", b"", npy_header("__import__")])
def test_headers_that_are_none(tmp_path, header):
    refused(npz_of(tmp_path / "header.npz", pose3d=header), "damaged")


@pytest.fixture(scope="module")
def zeros() -> bytes:
    """70 MB that take 70 kB deflated."""
    return bytes(70_000_000)


def test_zip_bombs(tmp_path, zeros):
    frames = len(zeros) // (16 * 3 * 8)
    whole = npy_header((frames, 16, 3)) + zeros[: frames * 16 * 3 * 8]
    small = {key: npy_header((1, 2)) + bytes(16) for key in ("pose2d", "cam")}
    refused(npz_of(tmp_path / "bomb.npz", pose3d=whole, **small), "200 times its size")
    pickled = npy_header((), "|O") + pickle.dumps(np.array({"S1": {"Walking": 1}, "x": zeros}, dtype=object))
    refused(npz_of(tmp_path / "bomb.npz", positions_3d=pickled), "200 times its size")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_unpack_without_end(tmp_path, method):
    """Of these methods zipfile unpacks all there is, whatever the member is said to hold."""
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", method) as archive:
        archive.writestr("pose3d.npy", npy_header((1_000_000, 16, 3), "|u1") + bytes(48_000_000))
    refused(tmp_path / "bomb.npz", f"method {method}")


def test_many_small_bombs_are_one(tmp_path):
    part = npy_header((200_000, 16)) + bytes(200_000 * 16 * 8)
    refused(npz_of(tmp_path / "bomb.npz", **dict.fromkeys(POSES, part)), "200 times its size")


def test_a_size_that_the_archive_hides(tmp_path):
    """The archive says that a member is small; no more of it than that is unpacked, and it is found damaged."""
    path = npz_of(tmp_path / "lie.npz", pose3d=npy_header((1_000_000, 16, 3), "|u1") + bytes(48_000_000))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 1000)
    path.write_bytes(data)
    refused(path, "damaged")


def test_honest_files_that_do_not_fit_the_memory(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "large.npz", pose3d=rng.random((200_000, 16, 3)), pose2d=np.zeros(2), cam=np.zeros(2))
    refused(tmp_path / "large.npz", "77 MB", "42 MB can be taken", "close other programs", free=100 << 20)


def test_an_archive_of_too_many_members(tmp_path):
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}", b"")
    refused(tmp_path / "many.npz", "10,001 members")


# What is in a pickle or an array, where numbers or texts should be


def doubled(times: int) -> list:
    """A list of lists that hold each other: a few hundred bytes, 2^times numbers."""
    found = [1.0]
    for _ in range(times):
        found = [found, found]
    return found


def objects(value) -> np.ndarray:
    """(1,) of this."""
    made = np.empty(1, dtype=object)
    made[0] = value
    return made


def numberless(value) -> np.ndarray:
    """(5, 17, 3) of something that is no number."""
    found = np.empty((5, 17, 3), dtype=object)
    found.reshape(-1)[:] = [value] * found.size
    return found


SEQUENCE = {
    "jointPositions": [np.ones((3, 72))], "cam_poses": np.tile(np.eye(4), (3, 1, 1)),
    "cam_intrinsics": np.array([[1000, 0, 500], [0, 1000, 500], [0, 0, 1.0]]),
}  # fmt: skip
SEQUENCES = {
    "camera flags that are one number": ({"campose_valid": [3]}, "campose_valid"),
    "camera flags of two dimensions": ({"campose_valid": [np.ones((3, 2))]}, "campose_valid"),
    "camera flags of texts": ({"campose_valid": [np.array(["a", "b", "c"])]}, "campose_valid"),
    "camera flags that double": ({"campose_valid": [doubled(60)]}, "campose_valid"),
    "people that are no list": ({"jointPositions": np.array(3.0)}, "as a list of"),
    "people that double": ({"jointPositions": doubled(60)}, "as a list of"),
    "one person 10,000 times": ({"jointPositions": [np.ones((3, 72))] * 10_000}, "as a list of"),
    "one large person 1,000 times": ({"jointPositions": [np.ones((3000, 72))] * 1000}, "200 times its size"),
}


@pytest.mark.parametrize("what", SEQUENCES)
def test_sequences_of_other_things(tmp_path, what):
    changed, word = SEQUENCES[what]
    (tmp_path / "sequence.pkl").write_bytes(pickle.dumps({**SEQUENCE, **changed}, protocol=2))
    refused(tmp_path / "sequence.pkl", word)


ARCHIVES = {
    "objects for joints": ({"positions_3d": {"S1": {"Walking": numberless({})}}}, "expected numbers"),
    "texts for joints": ({"positions_3d": {"S1": {"Walking": np.full((5, 17, 3), "x")}}}, "expected numbers"),
    "lists that double for joints": ({"positions_3d": {"S1": {"Walking": doubled(60)}}}, "is list"),
    "one take 5,000 times": (
        {"positions_3d": {"S1": dict.fromkeys(map(str, range(5000)), np.ones((100, 17, 3)))}}, "200 times its size",
    ),
    "6,000 takes": ({"positions_3d": {"S1": dict.fromkeys(map(str, range(6000)), 1)}}, "at most 5,000"),
    "a dictionary for part": ({"imgname": np.array(["a"]), "part": {"x": 1}, "S": np.zeros((1, 24, 4))}, "must be"),
    "texts for part": (
        {"imgname": np.array(["TS1/a"]), "part": np.full((1, 24, 3), "x"), "S": np.zeros((1, 24, 4))}, "must be",
    ),
    "names that double": (
        {"imgname": objects(doubled(60)), "part": np.ones((1, 24, 3)), "S": np.ones((1, 24, 4))}, "must be",
    ),
    "clips that double": (
        {"pose3d": np.ones((1, 16, 3)), "pose2d": np.ones((1, 16, 2)), "cam": np.ones((1, 9)),
         "clips": objects(doubled(60)), "notes": objects(doubled(60))}, "clips is not a list of names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ARCHIVES)
def test_archives_of_other_things(tmp_path, what):
    columns, word = ARCHIVES[what]
    tables = {key: np.array(value, dtype=object) for key, value in columns.items() if isinstance(value, dict)}
    np.savez_compressed(tmp_path / "data.npz", **{**columns, **tables})
    refused(tmp_path / "data.npz", word)


@pytest.mark.parametrize(
    "left", [doubled(60), [np.ones(3)] * 8, np.array("x"), 3], ids=["doubled", "arrays", "text", "number"]
)
def test_joint_orders_that_are_none_are_passed_over(tmp_path, left):
    """Whether detections have COCO's joints is looked up in a list that a stranger wrote."""
    data = made.h36m(tmp_path)
    path = made.h36m_detections(data, "cpn_ft_h36m_dbb")
    columns = dict(np.load(path, allow_pickle=True))
    columns["metadata"] = np.array({"keypoints_symmetry": [left, left]}, dtype=object)
    np.savez(path, **columns)
    assert len(read_poses(f"{data}?keypoints={path.name}"))


# HDF5


def test_hdf5_of_nothing_but_fill_values(tmp_path):
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        for key in POSES:
            file.create_dataset(key, (10_000_000, 16, 3), "f8", chunks=(1000, 16, 3))
    assert (tmp_path / "empty.h5").stat().st_size < 10_000
    refused(tmp_path / "empty.h5", "200 times its size")
    (tmp_path / "TS1").mkdir()
    with h5py.File(tmp_path / "TS1" / "annot_data.mat", "w", userblock_size=512) as file:
        for key, width in (("annot2", 2), ("univ_annot3", 3)):
            file.create_dataset(key, (10_000_000, 1, 17, width), "f8", chunks=(1000, 1, 17, width))
    refused(tmp_path / "TS1" / "annot_data.mat", "200 times its size")


def test_hdf5_chunks_that_unpack_to_more_than_the_data(tmp_path):
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        file.create_dataset(
            "pose3d", (4, 16, 3), "f8", chunks=(1_000_000, 16, 3), maxshape=(None, 16, 3), compression="gzip"
        )
        file["pose2d"] = file["cam"] = np.zeros(3)
    refused(tmp_path / "chunk.h5", "200 times its size")


def test_hdf5_that_leads_elsewhere(tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(384))
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file.create_dataset("pose3d", (1, 16, 3), "f8", external=[(str(tmp_path / "secret.bin"), 0, 384)])
        file["pose2d"] = file["cam"] = np.zeros(3)
    refused(tmp_path / "links.h5", "lies in other files")
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["pose3d"] = h5py.ExternalLink("other.h5", "/pose3d")
        file["pose2d"] = file["cam"] = np.zeros(3)
    refused(tmp_path / "links.h5", "link to another file")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["pose3d"] = np.zeros((1, 16, 3))
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["elsewhere"] = h5py.ExternalLink("secret.h5", "/")
        file["pose3d"] = h5py.SoftLink("/elsewhere/pose3d")
        file["pose2d"] = file["cam"] = np.zeros(3)
    refused(tmp_path / "links.h5", "link to another file")


def inflated(count: int) -> bytes:
    """So many zeros deflated."""
    packer, some = zlib.compressobj(1), bytes(1 << 24)
    return b"".join([packer.compress(some) for _ in range(count >> 24)] + [packer.flush()])


def test_hdf5_chunks_that_hold_more_than_their_numbers(tmp_path):
    """HDF5 inflates a chunk to its end, however many numbers it is said to have."""
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        data = file.create_dataset("pose3d", (100, 16, 3), "f4", chunks=(100, 16, 3), compression="gzip")
        data.id.write_direct_chunk((0, 0, 0), inflated(1 << 29))
        file["pose2d"] = file["cam"] = np.zeros(3)
    refused(tmp_path / "chunk.h5", "more than the numbers in it")
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        twice = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        twice.set_chunk((100, 16, 3))
        twice.set_deflate(1)
        twice.set_deflate(1)
        space = h5py.h5s.create_simple((100, 16, 3))
        h5py.h5d.create(file.id, b"pose3d", h5py.h5t.NATIVE_FLOAT, space, twice)
        file["pose2d"] = file["cam"] = np.zeros(3)
    refused(tmp_path / "chunk.h5", "packed in a way")


@pytest.mark.parametrize("how", [{"compression": "gzip", "shuffle": True, "fletcher32": True}, {"compression": "lzf"}])
def test_packed_hdf5_is_read(tmp_path, how):
    poses = read_poses("demo:source?size=0.05")
    with h5py.File(tmp_path / "packed.h5", "w") as file:
        for key, column in zip(POSES, (poses.xyz, poses.uv, poses.camera), strict=True):
            file.create_dataset(key, data=column.numpy(), chunks=(7, *column.shape[1:]), **how)
    assert read_poses(tmp_path / "packed.h5").xyz.equal(poses.xyz)


def with_texts(path: Path, **how) -> bytearray:
    """A good file with names of clips, of any length and of none."""
    poses = read_poses("demo:source?size=0.05")
    with h5py.File(path, "w") as file:
        for key, column in zip(POSES, (poses.xyz, poses.uv, poses.camera), strict=True):
            file[key] = column.numpy()
        file["clip"] = np.arange(len(poses)) % 4
        file.create_dataset("clips", data=["walk", "", "\u00e9t\u00e9", "x" * 3000], dtype=h5py.string_dtype(), **how)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize(
    "how", [{}, {"chunks": (3,)}, {"chunks": (3,), "compression": "gzip", "shuffle": True}]
)
def test_texts_of_hdf5_are_read(tmp_path, how):
    with_texts(tmp_path / "texts.h5", **how)
    assert read_poses(tmp_path / "texts.h5").clips[:3] == ("walk", "", "\u00e9t\u00e9")
    with h5py.File(tmp_path / "texts.h5", "r+") as file:
        del file["clips"]
        file["clips"] = np.array([b"a", b"bc", b"", b"d"])  # of a fixed length
    assert read_poses(tmp_path / "texts.h5").clips == ("a", "bc", "", "d")


HEAPS = {
    "an object of no length": (lambda data, heap: struct.pack_into("<Q", data, heap + 16 + 8, 0), "damaged"),
    "an object beyond its heap": (lambda data, heap: struct.pack_into("<Q", data, heap + 16 + 8, 1 << 40), "damaged"),
    "a heap beyond its file": (lambda data, heap: struct.pack_into("<Q", data, heap + 8, 1 << 26), "damaged"),
    "a heap of 4 EB": (lambda data, heap: struct.pack_into("<Q", data, heap + 8, 1 << 62), "damaged"),
    "no heap": (lambda data, heap: struct.pack_into("<4s", data, heap, b"LOCG"), "damaged"),
    "a heap of zeros": (lambda data, heap: data.__setitem__(slice(heap + 16, heap + 400), bytes(384)), "damaged"),
}


@pytest.mark.parametrize("what", HEAPS)
def test_damaged_heaps_of_hdf5(tmp_path, what):
    """HDF5 itself goes through such a heap without end, or takes the memory that it says."""
    spoil, word = HEAPS[what]
    data = with_texts(tmp_path / "heap.h5")
    spoil(data, data.index(b"GCOL"))
    (tmp_path / "heap.h5").write_bytes(data)
    refused(tmp_path / "heap.h5", word)


def test_a_text_that_says_it_is_long(tmp_path):
    data = with_texts(tmp_path / "long.h5")
    heap = data.index(b"GCOL")
    at = data.index(struct.pack("<IQ", 4, heap))
    struct.pack_into("<I", data, at, 0xFFFFFFF0)
    (tmp_path / "long.h5").write_bytes(data)
    refused(tmp_path / "long.h5", "damaged")


def test_hdf5_of_lists(tmp_path):
    with h5py.File(tmp_path / "lists.h5", "w") as file:
        file.create_dataset("pose3d", (4,), h5py.vlen_dtype(np.float32))
        file["pose2d"] = file["cam"] = np.zeros(3)
    refused(tmp_path / "lists.h5", "neither numbers nor texts")


# MATLAB 5


def test_mat_files_that_unpack_without_end(tmp_path, zeros):
    savemat(tmp_path / "joints.mat", {"joints": np.frombuffer(zeros, "u1").reshape(1, -1)}, do_compression=True)
    refused(tmp_path / "joints.mat", "200 times its size", read=read_keypoints, most=200 << 20)


def mat_array(kind: int, dims: tuple[int, ...], content: bytes = b"", name: bytes = b"joints") -> bytes:
    """An array of the MATLAB 5 format: flags, dimensions, name, content."""

    def element(number: int, data: bytes) -> bytes:
        return struct.pack("<2I", number, len(data)) + data + bytes(-len(data) % 8)

    body = element(6, struct.pack("<2I", kind, 0)) + element(5, struct.pack(f"<{len(dims)}i", *dims))
    return element(14, body + element(1, name) + content)


def mat_file(path: Path, array: bytes, compressed: bool = False) -> Path:
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    if compressed:
        array = zlib.compress(array)
        array = struct.pack("<2I", 15, len(array)) + array
    path.write_bytes(head + array)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_mat_arrays_that_are_not_what_they_say(tmp_path, compressed):
    double = struct.pack("<2I", 9, 64) + bytes(64)
    deep = b""
    for _ in range(200):
        deep = mat_array(1, (1, 1), deep or mat_array(6, (1, 1), struct.pack("<2I", 9, 8) + bytes(8)), b"")
    deep = mat_array(1, (1, 1), deep)
    for array, word in (
        (mat_array(6, (3, 14, 10_000_000), double), "damaged"),
        (mat_array(6, (3, -14, 2), double), "damaged"),
        (mat_array(6, (2**31 - 1,) * 4, double), "damaged"),
        (mat_array(1, (1000, 1000, 1000), double), "damaged"),
        (mat_array(2, (1, 10**9), struct.pack("<2I", 5 | 4 << 16, 8) + struct.pack("<2I", 1, 8) + b"x".ljust(8, b"\0")),
         "damaged"),
        (mat_array(5, (10**9, 10**9), double), "class 5"),
        (mat_array(3, (1, 1), double), "class 3"),
        (mat_array(16, (1, 1), double), "class 16"),
        (deep, "nests arrays more than 24 deep"),
        (mat_array(6, (8, 1), double)[:-40], "damaged"),
        (struct.pack("<2I", 14, 2**31) + bytes(8), "damaged"),
    ):  # fmt: skip
        refused(mat_file(tmp_path / "joints.mat", array, compressed), word, read=read_keypoints)


@pytest.mark.parametrize("compressed", [False, True])
def test_mat_cells_of_nothing(tmp_path, compressed):
    """Eight bytes an array, a hundred times fewer compressed, and each would be an object."""
    array = mat_array(1, (1_000_000, 1), struct.pack("<2I", 14, 0) * 1_000_000)
    refused(mat_file(tmp_path / "joints.mat", array, compressed), read=read_keypoints, most=80 << 20)


def test_mat_files_by_hand_are_read_where_they_are_right(tmp_path):
    """The files above are refused for what is wrong with them, not for a slip in how they are made."""
    joints = np.zeros((3, 14, 2))
    joints[:2] = made.scattered(made.flat_people(2), made.LSP_14, 14).transpose(2, 1, 0)
    content = joints.tobytes(order="F")
    array = mat_array(6, joints.shape, struct.pack("<2I", 9, len(content)) + content)
    assert len(read_keypoints(mat_file(tmp_path / "joints.mat", array, True))) == 2


# Checkpoints


def test_checkpoints_of_one_number(tmp_path):
    """A tensor of stride 0 has as many numbers as it likes."""
    for name, tensor in (
        ("stride", torch.zeros(1, dtype=torch.float16).expand(300_000, 300_000)),
        ("sparse", torch.eye(3).to_sparse()),
    ):
        torch.save({"state_dict": {"first.weight": tensor}}, tmp_path / f"{name}.pth")
        refused(tmp_path / f"{name}.pth", "no plain tensor", read=read_weights)
    one = torch.zeros(30_000)
    torch.save({"state_dict": {str(number): one for number in range(1000)}}, tmp_path / "same.pth")
    refused(tmp_path / "same.pth", "share their numbers", read=read_weights)
    torch.save({"state_dict": {"upscale.weight": torch.zeros(2**61, 0)}}, tmp_path / "wide.pth")
    refused(tmp_path / "wide.pth", "no estimator known", read=read_weights, most=200 << 20)  # of modules of torch


def test_checkpoints_that_unpack(tmp_path):
    """torch's own reader unpacks deflated archives, also those in which zipfile finds something wrong."""
    plain, bomb = tmp_path / "plain.pth", tmp_path / "bomb.pth"
    torch.save({"state_dict": {"a": torch.zeros(5_000_000)}}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    good = bomb.read_bytes()
    refused(bomb, "unpacks to", read=read_weights)
    end = good.rindex(b"PK\x05\x06")
    (first,) = struct.unpack_from("<I", good, end + 16)
    asks = bytearray(good)
    struct.pack_into("<H", asks, first + 6, 99)  # the version of zip that it takes to unpack the first entry
    extra = bytearray(good)
    length, more = struct.unpack_from("<2H", good, first + 28)
    struct.pack_into("<H", extra, first + 30, more + 4)
    struct.pack_into("<I", extra, end + 12, struct.unpack_from("<I", good, end + 12)[0] + 4)
    at = first + 46 + length + more
    extra[at:at] = struct.pack("<2H", 0x1234, 500)  # an extra field that says it is longer than it is
    for damaged in (asks, extra):
        bomb.write_bytes(damaged)
        refused(bomb, "or damaged", read=read_weights)


def test_checkpoints_of_nothing_and_of_no_names(tmp_path):
    save_file({}, tmp_path / "empty.safetensors", {"meta": "{}"})
    refused(tmp_path / "empty.safetensors", "no estimator known", read=read_weights)
    made = b"\x80\x02X\x0a\x00\x00\x00some\nthing)R."  # what is called is a text of two lines
    torch.save({"a": torch.zeros(2)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as old, zipfile.ZipFile(tmp_path / "called.pth", "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, made if entry.filename.endswith("data.pkl") else old.read(entry))
    refused(tmp_path / "called.pth", "not a checkpoint", read=read_weights)


# Texts


@pytest.mark.parametrize("content", ["a = " + "[" * 100_000, "seed = " + "9" * 5000], ids=["deep", "long"])
def test_configurations(tmp_path, content):
    (tmp_path / "run.toml").write_text(content)
    refused(tmp_path / "run.toml", read=load_toml)


def test_json_of_empty_objects(tmp_path):
    """Each would take twenty times its three bytes: the first tells that it is no person."""
    (tmp_path / "many.json").write_bytes(b"[" + b"{}," * 7_000_000 + b"{}]")
    refused(tmp_path / "many.json", "its entries have no keys", read=read_keypoints, free=1 << 30)


@pytest.mark.parametrize("content", ["[" * 1_000_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_json_of_absurd_depth(tmp_path, content):
    (tmp_path / "deep.json").write_text(content)
    refused(tmp_path / "deep.json", read=read_keypoints)


def test_bvh_that_promises_ten_million_frames(tmp_path):
    text, _ = bvh_text()
    (tmp_path / "long.bvh").write_text(text.replace("Frames: 12", "Frames: 10000000"))
    refused(tmp_path / "long.bvh", "10000000 frames", "cut short")


def test_bvh_of_one_endless_line(tmp_path):
    """A hierarchy of a million words in a line is gone through once, not once a word."""
    text, _ = bvh_text()
    (tmp_path / "line.bvh").write_text(text.replace("HIERARCHY", "HIERARCHY " + "HIERARCHY " * 1_000_000, 1) + "x")
    refused(tmp_path / "line.bvh", "not a number", most=300 << 20)


def test_bvh_that_does_not_fit_the_memory(tmp_path):
    (tmp_path / "large.bvh").write_bytes(b"HIERARCHY" + b" " * 20_000_000)
    refused(tmp_path / "large.bvh", "close other programs", free=100 << 20)


# Anything


LAYOUTS = {
    "h36m": (made.h36m, read_poses), "3dhp": (made.dhp_official, read_poses), "spin": (made.spin_dhp, read_poses),
    "3dpw": (made.pw3d, read_poses), "mpii": (made.mpii, read_keypoints), "lsp": (made.lsp, read_keypoints),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_garbled_files_are_read_or_refused(tmp_path, layout):
    """Bytes overwritten anywhere, and the file cut short: never more than a sentence comes of it."""
    make, read = LAYOUTS[layout]
    path = make(tmp_path / "made") if layout in ("3dhp", "3dpw") else make(tmp_path)
    if path.is_dir():
        path = sorted(file for file in path.rglob("*") if file.is_file())[0]
    good, rng = path.read_bytes(), np.random.default_rng(7)
    for case in range(40):
        data = bytearray(good)
        # Headers are garbled more often than they make up of the file.
        at = int(rng.integers(len(data) if case % 2 else min(600, len(data))))
        data[at : at + 4] = rng.bytes(4)
        path.write_bytes(data if case % 10 else data[:at])
        try:
            assert len(read(path)) and case % 10
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 700
