"""Plan: named configurations as jobs, each with a folder of its own, pre-training shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from poseaug_core.config import Config
from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own
from poseaug_core.sweep.identity import identity

#: What a run reads until the end of its pre-training. Whatever else differs, the pre-training is the same one.
PRETRAINING = (
    "preset", "source", "source_test", "cross", "rig", "data_seed", "estimator", "estimator_width", "seed", "device",
    "threads", "precision", "batch_size", "pretrain_epochs", "pretrain_lr", "gradient_clip", "snapshot_every",
    "probe_size", "crowd_size", "evaluate_epochs", "evaluate_iterations", "checkpoint_epochs",
    "history_limit", "checkpoints_kept", "on_alarm",
)  # fmt: skip
#: What a folder's name tells beside estimator, augmentation and seed: (field, value that goes unsaid, prefix).
TOLD = (
    ("apply_ba", True, "ba"), ("apply_bl", True, "bl"), ("apply_rt", True, "rt"), ("feedback", True, "feedback"),
    ("discriminator2d", True, "d2d"), ("discriminator3d", "parts", "d3d"),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One run of a plan. name: of its folder. after: the job whose estimator it starts from, '' for none."""

    name: str
    config: Config
    after: str = ""

    def placed(self, folder: Path) -> Config:
        """The config with the estimator to start from, in the folder of all runs."""
        if not self.after:
            return self.config
        weights = folder.absolute() / self.after / "checkpoints" / "latest.safetensors"
        return replace(self.config, estimator_weights=str(weights))


@dataclass(frozen=True)
class Plan:
    """jobs: by folder name, every one after that which it waits for. runs: label -> folder name."""

    jobs: dict[str, Job]
    runs: dict[str, str]

    def job(self, label: str) -> Job:
        return self.jobs[self.runs[label]]

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.jobs | other.jobs, self.runs | other.runs)


def plan_of(configs: Mapping[str, Config]) -> Plan:
    """Jobs for labelled configs. One that pre-trains and goes on becomes two: the pre-training, shared by all that
    agree in what it reads, and the rest. Equal configs share a job. Raises UserError for data that are not there.
    """
    jobs: dict[str, Job] = {}
    runs = {}
    for label, config in configs.items():
        after, digits = "", ""
        if config.epochs and config.pretrain_epochs and not config.estimator_weights:
            begin = pretraining(config)
            digits = identity(begin)
            after = f"{slug(begin)}-{digits[:10]}"
            jobs.setdefault(after, Job(after, begin))
        name = f"{slug(config)}-{identity(config, digits)[:10]}"
        jobs.setdefault(name, Job(name, config, after))
        runs[label] = name
    return Plan(jobs, runs)


def pretraining(config: Config) -> Config:
    """The config of the pre-training alone."""
    if not config.pretrain_epochs:
        raise UserError("pretrain_epochs is 0, so there is no pre-training to share; set it to 1 or more.")
    return Config(**{name: getattr(config, name) for name in PRETRAINING}, augmentation="none", epochs=0)


def slug(config: Config) -> str:
    """What a person needs to find a run's folder: estimator, arm, what is left out, seed."""
    arm = config.augmentation if config.epochs else "pretrain"
    own = is_own(config.estimator)
    words = [config.estimator.rsplit(":", 1)[1] if own else config.estimator, arm]
    if arm == "poseaug":
        for name, unsaid, word in TOLD:
            value = getattr(config, name) if hasattr(config, name) else getattr(config.controls, name)
            if value != unsaid:
                words.append(f"no_{word}" if value in (False, "none") else f"{word}_{value}")
        words += ["extra2d"] if config.extra_2d else []
    return "-".join([*words, f"s{config.seed}"])
