"""Resuming a run: refused, it leaves every file as it was; and a run of an earlier version, whose snapshots are not
read."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
import torch

from poseaug_core.config import make_config
from poseaug_core.errors import UserError
from poseaug_core.export import figure
from poseaug_core.history import History
from poseaug_core.runs import Run
from tests.core.superseded import supersede
from tests.studio.fakes import make_snapshot


@pytest.fixture
def stopped(tmp_path) -> Path:
    """A run with a checkpoint at step 1, and more in every file than that."""
    with_more = Run.create(tmp_path / "run", make_config(seed=7), {"sets": {}})
    for step in range(4):
        with_more.append(make_snapshot(step, probe=2, crowd=4))
        with_more.log_metrics(step, {"a": float(step)}, "scalars")
    with_more.log_controls(3, [("beta_ba", None, 4.0)])
    with_more.plan([{"step": 5, "field": "beta_ba", "old": 4.0, "new": 5.0}])
    with_more.save_checkpoint("latest", {"w": torch.ones(1)}, {"step": 1})
    with_more.save_failure("Traceback\nValueError: of earlier")
    with_more.close()
    return with_more.path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def replace_by_text(path: Path) -> None:
    path.write_text("no snapshots")


def garble(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"{gar\n")


def test_what_came_after_the_checkpoint_is_dropped(stopped):
    run, *_ = Run.resume(stopped)
    assert run.steps().tolist() == [0, 1] and [row["step"] for row in run.metrics()[0]] == [0, 1]
    assert run.control_log() == [] and [row["step"] for row in run.pending()] == [3, 5]
    assert run.failure() is None
    run.close()


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("history.h5", supersede, "recorded by an earlier version"),
    ],
)
def test_a_refused_resume_leaves_every_file_as_it_was(stopped, name, spoil, said):
    spoil(stopped / name)
    before = contents(stopped)
    with pytest.raises(UserError, match=said):
        Run.resume(stopped)
    assert contents(stopped) == before
    assert not Run.open(stopped).being_written()


def test_a_damaged_history_is_mended_and_the_run_goes_on(stopped):
    replace_by_text(stopped / "history.db")
    run, *_ = Run.resume(stopped)
    assert run.snapshot_count == 0 and (stopped / "history.damaged.db").read_text() == "no snapshots"
    assert "was damaged" in run.notes[0] and "history.damaged.db" in run.notes[0]
    run.append(make_snapshot(2, probe=2, crowd=4))
    run.close()
    assert Run.open(stopped).steps().tolist() == [2]


def test_a_checkpoint_that_cannot_be_taken_up_refuses_a_resume(stopped):
    def load(tensors, meta):
        assert tensors["w"].tolist() == [1.0] and meta["step"] == 1
        raise UserError("It is of another network; choose that one.")

    before = contents(stopped)
    with pytest.raises(UserError, match="of another network"):
        Run.resume(stopped, load=load)
    assert contents(stopped) == before
    Run.resume(stopped)[0].close()


def test_a_run_of_an_earlier_version_is_one_without_snapshots(stopped):
    supersede(stopped / "history.h5")
    run = Run.open(stopped)
    assert run.snapshot_count == 0 and run.steps().tolist() == [] and run.series("scalars") == {}
    with pytest.raises(IndexError):
        run.read(0)
    assert run.superseded.startswith(f"{stopped} was recorded by an earlier version of this program: its weights")
    assert len(run.metrics()[0]) == 4 and run.checkpoints() == ["latest"]
    with pytest.raises(UserError, match="snapshots cannot be shown"):
        figure(run, "kcs", stopped.parent / "kcs.pdf")


def test_only_the_old_layout_is_taken_for_one(stopped):
    assert Run.open(stopped).superseded == ""
    with h5py.File(supersede(stopped / "history.h5"), "w") as file:
        file["something"] = 1
    with pytest.raises(UserError, match="damaged"):
        _ = Run.open(stopped).superseded
    assert not History(stopped / "none.db").superseded
