"""Trainings made to collapse in many ways, and healthy ones: what is noticed, after how many iterations.

python -m benchmarks.collapse --healthy 20 --json FILE
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace

import torch
from rich.console import Console

from poseaug_core.config import PRESETS, Config, make_config
from poseaug_core.datasets import TrainingData
from poseaug_core.health import Alarmed
from poseaug_core.live import Live
from poseaug_core.motion.demo import demo_sets
from poseaug_core.trainer import Trainer

#: Iterations after the last warm-up before something is spoiled, and within which that must be noticed.
AFTER, WITHIN = 8, 100
SMALL = {"estimator_width": 128, "batch_size": 256, "pretrain_epochs": 20, "epochs": 6, "device": "cpu"}
Spoil = Callable[[Trainer], None]


class Spoiled(Trainer):
    """A trainer that is spoiled before each iteration from a moment on; ``began`` is the step of that moment."""

    def __init__(self, config: Config, data: TrainingData, spoil: Spoil | None):
        super().__init__(config, data)
        self.spoil, self.began, self._augmented = spoil, None, 0

    def _begin(self, controls):
        at = self.position
        stage = self.schedule.stages(at.phase, at.epoch)[at.stage]
        self._augmented += stage == "augment"
        if self.spoil and self._augmented > AFTER and self.began is None:
            self.began = at.step
        stage = super()._begin(controls)
        if self.began is not None:
            self.spoil(self)
        return stage


class Nowhere:
    """A run folder that keeps nothing."""

    snapshot_count = 0

    def __getattr__(self, name: str):
        return lambda *args, **kwargs: None


def rates(times: float, *names: str) -> Spoil:
    names = names or ("augmentor", "discriminator", "estimator")

    def spoil(trainer: Trainer) -> None:
        for name in names:
            getattr(trainer.dials, f"lr_{name}").fill_(times * getattr(trainer.dials.turned, f"lr_{name}"))

    return spoil


def weights(name: str, value: float) -> Spoil:
    @torch.no_grad()
    def spoil(trainer: Trainer) -> None:
        for parameter in getattr(trainer.networks, name).parameters():
            parameter.fill_(value)

    return spoil


def poses(change: Callable[[Trainer], None]) -> Spoil:
    """Changes the source once."""

    @torch.no_grad()
    def spoil(trainer: Trainer) -> None:
        if not hasattr(trainer, "spoiled"):
            trainer.spoiled = True
            change(trainer)

    return spoil


def _nan_pose(trainer: Trainer) -> None:
    trainer.epoch.poses.xyz[::50, 3] = math.nan


def _one_pose(trainer: Trainer) -> None:
    held = trainer.epoch.poses
    held.xyz.copy_(held.xyz[:1].expand_as(held.xyz).clone())
    probe = trainer.probe.poses
    probe.xyz.copy_(probe.xyz[:1].expand_as(probe.xyz).clone())


def _millimetres(trainer: Trainer) -> None:
    trainer.epoch.poses.xyz.mul_(1000)


def _cameras(trainer: Trainer) -> None:
    for held in (trainer.epoch.poses.cameras, trainer.probe.poses.camera):
        held[:, :2], held[:, 2:4] = -held[:, :2].clone(), 10 * held[:, 2:4].clone()


def _dropped(trainer: Trainer) -> None:
    collect = trainer.epoch.collect

    def drop(*args):
        usable = collect(*args)
        trainer.epoch.usable.zero_()
        return torch.zeros_like(usable)

    trainer.epoch.collect = drop


def _wrong_pairs(trainer: Trainer) -> None:
    estimator = trainer.updates.estimator
    trainer.updates.estimator = lambda uv, xyz, *rest: estimator(uv, xyz.flip(0), *rest)


def _shouted(field: str, value: float) -> Spoil:
    return lambda trainer: getattr(trainer.dials, field).fill_(value)


def _statistics(trainer: Trainer) -> None:
    for module in trainer.networks.estimator.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_var.fill_(math.nan)


def _output(field: str, change: Callable) -> Callable[[Trainer], None]:
    """What augments gives another answer in one field, in training and in snapshots."""

    def spoil(trainer: Trainer) -> None:
        forward = trainer.networks.augmentor.forward

        def changed(*args):
            made = forward(*args)
            return replace(made, **{field: change(getattr(made, field))})

        trainer.networks.augmentor.forward = changed

    return spoil


def _same_for_all(x: torch.Tensor) -> torch.Tensor:
    return x[:1].expand_as(x) + 0 * x


def _frozen_views(trainer: Trainer) -> None:
    """Every body turned to the same view, as a rotation head that always answers the same."""
    forward = trainer.networks.augmentor.forward

    def changed(*args):
        made = forward(*args)
        one = made.rt[:1] - made.rt[:1, :1]
        return replace(made, rt=one.expand_as(made.rt) + made.rt[:, :1])

    trainer.networks.augmentor.forward = changed


def _knowing(trainer: Trainer) -> None:
    """A D2d that tells every pose right: of a batch of its own learning the first half is real."""
    network, batch = trainer.networks.d2d, trainer.schedule.batch
    forward = network.forward

    def changed(uv):
        scores = forward(uv)
        right = torch.zeros_like(scores)
        right[: len(uv) - batch] = 1
        return right + 0 * scores

    network.forward = changed


WAYS: dict[str, Spoil] = {
    "all rates x100": rates(100),
    "all rates x1000": rates(1000),
    "estimator's rate x1000": rates(1000, "estimator"),
    "augmentor's rate x100": rates(100, "augmentor"),
    "augmentor's rate x1000": rates(1000, "augmentor"),
    "discriminators' rate x1000": rates(1000, "discriminator"),
    "estimator's weights zeroed": weights("estimator", 0.0),
    "augmentor's weights zeroed": weights("augmentor", 0.0),
    "D3d's weights zeroed": weights("d3d", 0.0),
    "D2d's weights zeroed": weights("d2d", 0.0),
    "augmentor's weights infinite": weights("augmentor", math.inf),
    "estimator's statistics NaN": poses(_statistics),
    "NaN in a batch": poses(_nan_pose),
    "one pose": poses(_one_pose),
    "poses in millimetres": poses(_millimetres),
    "cameras swapped": poses(_cameras),
    "all pairs dropped": poses(_dropped),
    "pairs mixed up": poses(_wrong_pairs),
    "augmented bodies all one": poses(_frozen_views),
    "bodies 2 km away": poses(_output("rt", lambda rt: rt + 2000)),
    "D2d that tells all right": poses(_knowing),
    "augmentor that does not learn": _shouted("lr_augmentor", 0.0),
}


def watched(config: Config, data: TrainingData, spoil: Spoil | None) -> tuple[Spoiled, int]:
    """(the trainer after its end, steps taken): of its own accord, or WITHIN iterations after it was spoiled."""
    # What is spoiled in place is this training's own.
    own = lambda poses: replace(poses, xyz=poses.xyz.clone(), camera=poses.camera.clone())  # noqa: E731
    data = replace(data, source=own(data.source), source_test=own(data.source_test))
    trainer, live = Spoiled(config, data, spoil), Live(config.controls)
    turn = live.turn

    def bounded():
        if trainer.began is not None and trainer.position.step > trainer.began + WITHIN:
            return None
        return turn()

    live.turn = bounded
    try:
        trainer.run(live, Nowhere())
    except Alarmed:
        pass
    return trainer, trainer.position.step


def induced(names: list[str], presets: list[str], say: Callable[[str], None]) -> dict[str, list]:
    """[kind of the first alarm, iterations after which it came] of each way, or ['', -1]."""
    data, found = demo_data(), {}
    for preset in presets:
        for name in names:
            trainer, _ = watched(make_config(preset, **SMALL), data, WAYS[name])
            alarms = [a for a in trainer.alarms if trainer.began is not None and a.step >= trainer.began]
            first = alarms[0] if alarms else None
            found[f"{preset}: {name}"] = [first.kind, first.step - trainer.began] if first else ["", -1]
            say(f"{preset}: {name}: {found[f'{preset}: {name}']}")
    return found


def healthy(count: int, say: Callable[[str], None]) -> dict[str, list[str]]:
    """The alarms of runs of every preset in turn, seed by seed."""
    data, found = demo_data(), {}
    for k in range(count):
        preset = list(PRESETS)[k % len(PRESETS)]
        trainer, steps = watched(make_config(preset, **{**SMALL, "seed": k}), data, None)
        found[f"{preset}, seed {k}, {steps} iterations"] = [f"{a.kind} at {a.step}" for a in trainer.alarms]
        say(f"{preset}, seed {k}, {steps} iterations: {found[f'{preset}, seed {k}, {steps} iterations']}")
    return found


def demo_data() -> TrainingData:
    sets = demo_sets()
    source = sets["source"]
    return TrainingData(source, sets["source_test"], {}, source.bone_templates())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collapse", description=__doc__)
    parser.add_argument("--healthy", type=int, default=20, help="healthy runs, of every preset in turn")
    parser.add_argument("--presets", default="small_data", help="presets of the runs that are spoiled, with commas")
    parser.add_argument("--ways", default="", help="only those whose name holds this")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    names = [name for name in WAYS if options.ways in name]
    say = Console(highlight=False, markup=False, soft_wrap=True).print
    found = {"induced": induced(names, options.presets.split(","), say), "healthy": healthy(options.healthy, say)}
    if options.json:
        with open(options.json, "w") as file:
            json.dump(found, file, indent=2)
    missed = [name for name, (kind, _) in found["induced"].items() if not kind]
    false = [name for name, alarms in found["healthy"].items() if alarms]
    say(f"{len(found['induced']) - len(missed)} of {len(found['induced'])} noticed; not: {', '.join(missed) or 'none'}")
    say(f"{len(false)} of {options.healthy} healthy runs with an alarm: {', '.join(false) or 'none'}")
    return bool(missed or false)


if __name__ == "__main__":
    sys.exit(main())
