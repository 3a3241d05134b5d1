"""Run folders: what is written comes back, while it grows, after a kill and after a full disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from poseaug_core import storage
from poseaug_core.config import make_config
from poseaug_core.controls import Controls
from poseaug_core.errors import UserError
from poseaug_core.runs import Run
from poseaug_core.snapshot import ARRAYS
from tests.studio.fakes import make_snapshot

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    run = Run.create(tmp_path / "run", make_config(seed=7), {"sets": {}})
    yield run
    run.close()


def small(step: int):
    return make_snapshot(step, probe=2, crowd=4, seed=step)


def same(a, b) -> bool:
    plain = (a.step, a.phase, a.epoch, a.scalars, a.controls) == (b.step, b.phase, b.epoch, b.scalars, b.controls)
    return plain and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)


def script(tmp_path, body: str) -> subprocess.Popen:
    """Another process that has this test's helpers, its output piped line by line."""
    head = (
        "import os, signal, sys\n"
        "from poseaug_core.runs import Run\n"
        "from tests.core.test_runs import small\n"
        f"folder = {str(tmp_path / 'run')!r}\n"
    )
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", head + body], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_snapshots_come_back_bit_for_bit(run):
    snapshots = [small(step) for step in (0, 20, 40)]
    for snapshot in snapshots:
        run.append(snapshot)
    assert run.snapshot_count == 3 and run.steps().tolist() == [0, 20, 40]
    assert all(same(run.read(k), snapshot) for k, snapshot in enumerate(snapshots))
    assert same(run.read(-1), snapshots[-1])
    with pytest.raises(IndexError):
        run.read(3)
    run.close()
    assert same(Run.open(run.path).read(1), snapshots[1])


def test_scalar_names_may_appear_later(run):
    from dataclasses import replace

    run.append(replace(small(0), scalars={"a": 1.0}))
    run.append(replace(small(1), scalars={"b": 2.0, "c": 3.0}))
    run.append(replace(small(2), scalars={}))
    assert [run.read(k).scalars for k in range(3)] == [{"a": 1.0}, {"b": 2.0, "c": 3.0}, {}]
    np.testing.assert_array_equal(run.series("scalars")["b"], [np.nan, 2.0, np.nan])


def test_an_empty_run_can_be_watched(run):
    watcher = Run.open(run.path)
    assert watcher.snapshot_count == 0 and watcher.steps().tolist() == [] and watcher.series("scalars") == {}
    assert watcher.metrics() == ([], 0) and watcher.control_log() == [] and watcher.checkpoints() == []
    assert watcher.config == run.config and watcher.config.seed == 7
    run.append(small(5))
    assert watcher.read(0).step == 5


def test_another_thread_reads_while_records_are_appended(run):
    """Through the writing Run and through one of its own: only complete records, in order, never a wrong number."""
    watcher, wrong, seen = Run.open(run.path), [], []
    done = threading.Event()

    def read():
        while not done.is_set() or len(seen) < 2:
            for source in (watcher, run):
                steps = source.steps()
                if len(steps) and not same(source.read(len(steps) - 1), small(int(steps[-1]))):
                    wrong.append(steps[-1])
                seen.append(len(steps))

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(60):
        run.append(small(step))
    done.set()
    reader.join()
    assert not wrong and max(seen) > 0
    assert watcher.steps().tolist() == run.steps().tolist() == list(range(60))


def test_another_process_follows(tmp_path, run):
    follower = script(
        tmp_path,
        "run = Run.open(folder)\n"
        "for line in sys.stdin:\n"
        "    steps = run.steps()\n"
        "    print(len(steps), run.read(-1).xyz.sum() if len(steps) else 0, flush=True)\n",
    )
    try:
        for step in range(3):
            run.append(small(step))
            follower.stdin.write("look\n")
            follower.stdin.flush()
            count, total = follower.stdout.readline().split()
            assert int(count) == step + 1
            assert float(total) == pytest.approx(float(small(step).xyz.sum()), rel=1e-5)
    finally:
        follower.communicate()


