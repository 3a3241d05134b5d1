"""Sweeps: what names a run, what is shared, resumed and only read, and the same numbers whoever trains."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from poseaug_core.config import SETTINGS, Config, make_config, with_absolute_paths
from poseaug_core.controls import KNOBS
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from poseaug_core.settings import Setting
from poseaug_core.sweep import engines, plan_of, run_plan, state_of, work
from poseaug_core.sweep.identity import FILES, content, identity
from poseaug_core.sweep.plan import PRETRAINING, pretraining
from poseaug_core.sweep.state import read_log, write_log
from poseaug_core.tables import Experiment, Setup, data_sets, experiment
from poseaug_core.tables.result import result_of
from poseaug_core.tables.texts import csv_text
from poseaug_core.trainer import Trainer
from tests.core.acclaim_people import write_person
from tests.core.small import SMALL, same, small_config, small_data, small_poses

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path / "data")


def make_data(folder: Path) -> Path:
    folder.mkdir()
    for number, (name, count) in enumerate({"source": 40, "source_test": 20, "cross": 20}.items()):
        write_arrays(small_poses(count, number + 1), folder / f"{name}.npz")
    return folder


def config_on(data: Path, **overrides) -> Config:
    files = {"source": str(data / "source.npz"), "source_test": str(data / "source_test.npz")}
    return make_config(**{**SMALL, **files, "cross": (str(data / "cross.npz"),), **overrides})


def final(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return Run.open(folder / name).load_checkpoint()[0]


# what names a run


def test_names_do_not_depend_on_places(data, tmp_path):
    before = plan_of({"a": config_on(data)})
    shutil.copytree(data, tmp_path / "elsewhere")
    assert plan_of({"a": config_on(tmp_path / "elsewhere")}).jobs.keys() == before.jobs.keys()


def test_names_change_with_settings_controls_and_content(data):
    names = {
        plan_of({"a": config}).runs["a"]
        for config in (
            config_on(data), config_on(data, seed=1), config_on(data, weight_range=2.0), config_on(data, epochs=4),
            config_on(data, cross=()), config_on(data, source=f"{data / 'source.npz'}?subjects=0"),
        )
    }  # fmt: skip
    assert len(names) == 6
    write_arrays(small_poses(40, 9), data / "source.npz")
    assert plan_of({"a": config_on(data)}).runs["a"] not in names


def test_a_label_and_a_default_written_out_change_no_name(data):
    plain = identity(config_on(data))
    assert identity(replace(config_on(data), preset="small_data")) == plain
    assert identity(config_on(data, lr_augmentor=Config().lr_augmentor)) == plain


def test_a_folder_is_known_by_the_files_in_it(data):
    before = content(str(data))
    (data / "more.txt").write_text("more")
    assert content(str(data)) != before
    with pytest.raises(UserError, match="nowhere.npz does not exist"):
        content("nowhere.npz")


def test_detections_beside_human36m_count(tmp_path):
    (tmp_path / "data_3d_h36m.npz").write_bytes(b"3D")
    (tmp_path / "data_2d_h36m_hr.npz").write_bytes(b"2D")
    spec = f"{tmp_path / 'data_3d_h36m.npz'}?keypoints=hr"
    before = content(spec)
    (tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz").write_bytes(b"others")
    assert content(spec) == before
    (tmp_path / "data_2d_h36m_hr.npz").write_bytes(b"2D anew")
    assert content(spec) != before


def test_an_option_that_says_what_is_meant_anyway_changes_no_name(data):
    spec = str(data / "source.npz")
    assert content(f"{spec}?keypoints=gt&stride=1") == content(spec) != content(f"{spec}?stride=2")


def test_a_skeleton_beside_motion_counts(tmp_path):
    write_person(tmp_path / "a", "07", trials=2, frames=40)
    folder = tmp_path / "a" / "07"
    specs = [str(folder / "07_01.amc"), str(folder / "07.asf"), str(folder)]
    before = [content(spec) for spec in specs]
    shutil.copytree(folder, tmp_path / "b" / "07")
    assert [content(spec.replace(f"{tmp_path}/a", f"{tmp_path}/b")) for spec in specs] == before
    (folder / "trials.toml").write_text('["07_01"]\nfps = 60\n')
    slower = [content(spec) for spec in specs]
    (folder / "07.asf").write_text(longer := (folder / "07.asf").read_text().replace("length 0.45", "length 0.5"))
    assert "length 0.5" in longer
    longer = [content(spec) for spec in specs]
    assert all(len({*found}) == 3 for found in zip(before, slower, longer, strict=True))


def test_motion_of_other_people_is_other_data(tmp_path):
    """A folder's number is its subject's, of which bone lengths are the mean."""
    write_person(tmp_path, "07", trials=1, frames=40)
    shutil.copytree(tmp_path / "07", tmp_path / "08")
    assert content(str(tmp_path / "07")) != content(str(tmp_path / "08"))


@pytest.mark.parametrize("file", ["joints.mat", "people.json"])
def test_sizes_of_images_beside_keypoints_count(tmp_path, file):
    if file.endswith(".mat"):
        savemat(tmp_path / file, {"joints": np.full((3, 14, 4), 50.0)})
    else:
        (tmp_path / file).write_text("[]")
    spec = str(tmp_path / file)
    found = [content(spec)]
    for width in (400, 500):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", (width, 300)).save(tmp_path / "images" / "im0001.jpg")
        found.append(content(spec))
    assert len({*found}) == 3
    (tmp_path / "images").rename(tmp_path / "pictures")
    assert content(spec) == found[0] and content(f"{spec}?images=pictures") == found[2]


# what is shared


def test_pretraining_is_shared_by_all_that_agree_in_what_it_reads(data):
    plan = plan_of({
        "poseaug": config_on(data), "none": config_on(data, augmentation="none"), "again": config_on(data),
        "one": config_on(data, discriminator3d="whole_body"), "seed": config_on(data, seed=1),
    })  # fmt: skip
    assert plan.runs["poseaug"] == plan.runs["again"]
    before = {label: plan.job(label).after for label in plan.runs}
    assert before["poseaug"] == before["none"] == before["one"] != before["seed"]
    assert len(plan.jobs) == 4 + 2
    order = list(plan.jobs)
    assert all(order.index(job.after) < order.index(job.name) for job in plan.jobs.values() if job.after)


def other(setting: Setting):
    """A value that is not the default."""
    if setting.kind == "bool":
        return not setting.default
    if setting.choices:
        return next(choice for choice in setting.choices if choice != setting.default)
    if setting.default is None:
        return setting.low
    step = 1 if setting.kind == "int" else 0.01 * (setting.default or setting.high)
    return setting.default + step if setting.high is None or setting.default + step <= setting.high else setting.low


#: Whether the estimator learns at all is asked by a control, which a pre-training does not take over.
LATER = [name for name in {**SETTINGS, **KNOBS} if name not in (*PRETRAINING, *FILES, "learn_estimator")]


@pytest.mark.parametrize("name", LATER)
def test_what_is_left_out_of_a_pretraining_does_not_act_on_it(name):
    plain = small_config(augmentation="none", epochs=0)
    setting = KNOBS[name] if name not in SETTINGS else SETTINGS[name]
    changed = small_config(**{**{"augmentation": "none", "epochs": 0}, name: other(setting)})
    weights = []
    for config in (plain, changed):
        trainer = Trainer(config, small_data())
        for _ in range(3):
            trainer.step(config.controls)
        weights.append(trainer.estimator.state_dict())
    assert same(*weights)


def test_a_pretraining_of_no_epochs_is_refused(data):
    with pytest.raises(UserError, match="pretrain_epochs is 0"):
        pretraining(config_on(data, pretrain_epochs=0))


# training


def test_a_plan_trains_and_is_then_only_read(data, tmp_path, monkeypatch):
    plan = plan_of({"poseaug": config_on(data), "none": config_on(data, augmentation="none")})
    assert {state_of(job, tmp_path / "runs").state for job in plan.jobs.values()} == {"missing"}
    told = []
    runs = run_plan(plan, tmp_path / "runs", progress=lambda share, text: told.append(share) or True)
    assert told == sorted(told) and told[-1] == 1.0
    weights = runs["poseaug"].config.estimator_weights
    assert weights == str(tmp_path / "runs" / plan.job("none").after / "checkpoints" / "latest.safetensors")
    states = {name: state_of(job, tmp_path / "runs") for name, job in plan.jobs.items()}
    assert all(
        state.state == "done" and state.seconds > 0 and state.programs and state.devices == ("cpu",)
        for state in states.values()
    )
    rows = [row for row in runs["poseaug"].metrics()[0] if row["kind"] == "evaluation"]
    assert states[plan.runs["poseaug"]].values == rows[-1]["values"]
    monkeypatch.setattr(work, "train", lambda *_, **__: pytest.fail("a finished run was trained"))
    assert run_plan(plan, tmp_path / "runs")["none"].finished


def test_an_evaluation_before_the_end_is_not_taken_for_the_end(data, tmp_path):
    """Evaluated at the start alone, now and then, each other epoch, and never changed after the start."""
    wanted = {
        "start": {"evaluate_epochs": 0}, "between": {"evaluate_epochs": 0, "evaluate_iterations": 4},
        "end": {"evaluate_epochs": 2}, "same": {"epochs": 1, "warmup_epochs": 1},
    }  # fmt: skip
    plan = plan_of({label: config_on(data, **values) for label, values in wanted.items()})
    runs = run_plan(plan, tmp_path)
    for label, run in runs.items():
        rows = [row for row in run.metrics()[0] if row["kind"] == "evaluation"]
        values = state_of(plan.job(label), tmp_path).values
        assert rows and values == (rows[-1]["values"] if label in ("end", "same") else {}), label


def test_stopped_and_resumed_is_as_if_never_stopped(data, tmp_path):
    plan = plan_of({"a": config_on(data)})
    run_plan(plan, tmp_path / "whole")
    name = plan.runs["a"]
    seen = []

    def until_training(share: float, text: str) -> bool:
        seen.append(text)
        return not (name in text and "poseaug" in text.split(": ")[1])

    engines_soon, engines.SOON = engines.SOON, 0.0
    try:
        with pytest.raises(Cancelled):
            run_plan(plan, tmp_path / "cut", progress=until_training)
    finally:
        engines.SOON = engines_soon
    assert state_of(plan.jobs[name], tmp_path / "cut").state == "stopped"
    run_plan(plan, tmp_path / "cut")
    assert same(final(tmp_path / "cut", name), final(tmp_path / "whole", name))


def test_a_run_begun_elsewhere_goes_on_here(data, tmp_path):
    plan = plan_of({"a": config_on(data)})
    name = plan.runs["a"]
    run_plan(plan, tmp_path / "whole")
    with pytest.raises(Cancelled):
        run_plan(plan, tmp_path / "there", progress=lambda share, text: name not in text)
    shutil.rmtree(tmp_path / "there" / name, ignore_errors=True)
    stop_at_first_step(plan.jobs[name], tmp_path / "there")
    shutil.move(tmp_path / "there", tmp_path / "here")
    shutil.move(data, tmp_path / "moved")
    moved = plan_of({"a": config_on(tmp_path / "moved")})
    assert moved.runs == plan.runs
    run_plan(moved, tmp_path / "here")
    assert same(final(tmp_path / "here", name), final(tmp_path / "whole", name))


def stop_at_first_step(job, folder: Path) -> None:
    with pytest.raises(Cancelled):
        work.finish(job, folder, lambda status: status.state != "running", "test")


def test_a_run_killed_before_its_first_checkpoint_is_begun_anew(data, tmp_path):
    plan = plan_of({"a": config_on(data, pretrain_epochs=0)})
    name = plan.runs["a"]
    config = with_absolute_paths(plan.jobs[name].config)
    Run.create(tmp_path / name, config, {"sets": {"source": {"poses": 40}}}).close()
    assert state_of(plan.jobs[name], tmp_path).state == "stopped"
    assert run_plan(plan, tmp_path)["a"].finished


def test_a_run_in_other_hands_is_waited_for(data, tmp_path, monkeypatch):
    plan = plan_of({"a": config_on(data, pretrain_epochs=0)})
    stop_at_first_step(plan.job("a"), tmp_path)
    held = Run.resume(tmp_path / plan.runs["a"])[0]
    told = []
    monkeypatch.setattr(engines.time, "sleep", lambda _: held.close())
    run_plan(plan, tmp_path, progress=lambda share, text: told.append(text) or True)
    assert any("waiting for another process" in text for text in told)
    assert state_of(plan.job("a"), tmp_path).state == "done"


TOGETHER = """
import sys
from poseaug_core.sweep import engines, plan_of, run_plan
from tests.core.test_sweep import Path, config_on

