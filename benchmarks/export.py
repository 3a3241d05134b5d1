"""`poseaug export pairs` end to end, in process, over the rate of matrix products on the same threads; how it grows."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median

import torch

from benchmarks import lift_made
from benchmarks.apart import apart
from benchmarks.clock import PRODUCT, product, timed
from poseaug_core.augmentor import HIDDEN, NOISE, Augmentor
from poseaug_core.cli import main
from poseaug_core.config import make_config
from poseaug_core.datasets import describe
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from poseaug_core.skeleton import HUMAN16

#: Poses of a measurement, and of the first and last of a growth.
POSES, FROM, TO = 32_768, 4096, 262_144
FORMATS = ("h5", "npz")
MEANING = {
    "of_products": "floating-point operations of the poses augmented a second, over torch's 2048^3 float32 product",
    "kept": "share of the augmented pairs that lie inside the image and are written",
    "time_growth": "processor time for 64 times the poses, over 64 times the time for them",
    "memory_growth": "peak memory (VmHWM) of a process that augments 64 times the poses, over that for 1x",
    "memory_mb": "peak memory of a process that augments the most poses, megabytes",
    "microseconds": "processor time a pose of all: reading, augmenting and writing",
}


def measure(
    rounds: int, say: Callable[[str], None], poses: int = POSES, grown: tuple[int, int] = (FROM, TO)
) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="poseaug-bench-") as folder:
        place = Path(folder)
        return _rates(place, rounds, say, poses) | _growth(place, say, *grown)


def operations() -> int:
    """Floating-point operations of the augmentor's products a pose: two a multiply-add, of every input that is used."""
    pose, heads = 3 * HUMAN16.joint_count, 3 * HUMAN16.bone_count + int(HUMAN16.length_groups.max()) + 1 + 3 + 3
    inputs = 4 * (pose + NOISE) + HUMAN16.bone_count
    return 2 * HIDDEN * (inputs + 4 * 4 * HIDDEN + heads)


def write_run(place: Path, count: int, suffix: str, swap: bool) -> Path:
    """A run on so many poses in a file, whose checkpoint is an augmentor that moves poses little."""
    source = lift_made.poses(count)
    spec = str(write_arrays(source, place / f"{count}.{suffix}"))
    held = str(write_arrays(source.take(slice(0, 64)), place / f"test.{suffix}"))
    config = make_config(source=spec, source_test=held, swap_bone_lengths=swap)
    sets = {"source": describe(source), "source_test": describe(source.take(slice(0, 64)))}
    run = Run.create(place / f"run_{count}_{suffix}_{swap}", config, {"sets": sets, "notes": []})
    torch.manual_seed(0)
    augmentor = Augmentor()
    with torch.no_grad():
        for head in augmentor.heads:
            head.weight.mul_(0.1)
        augmentor.heads[3].bias.copy_(torch.tensor([0.0, 0.0, 2.4]))
    tensors = {f"augmentor.{key}": value for key, value in augmentor.state_dict().items()}
    run.save_checkpoint("latest", tensors, {"step": 1})
    return run.path


def run(folder: Path | str, out: Path | str) -> str:
    """The command, in this process; what it prints."""
    with redirect_stdout(io.StringIO()) as told, redirect_stderr(io.StringIO()):
        main(["export", "pairs", str(folder), "--out", str(out), "--json"], standalone_mode=False)
    return told.getvalue()


def _rates(place: Path, rounds: int, say: Callable[[str], None], count: int) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for suffix in FORMATS:
        for swap in (True, False):
            key = f"export.{suffix}.{'swap' if swap else 'no_swap'}"
            folder, out = write_run(place, count, suffix, swap), place / f"out.{suffix}"
            for number in range(rounds + 1):
                say(f"{key}, round {number}")
                products = PRODUCT / product()
                rate = operations() * count / timed(lambda given=(folder, out): run(*given))
                products = (products + PRODUCT / product()) / 2
                if number:
                    found.setdefault(f"{key}.of_products", []).append(rate / products)
    told = json.loads(run(folder, out))
    return {key: median(values) for key, values in found.items()} | {"export.kept": told["pairs"] / told["of"]}


def _growth(place: Path, say: Callable[[str], None], start: int, end: int) -> dict[str, float]:
    found = {}
    for suffix in FORMATS:
        times, peaks = [], []
        for count in (start, end):
            say(f"{suffix}, {count:,} poses in a process of their own")
            folder = place / f"grown_{count}"
            folder.mkdir(exist_ok=True)
            seconds, peak = apart(
                "benchmarks.export", write_run(folder, count, suffix, swap=True), folder / f"out.{suffix}"
            )
            times.append(seconds)
            peaks.append(peak)
        found[f"export.{suffix}.time_growth"] = times[1] / times[0] / (end / start)
        found[f"export.{suffix}.memory_growth"] = peaks[1] / peaks[0]
        found[f"export.{suffix}.memory_mb"] = peaks[1] / 1e6
        found[f"export.{suffix}.microseconds"] = (times[1] - times[0]) / (end - start) * 1e6
    return found
