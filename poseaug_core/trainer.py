"""Trainer: PoseAug's loop. ``step`` does one iteration, ``run`` reads top to bottom what a run is."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from poseaug_core.capture import LENGTHS, make_captured
from poseaug_core.config import Config, scheduled
from poseaug_core.controls import Controls, changes
from poseaug_core.device import choose_device, memory_held
from poseaug_core.dials import Dials
from poseaug_core.epoch import Epoch
from poseaug_core.errors import Cancelled
from poseaug_core.estimators.own import is_own
from poseaug_core.evaluation import Progress, evaluate
from poseaug_core.health import ACTIONS, KINDS, LOOK_EVERY, Alarm, Alarmed, Health, not_finite
from poseaug_core.live import Live, Status
from poseaug_core.networks import Networks
from poseaug_core.observe import Probe, observe
from poseaug_core.resident import Resident
from poseaug_core.schedule import Position, Schedule
from poseaug_core.settings import checked
from poseaug_core.snapshot import Snapshot
from poseaug_core.updates import Updates, under

if TYPE_CHECKING:
    from poseaug_core.datasets import TrainingData
    from poseaug_core.runs import Run

#: The evaluation that picks the best checkpoint: never a cross-dataset set.
BEST_BY = "source_test/poseaug16/mpjpe"
#: Stages whose iterations augment, each with its turn of the discriminators.
AUGMENTING = ("warm-up", "augment")


class Trainer:
    """Owns networks, optimisers, generator and data on one device; used by one thread."""

    def __init__(self, config: Config, data: TrainingData, weights: bool = True, progress: Progress | None = None):
        """weights: whether to read config.estimator_weights; not before load_state, which brings all weights.

        progress(share, text): told of what takes long, returns False to cancel (raises Cancelled).
        """
        self.config, self.device = config, choose_device(config.device)
        self.test_sets = {"source_test": data.source_test} | dict(data.cross)
        self.test_sets = {name: poses.to(self.device) for name, poses in self.test_sets.items()}
        self.generator = torch.Generator(self.device).manual_seed(config.seed)
        self.networks = Networks.make(config, data.source, self.device, progress)
        if config.estimator_weights and weights:
            _load_weights(self.networks.estimator, config)
        self.updates = Updates(config, self.networks, self.generator, self.device)
        self.captured = make_captured(self.device, self.generator, config.capture == "auto", self.updates.forget)
        self.schedule = Schedule(config, len(data.source))
        self.position = self.schedule.start()
        self.iteration = torch.zeros((), dtype=torch.long, device=self.device)  # position.iteration, for the device
        self.dials = Dials(self.device)
        templates = data.templates.to(self.device) if config.swap_bone_lengths else None
        extra = None if data.extra is None else data.extra.to(self.device)
        self.epoch = Epoch(Resident(data.source, self.device), templates, self.schedule.batch, extra)
        sizes = (config.probe_size, config.crowd_size, config.seed)
        self.probe = Probe.choose(data.source, self.networks, *sizes, self.device)
        self.health, self.alarms, self._mark = Health(config), (), ({}, {})
        self.controls = config.controls
        self.best = float("inf")
        self.stale = True  # whether the estimator has changed since it was last evaluated
        self.owed = True  # whether an evaluation is due before the next step
        self.steered = config.controls  # what the watcher last asked for; ``controls`` is what the last step used

    @property
    def estimator(self) -> torch.nn.Module:
        return self.networks.estimator

    # one iteration

    def step(self, controls: Controls) -> None:
        """The iteration at ``position``, then move on. controls may have None: schedules are resolved here."""
        stage = self._begin(controls)
        self._iterate(stage, self._judges(stage, 0))
        self._advance(stage)

    def steps(self, controls: Controls, more: Callable[[int], int]) -> None:
        """As ``step``, with as many iterations after it as can go in one replay and more(count) grants; never past
        a recording, an evaluation or the end of a stage."""
        stage = self._begin(controls)
        kinds = [self._kind(stage, ahead) for ahead in range(self._until_next(stage))]
        count = self.captured.together(kinds)
        count = count if count == 1 else 1 + more(count - 1)
        works = [partial(self._iterate, stage, self._judges(stage, ahead)) for ahead in range(count)]
        self.captured.run(kinds[:count], works)
        self._advance(stage, count)

    def _until_next(self, stage: str) -> int:
        """Iterations up to what has to be done between two of them, at most as many as one replay takes."""
        at, config = self.position, self.config
        every = [n for n in (config.snapshot_every, config.evaluate_iterations) if n]
        every += [LOOK_EVERY] if config.snapshot_every > LOOK_EVERY else []
        left = self.schedule.iterations(stage, self.epoch.kept_length) - at.iteration
        return min(LENGTHS[0], left, *(n - at.step % n for n in every))

    def _kind(self, stage: str, ahead: int) -> Hashable:
        """All that decides what an iteration does but for numbers on the device; None where that still changes."""
        judges = self._judges(stage, ahead)
        filling = judges and not self.updates.pools_full
        mixes = stage == "estimate mixed" and self.epoch.kept_length > 0
        return None if filling else (stage, judges, mixes, self.dials.switches)

    def _begin(self, controls: Controls) -> str:
        """Set what the iteration at ``position`` finds, on the host and on the device; its stage."""
        at = self.position
        stage = self.schedule.stages(at.phase, at.epoch)[at.stage]
        if at.iteration == 0:
            self.iteration.zero_()
            if stage != "estimate augmented":
                self.epoch.begin_pass(self.generator, swap=stage in AUGMENTING)
        self.dials.turn(scheduled(self.config, controls, at.phase, at.epoch))
        return stage

    def _judges(self, stage: str, ahead: int) -> bool:
        """Whether the discriminators learn in the iteration so many after ``position``'s, of the same stage."""
        now = self.dials.turned
        due = (self.position.augmented + ahead) % now.discriminator_interval == 0
        return stage in AUGMENTING and now.learn_discriminators and due

    def _iterate(self, stage: str, judges: bool) -> None:
        """An iteration on the device alone: no host copy, and no number but those that are there already."""
        at, epoch, updates, now = self.iteration, self.epoch, self.updates, self.dials
        if stage in AUGMENTING:
            made = updates.augmentor(*epoch.swapped(at), now, feedback=stage == "augment")
            if stage == "augment":
                usable = epoch.collect(at, made, self.config.keep_rule)
                updates.meter.add("kept", usable.float().mean())
            if judges:
                updates.discriminators(*epoch.judged(at, self.config.extra_share), made, now)
        elif now.learn_estimator:
            if stage == "estimate mixed":
                xyz, uv = epoch.mixed(at, self.config.augmented_share)
            elif stage == "estimate augmented":
                xyz, uv = epoch.augmented(at)
            else:
                xyz, uv, _ = epoch.real(at)
            updates.estimator(uv, xyz, now, stage.replace("estimate", "estimator").replace(" ", "_"))
        updates.meter.sum_up()
        at.add_(1)

    def _advance(self, stage: str, count: int = 1) -> None:
        """Move on by ``count`` iterations of the stage, and do what ends with it."""
        before, epoch = self.position, self.epoch
        if stage in AUGMENTING:
            learned = self.config.augmentation == "poseaug"
            self.stale |= learned and stage == "augment" and self.config.feedback_statistics == "updated"
        else:
            self.stale |= self.dials.learn_estimator
        if stage == "augment" and before.iteration + count == self.schedule.iterations(stage, epoch.kept_length):
            epoch.end_collection(self.generator)
        self.position = self.schedule.advance(before, epoch.kept_length, count)
        if self.position.phase != before.phase:
            self.updates.restart_estimator_optimiser()

    # the loop

    def run(self, live: Live, run: Run) -> None:
        """Train until the schedule ends or the watcher stops it; writes to the run folder, reports to live.

        Watched or not, the numbers are the same: snapshots read the networks and draw nothing.
        """
        clock = _Clock()
        if run.snapshot_count == 0:
            self._record(live, run)
        while not live.stopping:
            if self.owed:
                self._evaluate(live, run)
                clock.restart()
                continue
            if self.position.phase == "done":
                break
            if live.pausing():
                live.publish(self.observe({}))
            controls = live.turn()
            if controls is None:
                break
            self.steered = live.controls  # also in a checkpoint that a kill leaves
            if steered := changes(self.controls, controls):
                run.log_controls(self.position.step, steered)
                self.controls = controls
            before = self.position
            if self.captured.at_work:
                self.steps(controls, live.more)
            else:
                self.step(controls)
            clock.tick(self.position.step - before.step)
            live.report(self._status(live, "running", before, clock))
            self.owed = self._due("evaluate", before)
            if self.position.step % self.config.snapshot_every == 0 or self.position.phase == "done":
                self._record(live, run)
            elif self.config.snapshot_every > LOOK_EVERY and self.position.step % LOOK_EVERY == 0:
                self._look(live, run, self.observe({}))
            elif live.wanted:
                live.publish(self.observe({}))
            if before.phase == "pretrain" != self.position.phase:
                self.save(run, "pretrained")  # the estimator without PoseAug, to compare with
            if self._due("checkpoint", before):
                self.save(run, "latest")
        self.steered = live.controls
        self.save(run, "latest")
        over = self.position.phase == "done" and not self.owed
        live.report(self._status(live, "finished" if over else "stopped", self.position, clock))

    def observe(self, scalars: dict[str, float]) -> Snapshot:
        at = self.position
        if at.phase == "done":  # the last epoch's schedules still hold
            phase, epochs = (
                ("poseaug", self.config.epochs) if self.config.epochs else ("pretrain", self.schedule.pretrain_epochs)
            )
            at = replace(at, phase=phase, epoch=max(epochs - 1, 0))
        controls = scheduled(self.config, self.controls, at.phase, at.epoch)
        return observe(self.networks, self.probe, controls, at, scalars)

    def _record(self, live: Live, run: Run) -> None:
        means, _ = self.updates.meter.since(self._mark)
        scalars, self._mark = self.updates.meter.read(), ({}, {})
        snapshot = self.observe(scalars)
        alarms = self.health.look(snapshot, means)
        if "not finite" not in self.health.lasted:  # no picture can be made of it
            run.append(snapshot)
            live.publish(snapshot)
        run.log_metrics(self.position.step, scalars, kind="scalars")
        self._act(live, run, alarms)

    def _look(self, live: Live, run: Run, snapshot: Snapshot) -> None:
        """Whether anything goes wrong, where snapshots are recorded more seldom than that is to be known."""
        means, self._mark = self.updates.meter.since(self._mark)
        self._act(live, run, self.health.look(snapshot, means))

    def _act(self, live: Live, run: Run, alarms: list[Alarm]) -> None:
        """Say what was found, and do what the run's policy says of it. Raises Alarmed where this training ends."""
        for alarm in alarms:
            policy = self.config.on_alarm if alarm.serious else "note"
            if policy == "pause" and not live.attended:
                policy = "stop"  # nobody could let it go on
            if policy in ("note", "pause") and alarm.kind == "not finite" and self._not_finite():
                policy = "stop"  # there is nothing left to go on with
            alarm = replace(alarm, action=ACTIONS[policy])
            run.log_alarm(alarm)
            self.alarms += (alarm,)
            live.report(replace(live.status, alarms=self.alarms))
            if policy == "pause":
                live.pause()
            elif policy != "note":
                raise Alarmed(alarm)

    def _not_finite(self) -> str:
        """The first weight or optimiser's number that is not finite, by name, or ''."""
        tensors = {name: value for name, value in self.updates.learned().items() if value.is_floating_point()}
        good = torch.stack([value.isfinite().all() for value in tensors.values()]).tolist()
        return next((name for name, whole in zip(tensors, good, strict=True) if not whole), "")

    def _due(self, what: str, before: Position) -> bool:
        """Whether an epoch that counts, or a number of iterations, ended with the last step."""
        after = self.position
        ended = (after.phase, after.epoch) != (before.phase, before.epoch)
        epochs = getattr(self.config, f"{what}_epochs")
        iterations = self.config.evaluate_iterations if what == "evaluate" else 0
        by_epoch = ended and epochs and ((before.epoch + 1) % epochs == 0 or after.phase != before.phase)
        return bool(by_epoch or (iterations and after.step % iterations == 0))

    def _evaluate(self, live: Live, run: Run) -> None:
        """Errors on every test set, flip-averaged on the cross sets; an estimator that did not change is not
        evaluated again. Keeps the best checkpoint by the source's own test set. Stopped in between, it stays owed."""
        if self.stale:
            live.report(replace(live.status, state="running", stage="evaluate", message=self.captured.why))
            values = {}
            try:
                for name, poses in self.test_sets.items():
                    go_on = lambda *_: not live.stopping  # noqa: E731
                    found = evaluate(self.estimator, poses, flip=name != "source_test", progress=go_on)
                    values |= {f"{name}/{key}": value for key, value in found.items()}
            except Cancelled:
                return
            if lost := [name for name, value in values.items() if not math.isfinite(value)]:
                self._act(live, run, [replace(not_finite(self.position.step, lost[0]), value=values[lost[0]])])
            run.log_metrics(self.position.step, values, kind="evaluation")
            self.stale = self.owed = False
            if values[BEST_BY] < self.best:
                self.best = values[BEST_BY]
                self.save(run, "best_source")
        self.owed = False

    def _status(self, live: Live, state: str, at: Position, clock: _Clock) -> Status:
        phases = {"pretrain": self.schedule.pretrain_epochs, "poseaug": self.config.epochs}
        stage = self.schedule.stages(at.phase, at.epoch)[at.stage] if at.phase in phases else ""
        # As many pairs as the last epoch kept; before the first, all of them.
        left = self.schedule.left(self.position, self.epoch.kept_length or len(self.epoch.usable))
        return replace(
            live.status,
            state=state,
            message=self.captured.why,
            alarms=self.alarms,
            phase=at.phase,
            stage=stage,
            step=self.position.step,
            steps=self.position.step + left,
            epoch=at.epoch,
            epochs=phases.get(at.phase, 0),
            rate=clock.rate,
            eta=left / clock.rate if clock.rate else None,
            done=1.0,
            device=str(self.device),
            memory=memory_held(self.device),
            controls=self.controls,
        )

    # what resuming needs

    def save(self, run: Run, name: str) -> None:
        """A checkpoint of this moment. Raises Alarmed, and leaves those of before, where a weight is not finite."""
        if lost := self._not_finite():
            alarm = replace(not_finite(self.position.step, lost), action=ACTIONS["stop"])
            if self.config.on_alarm == "rollback":
                alarm = replace(alarm, action=ACTIONS["rollback"])
            run.log_alarm(alarm)
            self.alarms += (alarm,)
            raise Alarmed(alarm)
        tensors, meta = self.state()
        run.save_checkpoint(name, tensors, meta)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that a later ``load_state`` needs to go on as if never stopped."""
        tensors, counts = self.updates.state()
        at = self.position
        begun = at.phase == "poseaug" and (at.stage, at.iteration) != (0, 0)
        collected = begun and "augment" in self.schedule.stages(at.phase, at.epoch)
        tensors |= {f"epoch.{name}": value for name, value in self.epoch.state(collected).items()}
        meta = {
            "step": self.position.step,
            "position": dataclasses.asdict(self.position),
            "controls": dataclasses.asdict(self.controls),
            "steered": dataclasses.asdict(self.steered),
            "counts": counts,
            "best": self.best,
            "stale": self.stale,
            "owed": self.owed,
            "alarms": [kind for kind in self.health.suspicious if KINDS[kind].serious],
            "health": self.health.state(),
            "estimator": {"name": self.config.estimator, "width": self.config.estimator_width},
        }
        return {name: value.detach().contiguous() for name, value in tensors.items()}, meta

    def load_state(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Take up a state saved by a trainer of the same config and data."""
        self.updates.load_state(tensors, meta["counts"])
        self.epoch.load_state(under(tensors, "epoch"))
        self.position = Position(**meta["position"])
        self.iteration.fill_(self.position.iteration)
        self.controls, self.steered = (checked(Controls, meta[name]) for name in ("controls", "steered"))
        self.best, self.stale, self.owed = meta["best"], meta["stale"], meta["owed"]
        self.health.load_state(meta.get("health", {}))
        self._mark = ({}, {})


def _load_weights(estimator: torch.nn.Module, config: Config) -> None:
    from poseaug_core.weights import fill, read_weights

    path, name, width = config.estimator_weights, config.estimator, config.estimator_width
    weights, kind = read_weights(path, name if is_own(name) else "")
    fill(estimator, weights, kind, path, f"{name} {width} wide" if width else name)


class _Clock:
    """Iterations a second, as a running mean over about the last two seconds; evaluations do not count."""

    def __init__(self):
        self.rate = 0.0
        self.restart()

    def restart(self) -> None:
        self.last = time.monotonic()

    def tick(self, iterations: int) -> None:
        now = time.monotonic()
        took, self.last = max(now - self.last, 1e-6), now
        keep = 0.5 ** (took / 2.0) if self.rate else 0.0
        self.rate = keep * self.rate + (1 - keep) * iterations / took
