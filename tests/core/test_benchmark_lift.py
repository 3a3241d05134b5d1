"""The benchmark of lifting: what it makes is lifted, and its figures are ratios."""

from __future__ import annotations

import math

import pytest

from benchmarks import lift, lift_made
from poseaug_core.lifting import read_2d
from poseaug_core.readers.arrays import read_arrays


@pytest.mark.parametrize("kind", ["poses.npz", "poses.h5", "keypoints.npz", "results.json", "frames"])
def test_every_kind_of_input_is_of_so_many_poses(tmp_path, kind):
    spec = lift_made.write(tmp_path, kind, 30)
    table = read_2d(spec)
    assert len(table) == 30 and table.uv.abs().max() < 1.2
    lift._forget(spec)
    assert list(tmp_path.iterdir()) == []


def test_rates_are_finite_and_told_of_every_format(tmp_path, monkeypatch):
    for name, value in {"POSES": 24, "FRAMES": 12, "WIDTH": 16}.items():
        monkeypatch.setattr(lift, name, value)
    monkeypatch.setattr(lift, "product", lambda: 0.01)
    found = lift._rates(tmp_path, 1, lambda text: None)
    assert all(math.isfinite(value) and value > 0 for value in found.values())
    for kind in lift.FORMATS:
        for flip in ("flip", "no_flip"):
            assert {f"lift.{kind}.{flip}.of_products", f"lift.{kind}.{flip}.of_layers"} <= set(found)
    assert {key.rsplit(".", 1)[-1] for key in found} <= set(lift.MEANING)


def test_growth_is_of_processes_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(lift, "FROM", 20)
    monkeypatch.setattr(lift, "TO", 40)
    monkeypatch.setattr(lift, "GROWN", ("poses.h5",))
    found = lift._growth(tmp_path, lambda text: None)
    assert set(found) == {
        f"lift.poses.h5.{key}" for key in ("time_growth", "memory_growth", "memory_mb", "microseconds")
    }
    assert 50 < found["lift.poses.h5.memory_mb"] < 2000


def test_running_the_command_writes_the_file(tmp_path):
    weights, spec = lift_made.estimator(tmp_path, width=16), lift_made.write(tmp_path, "keypoints.npz", 20)
    lift.run(spec, "--with", weights, "--out", tmp_path / "o.h5")
    assert (tmp_path / "o.h5").stat().st_size > 20 * 16 * 3 * 4
    lift.run(lift_made.write(tmp_path, "poses.npz", 20), "--with", weights, "--out", tmp_path / "o.npz")
    assert len(read_arrays(tmp_path / "20_poses.npz")) == 20
