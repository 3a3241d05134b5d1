"""The history's benchmark at toy size: the run that it writes is one, and its figures are numbers."""

from __future__ import annotations

import numpy as np

from benchmarks import history
from poseaug_core.demo import demo_config
from poseaug_core.runs import Run

TOY = {
    "estimator_weights": "", "estimator_width": 16, "batch_size": 4096, "pretrain_epochs": 0, "warmup_epochs": 0,
    "warmup_iterations": 0, "probe_size": 2, "crowd_size": 8, "threads": 1,
}  # fmt: skip


def test_a_run_of_many_snapshots_is_written_opened_and_read(tmp_path):
    said = []
    found = history.growing(tmp_path / "run", demo_config(**TOY), 70, said.append)
    assert all(np.isfinite(value) and value > 0 for value in found.values()) and set(found) <= set(history.MEANING)
    assert said == ["written", "opened", "read"]
    run = Run.open(tmp_path / "run")
    assert run.snapshot_count == 70 and run.checkpoints() == ["latest"] and not run.finished
    poses = np.stack([run.read(k).xyz for k in range(70)])
    assert len(np.unique(poses.reshape(70, -1), axis=0)) == 70, "the same pose would not be painted again"


def test_shares_of_the_training_are_shares():
    found = history.shares(demo_config(**TOY), rounds=1)
    assert set(found) == {"write_share", "observe_share"}
    assert all(0 < value < 1 for value in found.values())
