"""Laws of the loop: watching, pausing, stopping and replaying change nothing; every knob changes something."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from poseaug_core.config import SETTINGS, make_config
from poseaug_core.controls import KNOBS, Controls
from poseaug_core.live import Live
from poseaug_core.runs import Run
from poseaug_core.schedule import Position, Schedule
from poseaug_core.snapshot import ARRAYS
from poseaug_core.trainer import Trainer
from poseaug_core.updates import under
from tests.core.small import SMALL, same, small_config, small_data


def train(folder, config, live=None, steer=None):
    """The state after a whole run; steer(live, step) is called when the trainer asks for its turn."""
    live = live or Live(config.controls)
    trainer = Trainer(config, small_data())
    run = Run.create(folder, config, {})
    if steer:
        turn = live.turn
        live.turn = lambda: (steer(live, trainer.position.step), turn())[1]
    trainer.run(live, run)
    run.close()
    return trainer.state()


@pytest.fixture
def headless(tmp_path):
    return train(tmp_path / "headless", small_config())


def test_headless_equals_watched(tmp_path, headless):
    """A watcher that takes every snapshot it can get, from another thread, leaves the numbers alone."""
    live, taken = Live(), []

    def watch():
        while live.status.state not in ("finished", "failed", "stopped"):
            if snapshot := live.take():
                taken.append(snapshot.step)

    watcher = threading.Thread(target=watch)
    watcher.start()
    watched = train(tmp_path / "watched", small_config(), live)
    watcher.join()
    assert len(taken) > 5
    assert same(watched[0], headless[0]) and watched[1] == headless[1]
    assert Run.open(tmp_path / "watched").metrics()[0] == Run.open(tmp_path / "headless").metrics()[0]


def test_recording_cadence_changes_nothing(tmp_path, headless):
    often = train(tmp_path / "often", small_config(snapshot_every=1, evaluate_iterations=3))
    assert all(torch.equal(often[0][k], v) for k, v in headless[0].items() if not k.startswith("meter."))


def test_paused_equals_uninterrupted(tmp_path, headless):
    live, done = Live(), []
    live.pause()
    worker = threading.Thread(target=lambda: done.append(train(tmp_path / "paused", small_config(), live)))
    worker.start()
    assert live.wait("paused", timeout=60) and live.take() is not None, "a paused run shows where it stands"
    live.allow(3)
    assert live.wait("running", timeout=60) and live.wait("paused", timeout=60)
    assert live.status.step == 3
    live.resume()
    worker.join(60)
    assert same(done[0][0], headless[0])


@pytest.mark.parametrize("stop_at", [0, 1, 3, 4, 8, 11, 15, 16])
def test_resumed_equals_uninterrupted(tmp_path, headless, stop_at):
    """Stopped before the first step and in every stage: pre-training, warm-up, augmenting, both estimator passes."""
    live = Live()
    folder = tmp_path / "stopped"
    train(folder, small_config(), live, lambda live, step: live.stop() if step == stop_at else None)
    assert live.status.state == "stopped"
    run, tensors, meta = Run.resume(folder)
    assert meta["step"] == stop_at
    trainer = Trainer(run.config, small_data())
    trainer.load_state(tensors, meta)
    trainer.run(Live(trainer.controls), run)
    run.close()
    state = trainer.state()
    assert same(state[0], headless[0]) and state[1] == headless[1]
    again, whole = Run.open(folder), Run.open(tmp_path / "headless")
    assert again.steps().tolist() == whole.steps().tolist()
    assert again.metrics()[0] == whole.metrics()[0]
    for k in range(whole.snapshot_count):
        assert all((getattr(again.read(k), a) == getattr(whole.read(k), a)).all() for a in ARRAYS)


def test_stop_ends_a_paused_run(tmp_path):
    live = Live()
    live.pause()
    worker = threading.Thread(target=train, args=(tmp_path / "run", small_config(), live))
    worker.start()
    assert live.wait("paused", timeout=60)
    live.stop()
    worker.join(60)
    assert live.status.state == "stopped" and live.status.step == 0


@pytest.mark.parametrize(
    "only, network", [("augmentor", "augmentor"), ("discriminators", "d3d"), ("estimator", "estimator")]
)
def test_a_step_of_one_learner_leaves_the_controls_alone(tmp_path, only, network):
    """Stopped right after such a step, everybody learns again when the run goes on, and the log says so."""
    config = small_config(pretrain_epochs=0, warmup_epochs=0, epochs=1)
    live, trainer = Live(), Trainer(config, small_data())
    run = Run.create(tmp_path / "run", config, {})
    live.allow(1, only)
    before = {n: [p.clone() for p in m.parameters()] for n, m in trainer.networks.named().items()}
    worker = threading.Thread(target=trainer.run, args=(live, run))
    worker.start()
    assert live.wait("paused", timeout=60)
    live.steer(replace(live.controls, weight_range=8.0))
    live.stop()
    worker.join(60)
    run.close()
    changed = {
        n
        for n, m in trainer.networks.named().items()
        if any(not torch.equal(a, b) for a, b in zip(before[n], m.parameters(), strict=True))
    }
    assert changed == {"augmentor": {"augmentor"}, "discriminators": {"d3d", "d2d"}, "estimator": set()}[only]
    run, tensors, meta = Run.resume(tmp_path / "run")
    again = Trainer(config, small_data())
    again.load_state(tensors, meta)
    again.run(Live(again.steered), run)
    run.close()
    log = {(row["step"], row["field"]): row["new"] for row in run.control_log()}
    others = [f"learn_{name}" for name in ("augmentor", "discriminators", "estimator") if name != only]
    assert log == {(0, name): False for name in others} | {(1, name): True for name in others} | {
        (1, "weight_range"): 8.0
    }


def test_discriminators_learn_every_so_many_iterations_of_the_run():
    """Also when an epoch is shorter than the interval."""

    def updates(interval):
        trainer = Trainer(small_config(pretrain_epochs=0, warmup_epochs=4, epochs=4), small_data())
        count, update = [], trainer.updates.discriminators
        trainer.updates.discriminators = lambda *given: (count.append(trainer.position.augmented), update(*given))
        while trainer.position.phase != "done":
            trainer.step(replace(Controls(), discriminator_interval=interval))
        return count

    assert updates(5) == [0, 5, 10] and updates(2) == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("augmentation", ["poseaug", "none"])
def test_the_estimator_begins_poseaug_with_a_new_adam(augmentation):
    trainer = Trainer(small_config(augmentation=augmentation), small_data())
    while trainer.position.phase == "pretrain":
        trainer.step(Controls())
    assert all(step == 0 for step in trainer.updates.optimisers["estimator"].steps)


def test_a_training_that_diverges_says_so_and_keeps_its_checkpoint(tmp_path):
    from poseaug_core.errors import UserError

    config = small_config(pretrain_lr=1.0, gradient_clip=1e6, pretrain_epochs=3)
    trainer, run = Trainer(config, small_data()), Run.create(tmp_path / "run", config, {})
    trainer.save(run, "latest")
    with torch.no_grad():
        trainer.estimator.w2.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="diverged"):
        trainer.run(Live(), run)
    run.close()
    assert all(v.isfinite().all() for v in run.load_checkpoint()[0].values() if v.is_floating_point())


def test_the_last_snapshot_has_the_last_epochs_schedule(tmp_path, headless):
    run = Run.open(tmp_path / "headless")
    last, before = run.read(run.snapshot_count - 1), run.read(run.snapshot_count - 2)
    assert (last.phase, last.epoch) == ("poseaug", 2) and last.controls["beta_ba"] == before.controls["beta_ba"] == 5.0


def test_control_log_records_what_was_turned(tmp_path, headless):
    def steer(live, step):
        if step == 5:
            live.steer(replace(live.controls, weight_range=9.0, beta_ba=4.0))

    steered = train(tmp_path / "steered", small_config(), None, steer)
    assert not same(steered[0], headless[0])
    assert Run.open(tmp_path / "steered").control_log() == [
        {"step": 5, "field": "beta_ba", "old": None, "new": 4.0},
        {"step": 5, "field": "weight_range", "old": 3.0, "new": 9.0},
    ]


OTHER = {name: (not knob.default) if knob.kind == "bool" else None for name, knob in KNOBS.items()}
OTHER |= {
    "beta_ba": 1.5, "tolerance_ba": 0.0, "beta_rt": 2.0, "tolerance_rt": 0.0, "range_mean": 0.9, "range_width": 0.0,
    "length_limit": 0.0, "weight_adversarial2d": 3.0, "weight_adversarial3d": 2.5, "weight_range": 7.0,
    "weight_limit": 9.0,
    "weight_feedback_ba": 1.0, "weight_feedback_rt": 1.0, "beta": 9.0, "loss_unit": 0.2, "weight_feedback": 5.0,
    "threshold_ba": 1.5, "threshold_bl": 0.0, "lr_augmentor": 1e-2, "lr_discriminator": 1e-2,
    "lr_estimator": 1e-2, "discriminator_interval": 1,
}  # fmt: skip


@pytest.mark.parametrize("preset", ["released", "paper"])
@pytest.mark.parametrize("knob", KNOBS)
def test_every_knob_changes_a_weight_where_it_is_in_use_and_nowhere_else(knob, preset):
    """One epoch with feedback, estimator included, from the same start: turning the knob must end elsewhere."""
    config = small_config(preset=preset, pretrain_epochs=1, warmup_epochs=0, epochs=1)

    def weights(controls):
        trainer = Trainer(config, small_data())
        while trainer.position.phase != "done":
            trainer.step(controls)
        return {k: v for name, n in trainer.networks.named().items() for k, v in n.state_dict(prefix=name).items()}

    turned = replace(config.controls, **{knob: OTHER[knob]})
    assert same(weights(config.controls), weights(turned)) != KNOBS[knob].in_use(config)


@pytest.mark.parametrize("without", ["3d", "2d", "both"])
def test_a_knob_of_the_discriminators_is_in_use_where_there_is_one(without):
    off = {"discriminator3d": "none"} if without != "2d" else {}
    config = make_config(**off, discriminator2d=without == "3d")
    for knob in ("learn_discriminators", "discriminator_interval", "lr_discriminator"):
        assert KNOBS[knob].in_use(config) == (without != "both")


@pytest.mark.parametrize(
    "knob, network",
    [("learn_augmentor", "augmentor"), ("learn_discriminators", "d3d"), ("learn_estimator", "estimator")],
)
def test_who_does_not_learn_keeps_its_weights(knob, network):
    config = small_config(pretrain_epochs=0, warmup_epochs=0, epochs=1)
    trainer = Trainer(config, small_data())
    before = [p.clone() for p in trainer.networks.named()[network].parameters()]
    while trainer.position.phase != "done":
        trainer.step(replace(Controls(), **{knob: False}))
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.networks.named()[network].parameters(), strict=True))


METHOD_SETTINGS = {
    "estimator": "vpose", "estimator_width": 24, "augmentation": "none", "discriminator3d": "whole_body",
    "discriminator2d": False, "gan_scale": "unscaled", "feedback_form": "exponential", "regulariser": "rectified",
    "beta_start": 9.0, "beta_end": 19.0, "extra_share": 0.9, "fix_trunk": False, "swap_bone_lengths": False,
    "keep_rule": "inside", "feedback_statistics": "kept", "estimator_batches": "mixed", "augmented_share": 0.8,
    "beta_ba_start": 1.0,
    "beta_ba_end": 20.0,
    "beta_rt": 2.0, "seed": 7, "precision": "bfloat16", "batch_size": 10, "pretrain_epochs": 2, "pretrain_lr": 1e-2,
    "epochs": 2,
    "warmup_epochs": 2, "warmup_iterations": 7, "lr_augmentor": 1e-2, "lr_discriminator": 1e-2, "lr_estimator": 1e-2,
    "gradient_clip": 1e-3, "pool_size": 3,
    "random_yaw": 10.0, "random_pitch": 40.0, "random_roll": 30.0, "random_near": 5.0, "random_far": 6.0,
    "random_reach": 0.5, "random_angle": 20.0, "random_length": 0.1, "evolution_size": 1.0, "evolution_pairs": 0.2,
    "evolution_turn_rate": 1.0, "evolution_turn": 30.0, "evolution_view_rate": 0.9, "evolution_view": 5.0,
    "evolution_length_rate": 0.0, "evolution_body_size": 0.3, "evolution_shift": 0.0, "evolution_slack": 60.0,
}  # fmt: skip


def test_the_settings_tested_are_all_there_are():
    """What is left out chooses data and place, or names a starting point."""
    method = {name for name, setting in SETTINGS.items() if setting.group not in ("Data", "Recording")}
    assert method - set(METHOD_SETTINGS) == {"preset", "estimator_weights", "device", "threads", "capture"}


@pytest.mark.parametrize("setting", METHOD_SETTINGS)
def test_every_setting_of_the_method_changes_a_weight(setting):
    def estimator(**overrides):
        # Narrow tolerances, so that feedback acts in a run this short.
        held = {"tolerance_ba": 0.0, "tolerance_rt": 0.0, "weight_feedback_ba": 1.0, "weight_feedback_rt": 1.0}
        held |= {name: values[0] for name, values in SETTINGS[setting].where}
        if setting == "warmup_iterations":  # which count for a third of the epochs at most
            held["epochs"] = 9
        data = small_data()
        data = replace(data, extra=data.cross["cross"].uv) if setting == "extra_share" else data
        trainer = Trainer(small_config(**{**held, **overrides}), data)
        while trainer.position.phase != "done":
            trainer.step(trainer.config.controls)
        networks = [n for name, n in trainer.networks.named().items() if name in ("estimator", "augmentor")]
        return {k: v for network in networks for k, v in network.state_dict().items()}

    assert setting in SETTINGS
    assert not same(estimator(), estimator(**{setting: METHOD_SETTINGS[setting]}))


@pytest.mark.parametrize("left_out", [{"discriminator3d": "none"}, {"discriminator2d": False}])
def test_a_discriminator_left_out_leaves_no_trace(tmp_path, left_out):
    """Neither weights nor scores nor losses of it; the others start from the same weights."""
    config = small_config(**left_out)
    name = "d3d" if "discriminator3d" in left_out else "d2d"
    whole, trainer = Trainer(small_config(), small_data()), Trainer(config, small_data())
    assert set(whole.networks.named()) - set(trainer.networks.named()) == {name}
    for other, network in trainer.networks.named().items():
        assert same(network.state_dict(), whole.networks.named()[other].state_dict())
    tensors, _ = train(tmp_path / "run", config)
    assert not any(key.startswith((f"{name}.", f"optimiser.{name}.")) for key in tensors)
    last = Run.open(tmp_path / "run").read(-1)
    assert not any(name in key or f"adversarial{name[1:]}" in key for key in last.scalars)
    assert last.scores3d.shape == (2, 12, 0 if name == "d3d" else 5)
    assert bool((last.scores2d != last.scores2d).all()) == (name == "d2d")


@pytest.mark.parametrize("augmentation", ["evolution", "random"])
@pytest.mark.parametrize("stop_at", [4, 12])
def test_a_baseline_trains_and_resumes(tmp_path, augmentation, stop_at):
    config = small_config(augmentation=augmentation, warmup_epochs=0)
    whole = train(tmp_path / "whole", config)
    live = Live()
    train(tmp_path / "parts", config, live, lambda live, step: live.stop() if step == stop_at else None)
    run, tensors, meta = Run.resume(tmp_path / "parts")
    trainer = Trainer(run.config, small_data())
    trainer.load_state(tensors, meta)
    trainer.run(Live(trainer.controls), run)
    run.close()
    assert same(trainer.state()[0], whole[0])
    assert not any(key.startswith(("augmentor.", "d3d.", "d2d.")) for key in whole[0])
    last = Run.open(tmp_path / "whole").read(-1)
    assert abs(last.xyz[3] - last.xyz[0]).max() > 0.05, "the augmented poses are others"


@pytest.mark.parametrize("only", ["apply_ba", "apply_bl", "apply_rt"])
@pytest.mark.parametrize("preset", ["released", "paper"])
def test_each_operation_trains_alone(tmp_path, preset, only):
    """Also without discriminators, where it may be that no loss asks anything of it."""
    off = {name: False for name in ("apply_ba", "apply_bl", "apply_rt") if name != only}
    for without in ({}, {"discriminator3d": "none", "discriminator2d": False, "feedback": False}):
        trainer = Trainer(small_config(preset=preset, **off, **without), small_data())
        while trainer.position.phase != "done":
            trainer.step(trainer.config.controls)
        assert all(p.isfinite().all() for n in trainer.networks.named().values() for p in n.parameters())


@pytest.mark.parametrize("augmentation", ["poseaug", "evolution", "random", "none"])
@pytest.mark.parametrize("knob", ["apply_ba", "apply_bl", "apply_rt"])
def test_an_operation_is_in_use_where_it_changes_what_the_estimator_learns(augmentation, knob):
    config = small_config(augmentation=augmentation, random_angle=10.0, random_length=0.1, pretrain_epochs=0, epochs=2)

    def estimator(controls):
        trainer = Trainer(config, small_data())
        while trainer.position.phase != "done":
            trainer.step(controls)
        return trainer.estimator.state_dict()

    turned = replace(config.controls, **{knob: False})
    assert same(estimator(config.controls), estimator(turned)) != KNOBS[knob].in_use(config)


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_discriminators_see_projected_2d_whatever_detector_the_source_comes_from(preset):
    from poseaug_core.geometry import project

    data = small_data()
    noisy = replace(data.source, uv=data.source.uv + 0.05)
    trainer = Trainer(small_config(preset=preset, pretrain_epochs=0), replace(data, source=noisy))
    trainer.epoch.begin_pass(trainer.generator, swap=True)
    _, xyz, uv, camera = trainer.epoch.swapped(0)
    real_xyz, real_uv = trainer.epoch.judged(0, 0.0)
    assert torch.equal(uv, project(xyz, camera))
    rows = trainer.epoch.order_real[:16]
    assert torch.equal(real_uv, project(real_xyz, noisy.camera[rows]))


def test_feedback_is_of_the_operations_that_are_on():
    for off, terms in (("apply_ba", {"rt"}), ("apply_rt", {"ba"})):
        trainer = Trainer(small_config(pretrain_epochs=0, warmup_epochs=0), small_data())
        trainer.step(replace(Controls(), **{off: False}))
        found = {name.removeprefix("loss/feedback_") for name in trainer.updates.meter.read() if "feedback_" in name}
        assert found == terms


def test_extra_2d_reaches_the_2d_discriminator_alone():
    def judged(extra):
        trainer = Trainer(small_config(pretrain_epochs=0), replace(small_data(), extra=extra))
        seen, update = [], trainer.updates.discriminators
        trainer.updates.discriminators = lambda *given: (seen.append(given[:2]), update(*given))
        trainer.step(Controls())
        return seen[0]

    extra = torch.full((5, 16, 2), 0.25)
    (xyz, uv), (other_xyz, other_uv) = judged(None), judged(extra)
    assert (other_uv[:8] == 0.25).all() and not (other_uv[8:] == 0.25).all()
    assert xyz.shape == other_xyz.shape and uv.shape == other_uv.shape


@pytest.mark.parametrize("device", ["cuda", "mps", "quantum"])
def test_a_device_that_is_not_there_is_refused(device):
    from poseaug_core.errors import UserError

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if there.get(device):
        pytest.skip(f"{device} is here")
    with pytest.raises(UserError, match=device):
        Trainer(small_config(device=device), small_data())


def walk(schedule, kept):
    position, seen = schedule.start(), []
    while position.phase != "done":
        seen.append((position.phase, position.epoch, schedule.stages(position.phase, position.epoch)[position.stage]))
        position = schedule.advance(position, kept)
    return seen, position


def test_schedule_of_the_released_preset():
    config = make_config(batch_size=16, pretrain_epochs=1, epochs=3)
    seen, end = walk(Schedule(config, 40), kept=20)
    per = [("pretrain", 0, "pretrain")] * 3 + [("poseaug", e, "warm-up") for e in (0, 1) for _ in range(3)]
    per += (
        [("poseaug", 2, "augment")] * 3
        + [("poseaug", 2, "estimate augmented")] * 2
        + [("poseaug", 2, "estimate real")] * 3
    )
    assert seen == per and end == Position("done", 0, 0, 0, len(per), augmented=9)


@pytest.mark.parametrize("kept", [0, 20, 48])
@pytest.mark.parametrize("overrides", [{}, {"estimator_batches": "mixed"}, {"augmentation": "none"}])
def test_what_is_left_is_what_comes(kept, overrides):
    schedule = Schedule(small_config(**overrides), 40)
    position, left = schedule.start(), []
    while position.phase != "done":
        left.append(schedule.left(position, kept))
        position = schedule.advance(position, kept)
    assert left == list(range(len(left), 0, -1)) and schedule.left(position, kept) == 0


def test_a_finished_run_says_so_whatever_it_kept(tmp_path):
    live = Live()
    train(tmp_path / "run", small_config(keep_rule="inside"), live)
    assert live.status.state == "finished" and live.status.step == live.status.steps
    assert Run.open(tmp_path / "run").finished
    train(tmp_path / "stopped", small_config(), None, lambda live, step: live.stop() if step == 9 else None)
    assert not Run.open(tmp_path / "stopped").finished


def test_the_end_of_pretraining_is_kept_to_compare_with(tmp_path):
    config = small_config()
    train(tmp_path / "run", config)
    tensors, meta = Run.open(tmp_path / "run").load_checkpoint("pretrained")
    trainer = Trainer(config, small_data())
    while trainer.position.phase == "pretrain":
        trainer.step(Controls())
    assert same(under(tensors, "estimator"), trainer.estimator.state_dict())
    assert meta["position"]["phase"] == "poseaug" and meta["step"] == trainer.position.step


def test_warm_up_lasts_until_both_limits_have_passed():
    schedule = Schedule(make_config(batch_size=16, warmup_epochs=1, warmup_iterations=10), 40)
    assert [schedule.warming_up(e) for e in range(6)] == [True, True, True, True, False, False]


def test_without_augmentation_the_estimator_takes_as_many_steps():
    count = lambda **kw: sum("estimate" in s for _, _, s in walk(Schedule(small_config(**kw), 40), 40)[0])  # noqa: E731
    assert count() == count(augmentation="none") == count(estimator_batches="mixed") + 2
    assert not any(
        s in ("warm-up", "augment") for _, _, s in walk(Schedule(small_config(augmentation="none"), 40), 40)[0]
    )


def test_when_no_augmented_pair_is_kept_the_run_goes_on(tmp_path):
    """Every pair outside the image: the augmented pass is empty and skipped."""
    seen, _ = walk(Schedule(small_config(), 40), kept=0)
    assert "estimate augmented" not in {s for _, _, s in seen}


def test_a_set_smaller_than_a_batch_trains(tmp_path):
    state = train(tmp_path / "run", small_config(batch_size=1024))
    assert state[1]["position"]["phase"] == "done"
    assert all(value.isfinite().all() for value in state[0].values() if value.is_floating_point())


def test_small_settings_exist():
    assert set(SMALL) <= set(SETTINGS)
