"""Recorded iterations are the iterations: by a tape that plays recorded calls as a CUDA graph does, and on a GPU."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from poseaug_core import products
from poseaug_core.capture import LENGTHS, REHEARSALS, Captured
from poseaug_core.config import scheduled
from poseaug_core.controls import Controls
from poseaug_core.dials import NUMBERS, Dials
from poseaug_core.epoch import Epoch
from poseaug_core.geometry import project
from poseaug_core.launch import Following
from poseaug_core.live import Live
from poseaug_core.resident import Resident
from poseaug_core.runs import Run
from poseaug_core.snapshot import ARRAYS
from poseaug_core.trainer import Trainer
from tests.core.small import same, small_config, small_data, small_poses
from tests.core.tape import Tape

#: Ten iterations a stage and small pools, so that most are replayed.
MANY = {"batch_size": 4, "pool_size": 8, "snapshot_every": 7, "epochs": 4}
LOG = [
    {"step": 12, "field": "lr_augmentor", "old": None, "new": 1e-2},
    {"step": 24, "field": "apply_rt", "old": True, "new": False},
    {"step": 35, "field": "apply_rt", "old": False, "new": True},
    {"step": 38, "field": "discriminator_interval", "old": 2, "new": 3},
    {"step": 45, "field": "lr_estimator", "old": None, "new": 1e-2},
    # By now recorded: a number that a recording had kept would show.
    {"step": 66, "field": "weight_range", "old": 3.0, "new": 8.0},
    {"step": 69, "field": "tolerance_ba", "old": 2.0, "new": 0.1},
    {"step": 72, "field": "learn_augmentor", "old": True, "new": False},
]


def with_extra(config):
    data = small_data()
    return replace(data, extra=data.cross["cross"].uv) if config.extra_share != 0.5 else data


def made(config, captured: bool) -> Trainer:
    trainer = Trainer(config, with_extra(config))
    if captured:
        trainer.captured = Captured(Tape(trainer.generator), trainer.updates.forget)
    return trainer


def trained(folder, config, captured: bool, log=(), live=None, stop_at=None) -> Trainer:
    """A whole run, or one stopped at a step; resumed where there is one in the folder already."""
    trainer, live = made(config, captured), live or Live(config.controls)
    if folder.exists():
        run, tensors, meta = Run.resume(folder)
        trainer.load_state(tensors, meta)
        live.steer(trainer.steered)
    else:
        run = Run.create(folder, config, {})
    if stop_at is not None:
        live.allow(stop_at)
        worker = threading.Thread(target=lambda: live.wait("paused", timeout=60) and live.stop())
        worker.start()
    trainer.run(Following(live, list(log), trainer.position.step), run)
    if stop_at is not None:
        worker.join()
    run.close()
    return trainer


def assert_same_run(folder, trainer, other_folder, other):
    assert same(trainer.state()[0], other.state()[0]) and trainer.state()[1] == other.state()[1]
    run, whole = Run.open(folder), Run.open(other_folder)
    assert run.steps().tolist() == whole.steps().tolist()
    assert run.metrics()[0] == whole.metrics()[0] and run.control_log() == whole.control_log()
    for k in range(whole.snapshot_count):
        pairs = ((getattr(run.read(k), name), getattr(whole.read(k), name)) for name in ARRAYS)
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("log", [[], LOG], ids=["left alone", "turned"])
def test_a_run_by_replay_is_the_run(tmp_path, log):
    config = small_config(**MANY)
    eager = trained(tmp_path / "eager", config, False, log)
    replayed = trained(tmp_path / "replayed", config, True, log)
    tape = replayed.captured.recorder
    assert replayed.captured.why == "" and tape.replays > tape.recordings > 4
    assert LENGTHS[1] in {len(kinds) for kinds in replayed.captured.recorded}
    assert_same_run(tmp_path / "replayed", replayed, tmp_path / "eager", eager)


#: Steps in a pass that is recorded by then, and between.
@pytest.mark.parametrize("stop_at", [9, 23, 50])
def test_a_run_by_replay_resumes(tmp_path, stop_at):
    config = small_config(**MANY)
    eager = trained(tmp_path / "eager", config, False, LOG)
    stopped = trained(tmp_path / "parts", config, True, LOG, stop_at=stop_at)
    assert stopped.position.step == stop_at
    resumed = trained(tmp_path / "parts", config, True, LOG)
    assert resumed.captured.recorder.replays > 0
    assert_same_run(tmp_path / "parts", resumed, tmp_path / "eager", eager)


def test_a_replay_ends_where_somebody_looks(tmp_path):
    """Paused, stepped singly and in groups, a watcher finds the step it asked for."""
    config = small_config(**MANY)
    eager = trained(tmp_path / "eager", config, False)
    live, done = Live(), []
    live.pause()
    worker = threading.Thread(target=lambda: done.append(trained(tmp_path / "watched", config, True, (), live)))
    worker.start()
    step = 0
    for more in (14, 1, 1, 3, 20, 1, 11):
        assert live.wait("paused", timeout=60)
        live.allow(more)
        step += more
        deadline = time.monotonic() + 60
        while (live.status.state, live.status.step) != ("paused", step) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert live.status.step == step and live.take().step == step
    live.resume()
    worker.join(60)
    assert_same_run(tmp_path / "watched", done[0], tmp_path / "eager", eager)


def test_more_than_a_turn_is_granted_only_where_nothing_comes_between():
    live = Live()
    live.allow(5)
    assert live.turn() == Controls() and live.more(3) == 3 and live.more(3) == 1 and live.more(3) == 0
    live.resume()
    log = [{"step": 6, "field": "weight_range", "old": 3.0, "new": 8.0}]
    following = Following(live, log, 0)
    assert following.turn().weight_range == 3.0 and following.more(7) == 5 and following.more(7) == 0
    assert following.turn().weight_range == 8.0 and following.more(7) == 7
    live.stop()
    assert live.more(7) == 0


SETTINGS = {
    "paper": {"preset": "paper"},
    "paper, no feedback": {"preset": "paper", "feedback": False},
    "statistics kept": {"feedback_statistics": "kept"},
    "no discriminators": {"discriminator3d": "none", "discriminator2d": False},
    "one discriminator": {"discriminator2d": False, "discriminator3d": "whole_body"},
    "extra 2D": {"extra_share": 0.25},
    "mixed": {"estimator_batches": "mixed", "keep_rule": "inside"},
    "a pool smaller than a batch": {"pool_size": 3},
    "random": {"augmentation": "random", "random_angle": 10.0, "random_length": 0.1},
    "evolution": {"augmentation": "evolution", "warmup_epochs": 0},
    "none": {"augmentation": "none"},
    "no swap": {"swap_bone_lengths": False, "fix_trunk": False},
    "bfloat16": {"precision": "bfloat16"},
    "vpose": {"estimator": "vpose"},
    "semgcn": {"estimator": "semgcn"},
    "st_gcn": {"estimator": "st_gcn", "estimator_width": 4},
    "BA alone": {"apply_bl": False, "apply_rt": False},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_recorded_whole(tmp_path, name):
    """Nothing in any step waits for the host or takes a number from it, or the rehearsal had found it."""
    config = small_config(**{**MANY, "epochs": 3, "evaluate_epochs": 0, **SETTINGS[name]})
    eager, replayed = (trained(tmp_path / str(captured), config, captured) for captured in (False, True))
    assert replayed.captured.why == "" and replayed.captured.recorder.replays > 3
    assert_same_run(tmp_path / "True", replayed, tmp_path / "False", eager)


OWN = """
import torch
from poseaug_core.layers import dropout