def test_a_killed_writer_leaves_all_it_recorded(tmp_path):
    """kill -9 between two appends: readable at once, and resumed from the checkpoint with what is newer dropped."""
    writer = script(
        tmp_path,
        "import torch\n"
        "from poseaug_core.config import make_config\n"
        "run = Run.create(folder, make_config(), {'sets': {}})\n"
        "for step in range(0, 50, 10):\n"
        "    run.append(small(step))\n"
        "    run.log_metrics(step, {'loss': step}, 'scalars')\n"
        "    run.log_controls(step, [('tolerance_ba', 2.0, float(step))])\n"
        "    if step == 20: run.save_checkpoint('latest', {'w': torch.arange(3)}, {'step': 20})\n"
        'os.write(run._metrics._stream.fileno(), b\'{"step": 50, "ki\')\n'
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n",
    )
    assert writer.stdout.readline() == "ready\n"
    with pytest.raises(UserError, match="being trained by another process"):
        Run.resume(tmp_path / "run")
    watcher = Run.open(tmp_path / "run")
    assert watcher.being_written()
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert not watcher.being_written()
    assert watcher.steps().tolist() == [0, 10, 20, 30, 40] and same(watcher.read(4), small(40))
    assert [row["step"] for row in watcher.metrics()[0]] == [0, 10, 20, 30, 40], "the cut line does not count"
    run, tensors, meta = Run.resume(tmp_path / "run")
    assert tensors["w"].tolist() == [0, 1, 2] and meta["step"] == 20
    run.append(small(25))
    run.log_metrics(25, {"loss": 1.0}, "scalars")
    assert run.steps().tolist() == watcher.steps().tolist() == [0, 10, 20, 25]
    assert same(watcher.read(2), small(20)) and same(watcher.read(3), small(25))
    assert [row["step"] for row in run.metrics()[0]] == [0, 10, 20, 25]
    assert [row["step"] for row in run.control_log()] == [0, 10], "the change at 20 comes again after 20"
    run.close()


def test_a_kill_in_the_middle_of_appending(tmp_path):
    writer = script(
        tmp_path,
        "from poseaug_core.config import make_config\n"
        "run = Run.create(folder, make_config(), {'sets': {}})\n"
        "step = 0\n"
        "while True:\n"
        "    run.append(small(step))\n"
        "    if step == 5: print('going', flush=True)\n"
        "    step += 1\n",
    )
    assert writer.stdout.readline() == "going\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    watcher = Run.open(tmp_path / "run")
    count = watcher.snapshot_count
    assert count >= 6 and watcher.steps().tolist() == list(range(count))
    assert all(same(watcher.read(k), small(k)) for k in range(count))


def test_metrics_are_followed_by_complete_lines(run):
    watcher = Run.open(run.path)
    run.log_metrics(1, {"a": 1.5, "b": float("nan")}, "scalars")
    rows, following = watcher.metrics()
    assert rows == [{"step": 1, "kind": "scalars", "values": {"a": 1.5, "b": None}}]
    with open(run.path / "metrics.jsonl", "ab") as half:
        half.write(b'{"step": 2, "kind": "evaluation", ')
        half.flush()
        assert watcher.metrics(following) == ([], following)
        half.write(b'"values": {}}\n')
    assert [row["step"] for row in watcher.metrics(following)[0]] == [2]


def test_a_follower_starts_over_when_a_resume_cut_the_file(run):
    for step in range(4):
        run.log_metrics(step, {"a": 10.0**step}, "scalars")
    run.save_checkpoint("latest", {"w": torch.ones(1)}, {"step": 1})
    rows, following = run.metrics()
    run.close()
    again, *_ = Run.resume(run.path)
    assert [row["step"] for row in again.metrics(following)[0]] == [0, 1]
    again.log_metrics(2, {"something": 1.0, "else": 2.0, "of another": 3.0, "length": 4.0}, "scalars")
    assert [row["step"] for row in again.metrics(following)[0]] == [0, 1, 2]
    again.close()


def test_control_log_gives_the_controls_in_force(run):
    run.log_controls(3, [("beta_ba", None, 4.0), ("apply_rt", True, False)])
    run.log_controls(9, [("beta_ba", 4.0, None)])
    assert run.control_log()[0] == {"step": 3, "field": "beta_ba", "old": None, "new": 4.0}
    assert run.controls() == Controls(apply_rt=False)


def test_checkpoints_are_replaced_whole(run, monkeypatch):
    run.save_checkpoint("latest", {"w": torch.ones(4)}, {"step": 1, "best": float("inf")})
    view = torch.arange(6.0).reshape(2, 3).T
    run.save_checkpoint("other", {"view": view, "same": view, "state": torch.zeros(3, dtype=torch.uint8)}, {"step": 2})
    assert set(run.checkpoints()) == {"latest", "other"}
    tensors, meta = run.load_checkpoint("other")
    assert torch.equal(tensors["view"], view) and tensors["state"].dtype == torch.uint8 and meta["step"] == 2
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(UserError, match="could not be written"):
        run.save_checkpoint("latest", {"w": torch.zeros(4)}, {"step": 3})
    tensors, meta = run.load_checkpoint()
    assert tensors["w"].sum() == 4 and meta == {"step": 1, "best": float("inf")}
    assert not list((run.path / "checkpoints").glob(".*")), "nothing half-written stays"