engines.PATIENCE = 0.1
plan = plan_of({"a": config_on(Path(sys.argv[1]))})
print("ready", flush=True)
sys.stdin.readline()
run_plan(plan, sys.argv[2])
"""


def test_processes_started_together_share_a_plan(data, tmp_path):
    """None is told that there is a run in its folder already, and none throws away what another has begun."""
    command = [sys.executable, "-c", TOGETHER, str(data), str(tmp_path / "runs")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]
    try:
        for process in both:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
        told = [process.communicate()[1] for process in both]
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0], told
    plan = plan_of({"a": config_on(data)})
    assert {state_of(job, tmp_path / "runs").state for job in plan.jobs.values()} == {"done"}
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(plan.jobs)


def test_a_run_that_another_is_about_to_begin_is_left_to_it(data, tmp_path):
    job = plan_of({"a": config_on(data, pretrain_epochs=0)}).job("a")
    with open(tmp_path / f".{job.name}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(work.Busy):
            work.finish(job, tmp_path, lambda status: True, "test")
    assert not (tmp_path / job.name).exists()


def test_a_default_that_changed_is_found(data, tmp_path):
    plan = plan_of({"a": config_on(data, pretrain_epochs=0)})
    stop_at_first_step(plan.job("a"), tmp_path)
    file = tmp_path / plan.runs["a"] / "config.toml"
    file.write_text(file.read_text().replace("gradient_clip = 1.0", "gradient_clip = 2.0"))
    with pytest.raises(UserError, match="trained with gradient_clip 2.0, this program's is 1.0"):
        run_plan(plan, tmp_path)


def test_a_run_that_failed_says_why_and_goes_on_from_its_checkpoint(data, tmp_path, monkeypatch):
    plan = plan_of({"a": config_on(data, pretrain_epochs=0)})
    job = plan.job("a")
    run_plan(plan, tmp_path / "whole")
    monkeypatch.setattr(Trainer, "_act", diverging_from(8))
    with pytest.raises(UserError, match="diverged at step 8"):
        run_plan(plan, tmp_path / "runs")
    state = state_of(job, tmp_path / "runs")
    assert (state.state, state.reason) == ("failed", "It diverged at step 8.") and state.devices == ("cpu",)
    monkeypatch.undo()
    begun = []
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self, c: begun.append(self.position.step) or step(self, c))
    run_plan(plan, tmp_path / "runs")
    assert 0 < begun[0] < 8 and state_of(job, tmp_path / "runs").state == "done"
    assert same(final(tmp_path / "runs", job.name), final(tmp_path / "whole", job.name))


def diverging_from(step: int):
    def act(self, live, run, alarms):
        if self.position.step >= step:
            raise UserError(f"It diverged at step {step}.")

    return act


def test_a_run_resumed_after_a_failure_has_not_failed(data, tmp_path, monkeypatch):
    job = plan_of({"a": config_on(data, pretrain_epochs=0)}).job("a")
    stop_at_first_step(job, tmp_path)
    write_log(tmp_path / job.name, replace(read_log(tmp_path / job.name), failed="the disk was full."))
    assert state_of(job, tmp_path).state == "failed"
    monkeypatch.setattr(work, "train", lambda *_, **__: (_ for _ in ()).throw(SystemExit))  # as if killed at once
    with pytest.raises(SystemExit):
        work.finish(job, tmp_path, lambda status: True, "test")
    assert state_of(job, tmp_path).state == "stopped"


@pytest.mark.parametrize("text", [
    "[1, 2]", "3", "null", '{"seconds": "long", "programs": {"a": 1}, "failed": 3}', '{"seconds": NaN}', '{"sec',
    "\xff", '{"programs": [["a"]], "devices": [null]}',
])  # fmt: skip
def test_a_damaged_account_of_a_run_is_as_none(data, tmp_path, text):
    job = plan_of({"a": config_on(data, pretrain_epochs=0)}).job("a")
    stop_at_first_step(job, tmp_path)
    (tmp_path / job.name / "sweep.json").write_text(text, encoding="latin-1")
    state = state_of(job, tmp_path)
    assert (state.state, state.seconds, state.programs, state.devices, state.reason) == ("stopped", 0.0, (), (), "")
    work.finish(job, tmp_path, lambda status: True, "test")
    after = state_of(job, tmp_path)
    assert after.state == "done" and after.seconds > 0 and (after.programs, after.devices) == (("test",), ("cpu",))


def test_a_failure_leaves_the_others_alone_and_is_told(data, tmp_path, monkeypatch):
    plan = plan_of({"a": config_on(data), "b": config_on(data, seed=1)})
    begun, finish = [], engines.finish

    def failing(job, *rest):
        begun.append(job.name)
        if job.name == plan.job("a").after:
            raise UserError("the disk is full.")
        finish(job, *rest)

    monkeypatch.setattr(engines, "finish", failing)
    with pytest.raises(UserError, match=f"2 of 4 runs failed; {plan.job('a').after}: the disk is full"):
        run_plan(plan, tmp_path)
    assert plan.runs["a"] not in begun and state_of(plan.job("b"), tmp_path).state == "done"


def test_what_an_engine_cannot_use_is_refused(data, tmp_path, monkeypatch):
    plan = plan_of({"a": config_on(data)})
    with pytest.raises(UserError, match="no engine 'spark'; choose one of process, ray"):
        run_plan(plan, tmp_path, "spark")
    with pytest.raises(UserError, match="are for the engine 'ray'"):
        run_plan(plan, tmp_path, workers=2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"not installed; run: pip install 'poseaug-studio\[ray\]'"):
        run_plan(plan, tmp_path, "ray")


# both engines


LONGER = {**SMALL, "epochs": 8}


def table_of(data: Path) -> Experiment:
    setup = Setup(data_sets(str(data)), estimator="simple_baseline", settings=LONGER)
    return experiment(6, setup, rows=["poseaug"])


def ray_command(data: Path, runs: Path, out: Path) -> list[str]:
    settings = [f"--set={name}={value}" for name, value in LONGER.items()]
    what = ["table", "6", "--rows", "poseaug", "--estimator", "simple_baseline", "--data", str(data), *settings]
    where = ["--runs", str(runs), "--out", str(out), "--engine", "ray", "--workers", "2"]
    return [sys.executable, "-m", "poseaug_core.cli", *what, *where]


def workers_on(name: str) -> list[int]:
    """Processes in which Ray runs the task of this name now."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_bytes().startswith(f"ray::{name}".encode()):
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile
            pass
    return found


