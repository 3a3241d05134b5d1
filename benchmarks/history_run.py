"""A run folder with many snapshots, for the history benchmark: written by the product, trained for a few steps only.

Snapshots, scalars, evaluations, changes of controls and a checkpoint are as a run of so many records has them; the
poses of a few trained steps come again and again.
"""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path

import numpy as np

from poseaug_core.config import Config
from poseaug_core.datasets import load_data
from poseaug_core.runs import Run
from poseaug_core.snapshot import ARRAYS, Snapshot
from poseaug_core.trainer import Trainer

#: Snapshots between two evaluations, and between two changes of a control.
EVALUATED, TURNED = 200, 500
#: Snapshots that differ.
VARIANTS = 12
#: Offsets into the noise that is added to their poses, metres.
NOISE = 99_991


def size_of(snapshot: Snapshot) -> int:
    """Bytes of its arrays."""
    return sum(getattr(snapshot, name).nbytes for name in ARRAYS)


class LongRun:
    """A run folder that is written on and on; the seconds of each append are kept."""

    def __init__(self, path: Path, config: Config):
        self.config = config
        data = load_data(config)
        self.trainer = Trainer(config, data)
        self.variants = []
        for _ in range(VARIANTS):
            for _ in range(4):
                self.trainer.step(config.controls)
            self.variants.append(self.trainer.observe(self.trainer.updates.meter.read()))
        self.run = Run.create(path, config, data.summary())
        self.count = 0
        # No two poses are alike: the same pose would not be painted again.
        self.noise = np.random.default_rng(0).normal(0, 0.02, NOISE + self.variants[0].xyz.size).astype(np.float32)

    def write(self, count: int) -> list[float]:
        """Append so many snapshots, with their line of metrics; seconds of each."""
        took = []
        for _ in range(count):
            k = self.count
            source = self.variants[k % VARIANTS]
            scalars = {name: value * math.exp(-k / 50_000) for name, value in source.scalars.items()}
            step = k * self.config.snapshot_every
            xyz = source.xyz + self.noise[k % NOISE :][: source.xyz.size].reshape(source.xyz.shape)
            snapshot = dataclasses.replace(source, step=step, scalars=scalars, xyz=xyz)
            began = time.perf_counter()
            self.run.append(snapshot)
            self.run.log_metrics(step, scalars, kind="scalars")
            took.append(time.perf_counter() - began)
            if k % EVALUATED == 0:
                error = 40 + 30 * math.exp(-k / 20_000) + k % 7
                self.run.log_metrics(step, {"source_test/poseaug16/mpjpe": error}, kind="evaluation")
            if k % TURNED == TURNED // 2:
                self.run.log_controls(step, [("tolerance_ba", 2.0, 2.0 + k % 3)])
            self.count += 1
        return took

    def close(self) -> None:
        """End as a stopped run does: with a checkpoint, at the last snapshot's step."""
        step = (self.count - 1) * self.config.snapshot_every
        self.trainer.position = dataclasses.replace(self.trainer.position, step=step)
        self.trainer.save(self.run, "latest")
        self.run.close()
