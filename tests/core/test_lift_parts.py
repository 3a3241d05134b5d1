"""Lifting in parts: whatever the size of the parts, files say the same; what is held does not grow with the poses."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from poseaug_core import lifting
from poseaug_core.errors import UserError
from poseaug_core.fixed_point import FixedPoint
from poseaug_core.keypoints import Keypoints
from poseaug_core.lifted_files import Head, LiftedPoses, writing_lifted
from poseaug_core.lifting import Held, lift, lifted_poses, open_2d, read_2d
from poseaug_core.motion import bvh_writer
from poseaug_core.readers import (
    array_parts,
    json_stream,
    keypoint_arrays,
    keypoint_choice,
    keypoint_columns,
    keypoint_people,
)
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.readers.json_stream import entries
from poseaug_core.readers.keypoint_columns import Column, Texts
from poseaug_core.readers.keypoint_json import read_keypoint_file
from poseaug_core.trained import Trained
from tests.core.detectors import SIZE, annotations, detected, moving_uv, openpose_frame, pixels, results
from tests.core.small import small_poses

WHERE = f"?width={SIZE[0]}&height={SIZE[1]}&layout=coco17"


@pytest.fixture
def tiny_parts(monkeypatch):
    """Everything that is done in parts is done a few rows at a time, and lies on disk."""
    monkeypatch.setattr(json_stream, "WINDOW", 100)
    monkeypatch.setattr(keypoint_people, "TOGETHER", 3)
    monkeypatch.setattr(keypoint_choice, "CHUNK", 4)
    monkeypatch.setattr(keypoint_columns, "IN_MEMORY", 64)
    monkeypatch.setattr(keypoint_columns.chunks, "__defaults__", (5,))
    monkeypatch.setattr(lifting, "PART", 7)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of which even a small set has many."""
    monkeypatch.setattr(keypoint_people, "TOGETHER", 64)
    monkeypatch.setattr(keypoint_choice, "CHUNK", 128)
    monkeypatch.setattr(keypoint_columns, "IN_MEMORY", 1 << 12)
    monkeypatch.setattr(keypoint_columns.chunks, "__defaults__", (128,))
    monkeypatch.setattr(json_stream, "WINDOW", 1 << 14)
    monkeypatch.setattr(keypoint_arrays, "CHUNK", 128)
    monkeypatch.setattr(array_parts, "CHUNK", 128)
    monkeypatch.setattr(array_parts, "PROJECTED", 100)
    monkeypatch.setattr(bvh_writer, "CHUNK", 128)
    monkeypatch.setattr(bvh_writer, "SAMPLE", 200)
    monkeypatch.setattr(lifting, "PART", 128)


class Nearest(torch.nn.Module):
    """An estimator that answers with its input, so that an answer tells which row it is of."""

    def forward(self, uv, generator=None):
        return torch.nn.functional.pad(uv, (0, 1))


LIFTER = Trained(Nearest(), "nearest", 0, "nearest")


