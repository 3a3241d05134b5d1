"""The history of a run: what recording takes of the training's time, and how soon any of 100,000 snapshots is seen.

Each figure at 1x, 100,000/64 snapshots, and at 64x. The snapshots of the long run are small, so that it takes one
gigabyte of disk; POSEAUG_FULL_RECORDS=1 gives them the size they have by default, 12 gigabytes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.history_run import LongRun, size_of
from poseaug_core.config import Config, make_config
from poseaug_core.datasets import load_data
from poseaug_core.demo import demo_config
from poseaug_core.runs import Run
from poseaug_core.trainer import Trainer
from poseaug_studio.history import History

RECORDS, GROWTH = 100_000, 64
#: A probe and a crowd whose record is a fourteenth of the default's.
SMALL = {"probe_size": 2, "crowd_size": 20}
#: Random reads, timed one by one.
READS = 300
WINDOW = ("first_paint_s", "click_p50_ms", "click_p95_ms", "drag_p50_ms", "drag_p95_ms", "drag_fps", "scrubbed_mb")
MEANING = {
    "write_share": "recording: snapshot and metrics written, over the training time between two snapshots",
    "observe_share": "observing: the networks run on the probe, over the training time between two snapshots",
    "append_p50_ms": "one snapshot and its metrics written, median, milliseconds",
    "append_p99_ms": "the same, 99th percentile",
    "read_p50_ms": "a snapshot read at random, median, milliseconds",
    "read_p99_ms": "the same, 99th percentile",
    "read_cold_p99_ms": "the same, 99th percentile, of snapshots that the system's memory has dropped",
    "open_s": "a run opened: steps, metrics, marks, as the window needs them; seconds",
    "record_bytes": "bytes of a snapshot's arrays",
    "first_paint_s": "opening a run until the window has painted its last poses, seconds",
    "click_p50_ms": "a click on the timeline until the poses of that step are painted, median, milliseconds",
    "click_p95_ms": "the same, 95th percentile",
    "drag_p50_ms": "a move of the dragged mouse until those poses, or later ones, are painted, median, milliseconds",
    "drag_p95_ms": "the same, 95th percentile",
    "drag_fps": "poses painted a second while the mouse drags",
    "scrubbed_mb": "what the window's memory grew by while it was scrubbed, megabytes",
}


def measure(rounds: int, say: Callable[[str], None], records: int = RECORDS, window: bool = True) -> dict[str, float]:
    found: dict[str, float] = {}
    feeding = {"pretrain_epochs": 0, "warmup_epochs": 0, "warmup_iterations": 0}  # epochs as most of a run's are
    for name, config in (("demo", demo_config(**feeding)), ("full", make_config(**feeding))):
        say(f"shares of the training, {name}")
        found |= {f"history.{name}.{key}": value for key, value in shares(config, rounds).items()}
    config = demo_config() if os.environ.get("POSEAUG_FULL_RECORDS") == "1" else demo_config(**SMALL)
    for times, count in (("x1", max(records // GROWTH, 1)), (f"x{GROWTH}", records)):
        with tempfile.TemporaryDirectory() as scratch:
            figures = growing(
                Path(scratch) / "run", config, count, lambda text, n=count: say(f"{n:,} snapshots: {text}")
            )
            if window:
                for side, options in (("", ()), ("training.", ("--train",))):
                    say(f"{count:,} snapshots: scrubbed in the window {side.strip('.')}")
                    seen = scrubbed(Path(scratch) / "run", *options)
                    figures |= {f"{side}{key}": seen[key] for key in WINDOW}
            found |= {f"history.{times}.{key}": float(value) for key, value in figures.items()}
    return found


def shares(config: Config, rounds: int) -> dict[str, float]:
    """What a snapshot takes of the training between two: epochs are trained, observed and recorded in turn."""
    trainer = Trainer(config, load_data(config))
    ratios: dict[str, list[float]] = {"write_share": [], "observe_share": []}
    with tempfile.TemporaryDirectory() as scratch:
        run = Run.create(Path(scratch) / "run", config, {"sets": {}})
        for _ in range(rounds):
            epoch, steps, observe, write = trainer.position.epoch, [], [], []
            while trainer.position.epoch == epoch and trainer.position.phase != "done":
                began = time.perf_counter()
                trainer.step(config.controls)
                steps.append(time.perf_counter() - began)
                if len(steps) % 4:
                    continue
                scalars = trainer.updates.meter.read()
                began = time.perf_counter()
                snapshot = trainer.observe(scalars)
                observed = time.perf_counter()
                run.append(snapshot)
                run.log_metrics(trainer.position.step, scalars, kind="scalars")
                write.append(time.perf_counter() - observed)
                observe.append(observed - began)
            between = config.snapshot_every * sum(steps) / len(steps)
            ratios["write_share"].append(median(write) / between)
            ratios["observe_share"].append(median(observe) / between)
        run.close()
    return {key: median(values) for key, values in ratios.items()}


def growing(path: Path, config: Config, count: int, say: Callable[[str], None]) -> dict[str, float]:
    """A run of so many snapshots, written, opened and read; it stays in path, as a stopped run is."""
    long = LongRun(path, config)
    size = size_of(long.variants[0])
    if shutil.disk_usage(path.parent).free < 1.2 * size * count:
        raise SystemExit(
            f"{path} needs {1.2 * size * count / 1e9:.1f} GB; set TMPDIR to a folder on a disk that has them."
        )
    say("written")
    took = 1000 * np.array(long.write(count)[-RECORDS // GROWTH :])  # the last of them
    long.close()
    say("opened")
    began = time.perf_counter()
    History.read(Run.open(path))
    opened = time.perf_counter() - began
    say("read")
    warm, cold = reads(path, count), reads(path, count, cold=True)
    return {
        "record_bytes": size,
        "append_p50_ms": np.percentile(took, 50),
        "append_p99_ms": np.percentile(took, 99),
        "open_s": opened,
        "read_p50_ms": np.percentile(warm, 50),
        "read_p99_ms": np.percentile(warm, 99),
        "read_cold_p99_ms": np.percentile(cold, 99),
    }


def reads(path: Path, count: int, cold: bool = False) -> list[float]:
    """Milliseconds of random reads; cold: after the system was asked to forget what it holds of the file."""
    if cold:
        with open(path / "history.db", "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    run, rng, took = Run.open(path), np.random.default_rng(0), []
    for k in rng.integers(0, count, READS).tolist():
        began = time.perf_counter()
        run.read(k)
        took.append(1000 * (time.perf_counter() - began))
    run.close()
    return took


def scrubbed(path: Path, *options: str) -> dict[str, float]:
    """The figures of benchmarks.history_window, in a process and on a screen of its own."""
    command = [sys.executable, "-m", "benchmarks.history_window", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The window side of the history benchmark failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
