"""The training step at batch 1024, in units of one 2048^3 float32 matrix product on the same threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from poseaug_core.config import make_config
from poseaug_core.datasets import TrainingData
from poseaug_core.motion.demo import demo_sets
from poseaug_core.trainer import Trainer

BATCH = 1024
MEANING = {
    "augmentor_products": "an augmentor iteration with feedback, D's updates averaged in, in 2048^3 products",
    "estimator_products": "an estimator iteration, in 2048^3 products",
    "product_ms": "one 2048^3 float32 matrix product, milliseconds",
}


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    sets = demo_sets()
    data = TrainingData(sets["source"], sets["source_test"], {}, sets["source"].bone_templates())
    found: dict[str, float] = {}
    for estimator in ("simple_baseline", "vpose"):
        for precision in ("float32", "bfloat16"):
            say(f"{estimator} in {precision}")
            settings = {"warmup_epochs": 0, "pretrain_epochs": 0, "epochs": 1000, "batch_size": BATCH}
            trainer = Trainer(make_config(estimator=estimator, precision=precision, **settings), data)
            ratios = [_round(trainer) for _ in range(rounds + 1)][1:]
            for key in ("augmentor_products", "estimator_products"):
                found[f"{estimator}.{precision}.{key}"] = median(r[key] for r in ratios)
            found["product_ms"] = median(r["product_ms"] for r in ratios)
    return found


def _round(trainer: Trainer) -> dict[str, float]:
    """One epoch's iterations by kind, over the time of a product measured beside them."""
    times: dict[str, list[float]] = {"augment": [], "estimate": []}
    product = [_product()]
    epoch = trainer.position.epoch
    while trainer.position.epoch == epoch:
        stage = trainer.schedule.stages("poseaug", epoch)[trainer.position.stage]
        began = time.perf_counter()
        trainer.step(trainer.config.controls)
        times[stage.split()[0]].append(time.perf_counter() - began)
        if trainer.position.iteration % 4 == 0:
            product.append(_product())
    one = median(product)
    return {
        "augmentor_products": sum(times["augment"]) / len(times["augment"]) / one,
        "estimator_products": median(times["estimate"]) / one,
        "product_ms": 1000 * one,
    }


def _product() -> float:
    a = torch.ones(2048, 2048)
    began = time.perf_counter()
    a @ a
    return time.perf_counter() - began
