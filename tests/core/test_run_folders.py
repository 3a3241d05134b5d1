"""Making a run and going on with it, killed at any point; who may write it; and where its folder lies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from poseaug_core import launch, mounts, run_folder
from poseaug_core.config import make_config
from poseaug_core.errors import UserError
from poseaug_core.live import Live
from poseaug_core.locks import Lock, held
from poseaug_core.mounts import network_file_system
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from tests.core.small import SMALL, same, small_poses

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path):
    write_arrays(small_poses(40, 1), tmp_path / "source.npz")
    return make_config(**{**SMALL, "augmentation": "random", "epochs": 1}, source=str(tmp_path / "source.npz"))


def process(body: str, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-c", body, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, **pipes)


KILLED = """
import os, signal, sys
from pathlib import Path
from poseaug_core import launch
from poseaug_core.live import Live
from tests.core.small import SMALL
from poseaug_core.config import make_config

source, folder, point = sys.argv[1:]
config = make_config(**{**SMALL, "augmentation": "random", "epochs": 1}, source=source)
seen = 0
def kill(frame, event, argument):
    global seen
    name = frame.f_code.co_name
    file = os.path.basename(frame.f_code.co_filename)
    begins = file in ("runs.py", "checkpoints.py", "storage.py", "journal.py", "config.py", "run_folder.py", "locks.py")
    if event == "line" and begins and inside:
        seen += 1
        if seen == int(point):
            os.kill(os.getpid(), signal.SIGKILL)
    return kill
from poseaug_core.runs import Run
create, inside = Run.create.__func__, False
def traced(cls, *args, **kwargs):
    global inside
    inside = True
    sys.settrace(kill)
    try:
        return create(cls, *args, **kwargs)
    finally:
        sys.settrace(None)
        print(seen, flush=True)
        os._exit(0)