@pytest.mark.parametrize("what", ["append", "save_checkpoint", "log_metrics", "log_controls"])
def test_a_full_disk_leaves_what_was_there(run, monkeypatch, what):
    write = {
        "append": lambda: run.append(small(2)),
        "save_checkpoint": lambda: run.save_checkpoint("latest", {"w": torch.zeros(2)}, {"step": 2}),
        "log_metrics": lambda: run.log_metrics(2, {"a": 1.0}, "scalars"),
        "log_controls": lambda: run.log_controls(2, [("beta_ba", None, 3.0)]),
    }[what]
    run.append(small(1))
    run.log_metrics(1, {"a": 1.0}, "scalars")
    run.save_checkpoint("latest", {"w": torch.ones(2)}, {"step": 1})
    with monkeypatch.context() as patch:
        patch.setattr(storage, "free_bytes", lambda path: 1234)
        for journal in (run._metrics, run._controls):
            patch.setattr(journal, "_stream", Full(journal._stream))
        with pytest.raises(UserError, match=r"run.* 1,234 bytes free.*free some space"):
            write()
    watcher = Run.open(run.path)
    assert same(watcher.read(-1), small(1)) and watcher.load_checkpoint()[1] == {"step": 1}
    assert len(watcher.metrics()[0]) == 1 and watcher.control_log() == []
    write()


class Full:
    """A file on a disk with room for ten bytes more."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, data):
        return self.stream.write(data[:10])

    def __getattr__(self, name):
        return getattr(self.stream, name)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full(small_disk):
    run = Run.create(small_disk / "run", make_config(), {"sets": {}})
    run.save_checkpoint("latest", {"w": torch.ones(8)}, {"step": 0})
    with pytest.raises(UserError, match=r"history.db cannot be written.* bytes free"):
        for step in range(1000):
            run.append(small(step))
    with pytest.raises(UserError, match=r"latest.safetensors cannot be written.* bytes free"):
        run.save_checkpoint("latest", {"w": torch.ones(500_000)}, {"step": 1})
    with pytest.raises(UserError, match=r"metrics.jsonl cannot be written.* bytes free"):
        for step in range(1000):
            run.log_metrics(step, {f"loss/{i:030}": 1.0 for i in range(100)}, "scalars")
    run.close()
    watcher = Run.open(run.path)
    assert watcher.load_checkpoint()[1] == {"step": 0}
    assert watcher.snapshot_count > 10 and same(watcher.read(-1), small(watcher.snapshot_count - 1))
    rows = watcher.metrics()[0]
    assert [row["step"] for row in rows] == list(range(len(rows))) and len(rows) > 10
    assert not list(watcher.path.rglob("*.part"))
    watcher.close()  # or the disk stays in use


def test_only_a_new_or_empty_folder_becomes_a_run(tmp_path, run):
    with pytest.raises(UserError, match="has a run already in it.*--resume"):
        Run.create(run.path, make_config(), {})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="has other files in it"):
        Run.create(tmp_path / "other", make_config(), {})
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["letter.txt"]
    with pytest.raises(UserError, match="is a file"):
        Run.create(tmp_path / "other" / "letter.txt", make_config(), {})
    (tmp_path / "empty").mkdir()
    Run.create(tmp_path / "empty", make_config(), {}).close()
    assert Run.open(tmp_path / "empty").config == make_config()
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_run_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(UserError, match="bytes free"):
            Run.create(tmp_path / "run", make_config(), {})
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_run_is_refused_in_a_sentence(tmp_path, run):
    with pytest.raises(UserError, match="is no folder"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"is no run, config.toml and data.json missing"):
        Run.open(tmp_path)
    with pytest.raises(UserError, match="no checkpoint 'latest'.*none yet"):
        Run.resume(run.path)
    (run.path / "history.db").write_bytes(b"not a history")
    with pytest.raises(UserError, match=r"history.db cannot be read"):
        Run.open(run.path).steps()
    (run.path / "metrics.jsonl").write_bytes(b"{]\n")
    watched = Run.open(run.path)
    assert watched.metrics()[0] == []
    assert "metrics.jsonl is damaged: 1 line was passed over (line 1)" in watched.damage[0]
    (run.path / "checkpoints" / "latest.safetensors").write_bytes(b"\x10" * 50)
    with pytest.raises(UserError, match="is not a checkpoint"):
        Run.open(run.path).load_checkpoint()
    (run.path / "data.json").write_text("{")
    assert any("data.json is damaged" in sentence for sentence in Run.open(run.path).damage)
    (run.path / "data.json").write_text(json.dumps({}))
    (run.path / "config.toml").write_text("seed = 'seven'")
    with pytest.raises(UserError, match="seed is 'seven'"):
        Run.open(run.path)
