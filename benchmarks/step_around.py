"""What surrounds the steps: whole epochs of a run as users start them, and another process on the other core."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median

from benchmarks.clock import timed
from poseaug_core.config import make_config
from poseaug_core.datasets import TrainingData
from poseaug_core.live import Live
from poseaug_core.runs import Run
from poseaug_core.trainer import Trainer


def around(data: TrainingData, batch: int, rounds: int, **settings: str) -> dict[str, float]:
    """Shares of whole epochs that are no steps, a checkpoint in iterations, and 'busy_over_idle'."""
    runs: list[tuple[dict[str, float], dict[str, float]]] = []
    for _ in range(rounds):
        idle = _timed_run(data, batch, settings)
        with _other_core_busy():
            runs.append((idle, _timed_run(data, batch, settings)))
    return {
        "beside_steps": median(idle["beside"] / idle["all"] for idle, _ in runs),
        "evaluation": median(idle["_evaluate"] / idle["all"] for idle, _ in runs),
        "checkpoint_iterations": median(idle["save"] / idle["saves"] / idle["iteration"] for idle, _ in runs),
        "busy_over_idle": median(busy["iteration"] / idle["iteration"] for idle, busy in runs),
    }


def _timed_run(data: TrainingData, batch: int, settings: dict[str, str], epochs: int = 2) -> dict[str, float]:
    """Seconds of a run with everything that runs do: in all, by what it did, and of a mean iteration."""
    config = make_config(batch_size=batch, pretrain_epochs=0, warmup_epochs=0, epochs=epochs, **settings)
    trainer = Trainer(config, data)
    calls = _own_seconds(trainer, "step", "_evaluate", "save")
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", config, data.summary())
        whole = timed(lambda: trainer.run(Live(), run))
        run.close()
    sums = {name: sum(seconds) for name, seconds in calls.items()}
    beside = whole - sum(sums.values())
    return sums | {
        "all": whole - sums["save"],  # which counts by itself: epochs of small sets are far shorter than Human3.6M's
        "beside": beside,
        "saves": len(calls["save"]),
        "iteration": mean(calls["step"]),
    }


def _own_seconds(trainer: Trainer, *names: str) -> dict[str, list[float]]:
    """The seconds of every call of some of a trainer's methods from now on, less those of the others within it."""
    calls: dict[str, list[float]] = {name: [] for name in names}
    inside = [0.0]

    def counted(name: str, method: Callable) -> Callable:
        def call(*arguments):
            inside.append(0.0)
            began = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                seconds = time.perf_counter() - began
                calls[name].append(seconds - inside.pop())
                inside[-1] += seconds

        return call

    for name in names:
        setattr(trainer, name, counted(name, getattr(trainer, name)))
    return calls


@contextmanager
def _other_core_busy() -> Iterator[None]:
    """A process that never waits, on the last core that this one may use."""
    affinity: Callable[[int], set[int]] = getattr(os, "sched_getaffinity", lambda _: {os.cpu_count() or 1})
    pin = f"os.sched_setaffinity(0, {{{max(affinity(0))}}})" if hasattr(os, "sched_setaffinity") else "pass"
    command = f"import os\n{pin}\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", command])
    try:
        yield
    finally:
        process.kill()
        process.wait()
