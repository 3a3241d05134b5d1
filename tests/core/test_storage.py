"""Files that are replaced: with the rights of other files, on disk for good, and without what killed writers leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from poseaug_core import storage
from poseaug_core.errors import UserError
from poseaug_core.storage import ABANDONED, replacing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights, signals and numbers of processes are POSIX's")

KILLED = """
import os, signal, sys
from poseaug_core.storage import replacing
with replacing(sys.argv[1]) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _write(path: Path, text: str = "whole") -> None:
    with replacing(path) as part:
        part.write_text(text)


def _killed_while_writing(path: Path) -> Path:
    """What it leaves."""
    before = set(path.parent.iterdir())
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=Path(__file__).parents[2], timeout=60)
    assert done.returncode == -signal.SIGKILL
    (left,) = set(path.parent.iterdir()) - before
    assert left.read_text() == "half"
    return left


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_new_files_have_the_rights_of_others(tmp_path, mask):
    before = os.umask(mask)
    try:
        _write(tmp_path / "a.txt")
        (tmp_path / "b.txt").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells it")
def test_the_rights_of_other_threads_files_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("it was changed"))
    _write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_where_nothing_tells_them_they_are_asked_for_once(monkeypatch):
    asked, ask = [], os.umask
    monkeypatch.setattr(os, "umask", lambda mask: asked.append(mask) or ask(mask))
    storage._umask_asked.cache_clear()
    expected = storage._umask()
    assert [storage._umask_asked(), storage._umask_asked()] == [expected] * 2 and len(asked) == 2


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells what a number is open for")
def test_the_folder_is_on_disk_too_after_the_file_is_in_it(tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace

    def fsync(handle):
        done.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", lambda *places: done.append("replaced") or replace(*places))
    _write(tmp_path / "a.txt")
    assert done[0].endswith(".part") and done[1:] == ["replaced", str(tmp_path)]


def test_a_disk_that_cannot_sync_folders_is_written_all_the_same(tmp_path, monkeypatch):
    sync = os.fsync

    def fsync(handle):
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(22, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    _write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("name", ["a.h5", "odd [1] *.h5", "n" * 255])
def test_what_a_killed_writer_left_goes_when_its_file_is_written_again(tmp_path, name):
    path = tmp_path / name
    path.write_text("before")
    _killed_while_writing(path)
    assert path.read_text() == "before"
    with pytest.raises(UserError), replacing(path):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "before"
    _killed_while_writing(path)
    _write(path)
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "whole"


def test_what_others_write_at_the_time_stays(tmp_path):
    """Another process, and another thread of this one."""
    path, writing, end = tmp_path / "a.h5", threading.Event(), threading.Event()

    def write():
        with replacing(path) as part:
            part.write_text("slow")
            writing.set()
            end.wait(60)

    code = "import sys, time; from poseaug_core.storage import replacing\n"
    code += "with replacing(sys.argv[1]) as part: part.write_text('other'); print(part, flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", code, str(path)]
    other = subprocess.Popen(
        words, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert writing.wait(60)
        part = Path(other.stdout.readline().strip())
        _write(path)
        assert part.read_text() == "other" and len(list(tmp_path.iterdir())) == 3
    finally:
        end.set()
        thread.join()
        other.communicate()
    assert path.read_text() == "other" and list(tmp_path.iterdir()) == [path]


def test_of_processes_elsewhere_only_what_is_old_goes(tmp_path, monkeypatch):
    """Numbers of processes say nothing of another machine's; a day without a write does."""
    path = tmp_path / "a.h5"
    left = _killed_while_writing(path)
    here, *rest = left.name.removeprefix(".a.h5.").split("-", 1)
    elsewhere = left.rename(tmp_path / f".a.h5.{here[::-1]}-{rest[0]}")
    strange = tmp_path / ".a.h5.mine.part"
    strange.write_text("another program's")
    _write(path)
    assert elsewhere.exists()
    old = time.time() - ABANDONED - 60
    for file in (elsewhere, strange):
        os.utime(file, (old, old))
    _write(path)
    assert sorted(tmp_path.iterdir()) == sorted([path, strange])
