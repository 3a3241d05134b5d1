"""The session: training on a thread, scrubbing meanwhile, undo, jobs, and a clean end."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace

import pytest

from poseaug_core.controls import Controls
from poseaug_core.errors import UserError
from poseaug_core.live import LEARNERS
from poseaug_studio.session import Session
from tests.studio.conftest import FakeRun, FakeTraining
from tests.studio.fakes import make_snapshot, same_series, series_of


def started(qtbot, session, small, folder, snapshots: int = 5):
    session.start(small, folder)
    qtbot.waitUntil(lambda: len(session.history.steps) >= snapshots, timeout=60_000)


def test_live_snapshots_rows_and_history_arrive(qtbot, session, small, tmp_path):
    known, shown = [], []
    session.metrics_changed.connect(lambda series: known.append(set(series.names())))
    session.snapshot_changed.connect(lambda snapshot: shown.append(snapshot.step))
    started(qtbot, session, small, tmp_path / "a")
    qtbot.waitUntil(lambda: len(shown) > 3)
    assert shown == sorted(shown)
    assert known[-1] >= {"loss/augmentor", "source_test/poseaug16/mpjpe"}


def test_scrubbing_while_training_goes_on_shows_the_recorded_step(qtbot, session, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    shown = []
    session.snapshot_changed.connect(lambda snapshot: shown.append(snapshot.step))
    step = session.status.step
    session.scrub(20)
    qtbot.waitUntil(lambda: shown[-1:] == [20])
    qtbot.waitUntil(lambda: session.status.step > step + 20)
    assert shown == [20] and session.running
    session.follow()
    qtbot.waitUntil(lambda: shown[-1] > 20)


def test_many_scrub_requests_read_only_the_latest(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    run = training.runs[str(tmp_path / "a")]
    before = run.reads
    for step in (0, 10, 20, 30):
        session.scrub(step)
    qtbot.waitUntil(lambda: session.snapshot.step == 30)
    assert run.reads == before + 1


def test_pause_step_and_stop(qtbot, session, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.pause()
    qtbot.waitUntil(lambda: session.status.state == "paused")
    step = session.status.step
    session.step(3)
    qtbot.waitUntil(lambda: session.status.step == step + 3 and session.status.state == "paused")
    session.stop()
    qtbot.waitUntil(lambda: session.status.state == "stopped" and not session.running)


@pytest.mark.parametrize("only", LEARNERS)
def test_a_step_of_one_learner_uses_it_alone_and_leaves_the_controls(qtbot, session, training, small, tmp_path, only):
    started(qtbot, session, small, tmp_path / "a")
    session.pause()
    qtbot.waitUntil(lambda: session.status.state == "paused")
    count, before = len(training.used), session.controls
    session.step(2, only)
    assert session.live.controls == before
    qtbot.waitUntil(lambda: len(training.used) == count + 2)
    for used in training.used[-2:]:
        assert [name for name in LEARNERS if getattr(used, f"learn_{name}")] == [only]
    turned = replace(session.controls, length_limit=0.15)  # while paused after the step, and stopped without another
    session.steer(turned)
    assert session.live.controls == turned
    session.stop()
    qtbot.waitUntil(lambda: not session.running)
    assert session.live.controls == turned == session.controls


def test_steering_reaches_the_training_and_undo_takes_it_back(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.steer(replace(session.controls, beta_ba=7.0))
    qtbot.waitUntil(lambda: training.used[-1].beta_ba == 7.0)
    session.steer(replace(session.controls, length_limit=0.2))
    session.undo()
    session.undo()
    qtbot.waitUntil(lambda: training.used[-1] == Controls())
    session.redo()
    assert session.controls == Controls(beta_ba=7.0)
    assert session.can_redo() and session.can_undo()


def test_dragging_one_knob_is_one_entry_to_undo(session):
    for value in (3.0, 4.0, 5.0):
        session.steer(replace(session.controls, beta_ba=value))
    session.undo()
    assert session.controls == Controls()


def test_controls_that_a_log_turns_are_taken_up_and_not_turned_back(qtbot, session, training, small, tmp_path):
    """A replayed or resumed run turns its controls itself, through the same Live."""
    started(qtbot, session, small, tmp_path / "a")
    told = []
    session.controls_changed.connect(told.append)
    session.steer(replace(session.controls, weight_range=2.0))
    session.live.steer(replace(session.live.controls, length_limit=0.03))
    qtbot.waitUntil(lambda: session.controls.length_limit == 0.03)
    assert told[-1] == session.controls
    session.steer(replace(session.controls, beta_ba=6.0))
    qtbot.waitUntil(lambda: training.used[-1] == Controls(weight_range=2.0, length_limit=0.03, beta_ba=6.0))
    session.undo()
    session.undo()
    qtbot.waitUntil(lambda: training.used[-1] == Controls(length_limit=0.03))


def test_steps_of_one_learner_are_no_turn_of_the_knobs(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.pause()
    qtbot.waitUntil(lambda: session.status.state == "paused")
    count = len(training.used)
    session.step(1, "augmentor")
    qtbot.waitUntil(lambda: len(training.used) == count + 1 and session.status.state == "paused")
    assert session.controls == Controls()


def test_controls_that_another_process_turns_are_taken_up(qtbot, session, training, small, tmp_path):
    run = training.runs.setdefault(str(tmp_path / "b"), FakeRun(small))
    (tmp_path / "b").mkdir()
    run.recorded, run.written = [make_snapshot(10)], True
    session.open(tmp_path / "b")
    qtbot.waitUntil(lambda: session.status.state == "elsewhere")
    run.log.append({"step": 12, "field": "length_limit", "old": 0.1, "new": 0.02})
    qtbot.waitUntil(lambda: session.controls.length_limit == 0.02)


def test_a_stopped_run_goes_on_with_the_controls_on_screen(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.steer(replace(session.controls, length_limit=0.15))
    session.stop()
    qtbot.waitUntil(lambda: not session.running)
    steps = len(session.history.steps)
    session.resume(tmp_path / "a")
    qtbot.waitUntil(lambda: len(session.history.steps) > steps)
    assert training.used[-1].length_limit == 0.15


def test_opening_a_run_shows_its_last_snapshot_and_all_rows(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.steer(replace(session.controls, length_limit=0.05))
    qtbot.waitUntil(lambda: training.used[-1].length_limit == 0.05)
    session.close()
    other = Session(training.train, training.open_run)
    other.open(tmp_path / "a")
    qtbot.waitUntil(lambda: other.snapshot is not None)
    run = training.runs[str(tmp_path / "a")]
    assert other.snapshot.step == run.recorded[-1].step
    assert same_series(other.history.series, series_of(run.rows))
    assert other.status.state in ("stopped", "finished") and other.controls.length_limit == 0.05
    other.close()


def test_a_run_written_elsewhere_is_followed(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    watcher = Session(training.train, training.open_run)
    watcher.open(tmp_path / "a")
    qtbot.waitUntil(lambda: watcher.snapshot is not None)
    first = watcher.snapshot.step
    qtbot.waitUntil(lambda: watcher.snapshot.step > first, timeout=60_000)
    watcher.close()


def test_a_folder_that_is_no_run_is_told_in_a_sentence(qtbot, session, tmp_path):
    with qtbot.waitSignal(session.failed) as told:
        session.open(tmp_path)
    assert "is no run" in told.args[0]


def test_a_run_folder_taken_away_is_told_once_and_the_view_stays(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    told = []
    session.failed.connect(told.append)
    run = training.runs[str(tmp_path / "a")]

    def gone(since=0):
        raise OSError("gone")

    shutil.rmtree(tmp_path / "a")
    run.steps = gone
    qtbot.waitUntil(lambda: bool(told), timeout=60_000)
    assert "is gone" in told[0] and session.snapshot is not None


def test_a_user_error_of_the_training_is_its_sentence(qtbot, small, tmp_path):
    def train(config, folder, live, resume=False):
        raise UserError("source.h5 has 17 joints; drop one.")

    session = Session(train, FakeTraining().open_run)
    with qtbot.waitSignal(session.failed) as told:
        session.start(small, tmp_path / "a")
    assert told.args == ["source.h5 has 17 joints; drop one."]
    session.close()


def test_jobs_report_progress_results_failures_and_cancel(qtbot, session):
    def slow(progress):
        while progress(0.5, "half"):
            threading.Event().wait(0.01)
        return "ended"

    results = []
    job = session.background("Counting", slow)
    job.done.connect(results.append)
    qtbot.waitUntil(lambda: job.share == 0.5 and job.text == "half")
    assert job.eta is not None and session.jobs == [job]
    job.cancel()
    qtbot.waitUntil(lambda: not session.jobs)
    assert not results
    done = session.background("Adding", lambda progress: 1 + 1)
    with qtbot.waitSignal(done.done) as got:
        pass
    assert got.args == [2]
    with qtbot.waitSignal(session.failed) as told:
        session.background("Dividing", lambda progress: 1 / 0)
    assert "Dividing failed" in told.args[0]


def test_closing_ends_a_paused_run_and_leaves_no_thread(qtbot, session, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.pause()
    qtbot.waitUntil(lambda: session.status.state == "paused")
    session.close()
    assert not session.running
    assert not [thread for thread in threading.enumerate() if thread.name == "training"]


def test_a_training_started_by_the_end_of_a_job_is_watched(qtbot, session, small, tmp_path):
    job = session.background("Converting", lambda progress: small)
    job.done.connect(lambda config: session.start(config, tmp_path / "a"))
    qtbot.waitUntil(lambda: len(session.history.steps) >= 2, timeout=60_000)
    assert session.running


@pytest.fixture
def watched(qtbot, session, training, small, tmp_path):
    """A session that shows a run which nobody trains at first."""
    started(qtbot, session, replace(small, epochs=5000), tmp_path / "a", snapshots=8)
    session.close()
    watcher = Session(training.train, training.open_run)
    watcher.open(tmp_path / "a")
    qtbot.waitUntil(lambda: watcher.snapshot is not None)
    yield watcher
    watcher.close()


def test_the_status_of_a_run_elsewhere_follows_its_folder(qtbot, watched, training, tmp_path):
    run = training.runs[str(tmp_path / "a")]
    assert watched.status.state == "stopped" and watched.resumable
    run.written = True
    qtbot.waitUntil(lambda: watched.status.state == "elsewhere")
    assert watched.followed and not watched.resumable
    step = watched.status.step + 500
    run.rows.append({"step": step, "kind": "scalars", "values": {"loss/augmentor": 1.0}})
    qtbot.waitUntil(lambda: watched.status.step == step)
    run.written, run.failed = False, "Traceback"
    qtbot.waitUntil(lambda: watched.status.state == "failed")
    assert watched.resumable
    run.saved = []
    assert not watched.resumable


def test_a_run_cut_by_a_resume_elsewhere_shows_the_nearest_step(qtbot, watched, training, tmp_path):
    told, run = [], training.runs[str(tmp_path / "a")]
    watched.failed.connect(told.append)
    last = watched.history.steps[-1]
    del run.recorded[3:]
    run.rows = [row for row in run.rows if row["step"] <= run.recorded[-1].step]
    watched.scrub(last)
    qtbot.waitUntil(lambda: watched.snapshot.step == run.recorded[-1].step)
    assert watched.shown == run.recorded[-1].step and watched.history.steps == [0, 10, 20]
    assert same_series(watched.history.series, series_of(run.rows)) and not told


def held(training, release: threading.Event):
    """A training whose end, as a large checkpoint does, takes its time."""

    def train(config, folder, live, resume=False):
        active.append(folder)
        most.append(len(active))
        training.train(config, folder, live, resume)
        release.wait(30)
        active.remove(folder)

    active, most = [], []
    return train, most


def test_another_run_begins_when_the_one_before_has_ended_and_the_window_answers(qtbot, training, small, tmp_path):
    release = threading.Event()
    train, most = held(training, release)
    session = Session(train, training.open_run)
    started(qtbot, session, small, tmp_path / "a")
    with qtbot.waitSignal(session.stopping):
        session.start(small, tmp_path / "b")
        session.start(small, tmp_path / "c")
    qtbot.waitUntil(lambda: session.status.state == "stopped")
    assert session.folder == tmp_path / "a" and session.running
    release.set()
    qtbot.waitUntil(lambda: session.folder == tmp_path / "c" and session.status.state == "running")
    assert most == [1, 1] and not (tmp_path / "b").exists()
    session.close()


def test_opening_the_run_that_trains_here_goes_on_training_it(qtbot, session, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.scrub(10)
    session.open(tmp_path / "a")
    qtbot.waitUntil(lambda: not session.jobs)
    assert session.running and session.following and not session.live.stopping


def test_going_on_without_the_data_leaves_the_recorded_run_on_screen(qtbot, session, training, small, tmp_path):
    started(qtbot, session, small, tmp_path / "a")
    session.stop()
    qtbot.waitUntil(lambda: session.resumable)
    steps, rows, last = list(session.history.steps), session.history.series.changes, session.snapshot.step

    def train(config, folder, live, resume=False):
        live.report(replace(live.status, state="preparing"))
        raise UserError("poses.h5 is not there; put it back.")

    session._train = train
    with qtbot.waitSignal(session.failed) as told:
        session.resume(tmp_path / "a")
    assert told.args == ["poses.h5 is not there; put it back."]
    qtbot.waitUntil(lambda: session.snapshot is not None)
    assert session.snapshot.step == max(steps) >= last - 10
    assert session.history.steps == steps and session.history.series.changes == rows
    assert session.status.state == "failed" and session.resumable


def test_a_drag_is_one_entry_to_undo_however_slow(session, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("poseaug_studio.session.time.monotonic", lambda: clock[0])

    def drag(*values):
        session.hold(True)
        for value in values:
            clock[0] += 5
            session.steer(replace(session.controls, beta_ba=value))
        session.hold(False)

    drag(3.0, 4.0, 5.0)
    clock[0] += 0.01
    session.hold(True)
    session.steer(replace(session.controls, beta_ba=6.0))
    session.hold(False)
    session.undo()
    assert session.controls == Controls(beta_ba=5.0)
    session.undo()
    assert session.controls == Controls() and not session.can_undo()
