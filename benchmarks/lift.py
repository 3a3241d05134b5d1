"""`poseaug lift` end to end, in process, over the rate of matrix products on the same threads; and how it grows."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median

import torch

from benchmarks import lift_made
from benchmarks.apart import apart
from benchmarks.clock import PRODUCT, product, timed
from poseaug_core.cli import main
from poseaug_core.inference import ROWS, in_order

#: Poses of a measurement, and of the first and last of a growth.
POSES, FROM, TO = 32_768, 4096, 262_144
FRAMES = 4096
#: Kinds of input and the suffix of the output.
FORMATS = {
    "keypoints.npz": ".npz", "poses.npz": ".npz", "poses.h5": ".h5", "results.json": ".json",
    "results.json.csv": ".csv", "frames": ".h5",
}  # fmt: skip
GROWN = ("keypoints.npz", "poses.npz", "poses.h5", "results.json")
WIDTH = 1024
MEANING = {
    "of_products": "floating-point operations of the poses lifted a second, over torch's 2048^3 float32 product",
    "of_layers": "the same, over products of the layers' shape alone by the same kernels and threads",
    "time_growth": "time for 64 times the poses, over 64 times the time for them",
    "memory_growth": "peak memory (VmHWM) of a process that lifts 64 times the poses, over that for 1x",
    "memory_mb": "peak memory of a process that lifts the most poses, megabytes",
    "layers_over_products": "rate of products of the layers' shape over torch's 2048^3 product",
    "microseconds": "processor time a pose of reading, choosing and writing without a network to speak of",
}


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="poseaug-bench-") as folder:
        place = Path(folder)
        return _rates(place, rounds, say) | _growth(place, say)


def _rates(place: Path, rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    weights = lift_made.estimator(place, width=WIDTH)
    pose = 2 * sum(value.numel() for value in _weights(WIDTH))
    found: dict[str, list[float]] = {"lift.layers_over_products": []}
    for kind, suffix in FORMATS.items():
        count = FRAMES if kind == "frames" else POSES
        spec = lift_made.write(place, kind.removesuffix(".csv"), min(count, POSES))
        for flip in (True, False):
            key = f"lift.{kind}.{'flip' if flip else 'no_flip'}"
            arguments = [spec, "--with", weights, "--out", place / f"out{suffix}", "--flip" if flip else "--no-flip"]
            for number in range(rounds + 1):
                say(f"{key}, round {number}")
                products, layers = PRODUCT / product(), _layer_rate()
                rate = (1 + flip) * pose * count / timed(lambda given=arguments: run(*given))
                products, layers = (products + PRODUCT / product()) / 2, (layers + _layer_rate()) / 2
                if number:
                    found.setdefault(f"{key}.of_products", []).append(rate / products)
                    found.setdefault(f"{key}.of_layers", []).append(rate / layers)
                    found["lift.layers_over_products"].append(layers / products)
        if kind != "results.json":  # which is read once more
            _forget(spec)
    return {key: median(values) for key, values in found.items()}


def _growth(place: Path, say: Callable[[str], None]) -> dict[str, float]:
    """A narrow network: what is read and written grows with the poses, the network does not."""
    weights, found = lift_made.estimator(place, width=16), {}
    for kind in GROWN:
        times, peaks = [], []
        for count in (FROM, TO):
            say(f"{kind}, {count:,} poses in a process of their own")
            spec = lift_made.write(place, kind, count)
            seconds, peak = apart(
                "benchmarks.lift", spec, "--with", weights, "--no-flip", "--out", place / f"out{FORMATS[kind]}"
            )
            times.append(seconds)
            peaks.append(peak)
            _forget(spec)
        found[f"lift.{kind}.time_growth"] = times[1] / times[0] / (TO / FROM)
        found[f"lift.{kind}.memory_growth"] = peaks[1] / peaks[0]
        found[f"lift.{kind}.memory_mb"] = peaks[1] / 1e6
        found[f"lift.{kind}.microseconds"] = (times[1] - times[0]) / (TO - FROM) * 1e6
    return found


def run(*arguments: object) -> None:
    """The command, in this process, silent."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        main(["lift", *map(str, arguments), "--json"], standalone_mode=False)


def _layer_rate() -> float:
    """Operations a second of products (4096 x width x width) alone, by the kernels and threads that lift."""
    if not torch.backends.mkldnn.is_available():
        return 2 * 4096 * WIDTH**2 / timed(lambda: torch.ones(4096, WIDTH) @ torch.ones(WIDTH, WIDTH))
    packed = torch.ops.mkldnn._reorder_linear_weight(torch.ones(WIDTH, WIDTH), ROWS)
    threads, times = torch.get_num_threads(), 8

    def work(rows: torch.Tensor) -> None:
        for part in rows.split(ROWS):
            torch.ops.mkldnn._linear_pointwise(part, packed, None, "none", [], "")

    some = [torch.ones(4096, WIDTH)] * times
    return times * 2 * 4096 * WIDTH**2 / timed(lambda: list(in_order(work, some, threads)))


def _weights(width: int) -> list[torch.Tensor]:
    from poseaug_core.estimators import make_estimator

    return [value for value in make_estimator("simple_baseline", width).parameters() if value.ndim == 2]


def _forget(spec: str) -> None:
    path = Path(spec.partition("?")[0])
    for file in path.iterdir() if path.is_dir() else ():
        file.unlink()
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
