"""The benchmarks: each can be loaded."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("[!_]*.py")))
def test_every_benchmark_can_be_loaded(name):
    assert importlib.import_module(f"benchmarks.{name}").__doc__


def test_the_comparison_reads_only_finished_runs_of_its_settings(tmp_path, monkeypatch):
    import torch

    from benchmarks import accuracy
    from poseaug_core.errors import UserError
    from poseaug_core.runs import Run

    asked = []
    monkeypatch.setattr(accuracy.subprocess, "run", lambda command, **_: asked.append(command[4:]))
    config = accuracy.expected(tmp_path, 0, "none", "float32")
    accuracy.finish(config, tmp_path / "a")
    assert "--out" in asked.pop() and not asked
    run = Run.create(tmp_path / "a", config, {"sets": {}})
    run.save_checkpoint("latest", {"w": torch.ones(1)}, {"step": 3, "position": {"phase": "pretrain"}})
    accuracy.finish(config, run.path)
    assert asked.pop() == ["--resume", str(run.path)]
    run.save_checkpoint("latest", {"w": torch.ones(1)}, {"step": 9, "position": {"phase": "done"}})
    accuracy.finish(config, run.path)
    assert not asked
    with pytest.raises(UserError, match="trained with seed 0, the comparison asks for 1"):
        accuracy.finish(accuracy.expected(tmp_path, 1, "none", "float32"), run.path)
    run.close()
