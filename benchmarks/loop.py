"""Our training iterations against those of a loop built as the released one, on the same machine."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch

from benchmarks.clock import timed
from benchmarks.released_loop import ReleasedLoop
from poseaug_core.config import make_config
from poseaug_core.datasets import TrainingData
from poseaug_core.motion.demo import demo_sets
from poseaug_core.poses import Poses
from poseaug_core.trainer import Trainer

BATCH = 1024
#: Iterations of each kind and side in a round; even, for the discriminators' every second turn.
MANY = 4
KINDS = ("augmentor", "estimator")
MEANING = {
    "released_over_ours_augmentor": "an augmentor iteration, the discriminators' turns averaged in, of a loop built as "
    "the released one over ours, both in float32",
    "released_over_ours_estimator": "an estimator iteration of a loop built as the released one over ours",
}


def measure(rounds: int, say: Callable[[str], None], batch: int = BATCH) -> dict[str, float]:
    found: dict[str, float] = {}
    source = demo_sets()["source"].take(slice(0, MANY * batch))
    for estimator in ("simple_baseline", "vpose"):
        ours, theirs = Ours(source, estimator, batch, "cpu"), Theirs(source, estimator, batch, "cpu")
        for kind in KINDS:
            say(f"{kind} of {estimator} beside a loop built as the released one")
            ratios = [seconds(theirs, kind) / seconds(ours, kind) for _ in range(rounds + 1)][1:]
            found[f"loop.{estimator}.released_over_ours_{kind}"] = median(ratios)
    return found


def seconds(side: Ours | Theirs, kind: str, many: int = MANY) -> float:
    """Of an iteration, in the mean of many; what comes before one and is no part of it is not counted."""
    total = 0.0
    for _ in range(many):
        side.ready(kind)
        total += timed(lambda: side.iterate(kind))
    return total / many


class Ours:
    """The product's trainer, by kinds of iterations."""

    def __init__(self, source: Poses, estimator: str, batch: int, device: str, **settings):
        data = TrainingData(source, source.take(slice(0, batch)), {}, source.bone_templates())
        rest = {"pretrain_epochs": 0, "warmup_epochs": 0, "epochs": 100_000, "batch_size": batch, "device": device}
        self.trainer = Trainer(make_config(estimator=estimator, **rest, **settings), data)

    def ready(self, kind: str) -> None:
        """Go to the next iteration of the kind, through those of others."""
        while not self.stage().startswith(kind[:5]):  # 'augment', 'estimate real'
            self.trainer.step(self.trainer.config.controls)

    def iterate(self, kind: str) -> None:
        self.trainer.step(self.trainer.config.controls)
        wait(self.trainer.device)

    def stage(self) -> str:
        at = self.trainer.position
        return self.trainer.schedule.stages(at.phase, at.epoch)[at.stage]


class Theirs:
    """The other loop, by kinds of iterations."""

    def __init__(self, source: Poses, estimator: str, batch: int, device: str):
        self.loop = ReleasedLoop(source, estimator, batch, torch.device(device))

    def ready(self, kind: str) -> None:
        """Begin a new epoch where this one has no batch left."""
        if self.loop.left() == 0:
            self.loop.epoch()

    def iterate(self, kind: str) -> None:
        self.loop.augmentor_iteration() if kind == "augmentor" else self.loop.estimator_iteration()
        wait(self.loop.device)


def wait(device: torch.device) -> None:
    """Until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
