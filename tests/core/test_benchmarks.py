"""The benchmarks: each can be loaded, and what some of them compare with does what it stands for."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from benchmarks import data, export, gpu, loop
from tests.core.small import small_poses

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("[!_]*.py")))
def test_every_benchmark_can_be_loaded(name):
    assert importlib.import_module(f"benchmarks.{name}").__doc__


def finite_and_explained(found: dict[str, float], meaning: dict[str, str]) -> bool:
    return all(0 < value < float("inf") and name.rsplit(".", 1)[-1] in meaning for name, value in found.items())


def test_the_released_loop_is_a_loop_that_learns():
    """A yardstick that did less than the step it stands for would flatter ours."""
    from benchmarks.released_loop import ReleasedLoop

    loop = ReleasedLoop(small_poses(64), "simple_baseline", 16, torch.device("cpu"))
    before = {name: [p.detach().clone() for p in getattr(loop, name).parameters()] for name in loop.adam}
    for _ in range(2):
        loop.augmentor_iteration()
        loop.estimator_iteration()
    for name, weights in before.items():
        assert all(not torch.equal(a, b) for a, b in zip(weights, getattr(loop, name).parameters(), strict=True)), name
    assert loop.scalars.keys() >= {"ba", "rt", "angle", "length", "d3d", "d2d", "estimator"} and loop.left() == 2


def test_ours_beside_the_released_loop():
    found = loop.measure(1, lambda text: None, batch=8)
    assert len(found) == 4 and finite_and_explained(found, loop.MEANING)


def test_the_figures_of_a_gpu_by_the_way_that_every_device_can_go():
    """All but the profiler's; where nothing is captured, replayed and one by one are the same iterations."""
    sizes, cases = {"batch": 8, "many": 4, "side": 32}, (("simple_baseline", "tf32"),)
    found = gpu.figures("cpu", 1, lambda text: None, small_poses(40), **sizes, cases=cases)
    assert len(found) == 2 * 5 and finite_and_explained(found, gpu.MEANING)


@pytest.mark.skipif(torch.cuda.is_available(), reason="an NVIDIA GPU is here")
def test_without_a_gpu_one_sentence_says_so(capsys):
    assert gpu.measure(1, lambda text: None) == {}
    assert capsys.readouterr().out == "There is no NVIDIA GPU here, so that nothing of one is measured.\n"


def test_reading_and_converting():
    found = data.measure(1, lambda text: None, full=1 / 64, frames=60, files=2)
    assert len(found) == 4 * 5 + 2 * 2 + 2 and finite_and_explained(found, data.MEANING)


def test_exporting_pairs(monkeypatch):
    """Over so few poses the processor time of one more may be less than none."""
    monkeypatch.setattr(export, "FORMATS", ("h5",))
    found = export.measure(1, lambda text: None, poses=100, grown=(64, 128))
    by_pose = found.pop("export.h5.microseconds")
    assert len(found) == 2 + 1 + 3 and finite_and_explained(found, export.MEANING) and abs(by_pose) < float("inf")
    assert 0.5 < found["export.kept"] <= 1