def test_both_engines_give_the_same_bits_with_a_worker_killed(data, tmp_path):
    asked = table_of(data)
    name = next(run for run in asked.plan.jobs if "-poseaug-" in run)
    ray = subprocess.Popen(
        ray_command(data, tmp_path / "ray", tmp_path / "out"),
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        killed = kill_in_training(ray, tmp_path / "ray" / name)
        _, errors = ray.communicate()
    finally:
        ray.kill()
    assert ray.returncode == 0, errors
    assert killed and Run.open(tmp_path / "ray" / name).finished
    run_plan(asked.plan, tmp_path / "process")
    for run in asked.plan.jobs:
        assert same(final(tmp_path / "ray", run), final(tmp_path / "process", run)), run
    written = csv_text(result_of(asked, tmp_path / "process", "this version"))
    assert (tmp_path / "out.csv").read_text() == written


def kill_in_training(ray: subprocess.Popen, path: Path) -> bool:
    """Kill the worker that trains the run, once it has done an epoch; whether it was in flight when it died."""
    while ray.poll() is None:
        if (path / "metrics.jsonl").is_file() and '"evaluation"' in (path / "metrics.jsonl").read_text():
            for worker in workers_on(path.name):
                os.kill(worker, signal.SIGKILL)
                return not Run.open(path).finished
        time.sleep(0.02)
    return False
