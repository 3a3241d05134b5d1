"""Histories that are written anew: what is damage and what is not, what is kept, and a kill at any moment."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from poseaug_core import history_file, history_mending
from poseaug_core.errors import UserError
from poseaug_core.history import History, same
from poseaug_core.history_hdf5 import SETS
from poseaug_core.snapshot import ARRAYS
from tests.studio.fakes import make_snapshot

COUNT = 40


@pytest.fixture
def whole(tmp_path) -> Path:
    history, one = History(tmp_path / "history.db"), make_snapshot(0, probe=2, crowd=4)
    for k in range(COUNT):
        history.append(replace(one, step=k, scalars={"loss/a": float(k)}))
    history.close()
    return history.path


def spoil(path: Path) -> None:
    """Cut off its second half: what lies in the first is still there."""
    os.truncate(path, path.stat().st_size // 2)


def failing(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("of the test")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (sqlite3.SQLITE_FULL, "bytes free"),
        (sqlite3.SQLITE_BUSY, "held by another process"),
        (sqlite3.SQLITE_IOERR_WRITE, "could not be written"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "may not be written"),
    ],
)
def test_what_hinders_writing_is_no_damage(whole, monkeypatch, code, said):
    def drop(*_, **__):
        raise failing(code)

    with monkeypatch.context() as patch:
        patch.setattr(History, "_drop", drop)
        with pytest.raises(UserError, match=said):
            History(whole).keep(5)
    assert os.listdir(whole.parent) == ["history.db"] and len(History(whole)) == COUNT
    assert History(whole).keep(5) == [] and len(History(whole)) == 6


def test_what_hinders_reading_is_not_called_damage(whole, monkeypatch):
    monkeypatch.setattr(
        history_file, "_require_tables", lambda *_: (_ for _ in ()).throw(failing(sqlite3.SQLITE_IOERR))
    )
    with pytest.raises(UserError, match="at this moment") as refused:
        len(History(whole))
    assert "damaged" not in str(refused.value)


def test_a_disk_that_fills_while_it_is_mended_leaves_all_as_it_was(whole, monkeypatch):
    spoil(whole)
    before = whole.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(history_mending, "require_space", full)
    with pytest.raises(UserError, match="bytes free"):
        History(whole).keep(COUNT)
    assert whole.read_bytes() == before and os.listdir(whole.parent) == ["history.db"]


def test_every_copy_that_was_kept_stays(whole):
    saved = whole.read_bytes()
    for number in range(3):
        whole.write_bytes(saved[: len(saved) * (number + 2) // 5])
        history = History(whole)
        (said,) = history.keep(COUNT)
        history.close()
        kept = whole.with_name(f"history.damaged{f'-{number + 1}' if number else ''}.db")
        assert kept.name in said and kept.read_bytes() == saved[: len(saved) * (number + 2) // 5]
    assert len(list(whole.parent.iterdir())) == 3 + whole.exists()


@pytest.mark.parametrize("moment", range(6))
def test_a_kill_while_one_is_mended_loses_nothing(whole, moment):
    spoil(whole)
    old = whole.read_bytes()
    code = (
        "import os, sys; from pathlib import Path; from poseaug_core import history_file as files\n"
        "from poseaug_core.history import History\n"
        "left = int(sys.argv[2])\n"
        "def watch(event, given):\n"
        "    global left\n"
        "    if event in ('os.rename', 'os.link', 'os.remove') and 'history' in str(given[0]):\n"
        "        left -= 1\n"
        "        if left < 0: os._exit(9)\n"
        "sys.addaudithook(watch)\n"
        "History(Path(sys.argv[1])).keep(1000)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(whole), str(moment)], timeout=60).returncode
    assert ended == 9 or (ended == 0 and moment > 2)
    aside = whole.with_name("history.damaged.db")
    assert whole.exists() and (whole.read_bytes() == old or aside.read_bytes() == old)
    history = History(whole)
    history.keep(1000)
    history.close()
    assert len(history) >= 10 and [history.read(k).step for k in range(len(history))] == history.steps().tolist()
    history.close()
    assert not [file for file in whole.parent.iterdir() if file.name.endswith(("-wal", "-shm", ".part"))]


@pytest.fixture
def old(whole) -> Path:
    """The same records as 0.1.0 wrote them."""
    history, path = History(whole), whole.with_name("history.h5")
    snapshots = [history.read(k) for k in range(len(history))]
    history.close()
    whole.unlink()
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        rows = np.stack([np.concatenate([getattr(s, name).ravel() for name in ARRAYS]) for s in snapshots])
        data = file.create_dataset("records", data=rows, maxshape=(None, rows.shape[1]), chunks=(1, rows.shape[1]))
        data.attrs["fields"] = json.dumps({name: getattr(snapshots[0], name).shape for name in ARRAYS})
        head = np.dtype([("step", np.int64), ("epoch", np.int32), ("phase", "S16")])
        file["heads"] = np.array([(s.step, s.epoch, s.phase.encode()) for s in snapshots], head)
        file["scalars"] = np.array([[s.scalars["loss/a"]] for s in snapshots])
        file["controls"] = np.array([list(s.controls.values()) for s in snapshots])
        file["scalars_names"] = np.array([b"loss/a"], "S64")
        file["controls_names"] = np.array([name.encode() for name in snapshots[0].controls], "S64")
        file["count"] = np.array([len(snapshots)])
        assert set(SETS) == set(file)
    return path


def test_a_whole_one_of_0_1_0_is_taken_over_and_goes(old):
    before = History(old.with_name("history.db"))
    whole = [before.read(k) for k in range(len(before))]
    before.close()
    history = History(old.with_name("history.db"))
    assert history.keep(29) == ["30 snapshots of an earlier version were taken over from history.h5."]
    assert all(same(history.read(k), whole[k]) for k in range(30)) and len(history) == 30 and not old.exists()


def test_of_a_damaged_one_of_0_1_0_what_can_be_read_is_taken_over(old):
    with h5py.File(old, "r+") as file:
        file["records"][3] = np.nan
    history = History(old.with_name("history.db"))
    with pytest.raises(UserError, match="damaged"):
        history.read(3)
    (said,) = history.keep(COUNT)
    assert f"{COUNT - 1} of its snapshots could be read and were kept, 1 could not" in said
    assert "history.damaged.h5" in said and old.with_name("history.damaged.h5").exists()
    assert history.steps().tolist() == [k for k in range(COUNT) if k != 3]


def test_one_of_0_1_0_that_cannot_be_read_at_all_stands_in_no_way(old):
    old.write_bytes(b"no history" * 100)
    history = History(old.with_name("history.db"))
    (said,) = history.keep(COUNT)
    assert "0 of its snapshots" in said and old.with_name("history.damaged.h5").exists() and not old.exists()
    history.append(make_snapshot(50, probe=2, crowd=4))
    assert history.steps().tolist() == [50]


def test_what_a_reader_cannot_take_in_is_said(tmp_path):
    """Of a folder that may not be written, as a kill left it: the log is still beside the file."""
    history = History(tmp_path / "a" / "history.db")
    history.path.parent.mkdir()
    for k in range(3):
        history.append(make_snapshot(k, probe=2, crowd=4))
    shutil.copytree(tmp_path / "a", tmp_path / "b", ignore=lambda *_: ["history.db-shm"])
    history.close()
    code = (
        "import os, sys; from pathlib import Path; from poseaug_core.history import History; os.setuid(65534)\n"
        "h = History(Path(sys.argv[1])); print(len(h), h.notes)"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(0o755)
    (tmp_path / "b").chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "b" / "history.db")], capture_output=True, text=True
    )
    if done.returncode and ("ermission" in done.stderr or "not permitted" in done.stderr):
        pytest.skip("another user may not come here")
    assert "are not shown" in done.stdout or done.stdout.startswith("3 "), done
    assert len(History(tmp_path / "b" / "history.db")) == 3, "by who may write there all are taken in"


def test_a_folder_on_a_network_says_how_it_is_written(tmp_path):
    history = History(tmp_path / "h.db", shared=True)
    history.append(make_snapshot(0, probe=2, crowd=4))
    assert "network file system" in history.notes[0]
    assert not (tmp_path / "h.db-wal").exists() and History(tmp_path / "h.db").read(0).step == 0


def test_thinning_waits_for_no_more_than_some_records_at_a_time(tmp_path):
    one = make_snapshot(0, probe=2, crowd=4)
    size = sum(getattr(one, name).nbytes for name in ARRAYS) + 1024
    history = History(tmp_path / "h.db")
    for step in range(640):
        history.append(replace(one, step=step))
    history.limit = 100 * size
    history.keep(10_000)
    counts = []
    for step in range(640, 640 + 192):
        history.append(replace(one, step=step))
        counts.append(len(history))
    assert min(np.diff(counts)) >= -256 and counts[-1] <= 164
    assert history.steps()[0] == 0 and history.steps()[-1] == 831