def people(count: int = 40) -> np.ndarray:
    """A person kicking over and over, with gaps."""
    made = detected(pixels(np.concatenate([moving_uv(20)] * (-(-count // 20)))[:count]), "coco17")
    made[np.random.default_rng(0).random(made.shape[:2]) < 0.1, 2] = 0
    return made


def several(made: np.ndarray) -> list[dict]:
    """Two people an image, the better one second."""
    moved = made + np.array((50, 0, 0)) * (made[..., 2:] > 0)
    pairs = zip(results(made, "{:d}.jpg"), results(moved, "{:d}.jpg"), strict=True)
    return [person | {"score": 1 + number} for pair in pairs for number, person in enumerate(pair)]


def files(folder: Path) -> dict[str, str]:
    """Specs of the same people in several formats."""
    made = people()
    (folder / "results.json").write_text(json.dumps(results(made, "{:d}.jpg"), indent=1))
    (folder / "annotations.json").write_text(json.dumps(annotations(made)))
    turned = annotations(made)
    (folder / "late_images.json").write_text(json.dumps(dict(reversed(turned.items()))))
    (folder / "several.json").write_text(json.dumps(several(made)))
    apart = several(made)
    (folder / "apart.json").write_text(json.dumps(apart[::2] + apart[1::2]))
    np.savez_compressed(folder / "k.npz", keypoints=made)
    np.save(folder / "k.npy", np.asfortranarray(made))
    (folder / "frames").mkdir()
    for number, one in enumerate(detected(pixels(moving_uv(12)), "openpose25")):
        (folder / "frames" / f"f{number}_keypoints.json").write_text(json.dumps(openpose_frame(one[None])))
    names = ("results.json", "annotations.json", "late_images.json", "several.json", "apart.json", "k.npz", "k.npy")
    return {name: f"{folder / name}{WHERE}" for name in names} | {
        "everyone": f"{folder / 'several.json'}{WHERE}&person=all",
        "everyone, apart": f"{folder / 'apart.json'}{WHERE}&person=all",
        "frames": f"{folder / 'frames'}?width={SIZE[0]}&height={SIZE[1]}",
    }


def same(one: Keypoints, other: Keypoints) -> None:
    for column in ("uv", "confidence", "size", "image"):
        torch.testing.assert_close(getattr(one, column), getattr(other, column), atol=1e-6, rtol=0)
    assert one.images == other.images and one.notes == other.notes


def test_files_read_a_few_letters_at_a_time_give_what_they_give_at_once(tmp_path, request):
    specs = files(tmp_path)
    at_once = {name: read_keypoint_file(spec) for name, spec in specs.items()}
    request.getfixturevalue("tiny_parts")
    for name, spec in specs.items():
        same(read_keypoint_file(spec), at_once[name])
    assert len(at_once["everyone"]) == 2 * len(at_once["several.json"])
    same(at_once["annotations.json"], at_once["late_images.json"])
    torch.testing.assert_close(at_once["several.json"].uv, at_once["apart.json"].uv)


def test_parts_lifted_one_after_the_other_are_the_table_lifted_whole(tmp_path, tiny_parts):
    specs = files(tmp_path) | {"poses": str(write_arrays(small_poses(30), tmp_path / "poses.h5"))}
    write_arrays(small_poses(30), tmp_path / "p.npz")
    for spec in [*specs.values(), str(tmp_path / "p.npz")]:
        table = read_2d(spec)
        with open_2d(spec, folder=tmp_path) as source:
            assert len(source) == len(table) and source.one_each == Held(table).one_each
            parts = list(lift([LIFTER], source, flip=False))
            assert source.notes == table.notes
        assert len(parts) == -(-len(table) // 7)
        found = torch.cat([torch.from_numpy(part.answers[0]) for part in parts])[..., :2]
        torch.testing.assert_close(found, table.uv - table.uv[:, :1], atol=1e-6, rtol=0)
        names = [name for part in parts for name in lifting.row_names(part.table)]
        assert names == lifting.row_names(table)


def test_poses_that_look_odd_in_a_part_are_judged_as_a_whole(tmp_path, tiny_parts):
    poses = small_poses(30)
    columns = {"pose3d": poses.xyz.numpy().copy(), "pose2d": poses.uv.numpy(), "cam": poses.camera.numpy()}
    columns["pose3d"][17, 3] = np.nan
    np.savez(tmp_path / "p.npz", **columns)
    with pytest.raises(UserError, match=r"1 of 30 poses have NaN or infinite 3D values \(first: pose 17\)"):
        with open_2d(tmp_path / "p.npz"):
            pass


class Counting(Held):
    """A source that counts how many of its rows are held by somebody, and repeats a table many times."""

    def __init__(self, table: Keypoints, times: int):
        super().__init__(table)
        self.times, self.given = times, 0

    def __len__(self) -> int:
        return self.times * len(self.table)

    def parts(self, size: int):
        for _ in range(self.times):
            self.given += len(self.table)
            yield self.table


def test_of_many_parts_few_are_asked_for_ahead():
    table = Keypoints(torch.zeros(64, 16, 2), torch.ones(64, 16), torch.zeros(64, 2), torch.arange(64))
    source, done = Counting(table, 200), 0
    for part in lift([LIFTER], source):
        done += len(part.table)
        assert source.given - done <= 8 * 64
    assert done == len(source)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".csv", ".json", ".bvh"])
def test_writing_eight_times_the_poses_takes_no_more_memory(tmp_path, small_parts, suffix):
    rng = np.random.default_rng(0)
    xyz = rng.normal(0, 0.3, (256, 16, 3)).astype(np.float32)
    uv, sure = xyz[..., :2].copy(), np.ones((256, 16), np.float32)
    poses = LiftedPoses(xyz - xyz[:, :1], uv, sure, [f"{i:06d}.jpg" for i in range(256)], "mine")

    def peak(times: int) -> int:
        tracemalloc.start()
        with writing_lifted(tmp_path / f"{times}{suffix}", Head(256 * times, "mine")) as writer:
            for _ in range(times):
                writer.add(poses)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(1)
    few, many = peak(2), peak(16)
    assert many < 1.25 * few + 100_000
    assert (tmp_path / f"16{suffix}").stat().st_size > 7 * (tmp_path / f"2{suffix}").stat().st_size


@pytest.mark.parametrize("kind", ["k.npz", "k.json", "p.h5"])
def test_reading_eight_times_the_poses_takes_no_more_memory(tmp_path, small_parts, kind):
    def peak(count: int) -> int:
        path = tmp_path / f"{count}{kind}"
        if kind == "p.h5":
            poses = small_poses(30)
            write_arrays(poses.take(torch.arange(count) % 30), path)
        elif kind == "k.npz":
            np.savez(path, keypoints=np.concatenate([people(20)] * (count // 20)))
        else:
            text = [json.dumps(one)[:-1] for one in results(people(20), "")]
            parts = (f'{text[i % 20]}, "image_id": "{i:09d}.jpg"}}' for i in range(count))
            path.write_text(f"[{','.join(parts)}]")
        tracemalloc.start()
        with open_2d(f"{path}{WHERE}" if kind != "p.h5" else str(path), folder=tmp_path) as source:
            rows = sum(len(part.table) for part in lift([LIFTER], source))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rows == count
        return held

    peak(40)
    few, many = peak(1000), peak(8000)
    assert many < 1.2 * few + 400_000


def test_entries_of_documents_cut_anywhere(tmp_path, monkeypatch):
    document = {"a": [1, 23456, {"b": [1.5, "]}, [{"]}, [], None], "é\ud800": {"c": '\\"'}, "d": [], "e": -12.5e3}
    path = tmp_path / "d.json"
    for text in (json.dumps(document), json.dumps(document, indent=3, ensure_ascii=True)):
        path.write_text(text)
        for window in (1, 2, 7, 1000):
            monkeypatch.setattr(json_stream, "WINDOW", window)
            found = list(entries(path))
            assert [entry.value for entry in found if entry.key == "a"] == document["a"]
            others = {entry.key: entry.value for entry in found if entry.key != "a"}
            assert others == {key: value for key, value in document.items() if key != "a"}
    path.write_text(" [1, [2], 34 ] ", encoding="utf-16")
    assert [entry.value for entry in entries(path)] == [1, [2], 34]


@pytest.mark.parametrize(
    "text",
    ["", "[1, 2", "[1,, 2]", "[1, 2] 3", '{"a" 1}', '{"a": [1}', '{"a": 1,}', "[1 2]", "{1: 2}", "[1, 2,]", "[nul]"],
)
def test_documents_that_are_not_whole_are_refused(tmp_path, text):
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(UserError, match="is not whole JSON"):
        list(entries(tmp_path / "d.json"))


def test_an_entry_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "LONGEST", 1 << 12)
    monkeypatch.setattr(json_stream, "WINDOW", 1 << 10)
    (tmp_path / "d.json").write_text('["' + "letters " * 2000)
    with pytest.raises(UserError, match="an entry of more than 4,096 letters"):
        list(entries(tmp_path / "d.json"))


def test_columns_and_texts_give_back_what_was_put_in(tmp_path, tiny_parts):
    rng = np.random.default_rng(0)
    numbers, column, texts = rng.normal(size=(50, 3)), Column((3,), np.float64, tmp_path), Texts(tmp_path)
    names = [f"ü{i}" * (i % 4) for i in range(49)] + ["\ud800"]
    for rows in (slice(0, 20), slice(20, 20), slice(20, 50)):
        column.append(numbers[rows])
        texts.append(names[rows])
    picked = np.array([3, 49, 0, 7])
    for found, wanted in ((column.whole(), numbers), (column.read(slice(4, 9)), numbers[4:9]),
                          (column.pick(picked), numbers[picked])):  # fmt: skip
        np.testing.assert_array_equal(found, wanted)
    assert texts.read(slice(0, 50)) == names and texts.read(slice(19, 22)) == names[19:22]
    assert texts.pick(picked) == [names[i] for i in picked]
    column.close()
    texts.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scale", [0.5, 30, 3000, 1e7])
def test_numbers_as_text_are_those_of_printf(scale):
    numbers = np.random.default_rng(0).normal(0, scale, (40, 7))
    numbers[3, 2], numbers[4, 4] = 0, np.nan if scale > 1e6 else 1
    written = FixedPoint(["<", *[", "] * 6, ">\n"]).rows(numbers)
    for line, row in zip(written, numbers, strict=True):
        assert line.decode() == "<" + ", ".join(f"{value:.5f}" for value in row) + ">\n"


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".csv", ".json", ".bvh"])
def test_other_than_what_was_announced_is_not_written(tmp_path, suffix):
    path, rng = tmp_path / f"o{suffix}", np.random.default_rng(0)
    poses = LiftedPoses(rng.normal(size=(3, 16, 3)), rng.normal(size=(3, 16, 2)), np.ones((3, 16)), list("abc"), "mine")
    for count, given in ((5, "3 poses were given, 5"), (2, "3 poses were given, 2")):
        with pytest.raises(UserError, match=given), writing_lifted(path, Head(count, "mine")) as writer:
            writer.add(poses)
    for key in ("xyz", "uv", "confidence"):
        broken = getattr(poses, key).copy()
        broken[1, 2] = np.nan
        with pytest.raises(UserError, match="NaN or infinite"), writing_lifted(path, Head(3, "mine")) as writer:
            writer.add(replace(poses, **{key: broken}))
    assert list(tmp_path.iterdir()) == []


def test_hdf5_arrays_are_as_they_were(tmp_path):
    table = Keypoints(
        0.1 * torch.randn(9, 16, 2), torch.ones(9, 16), torch.zeros(9, 2), torch.arange(9), tuple("abcdefghi")
    )
    with writing_lifted(tmp_path / "o.h5", Head(9, "mine")) as writer:
        for part in lift([LIFTER], Held(table), flip=False):
            writer.add(lifted_poses(part.table, part.answers, "mine"))
    with h5py.File(tmp_path / "o.h5") as file:
        assert file["pose3d"].chunks is None and file.attrs["estimator"] == "mine"
        np.testing.assert_array_equal(file["pose2d"][()], table.uv.numpy())