Run.create = classmethod(traced)
launch.train(config, folder, Live())
"""


def test_a_run_killed_while_it_is_made_can_be_made_again_or_goes_on(config, tmp_path):
    """At points spread over every line of the creation: the folder is not there at all, or it can be resumed."""
    whole = process(KILLED, config.source, str(tmp_path / "counted"), "0")
    out, errors = whole.communicate(timeout=120)
    count = int(out or 0)
    assert count > 100, errors
    ends = set()
    uninterrupted = launch.train(config, tmp_path / "whole", Live())
    for point in [1, *range(40, count, max(count // 6, 1)), count]:
        folder = tmp_path / f"run{point}"
        killed = process(KILLED, config.source, str(folder), str(point))
        killed.communicate(timeout=120)
        assert killed.returncode == -signal.SIGKILL
        there = folder.exists()
        ends.add(there)
        run = launch.train(None if there else config, folder, Live(), resume=there)
        assert run.finished and same(run.load_checkpoint()[0], uninterrupted.load_checkpoint()[0])
        # What the killed one left is taken away, but for a folder without even a lock: it may be of somebody alive.
        assert not [part for part in tmp_path.glob(f".run{point}.*") if any(part.iterdir())]
    assert ends == {True, False}


def test_a_run_of_before_that_has_no_checkpoint_begins_from_the_start(config, tmp_path):
    """Earlier versions named the folder before they wrote the first checkpoint."""
    whole = launch.train(config, tmp_path / "whole", Live())
    Run.create(tmp_path / "run", config, whole.data).close()
    assert Run.open(tmp_path / "run").unbegun
    with pytest.raises(UserError, match="has a run already in it.*--resume"):
        launch.train(config, tmp_path / "run", Live())
    live = Live()
    run = launch.train(None, tmp_path / "run", live, resume=True)
    assert "so it begins from the start" in live.notes[0]
    assert run.finished and same(run.load_checkpoint()[0], whole.load_checkpoint()[0])


def test_a_run_that_lost_its_checkpoints_is_not_begun_again(config, tmp_path):
    launch.train(config, tmp_path / "run", Live())
    for file in (tmp_path / "run" / "checkpoints").iterdir():
        file.unlink()
    steps = Run.open(tmp_path / "run").steps().tolist()
    with pytest.raises(UserError, match="no checkpoint 'latest'"):
        launch.train(None, tmp_path / "run", Live(), resume=True)
    assert steps and Run.open(tmp_path / "run").steps().tolist() == steps


def test_what_a_living_process_is_making_is_left_to_it(tmp_path):
    making, dead, old, young, other = (tmp_path / f".run.{name * 8}.part" for name in "abcde")
    for folder in (making, dead, old, young, other):
        folder.mkdir()
    other.rename(tmp_path / ".run2.eeeeeeee.part")
    lock = Lock(making / ".lock")
    assert lock.take()
    (dead / ".lock").touch()
    os.utime(old, (time.time() - 2 * run_folder.ABANDONED,) * 2)
    Run.create(tmp_path / "run", make_config(), {"sets": {}}).close()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([making.name, young.name, ".run2.eeeeeeee.part", "run"])
    lock.free()


HOLDING = """
import sys
from pathlib import Path
from poseaug_core.runs import Run
run = Run.open(sys.argv[1])
run._take_lock()
print("held", flush=True)
sys.stdin.read() if sys.stdin else None
import time; time.sleep(300)
"""


def test_a_killed_writer_frees_the_run(tmp_path):
    Run.create(tmp_path / "run", make_config(), {"sets": {}}).close()
    writer = process(HOLDING, str(tmp_path / "run"))
    try:
        assert writer.stdout.readline() == "held\n"
        run = Run.open(tmp_path / "run")
        assert run.being_written()
        with pytest.raises(UserError, match="being trained by another process"):
            run._take_lock()
    finally:
        writer.kill()
        writer.communicate()
    assert not run.being_written()
    run._take_lock()
    run.close()


def test_a_new_config_does_not_free_the_run(tmp_path):
    run = Run.create(tmp_path / "run", make_config(), {"sets": {}})
    file = tmp_path / "run" / "config.toml"
    (tmp_path / "new").write_bytes(file.read_bytes())
    os.replace(tmp_path / "new", file)
    assert Run.open(tmp_path / "run").being_written()
    run.close()
    assert not Run.open(tmp_path / "run").being_written()


def test_the_writer_of_an_earlier_version_is_seen(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    Run.create(tmp_path / "run", make_config(), {"sets": {}}).close()
    (tmp_path / "run" / ".lock").unlink()
    with open(tmp_path / "run" / "config.toml", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run = Run.open(tmp_path / "run")
        assert run.being_written()
        with pytest.raises(UserError, match="being trained by another process"):
            run._take_lock()
    assert not run.being_written()


ASKING = """
import os, sys
from pathlib import Path
from poseaug_core.locks import held
os.setgid(65534); os.setuid(65534)
assert not os.access(sys.argv[1], os.W_OK)
print(held(Path(sys.argv[1])), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_whoever_may_only_read_sees_that_a_run_is_written(tmp_path):
    file = tmp_path / ".lock"
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    lock = Lock(file)
    assert lock.take()
    out, errors = process(ASKING, str(file)).communicate(timeout=60)
    assert out == "True\n", errors
    lock.free()
    assert process(ASKING, str(file)).communicate(timeout=60)[0] == "False\n"


def test_a_lock_that_is_taken_away_with_its_file_guards_again(tmp_path):
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.take() and not second.take() and held(tmp_path / "lock")
    first.free(remove=True)
    assert not (tmp_path / "lock").exists() and not held(tmp_path / "lock")
    assert second.take() and not first.take()
    second.free()


MOUNTS = """\
22 1 0:21 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:22 / /home rw shared:1 - nfs4 server:/home rw,vers=4.2
24 23 0:23 / /home/anna/own rw - xfs /dev/sdb1 rw
25 22 0:24 / /mnt/with\\040space rw - cifs //server/share rw
26 22 0:25 / /cluster rw - lustre 10.0.0.1@tcp:/scratch rw
27 22 0:26 / /laptop rw - fuse.sshfs anna@host:/ rw
28 22 0:27 / /both rw - nfs server:/old rw
29 22 0:28 / /both rw - tmpfs tmpfs rw
this is no mount
"""
PLACES = {
    "/": "", "/homes/x": "", "/home": "nfs4", "/home/anna/runs/a": "nfs4", "/home/anna/own/runs": "",
    "/mnt/with space/a": "cifs", "/cluster/a": "lustre", "/laptop/a": "fuse.sshfs", "/both/a": "",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_network_file_systems_are_known(tmp_path, monkeypatch, place):
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    assert network_file_system(place) == PLACES[place]


def test_systems_that_do_not_tell_their_mounts(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "none")
    assert network_file_system(tmp_path) == ""
