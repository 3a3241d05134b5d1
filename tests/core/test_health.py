"""What goes wrong in a training is noticed and said; a policy acts on it; what is healthy is left in peace."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from benchmarks import collapse
from poseaug_core import launch
from poseaug_core.checkpoints import step_of
from poseaug_core.commands.watching import _Errors
from poseaug_core.config import make_config
from poseaug_core.health import KINDS, Alarmed, made
from poseaug_core.layers import frozen, kept_statistics
from poseaug_core.live import Live
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from poseaug_core.trainer import Trainer
from tests.core.small import SMALL, same, small_config, small_data, small_poses

#: A way of each kind of alarm.
WAYS = {
    "augmentor's weights infinite": "not finite",
    "bodies 2 km away": "exploding",
    "all pairs dropped": "few pairs kept",
    "D2d's weights zeroed": "discriminator blind",
    "D2d that tells all right": "discriminator saturated",
    "augmented bodies all one": "identical poses",
    "cameras swapped": "2D and 3D apart",
    "augmentor that does not learn": "augmentor idle",
}


@pytest.fixture(scope="module")
def demo():
    return collapse.demo_data()


@pytest.mark.parametrize("way", WAYS)
def test_a_collapse_is_noticed_within_a_hundred_iterations(demo, way):
    config = make_config("small_data", **{**collapse.SMALL, "pretrain_epochs": 1, "epochs": 6, "threads": 1})
    trainer, _ = collapse.watched(config, demo, collapse.WAYS[way])
    alarms = [alarm for alarm in trainer.alarms if alarm.step >= trainer.began]
    assert WAYS[way] in [alarm.kind for alarm in alarms]
    first = next(alarm for alarm in alarms if alarm.kind == WAYS[way])
    assert first.step - trainer.began <= collapse.WITHIN
    assert f"at step {first.step:,}" in first.text and KINDS[first.kind].advice in first.text


@pytest.mark.parametrize("preset", ["released", "paper", "small_data"])
def test_a_healthy_run_has_no_serious_alarm(demo, preset):
    config = make_config(preset, **{**collapse.SMALL, "epochs": 2, "pretrain_epochs": 8, "threads": 1})
    trainer, steps = collapse.watched(config, demo, None)
    assert [alarm.text for alarm in trainer.alarms if alarm.serious] == [] and steps > 100


@pytest.fixture
def config(tmp_path):
    write_arrays(small_poses(80, 1), tmp_path / "source.npz")
    return make_config(**{**SMALL, "epochs": 6}, source=str(tmp_path / "source.npz"))


@pytest.fixture
def spoiled(monkeypatch):
    """Once, at step 20, every weight of the estimator becomes infinite."""
    done = []

    def spoil(self, controls, begin=Trainer._begin):
        stage = begin(self, controls)
        if self.position.step == 20 and not done:
            done.append(20)
            with torch.no_grad():
                for parameter in self.estimator.parameters():
                    parameter.fill_(torch.inf)
        return stage

    monkeypatch.setattr(Trainer, "_begin", spoil)
    return done


@pytest.mark.parametrize("policy", ["note", "stop", "pause"])
def test_what_is_not_finite_ends_a_run_and_leaves_good_checkpoints(tmp_path, config, spoiled, policy):
    live = Live(config.controls)
    with pytest.raises(Alarmed, match="not a finite number.*lower the learning rates"):
        launch.train(replace(config, on_alarm=policy), tmp_path / "run", live)
    run = Run.open(tmp_path / "run")
    assert live.status.state == "failed" and "not a finite number" in live.status.message
    for name in run.checkpoints():
        tensors, meta = run.load_checkpoint(name)
        assert meta["step"] <= 20
        assert all(t.isfinite().all() for key, t in tensors.items() if key.startswith(("estimator", "optimiser")))
    row = next(row for row in run.alarms()[0] if row["action"] != "noted")
    assert (row["kind"], row["action"], row["value"]) == ("not finite", "ended", None) and row["step"] > 20
    assert {"latest", "previous"} <= set(run.checkpoints())


def test_a_rollback_goes_on_with_halved_rates_and_can_be_replayed(tmp_path, config, spoiled):
    live = Live(config.controls)
    run = launch.train(replace(config, on_alarm="rollback"), tmp_path / "run", live)
    assert spoiled and live.status.state == "finished"
    assert any("went back to step" in a.text and "rates halved" in a.text for a in live.status.alarms)
    assert "rolled back" in [row["action"] for row in run.alarms()[0]]
    log = {entry["field"]: entry["new"] for entry in run.control_log()}
    assert set(log) == set(launch.RATES) and all(entry["step"] <= 20 for entry in run.control_log())
    assert log["lr_estimator"] < config.lr_estimator
    steps = run.steps().tolist()
    assert steps == sorted(set(steps))
    assert all(row["values"] and None not in row["values"].values() for row in run.metrics(kind="evaluation")[0])
    again = launch.train(None, tmp_path / "again", Live(), replay=tmp_path / "run")
    assert same(again.load_checkpoint()[0], run.load_checkpoint()[0])


def test_one_that_goes_wrong_again_and_again_ends(tmp_path, config, monkeypatch):
    def spoil(self, controls, begin=Trainer._begin):
        stage = begin(self, controls)
        if self.position.step >= 20:
            with torch.no_grad():
                next(self.estimator.parameters()).fill_(torch.nan)
        return stage

    monkeypatch.setattr(Trainer, "_begin", spoil)
    with pytest.raises(Alarmed):
        launch.train(replace(config, on_alarm="rollback"), tmp_path / "run", Live(config.controls))
    run = Run.open(tmp_path / "run")
    serious = [row for row in run.alarms()[0] if row["action"] != "noted"]
    assert 2 <= len(serious) <= launch.OFTEN + 1 and "latest" in run.checkpoints()


def test_any_checkpoint_can_be_resumed_from_with_other_controls(tmp_path, config):
    whole = launch.train(config, tmp_path / "run", Live(config.controls))
    there = whole.checkpoints()
    spread = sorted(name for name in there if name.startswith("step-"))
    assert {"latest", "previous", "best_source", "pretrained"} <= set(there)
    assert 2 <= len(spread) <= config.checkpoints_kept
    step = step_of(whole.saved, spread[0])
    turned = replace(config, controls=replace(config.controls, lr_estimator=1e-5))
    run = launch.train(turned, tmp_path / "run", Live(turned.controls), resume=True, checkpoint=spread[0])
    assert run.control_log() == [{"step": step, "field": "lr_estimator", "old": None, "new": 1e-5}]
    assert run.finished and step_of(run.saved, "latest") >= step
    steps = [row["step"] for row in run.metrics(kind="scalars")[0]]
    assert steps == sorted(set(steps))


def test_no_picture_is_recorded_of_what_is_not_finite(tmp_path, config, monkeypatch):
    """Also after its alarm was raised: the training goes on where the weights are good."""

    def spoil(self, scalars, observe=Trainer.observe):
        snapshot = observe(self, scalars)
        if 20 <= snapshot.step < 30:
            spoiled = snapshot.prediction.copy()
            spoiled[0] = float("nan")
            snapshot = replace(snapshot, prediction=spoiled)
        return snapshot

    monkeypatch.setattr(Trainer, "observe", spoil)
    live = Live(config.controls)
    run = launch.train(config, tmp_path / "run", live)
    assert live.status.state == "finished" and not {20, 22, 24, 26, 28} & set(run.steps().tolist())
    assert {18, 30} <= set(run.steps().tolist())
    assert [alarm.kind for alarm in live.status.alarms].count("not finite") == 1


def test_every_alarm_is_told_on_the_terminal_once(tmp_path, capsys):
    live, advice = Live(), made("discriminator blind", 60, 0.0, 0.01, "D2d tells nothing")
    errors = _Errors(tmp_path)
    for alarms in ((), (advice,), (advice,), (advice, replace(advice, kind="exploding", text="Far away."))):
        live.report(replace(live.status, state="running", alarms=alarms))
        errors.tell_notes(live)
    told = capsys.readouterr().err
    assert told.count("D2d tells nothing, at step 60") == 1 and told.count("Far away.") == 1


def test_an_update_that_is_not_finite_changes_nothing():
    trainer = Trainer(small_config(), small_data())
    before = {name: value.clone() for name, value in trainer.updates.learned().items()}
    uv = torch.full((16, 16, 2), torch.nan)
    trainer.dials.turn(replace(trainer.config.controls, lr_augmentor=1e-3, lr_discriminator=1e-3, lr_estimator=1e-3,
                               beta_ba=3.0, beta_rt=3.0, beta=3.0))  # fmt: skip
    with kept_statistics(trainer.estimator):
        trainer.updates.estimator(uv, torch.zeros(16, 16, 3), trainer.dials, "estimator_real")
    assert same(trainer.updates.learned(), before)


def test_what_a_user_froze_stays_frozen():
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3))
    network[0].weight.requires_grad_(False)
    network[2].track_running_stats = False
    with frozen(network), kept_statistics(network):
        assert not any(p.requires_grad for p in network.parameters()) and not network[1].track_running_stats
    assert [p.requires_grad for p in network.parameters()] == [False, True, True, True, True, True]
    assert network[1].track_running_stats and not network[2].track_running_stats


def test_alarms_are_lines_of_json_that_are_checked(tmp_path, config, spoiled):
    with pytest.raises(Alarmed):
        launch.train(config, tmp_path / "run", Live(config.controls))
    rows = [json.loads(line) for line in (tmp_path / "run" / "alarms.jsonl").read_text().splitlines()]
    assert rows and set(rows[0]) == {"kind", "step", "value", "limit", "text", "action"}
