"""The training on an NVIDIA GPU: iterations replayed from CUDA graphs against the same run one by one, how busy the GPU
is, the share of what it can do, and a loop built as the released one."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.clock import timed
from benchmarks.loop import KINDS, Ours, Theirs, seconds, wait
from poseaug_core.motion.demo import demo_sets
from poseaug_core.poses import Poses
from poseaug_core.products import linear, rounded

BATCH = 1024
#: Iterations a round, of ours and of the other loop; side of the product that stands for what the GPU can do.
MANY, FEW, SIDE = 64, 8, 8192
ESTIMATORS, PRECISIONS = ("simple_baseline", "vpose"), ("float32", "tf32", "bfloat16")
MEANING = {
    "eager_per_second": "iterations a second, one by one",
    "captured_per_second": "iterations a second, replayed up to eight at a time",
    "captured_over_eager": "iterations a second replayed over one by one",
    "captured_over_released": "iterations a second replayed over those of a loop built as the released one, in float32",
    "busy": "share of the time in which the GPU computes, while iterations are replayed",
    "roofline": "floating-point operations a second of the step over those of an 8192^3 product of the same precision",
}


def measure(rounds: int, say: Callable[[str], None], batch: int = BATCH) -> dict[str, float]:
    if not torch.cuda.is_available():
        print("There is no NVIDIA GPU here, so that nothing of one is measured.")
        return {}
    return figures("cuda", rounds, say, demo_sets()["source"], batch)


def figures(
    device: str,
    rounds: int,
    say: Callable[[str], None],
    source: Poses,
    batch: int,
    many: int = MANY,
    side: int = SIDE,
    cases: tuple[tuple[str, str], ...] = tuple(product(ESTIMATORS, PRECISIONS)),
) -> dict[str, float]:
    """All figures of ``MEANING`` by estimator, precision and kind of iteration."""
    found: dict[str, float] = {}
    for estimator, precision in cases:
        theirs = Theirs(source, estimator, batch, device)
        eager = Ours(source, estimator, batch, device, precision=precision, capture="off")
        captured = Ours(source, estimator, batch, device, precision=precision)
        for kind in KINDS:
            say(f"{kind} of {estimator} in {precision}")
            rows = [_round(eager, captured, theirs, kind, many) for _ in range(rounds + 1)][1:]
            one, replayed = (median(row[k] for row in rows) for k in range(2))
            figure = {
                "eager_per_second": 1 / one,
                "captured_per_second": 1 / replayed,
                "captured_over_eager": median(row[0] / row[1] for row in rows),
                "captured_over_released": median(row[2] / row[1] for row in rows),
                "roofline": _operations(eager, kind) / replayed / _rate(device, precision, side),
            }
            if device == "cuda":
                figure["busy"] = _busy(captured, kind, many)
            found |= {f"gpu.{estimator}.{precision}.{kind}.{name}": value for name, value in figure.items()}
    return found


def _round(eager: Ours, captured: Ours, theirs: Theirs, kind: str, many: int) -> tuple[float, ...]:
    """Seconds of an iteration one by one, replayed, and of the other loop."""
    ours = [_run(side, kind, many)[0] for side in (eager, captured)]
    return *ours, seconds(theirs, kind, FEW)


def _run(side: Ours, kind: str, many: int) -> tuple[float, float]:
    """Seconds of an iteration of the kind, as a run takes them, and of all of them."""
    done, took, trainer = 0, 0.0, side.trainer
    while done < many:
        side.ready(kind)
        wait(trainer.device)
        began, before, stage = time.perf_counter(), trainer.position, side.stage()
        while done + trainer.position.step - before.step < many and side.stage() == stage:
            if trainer.captured.at_work:
                trainer.steps(trainer.config.controls, lambda count: count)
            else:
                trainer.step(trainer.config.controls)
            if trainer.position.epoch != before.epoch:
                break
        wait(trainer.device)
        took += time.perf_counter() - began
        done += trainer.position.step - before.step
    return took / done, took


def _counted() -> dict:
    """For torch's counter, the products that CPUs take and it does not know: (rows, inputs) and (outputs, inputs)."""
    if not torch.backends.mkldnn.is_available():
        return {}
    return {torch.ops.mkldnn._linear_pointwise: lambda x, weight, *_, **__: 2 * x[0] * x[1] * weight[0]}


def _operations(side: Ours, kind: str) -> float:
    """Floating-point operations of an iteration, the discriminators' turns averaged in."""
    side.ready(kind)
    with FlopCounterMode(display=False, custom_mapping=_counted()) as counter:
        for _ in range(2):
            side.ready(kind)
            side.iterate(kind)
    return counter.get_total_flops() / 2


def _rate(device: str, precision: str, side: int) -> float:
    """Operations a second of one large product."""
    a = torch.ones(side, side, device=device, dtype=torch.bfloat16 if precision == "bfloat16" else torch.float32)

    def multiply() -> None:
        with rounded(precision == "tf32"):
            linear(a, a)
        wait(a.device)

    multiply()
    return 2 * side**3 / median(timed(multiply) for _ in range(5))


def _busy(side: Ours, kind: str, many: int) -> float:
    """Share of the wall time of iterations in which some kernel ran, by torch's profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        began = time.perf_counter()
        _run(side, kind, many)  # with what comes between two stages of the kind, whose kernels are counted too
        took = time.perf_counter() - began
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    busy, until = 0.0, 0.0
    for start, end in spans:
        busy += max(end - max(start, until), 0)
        until = max(until, end)
    return busy / 1e6 / took
