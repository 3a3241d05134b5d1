"""Writes that fail, one after the other: a sentence, the exit code 2, nothing left over, and what was there before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from poseaug_core.datasets import load_data
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from tests.core.bvh_people import write_bvh
from tests.core.command_line import poseaug
from tests.core.limited import Limited
from tests.core.small import small_config, small_poses
from tests.core.test_export_pairs import augmentor_of, weights

pytest.importorskip("resource")


def _limits(size: int) -> list[int]:
    """Where writes of a file of size bytes fail: at its beginning, all over it and at its very end."""
    limits = {0, 2000, size // 3, size * 2 // 3, size - 1000, size - 1}
    return sorted(limit for limit in limits if 0 <= limit < size)


@pytest.fixture(scope="module")
def limited() -> Iterator[Limited]:
    with Limited() as started:
        yield started


def _fails_whole(limited: Limited, words: list[object], target: Path) -> None:
    """The command, which writes target, fails wherever its writes do, and leaves the folder as it was."""
    assert poseaug(*words).exit_code == 0
    folder, size = target.parent, target.stat().st_size
    target.write_bytes(b"what was there")
    before = sorted(folder.iterdir())
    ended = limited.run(words, _limits(size))
    assert len(ended) == 6
    for one in ended:
        assert one.code == 2, one
        sentences = [line for line in one.told.splitlines() if line.startswith("Error: ")]
        assert len(sentences) == 1 and f"{one.limit:,} bytes; raise that limit" in sentences[0], one
        assert target.name in sentences[0] and "Traceback" not in one.told and "ignored" not in one.told, one
    assert sorted(folder.iterdir()) == before and target.read_bytes() == b"what was there"


@pytest.mark.parametrize("suffix", ["h5", "npz"])
def test_converting_motion(limited, tmp_path, suffix):
    out = tmp_path / "out" / f"takes.{suffix}"
    out.parent.mkdir()
    (tmp_path / "takes").mkdir()
    write_bvh(tmp_path / "takes" / "07_01.bvh")
    _fails_whole(limited, ["convert", "mocap", tmp_path / "takes", "--fps", 0, "--jobs", 1, "--out", out], out)


@pytest.mark.parametrize("suffix", ["h5", "npz"])
def test_converting_poses(limited, tmp_path, suffix):
    source, out = write_arrays(small_poses(300), tmp_path / "source.npz"), tmp_path / "out" / f"poses.{suffix}"
    out.parent.mkdir()
    _fails_whole(limited, ["convert", "poses", source, "--out", out], out)


@pytest.mark.parametrize("suffix", ["h5", "npz"])
def test_exporting_pairs(limited, tmp_path, suffix):
    write_arrays(small_poses(300, 1), tmp_path / "source.npz")
    config = small_config(source=str(tmp_path / "source.npz"))
    run = Run.create(tmp_path / "run", config, load_data(config).summary())
    run.save_checkpoint("latest", weights(augmentor_of()), {"step": 1})
    out = tmp_path / "out" / f"pairs.{suffix}"
    out.parent.mkdir()
    _fails_whole(limited, ["export", "pairs", tmp_path / "run", "--out", out], out)


@pytest.mark.parametrize("suffix", ["h5", "npz", "csv", "json", "bvh"])
def test_lifting(limited, tmp_path, suffix):
    source, out = write_arrays(small_poses(300), tmp_path / "source.npz"), tmp_path / "out" / f"lifted.{suffix}"
    out.parent.mkdir()
    _fails_whole(limited, ["lift", source, "--out", out], out)


def test_the_demos_data(limited, tmp_path):
    """Its first file fails, and its last one after others were written."""
    folder = tmp_path / "demo"
    assert poseaug("demo-data", "--out", folder).exit_code == 0
    sizes = {name: (folder / f"{name}.h5").stat().st_size for name in ("source", "source_test", "cross")}
    first, least = sizes["source"], min(sizes.values())
    for file in folder.iterdir():
        file.write_bytes(b"what was there")
    for one in limited.run(["demo-data", "--out", folder], [0, 1000, least // 2, first - 1]):
        assert one.code == 2 and one.told.count("Error: ") == 1 and "Traceback" not in one.told, one
        assert sorted(file.name for file in folder.iterdir()) == sorted(f"{name}.h5" for name in sizes)
        assert (folder / "source.h5").read_bytes() == b"what was there"
