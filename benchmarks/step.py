"""The training step at batch 1024, in units of one 2048^3 float32 matrix product on the same threads: its time, what
it goes into, what an epoch takes beside it, and what a busy core costs."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from benchmarks.clock import product, timed
from benchmarks.step_around import around
from benchmarks.step_shares import KINDS, shares
from poseaug_core.config import make_config
from poseaug_core.datasets import TrainingData
from poseaug_core.device import memory_kept, use_threads
from poseaug_core.motion.demo import demo_sets
from poseaug_core.trainer import Trainer

BATCH = 1024
ESTIMATORS, PRECISIONS = ("simple_baseline", "vpose"), ("float32", "bfloat16")
MEANING = {
    "augmentor_products": "an augmentor iteration with feedback, D's updates averaged in, in 2048^3 products",
    "estimator_products": "an estimator iteration, in 2048^3 products",
    "product_ms": "one 2048^3 float32 matrix product by torch, milliseconds",
    **{f"{side}_share_{kind}": f"share of {kind} in the time inside torch's operations, {side} iterations"
       for side in ("augmentor", "estimator") for kind in (*KINDS, "rest")},
    "beside_steps": "share of an epoch's time that is no step and no evaluation: loop, orders, snapshots, history",
    "checkpoint_iterations": "writing a checkpoint for good, in mean iterations; one comes every epoch",
    "evaluation": "share of an epoch's time that its evaluation takes, on the demo's test sets",
    "busy_over_idle": "an iteration's time with the other core kept busy by another process, over without",
}  # fmt: skip


def measure(
    rounds: int, say: Callable[[str], None], batch: int = BATCH, cases: tuple[tuple[str, str], ...] | None = None
) -> dict[str, float]:
    use_threads(0)
    sets = demo_sets()
    data = TrainingData(sets["source"], sets["source_test"], {}, sets["source"].bone_templates())
    found: dict[str, float] = {}
    cases = cases or tuple((estimator, precision) for estimator in ESTIMATORS for precision in PRECISIONS)
    with memory_kept():
        for estimator, precision in cases:
            name = f"{estimator}.{precision}"
            say(f"{estimator} in {precision}")
            steps = Steps(data, batch, estimator=estimator, precision=precision)
            ratios = [steps.ratios() for _ in range(rounds + 1)][1:]
            found |= {f"{name}.{key}": median(r[key] for r in ratios) for key in ratios[0]}
            found |= {f"{name}.{key}": value for key, value in shares(steps).items()}
        estimator, precision = cases[0]
        say("whole epochs, and a busy core")
        found |= {
            f"epoch.{key}": value
            for key, value in around(data, batch, rounds, estimator=estimator, precision=precision).items()
        }
    found["product_ms"] = 1000 * median(product() for _ in range(5))
    return found


class Steps:
    """The product's trainer, an iteration at a time, and of which kind each is."""

    def __init__(self, data: TrainingData, batch: int, **settings):
        rest = {"warmup_epochs": 0, "pretrain_epochs": 0, "epochs": 1000, "batch_size": batch}
        self.trainer = Trainer(make_config(**settings, **rest), data)

    def one(self) -> tuple[str, float]:
        """Whose iteration it was, 'augmentor' or 'estimator', and its seconds."""
        at = self.trainer.position
        stage = self.trainer.schedule.stages(at.phase, at.epoch)[at.stage]
        kind = "augmentor" if stage == "augment" else "estimator"
        return kind, timed(lambda: self.trainer.step(self.trainer.config.controls))

    def ratios(self) -> dict[str, float]:
        """An epoch's iterations by kind, in products measured between them: medians of both, and of pairs of the
        augmentor's iterations, of which the discriminators learn in one."""
        times: dict[str, list[float]] = {"augmentor": [], "estimator": []}
        epoch, between = self.trainer.position.epoch, []
        while self.trainer.position.epoch == epoch:
            kind, seconds = self.one()
            times[kind].append(seconds)
            between.append(product())
        pairs = [(a + b) / 2 for a, b in zip(times["augmentor"][::2], times["augmentor"][1::2], strict=False)]
        unit = median(between)
        return {
            "augmentor_products": median(pairs) / unit,
            "estimator_products": median(times["estimator"]) / unit,
        }
