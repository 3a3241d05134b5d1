"""Loading data and launching: held-out parts, resume and replay, and what is said when something fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from poseaug_core import launch
from poseaug_core.config import make_config
from poseaug_core.controls import Controls
from poseaug_core.datasets import fingerprint, hold_out, load_data
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.live import Live
from poseaug_core.poses import COLUMNS, make_poses
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from tests.core.small import SMALL, same, small_poses


@pytest.fixture
def config(tmp_path):
    """The small configuration with its poses in files."""
    write_arrays(small_poses(40, 1), tmp_path / "source.npz")
    write_arrays(small_poses(20, 2), tmp_path / "wild.npz")
    return make_config(**SMALL, source=str(tmp_path / "source.npz"), cross=(str(tmp_path / "wild.npz"),))


class Stopping(Live):
    """A Live that turns knobs and stops at given steps."""

    def __init__(self, config, steer=None, stop_at=None):
        super().__init__(config.controls)
        self._steer, self._stop_at, self._turns = steer or {}, stop_at, 0

    def turn(self):
        if self._turns in self._steer:
            self.steer(replace(self.controls, **self._steer[self._turns]))
        if self._turns == self._stop_at:
            self.stop()
        self._turns += 1
        return super().turn()


def final(run: Run) -> tuple[dict, dict]:
    return run.load_checkpoint("latest")


def test_every_tenth_clip_is_held_out():
    poses = small_poses(250)  # clips of ten poses
    train, test, note = hold_out(poses)
    assert test.tag[:, 1].unique().tolist() == [9, 19] and len(train) == 230
    assert not set(train.tag[:, 1].tolist()) & {9, 19}
    assert "2 of 25 clips" in note and test.name == "small held out"


def test_few_clips_and_a_single_one_are_parted_too():
    train, test, _ = hold_out(small_poses(40))
    assert test.tag[:, 1].unique().tolist() == [3] and len(train) == 30
    one = small_poses(40).take(slice(0, 10))
    train, test, note = hold_out(replace(one, tag=one.tag * torch.tensor([1, 0, 1, 1], dtype=torch.int32)))
    assert test.tag[:, 2].tolist() == [9] and len(train) == 9 and "last 1 of 10 frames" in note
    with pytest.raises(UserError, match="1 poses of one frame.*--source-test"):
        hold_out(one.take(slice(0, 1)))


def test_holding_out_leaves_the_poses_and_the_arrays_they_are_made_of_alone():
    made = small_poses(250)
    arrays = [getattr(made, name).numpy().copy() for name in COLUMNS]
    poses = make_poses(*arrays)
    before = fingerprint(poses)
    train, test, _ = hold_out(poses)
    assert fingerprint(poses) == before
    assert all(np.array_equal(array, getattr(made, name)) for array, name in zip(arrays, COLUMNS, strict=True))
    parted = hold_out(poses, in_place=True)
    assert [fingerprint(part) for part in parted[:2]] == [fingerprint(train), fingerprint(test)]


def test_data_is_loaded_and_summed_up(config):
    told = []
    data = load_data(config, lambda share, text: told.append(share) or True)
    assert len(data.source) == 30 and len(data.source_test) == 10 and list(data.cross) == ["wild"]
    assert data.templates.shape == (2, 15)
    assert told == sorted(told) and told[-1] == 1.0
    summary = data.summary()
    assert summary["sets"]["source"]["poses"] == 30 and summary["sets"]["source"]["subjects"] == 2
    assert 4 < summary["sets"]["wild"]["mean_depth"] < 6
    assert summary == load_data(config).summary()
    with pytest.raises(Cancelled):
        load_data(config, lambda share, text: False)


def test_two_sets_of_one_name_are_kept_apart(config):
    data = load_data(replace(config, cross=config.cross * 2))
    assert list(data.cross) == ["wild", "wild 2"]


def test_fingerprint_sees_every_number():
    poses = small_poses()
    assert fingerprint(poses) == fingerprint(small_poses())
    for column in ("xyz", "uv", "camera", "tag"):
        changed = getattr(poses, column).clone()
        changed[-1].view(-1)[-1] += 1
        assert fingerprint(replace(poses, **{column: changed})) != fingerprint(poses)


def test_a_run_is_trained(config, tmp_path):
    live = Live()
    run = launch.train(config, tmp_path / "run", live)
    assert live.status.state == "finished" and live.status.step == run.load_checkpoint()[1]["step"]
    assert Run.open(run.path).config == config
    assert run.data["sets"]["source"]["poses"] == 30
    assert [row["kind"] for row in run.metrics()[0]].count("evaluation") > 2
    assert run.steps()[0] == 0 and run.steps()[-1] == live.status.step


def test_stopped_and_resumed_equals_uninterrupted(config, tmp_path):
    """Also steered: the controls in force at the stop are those it goes on with."""
    steer = {3: {"tolerance_ba": 0.5, "lr_augmentor": 3e-4}}
    whole = launch.train(config, tmp_path / "whole", Stopping(config, steer))
    live = Stopping(config, steer, stop_at=7)
    stopped = launch.train(config, tmp_path / "parts", live)
    assert live.status.state == "stopped" and final(stopped)[1]["step"] == 7
    live = Live()
    resumed = launch.train(None, tmp_path / "parts", live, resume=True)
    assert live.controls.tolerance_ba == 0.5
    assert same(final(resumed)[0], final(whole)[0]) and final(resumed)[1] == final(whole)[1]
    assert resumed.control_log() == whole.control_log()
    assert resumed.steps().tolist() == whole.steps().tolist()
    assert all(np.array_equal(resumed.read(k).xyz, whole.read(k).xyz) for k in range(whole.snapshot_count))
    assert resumed.metrics()[0] == whole.metrics()[0]


def test_replayed_equals_steered(config, tmp_path):
    steer = {2: {"lr_estimator": 3e-4}, 5: {"apply_rt": False, "tolerance_ba": 0.5}, 8: {"apply_rt": True}}
    steered = launch.train(config, tmp_path / "steered", Stopping(config, steer))
    assert len(steered.control_log()) == 4
    replayed = launch.train(None, tmp_path / "replayed", Live(), replay=steered.path)
    plain = launch.train(config, tmp_path / "plain", Live())
    assert same(final(replayed)[0], final(steered)[0]) and replayed.control_log() == steered.control_log()
    assert not same(final(plain)[0], final(steered)[0])


def test_a_finished_run_resumed_stays_as_it_is(config, tmp_path):
    run = launch.train(config, tmp_path / "run", Live())
    before = final(run)[0], run.steps().tolist()
    again = launch.train(None, tmp_path / "run", Live(), resume=True)
    assert same(final(again)[0], before[0]) and again.steps().tolist() == before[1]


def test_resume_on_other_data_is_refused(config, tmp_path):
    launch.train(config, tmp_path / "run", Stopping(config, stop_at=4))
    write_arrays(small_poses(50, 9), tmp_path / "source.npz")
    live = Live()
    with pytest.raises(UserError, match="began with 30 poses as source .*put the file back"):
        launch.train(None, tmp_path / "run", live, resume=True)
    assert live.status.state == "failed" and "put the file back" in live.status.message
    assert final(Run.open(tmp_path / "run"))[1]["step"] == 4


def test_what_cannot_be_loaded_makes_no_folder(config, tmp_path):
    live = Live()
    with pytest.raises(UserError, match="does not exist"):
        launch.train(replace(config, source=str(tmp_path / "none.npz")), tmp_path / "run", live)
    assert live.status.state == "failed" and "none.npz does not exist" in live.status.message
    assert not (tmp_path / "run").exists()


def test_stopped_while_loading_makes_no_folder(config, tmp_path):
    live = Live()
    live.stop()
    assert launch.train(config, tmp_path / "run", live) is None
    assert live.status.state == "stopped" and not (tmp_path / "run").exists()


def test_a_fault_in_training_keeps_its_traceback(config, tmp_path, monkeypatch):
    from poseaug_core.trainer import Trainer

    def broken(self, controls):
        raise ZeroDivisionError("no poses\nat all")

    monkeypatch.setattr(Trainer, "step", broken)
    live = Live()
    with pytest.raises(ZeroDivisionError):
        launch.train(config, tmp_path / "run", live)
    run = Run.open(tmp_path / "run")
    assert live.status.state == "failed"
    assert live.status.message.startswith("The training broke off: ZeroDivisionError: no poses.")
    assert str(tmp_path / "run" / "failure.txt") in live.status.message
    assert "Traceback" in run.failure() and "in broken" in run.failure()
    assert run.snapshot_count == 1, "what was recorded stays readable"


@pytest.mark.parametrize("broken_at", [0, 1, 9])
def test_broken_off_and_resumed_equals_uninterrupted(config, tmp_path, monkeypatch, broken_at):
    """Nothing but the last checkpoint is left, be it of the very start; what was recorded after it comes again."""
    from poseaug_core.trainer import Trainer

    step = Trainer.step

    def breaking(self, controls):
        assert self.position.step != broken_at, "broken"
        step(self, controls)

    whole = launch.train(config, tmp_path / "whole", Live())
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", breaking)
        with pytest.raises(AssertionError, match="broken"):
            launch.train(config, tmp_path / "broken", Live())
    resumed = launch.train(None, tmp_path / "broken", Live(), resume=True)
    assert same(final(resumed)[0], final(whole)[0]) and final(resumed)[1] == final(whole)[1]
    assert resumed.steps().tolist() == whole.steps().tolist() and resumed.metrics()[0] == whole.metrics()[0]
    assert resumed.failure() is None


def test_disk_full_while_training_keeps_the_checkpoint(config, tmp_path, monkeypatch):
    from poseaug_core import storage

    launch.train(config, tmp_path / "run", Stopping(config, stop_at=4))
    monkeypatch.setattr(storage, "free_bytes", lambda path: 100)
    with pytest.raises(UserError, match="100 bytes free"):
        launch.train(None, tmp_path / "run", live := Live(), resume=True)
    assert live.status.state == "failed" and final(Run.open(tmp_path / "run"))[1]["step"] == 4
    monkeypatch.undo()
    launch.train(None, tmp_path / "run", live := Live(), resume=True)
    assert live.status.state == "finished"


def test_controls_given_to_a_resume_count(config, tmp_path):
    launch.train(config, tmp_path / "run", Stopping(config, stop_at=4))
    live = Live(Controls(tolerance_ba=1.0))
    run = launch.train(config, tmp_path / "run", live, resume=True)
    assert run.control_log() == [{"step": 4, "field": "tolerance_ba", "old": 2.0, "new": 1.0}]


STEER = {2: {"lr_estimator": 3e-4}, 5: {"apply_rt": False, "tolerance_ba": 0.5}, 8: {"apply_rt": True}}


def broken_off(config, folder, monkeypatch, at: int, saved_at: int, live, **more):
    """A run killed before iteration ``at``, whose last checkpoint is of the iterations before ``saved_at``."""
    from poseaug_core.trainer import Trainer

    step = Trainer.step

    def breaking(self, controls):
        assert self.position.step != at, "broken"
        step(self, controls)

    due = lambda self, what, before: what == "checkpoint" and before.step + 1 == saved_at  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", breaking)
        patch.setattr(Trainer, "_due", due)
        with pytest.raises(AssertionError, match="broken"):
            launch.train(config, folder, live, **more)
    assert Run.open(folder).load_checkpoint()[1]["step"] == saved_at


@pytest.mark.parametrize("studio", [False, True])
def test_steered_and_killed_and_resumed_equals_uninterrupted(config, tmp_path, monkeypatch, studio):
    """Changes logged after the checkpoint come again at their steps, whoever resumes."""
    config = replace(config, evaluate_epochs=0)
    whole = launch.train(config, tmp_path / "whole", Stopping(config, STEER))
    broken_off(config, tmp_path / "killed", monkeypatch, 10, 4, Stopping(config, STEER))
    killed = Run.open(tmp_path / "killed")
    assert len(killed.control_log()) == 4
    shown = replace(config, controls=killed.controls()) if studio else None
    resumed = launch.train(shown, killed.path, Live(killed.controls() if studio else None), resume=True)
    assert resumed.control_log() == whole.control_log()
    assert same(final(resumed)[0], final(whole)[0])


def test_what_is_turned_before_resuming_counts_over_what_would_come_again(config, tmp_path, monkeypatch):
    broken_off(config, tmp_path / "killed", monkeypatch, 10, 4, Stopping(config, STEER))
    killed = Run.open(tmp_path / "killed")
    live = Live(replace(killed.controls(), tolerance_ba=1.5))
    resumed = launch.train(config, killed.path, live, resume=True)
    assert [(row["step"], row["new"]) for row in resumed.control_log() if row["field"] == "tolerance_ba"] == [(4, 1.5)]
    assert [row["step"] for row in resumed.control_log() if row["field"] == "apply_rt"] == [5, 8]


def test_an_interrupted_replay_goes_on_as_a_replay(config, tmp_path):
    steered = launch.train(config, tmp_path / "steered", Stopping(config, STEER))
    stopped = launch.train(None, tmp_path / "again", Stopping(config, stop_at=4), replay=steered.path)
    assert len(stopped.control_log()) == 1
    resumed = launch.train(None, tmp_path / "again", Live(), resume=True)
    assert resumed.control_log() == steered.control_log() and same(final(resumed)[0], final(steered)[0])


def test_replay_on_other_data_is_refused(config, tmp_path):
    launch.train(config, tmp_path / "run", Stopping(config, stop_at=2))
    write_arrays(small_poses(50, 9), tmp_path / "source.npz")
    with pytest.raises(UserError, match="began with 30 poses as source .*put the file back"):
        launch.train(None, tmp_path / "again", Live(), replay=tmp_path / "run")
    assert not (tmp_path / "again").exists()


def test_resume_needs_no_weights_file(config, tmp_path):
    from poseaug_core.checkpoints import write_checkpoint

    first = launch.train(config, tmp_path / "first", Live())
    tensors = {k: v for k, v in final(first)[0].items() if k.startswith("estimator.")}
    weights = write_checkpoint(tmp_path / "weights.safetensors", tensors, {})
    config = replace(config, estimator_weights=str(weights))
    whole = launch.train(config, tmp_path / "whole", Live())
    launch.train(config, tmp_path / "run", Stopping(config, stop_at=3))
    weights.unlink()
    resumed = launch.train(None, tmp_path / "run", Live(), resume=True)
    assert same(final(resumed)[0], final(whole)[0]) and resumed.read(0).phase == "poseaug"


def test_no_run_is_left_where_its_first_checkpoint_cannot_be_written(config, tmp_path, monkeypatch):
    """The limit of a file's size is real: a disk that ends in the middle of the checkpoint."""
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(UserError, match="latest.safetensors"):
            launch.train(config, tmp_path / "run", live := Live())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert live.status.state == "failed" and not (tmp_path / "run").exists()


def test_data_do_not_depend_on_the_seed_of_the_training():
    """The demo's people, and motion capture filmed, follow data_seed alone."""
    spec = {"source": "demo:source_test?size=0.5", "source_test": "demo:source_test?size=0.5"}
    one, two, other = (load_data(make_config(**spec, **s)) for s in ({}, {"seed": 5}, {"data_seed": 5}))
    assert fingerprint(one.source) == fingerprint(two.source) != fingerprint(other.source)


def test_a_source_of_one_pose_is_refused(config, tmp_path):
    one = small_poses(40, 1)
    write_arrays(one.take(slice(0, 1)), tmp_path / "one.npz")
    with pytest.raises(UserError, match="1 pose to train on, at least 2"):
        load_data(replace(config, source=str(tmp_path / "one.npz"), source_test=str(tmp_path / "wild.npz")))
    write_arrays(one.take(torch.tensor([0, 10])), tmp_path / "two.npz")
    with pytest.raises(UserError, match="1 pose to train on, at least 2"):
        load_data(replace(config, source=str(tmp_path / "two.npz")))


def test_the_demo_names_its_weights_wherever_the_program_is():
    from poseaug_core.demo import demo_config

    assert demo_config().estimator_weights == "asset:demo_estimator.safetensors"
