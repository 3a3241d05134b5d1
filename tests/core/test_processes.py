"""Work shared among processes: the same results in the same order, errors in their place, nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.processes import in_order
from poseaug_core.readers import convert_motion, read_poses
from poseaug_core.readers.motion_files import Reading
from tests.core.bvh_people import write_bvh
from tests.core.made_datasets import h36m
from tests.core.piecework import deep, die, leave, particular, square, unsendable
from tests.core.reading_apart import Apart
from tests.core.small import small_poses


@pytest.fixture(autouse=True)
def nobody_is_left():
    yield
    assert not multiprocessing.active_children()


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        write_bvh(tmp_path / f"0{number % 2 + 1}_{number}.bvh", seed=number, frames=40)
    (tmp_path / "02_9.bvh").write_text("not a BVH file")
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_order_and_errors_in_their_place(jobs):
    assert list(in_order(square, range(40), jobs)) == [n * n for n in range(40)]
    results = in_order(square, [3, 2, -1, 5], jobs)
    assert [next(results), next(results)] == [9, 4]
    with pytest.raises(UserError, match="-1 is less than 0"):
        next(results)


def test_whoever_stops_early_leaves_nothing():
    results = in_order(square, range(1000), 2)
    assert next(results) == 0 and multiprocessing.active_children()
    results.close()
    assert not multiprocessing.active_children()

    def ask() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        list(in_order(square, range(1000), 2, ask))


def test_a_process_that_is_killed_is_said():
    with pytest.raises(UserError, match="ended from outside"):
        list(in_order(die, range(4), 2))


def test_a_process_that_ends_by_itself_was_not_killed():
    with pytest.raises(UserError, match="ended with code 3 before it answered"):
        list(in_order(leave, range(4), 2))


def test_what_cannot_be_sent_is_said_in_its_place():
    results = in_order(unsendable, [0, 1, 2], 2)
    assert next(results) == 0
    with pytest.raises(Exception, match="local object"):
        next(results)
    with pytest.raises(RuntimeError, match="Particular: 7 of 9"):
        list(in_order(particular, range(4), 2))


def test_errors_bring_the_traceback_of_their_process():
    with pytest.raises(ZeroDivisionError) as caught:
        list(in_order(deep, range(4), 2))
    (note,) = caught.value.__notes__
    assert "in _deeper" in note and "1 / 0" in note


def test_a_script_that_is_not_safe_to_import_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from poseaug_core.processes import in_order\nfrom tests.core.piecework import square\n"
        "print(list(in_order(square, range(4), 2)))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert done.returncode == 1 and "ended with code 1 before it answered" in done.stderr.splitlines()[-1]
    assert "__main__" in done.stderr.splitlines()[-1] and "ended from outside" not in done.stderr


def test_processes_that_read_motion_do_not_load_torch():
    program = "import sys, poseaug_core.readers.motion_files; sys.exit('torch' in sys.modules)"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == 0


@pytest.mark.parametrize("rig, suffix", [("lab", "h5"), ("wild", "npz")])
def test_converted_by_several_is_converted_by_one(folder, tmp_path_factory, rig, suffix):
    out = tmp_path_factory.mktemp("out")
    found = [
        convert_motion(folder, rig, out / f"by{jobs}" / f"a.{suffix}", seed=3, jobs=jobs)
        for jobs in (1, 2)
        if (out / f"by{jobs}").mkdir() is None
    ]
    assert found[0]["left_out"] == found[1]["left_out"] and "02_9.bvh is not" in found[0]["left_out"][0]
    one, two = (out / f"by{jobs}" / f"a.{suffix}" for jobs in (1, 2))
    assert found[0]["poses"] == found[1]["poses"] == len(read_poses(one))
    assert one.read_bytes() == two.read_bytes() or suffix == "npz"  # an archive has the time in it
    assert all(np.array_equal(a, b) for a, b in zip(_columns(one), _columns(two), strict=True))


def _columns(path):
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return [file[key][()] for key in file]
    with np.load(path) as file:
        return [file[key] for key in file]


def test_a_conversion_that_is_cancelled_leaves_nothing(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    for suffix in ("h5", "npz"):
        with pytest.raises(Cancelled):
            convert_motion(folder, "lab", out / f"a.{suffix}", jobs=2, progress=lambda share, text: share < 0.4)
    assert not list(out.iterdir())


def test_little_is_read_by_one_process(folder):
    assert Reading(folder, jobs=0).jobs == 1 and Reading(folder, jobs=2).jobs == 2


@pytest.mark.parametrize("kind", ["h5", "float64 npz", "h36m", "folder"])
def test_reading_takes_little_more_than_what_is_read(tmp_path, kind):
    """Memory at its peak over that of the poses, in a process of its own; a copy of the 3D alone would be over it."""
    small = small_poses(500)
    columns = {key: np.tile(getattr(small, name), (200, *[1] * (getattr(small, name).ndim - 1))) for key, name in (
        ("pose3d", "xyz"), ("pose2d", "uv"), ("cam", "camera"))}  # fmt: skip
    rows = 100_000
    path = tmp_path / ("data.h5" if kind == "h5" else "data.npz")
    if kind == "h5":
        with h5py.File(path, "w") as file:
            for key, column in columns.items():
                file[key] = column
    elif kind == "float64 npz":
        np.savez(path, **{key: column.astype(float) for key, column in columns.items()})
    elif kind == "h36m":
        path = h36m(tmp_path, subjects=("S1", "S5"), actions=("A", "B", "C", "D"), frames=3000)
        rows = 4 * 2 * sum(3000 + n for n in range(4))
    else:
        path, rows = tmp_path / "takes", 4 * 20 * 1250
        for number in range(20):
            write_bvh(path / f"01_{number:02d}.bvh", frames=1250)
    apart = Apart()
    try:
        apart.read("read_poses", "demo:source?size=0.01")
        answer = apart.read("read_poses", str(path))
    finally:
        apart.end()
    assert answer["kind"] == "", answer
    assert answer["taken"] < 1.3 * 372 * rows + (8 << 20)
