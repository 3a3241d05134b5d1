"""Ctrl+C, SIGTERM and a closed terminal: the studio saves what trains and closes; its streams may break meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from tests.core.small import SMALL, small_poses

#: The studio as it starts, training a small config at once in the folder named.
STUDIO = """
import sys
from pathlib import Path
from PySide6.QtCore import QSettings, QTimer
from poseaug_core.config import make_config
from poseaug_core.streams import steady_streams
from poseaug_studio.application import following_signals, make_application
from poseaug_studio.session import Session
from poseaug_studio.window import StudioWindow

source, out, how = sys.argv[1:]
with steady_streams():
    app = make_application()
    window = StudioWindow(Session(), QSettings(out + ".ini", QSettings.Format.IniFormat), "dark")
    window.show()
    config = make_config(**SMALL, source=source, cross=[source])

    def begin():
        window.session.start(config, Path(out))
        if how == "slow":  # what trains takes no end from here on
            window.session.finish = lambda act=None: print("asked", flush=True)

    QTimer.singleShot(0, begin)
    with following_signals(window) as asked:
        code = app.exec()
sys.exit(asked.code or code)
"""


@pytest.fixture
def begun(tmp_path):
    write_arrays(small_poses(40, 1), tmp_path / "source.npz")
    small = SMALL | {"epochs": 5000, "evaluate_epochs": 0}
    processes = []

    def begin(how: str = "", **streams) -> subprocess.Popen:
        code = STUDIO.replace("**SMALL", f"**{small!r}")
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "source.npz"), str(tmp_path / "run"), how],
            cwd=Path(__file__).parents[2], env=os.environ | {"OMP_NUM_THREADS": "1"}, text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
        )  # fmt: skip
        processes.append(process)
        run = tmp_path / "run"
        while process.poll() is None and not (run.exists() and Run.open(run).snapshot_count > 3):
            time.sleep(0.1)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_saves_what_trains_and_closes(begun, tmp_path, number):
    process = begun()
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number, said
    assert "what trains is saved" in said and "Traceback" not in said
    run = Run.open(tmp_path / "run")
    assert not run.being_written() and run.failure() is None
    step = run.load_checkpoint()[1]["step"]
    assert step >= run.steps()[-1] > 0
    writer, _, meta = Run.resume(tmp_path / "run")
    writer.close()
    assert meta["step"] == step


def test_the_same_signal_again_ends_at_once_and_the_last_checkpoint_stays(begun, tmp_path):
    process = begun("slow")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "asked\n"
    while process.poll() is None:  # the first ones are taken for the same
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Ended at once; the last checkpoint is kept." in process.communicate()[1]
    writer, *_ = Run.resume(tmp_path / "run")
    writer.close()


def test_a_full_disk_for_its_words_does_not_keep_it_from_saving(begun, tmp_path):
    with open("/dev/full", "w") as full:
        process = begun(stderr=full, stdout=full)
        process.send_signal(signal.SIGHUP)
        assert process.wait(120) == 128 + signal.SIGHUP
    assert "latest" in Run.open(tmp_path / "run").checkpoints()