class Own(torch.nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layer = torch.nn.Linear(32, 48)

    def forward(self, uv, generator=None):
        x = dropout(self.layer(uv.flatten(1)), 0.1, generator)
        return (x * (1.0 if {test} else 2.0)).view(-1, 16, 3)
"""


@pytest.mark.parametrize("test, waits", [("uv.sum() > 1e9", True), ("uv.shape[0] > 10**9", False)])
def test_an_own_estimator_that_waits_for_the_device_runs_as_it_is(tmp_path, test, waits):
    from poseaug_core.estimators.own import name_own

    (tmp_path / "own.py").write_text(OWN.format(test=test))
    config = small_config(**MANY, estimator=name_own(f"{tmp_path / 'own.py'}:Own"))
    eager = trained(tmp_path / "eager", config, False)
    live = Live(config.controls)
    replayed = trained(tmp_path / "replayed", config, True, (), live)
    assert (replayed.captured.recorder.replays == 0) == waits
    assert ("cannot be recorded" in live.status.message) == waits and not waits == (live.status.message == "")
    assert_same_run(tmp_path / "replayed", replayed, tmp_path / "eager", eager)


class Failing(Tape):
    """Breaks off in the middle of its third recording, as a GPU does that has no room for it."""

    def record(self, work):
        if self.recordings < 2:
            return super().record(work)

        def half():
            work()
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 MiB.\nGPU 0 has ...")

        return super().record(half)


def test_a_recording_that_fails_leaves_nothing_behind(tmp_path):
    config = small_config(**MANY)
    eager = trained(tmp_path / "eager", config, False)
    trainer, live = made(config, False), Live(config.controls)
    trainer.captured = Captured(Failing(trainer.generator), trainer.updates.forget)
    run = Run.create(tmp_path / "failing", config, {})
    trainer.run(live, run)
    run.close()
    assert live.status.message == (
        "Iterations run one by one, as they cannot be recorded as CUDA graphs (CUDA out of memory. Tried to allocate "
        "20 MiB)."
    )
    assert_same_run(tmp_path / "failing", trainer, tmp_path / "eager", eager)


def test_a_kind_is_rehearsed_before_it_is_recorded():
    done, tape = [], Tape(torch.Generator())
    captured = Captured(tape)
    work = lambda: done.append(1)  # noqa: E731
    for _ in range(REHEARSALS):
        assert captured.together(["a"] * 8) == 1
        captured.run(["a"], [work])
    assert captured.together(["a"] * 8) == 8 and captured.together(["a", "a", "b"]) == 2
    assert captured.together([None, "a"]) == 1 and tape.recordings == 0 and len(done) == REHEARSALS
    captured.run(["a"] * 7, [work] * 7)
    assert {len(kinds) for kinds in captured.recorded} == {4, 2, 1} and tape.replays == 3
    captured.run([None], [work])
    assert tape.replays == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU, of which torch finds none here")
@pytest.mark.parametrize("name", ["released", "bfloat16", "mixed", "random", "evolution", "st_gcn"])
def test_on_a_gpu_a_run_by_replay_is_the_run(tmp_path, name):
    config = small_config(**{**MANY, "device": "cuda", **SETTINGS.get(name, {})})
    eager = trained(tmp_path / "eager", replace(config, capture="off"), False, LOG)
    replayed = trained(tmp_path / "replayed", config, False, LOG)
    assert replayed.captured.why == "" and replayed.captured.recorded
    assert same(replayed.state()[0], eager.state()[0])


def bytes_on_device(*things) -> int:
    """Of all tensors that these hold, each memory counted once."""
    held = {}
    for thing in things:
        for tensor in vars(thing).values():
            if isinstance(tensor, torch.Tensor):
                held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return sum(held.values())


def test_all_that_an_epoch_needs_of_human36m_fits_in_700_mb():
    """1.56 million poses with their cameras, their orders and the augmented pairs; poses whose 2D is a detector's,
    which has to be held, have 838 MB."""
    count = 20_000
    poses = small_poses(count)
    poses = replace(poses, camera=poses.camera + 0.01 * torch.arange(32.0).repeat(count // 32)[:, None])
    held = {}
    for detector in (False, True):
        uv = project(poses.xyz, poses.camera)
        resident = Resident(replace(poses, uv=uv + 1e-3 * detector), "cpu", lean=True)
        assert (resident.uv is None) != detector and len(resident.cameras) == 32
        held[detector] = bytes_on_device(resident, Epoch(resident, poses.bone_templates(), 1000)) / count
    assert held[False] * 1.56e6 < 700e6
    assert held[True] * 1.56e6 < 840e6


@pytest.mark.parametrize("lean", [False, True])
def test_what_a_device_holds_are_the_poses_bit_by_bit(lean):
    poses = small_poses(100)
    for cameras in (poses.camera, torch.randn(100, 9), poses.camera * torch.tensor([[1.0], [-1.0]]).repeat(50, 1)):
        given = replace(poses, camera=cameras, uv=project(poses.xyz, cameras))
        resident = Resident(given, "cpu", lean)
        rows = torch.randperm(100)[:37]
        found, expected = resident.batch(rows), (given.xyz[rows], given.uv[rows], given.camera[rows])
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True)) and (resident.uv is None) == lean


@pytest.mark.parametrize("lean", [False, True])
def test_collected_pairs_come_back_as_they_were_made(lean):
    data = small_data()
    trainer = Trainer(small_config(pretrain_epochs=0, warmup_epochs=0), data)
    trainer.epoch = Epoch(Resident(data.source, "cpu", lean), data.templates, 16)
    collected, collect = {}, trainer.epoch.collect

    def note(iteration, made, keep_rule):
        usable = collect(iteration, made, keep_rule)
        for k in range(len(made.rt)):
            collected[int(iteration) * 16 + k] = made.rt[k].clone(), made.uv_rt[k].clone()
        return usable

    trainer.epoch.collect = note
    while trainer.position.stage == 0:
        trainer.step(Controls())
    kept = trainer.epoch.kept.tolist()
    xyz, uv = trainer.epoch.augmented(0)
    assert (trainer.epoch.collected_uv is None) == lean
    for k, place in enumerate((kept * 16)[:16]):
        assert torch.equal(xyz[k], collected[place][0]) and torch.equal(uv[k], collected[place][1])


def test_a_run_goes_on_on_a_device_that_holds_more_or_less():
    """A checkpoint from the middle of an epoch, where pairs are collected: of a CPU for a GPU, and back."""
    data, config = small_data(), small_config(pretrain_epochs=0, warmup_epochs=0, epochs=1)
    weights = []
    for begins, goes_on in ((False, False), (True, True), (False, True), (True, False)):
        trainers = [Trainer(config, data), Trainer(config, data)]
        for trainer, lean in zip(trainers, (begins, goes_on), strict=True):
            trainer.epoch = Epoch(Resident(data.source, "cpu", lean), data.templates, trainer.schedule.batch)
        one, other = trainers
        while one.position.step < 4:
            one.step(Controls())
        other.load_state(*one.state())
        while other.position.phase != "done":
            other.step(Controls())
        weights.append({name: value.clone() for name, value in other.estimator.state_dict().items()})
    assert all(same(found, weights[0]) for found in weights)


def test_a_turned_number_is_written_in_place_and_nothing_else():
    dials = Dials(torch.device("cpu"))
    dials.turn(scheduled(small_config(), Controls(), "poseaug", 0))
    places = {name: getattr(dials, name).data_ptr() for name in NUMBERS}
    versions = {name: getattr(dials, name)._version for name in NUMBERS}
    dials.turn(replace(dials.turned, weight_range=8.0, apply_rt=False))
    assert {name for name in NUMBERS if getattr(dials, name)._version != versions[name]} == {"weight_range"}
    assert places == {name: getattr(dials, name).data_ptr() for name in NUMBERS}
    assert dials.weight_range == 8.0 and dials.apply_rt is False


def test_tf32_is_for_the_estimator_alone_and_for_its_thread(monkeypatch):
    """In the estimator's forward pass products are to be rounded; before, after and elsewhere they are not."""
    seen: dict[str, set[bool]] = {"estimator": set(), "augmentor": set()}
    trainer = Trainer(small_config(precision="tf32", pretrain_epochs=0, warmup_epochs=0), small_data())
    for name, found in seen.items():
        note = lambda *_, found=found: found.add(getattr(products._here, "rounds", False))  # noqa: E731
        getattr(trainer.networks, name).register_forward_pre_hook(note)
    trainer.step(trainer.config.controls)
    assert seen == {"estimator": {True}, "augmentor": {False}}
    assert not products._here.rounds


def test_the_tape_is_as_strict_as_a_graph():
    """It does nothing while it records, keeps Python's numbers as they were, reads tensors anew and draws anew."""
    generator = torch.Generator().manual_seed(0)
    there, drawn, turned, number = torch.zeros(()), torch.zeros(3), torch.ones(()), [1.0]

    def work():
        there.add_(turned * 1.0).add_(number[0])
        drawn.copy_(torch.rand(3, generator=generator))

    play = Tape(generator).record(work)
    assert there == 0 and not drawn.any()
    expected = torch.rand(2, 3, generator=torch.Generator().manual_seed(0))
    play()
    assert there == 2 and torch.equal(drawn, expected[0])
    turned.fill_(5.0)
    number[0] = 100.0
    play()
    assert there == 2 + 5 + 1 and torch.equal(drawn, expected[1])
    assert "lift_fresh" in Tape(generator).rehearse(lambda: there.add_(torch.tensor([1, 2])[0]))
    assert "_local_scalar_dense" in Tape(generator).rehearse(lambda: float(there))
    assert "index" in Tape(generator).rehearse(lambda: drawn[drawn > 0])
