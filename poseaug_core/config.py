"""Config: a run's fixed settings; presets as named overrides; TOML in and out."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from poseaug_core.bounded import read_bounded
from poseaug_core.controls import KNOBS, Controls
from poseaug_core.errors import UserError
from poseaug_core.estimators import training_defaults
from poseaug_core.estimators.own import is_own
from poseaug_core.paths import as_text, usable
from poseaug_core.plain_text import of_library
from poseaug_core.presets import PRESETS
from poseaug_core.ranges import EvolutionRanges, RandomRanges
from poseaug_core.settings import checked, did_you_mean, setting, settings_of

DATA, METHOD, TRAINING, RECORD = "Data", "Method", "Training", "Recording"
#: Version of the layout of run folders. Those without a number are of before, 1.
FORMAT = 2
#: Bytes of a configuration, and letters of a text in it.
LARGEST, LONGEST_TEXT = 1 << 20, 4096
#: Points in numbers and names: a name of 50,000 parts, a.a.a and so on, takes the library minutes.
POINTS = 1000
# What a setting is read with (Setting.where).
LEARNED = (("augmentation", ("poseaug",)),)
RATIO, EXPONENTIAL = (*LEARNED, ("feedback_form", ("ratio",))), (*LEARNED, ("feedback_form", ("exponential",)))


@dataclass(frozen=True)
class Config(RandomRanges, EvolutionRanges):
    """Everything fixed when a run starts. Same config, same data, same machine: same run."""

    preset: str = setting("released", "preset", "The named settings this run started from.", group=METHOD)
    # data
    source: str = setting(
        "demo:source", "source", "Training poses: data sets, arrays, motion, the demo; see docs/data.md.", group=DATA
    )
    source_test: str = setting(
        "", "source test", "Held-out poses of the source; empty takes every tenth clip of the source.", group=DATA
    )
    cross: tuple[str, ...] = setting((), "cross", "Other sets to evaluate on, never trained on.", group=DATA)
    rig: str = setting("lab", "rig", "Cameras that film motion capture.", group=DATA, choices=("lab", "wild"))
    data_seed: int = setting(
        0, "data seed", "Seeds the demo's people and the filming of motion capture; not the training.",
        group=DATA, low=0, high=2**31 - 1,
    )  # fmt: skip
    # method
    estimator: str = setting(
        "simple_baseline", "estimator", "The 2D-to-3D estimator: simple_baseline, semgcn, st_gcn, vpose, or your own "
        "as FILE.py:CLASS.", group=METHOD,
    )  # fmt: skip
    estimator_width: int = setting(
        0, "estimator width", "Features in the estimator's hidden layers; 0 takes the published width.",
        group=METHOD, low=0, high=8192,
    )  # fmt: skip
    estimator_weights: str = setting(
        "", "estimator weights", "A checkpoint to start from instead of pre-training.", group=METHOD
    )
    augmentation: str = setting(
        "poseaug", "augmentation", "poseaug learns; evolution breeds a population once before (Li et al., CVPR 2020); "
        "random draws views, positions and bones from fixed ranges; none trains as long on real pairs alone.",
        group=METHOD, choices=("poseaug", "evolution", "random", "none"),
    )  # fmt: skip
    discriminator3d: str = setting(
        "parts", "3D discriminator", "KCS of five overlapping body parts (released), of the paper's five disjoint "
        "parts, of the whole body (Wandt and Rosenhahn; Table 7), or none (Table 6).",
        group=METHOD, choices=("parts", "paper_parts", "whole_body", "none"), equation="Eq. 7", where=LEARNED,
    )  # fmt: skip
    discriminator2d: bool = setting(
        True, "2D discriminator", "Judge the augmented 2D poses (Table 6).",
        group=METHOD, equation="Eq. 12", where=LEARNED,
    )  # fmt: skip
    gan_scale: str = setting(
        "halved", "GAN losses", "halved as released, or unscaled as printed.",
        group=METHOD, choices=("halved", "unscaled"), equation="Eq. 12", where=LEARNED,
    )  # fmt: skip
    feedback_form: str = setting(
        "ratio", "feedback", "ratio: (h - beta)^2 outside beta +- tolerance, h the error over the original's, by joint "
        "group, of BA and of RT poses (released); exponential: |1 - exp(L(X') - beta L(X))| (as printed).",
        group=METHOD, choices=("ratio", "exponential"), equation="Eq. 9", where=LEARNED,
    )  # fmt: skip
    regulariser: str = setting(
        "range", "regulariser", "range: of mean angle change and of each length ratio (released); rectified: |g|^2 "
        "where the mean |g| exceeds the threshold (as printed).",
        group=METHOD, choices=("range", "rectified"), equation="Eq. 10", where=LEARNED,
    )  # fmt: skip
    fix_trunk: bool = setting(
        True, "fix trunk", "Keep pelvis-spine-thorax directions and the thorax ratio, as the released code.",
        group=METHOD, equation="Eq. 4-5", where=LEARNED,
    )  # fmt: skip
    swap_bone_lengths: bool = setting(
        True, "swap bone lengths", "Give source poses the bone lengths of random templates each epoch.", group=METHOD
    )
    keep_rule: str = setting(
        "released", "kept pairs", "Which augmented pairs train the estimator: released drops any uv > 1, "
        "inside drops |uv| > 1 and poses behind the camera.", group=METHOD, choices=("released", "inside"),
    )  # fmt: skip
    feedback_statistics: str = setting(
        "updated", "feedback statistics", "Batch norm of the estimator in feedback passes: updated lets them change "
        "its running statistics (released), kept does not.", group=METHOD, choices=("updated", "kept"),
    )  # fmt: skip
    estimator_batches: str = setting(
        "separate", "estimator batches", "separate: a pass on augmented pairs, then one on real pairs (released); "
        "mixed: every batch has both (Eq. 2 and 8).", group=METHOD, choices=("separate", "mixed"), equation="Eq. 8",
    )  # fmt: skip
    augmented_share: float = setting(
        0.5, "augmented share", "Share of augmented pairs in mixed batches.",
        group=METHOD, low=0.0, high=1.0, equation="Eq. 8",
        where=(("augmentation", ("poseaug", "evolution", "random")), ("estimator_batches", ("mixed",))),
    )  # fmt: skip
    beta_ba_start: float = setting(
        3.0, "beta BA at start", "Schedule of beta BA.", group=METHOD, low=1.0, high=20.0, equation="Eq. 9", where=RATIO
    )
    beta_ba_end: float = setting(
        5.0, "beta BA at end", "Schedule of beta BA.", group=METHOD, low=1.0, high=20.0, equation="Eq. 9", where=RATIO
    )
    beta_rt: float = setting(
        17.0, "beta RT", "Schedule of beta RT: constant.",
        group=METHOD, low=1.0, high=40.0, equation="Eq. 9", where=RATIO,
    )  # fmt: skip
    beta_start: float = setting(
        2.0, "beta at start", "Schedule of beta; it rises over the epochs.",
        group=METHOD, low=1.0, high=100.0, equation="Eq. 9", where=EXPONENTIAL,
    )  # fmt: skip
    beta_end: float = setting(
        4.0, "beta at end", "Schedule of beta.",
        group=METHOD, low=1.0, high=100.0, equation="Eq. 9", where=EXPONENTIAL,
    )  # fmt: skip
    extra_2d: tuple[str, ...] = setting(
        (), "extra 2D", "Sets whose 2D poses join the real side of the 2D discriminator (Table 2, +Extra2D).",
        group=DATA, equation="Eq. 12", where=(*LEARNED, ("discriminator2d", (True,))),
    )  # fmt: skip
    extra_share: float = setting(
        0.5, "extra share", "Share of extra 2D poses on the real side of the 2D discriminator.",
        group=METHOD, low=0.0, high=1.0, equation="Eq. 12", where=(*LEARNED, ("discriminator2d", (True,))),
    )  # fmt: skip
    # training
    seed: int = setting(0, "seed", "Seeds every draw of the run.", group=TRAINING, low=0, high=2**31 - 1)
    device: str = setting("auto", "device", "auto, cpu, cuda, cuda:1, mps.", group=TRAINING)
    threads: int = setting(
        0, "threads", "CPU threads of the training; 0 takes one per core.", group=TRAINING, low=0, high=1024
    )
    precision: str = setting(
        "float32", "precision", "bfloat16 runs the networks' large products in bfloat16; tf32 the estimator's "
        "on an NVIDIA GPU with 10 bits behind the point, elsewhere it is float32.",
        group=TRAINING, choices=("float32", "tf32", "bfloat16"),
    )  # fmt: skip
    capture: str = setting(
        "auto", "CUDA graphs", "auto records iterations as CUDA graphs and replays up to eight at a time, off runs "
        "them one by one; the numbers are the same. Without an NVIDIA GPU there is nothing to record.",
        group=TRAINING, choices=("auto", "off"),
    )  # fmt: skip
    batch_size: int = setting(1024, "batch size", "Poses in a step.", group=TRAINING, low=2, high=1 << 20)
    pretrain_epochs: int = setting(
        50, "pre-training", "Epochs on real pairs first.", group=TRAINING, low=0, high=100_000, unit="epochs"
    )
    pretrain_lr: float = setting(
        1e-3, "pre-training rate", "Adam step size.", group=TRAINING, low=1e-7, high=1.0, log=True
    )
    epochs: int = setting(50, "epochs", "Epochs of PoseAug.", group=TRAINING, low=0, high=100_000)
    warmup_epochs: int = setting(
        2, "warm-up", "Epochs in which augmentor and discriminators learn alone, without feedback.",
        group=TRAINING, low=0, high=100_000, unit="epochs",
    )  # fmt: skip
    warmup_iterations: int = setting(
        0, "warm-up at least", "Augmentor iterations of warm-up; the longer of the two holds, for small sets.",
        group=TRAINING, low=0, high=10_000_000, unit="iterations",
    )  # fmt: skip
    lr_augmentor: float = setting(
        1e-4,
        "augmentor rate",
        "At start; times 1 - epoch / (epochs + 1).",
        group=TRAINING,
        low=1e-7,
        high=1.0,
        log=True,
    )
    lr_discriminator: float = setting(
        1e-4, "discriminator rate", "At start; decays alike.", group=TRAINING, low=1e-7, high=1.0, log=True
    )
    lr_estimator: float = setting(
        1e-4, "estimator rate", "At start; decays alike.", group=TRAINING, low=1e-7, high=1.0, log=True
    )
    gradient_clip: float = setting(
        1.0, "gradient clip", "Largest gradient norm of each network.", group=TRAINING, low=1e-6, high=1e6
    )
    pool_size: int = setting(
        4096, "history pool", "Augmented poses kept for the discriminators.", group=TRAINING, low=1, high=1 << 22
    )
    # recording
    snapshot_every: int = setting(
        20,
        "snapshot every",
        "Iterations between recorded snapshots.",
        group=RECORD,
        low=1,
        high=1_000_000,
        unit="iterations",
    )
    probe_size: int = setting(32, "probe", "Poses followed in full.", group=RECORD, low=1, high=1024, unit="poses")
    crowd_size: int = setting(
        256, "crowd", "Poses in the distributions, the probe among them.", group=RECORD, low=1, high=65536, unit="poses"
    )
    checkpoints_kept: int = setting(
        4, "checkpoints kept", "Checkpoints spread over the run, kept beside the latest, the one before and the best.",
        group=RECORD, low=0, high=100,
    )  # fmt: skip
    on_alarm: str = setting(
        "note", "on alarm",
        "What happens when the training goes wrong: it is said, it waits, it goes back to the last good checkpoint "
        "with rates halved, or it ends.",
        group=RECORD, choices=("note", "pause", "rollback", "stop"),
    )  # fmt: skip
    history_limit: int = setting(
        4096,
        "history up to",
        "Most that the recorded snapshots take on the disk; beyond it they are thinned evenly.",
        group=RECORD,
        low=1,
        high=1 << 24,
        unit="MB",
    )
    evaluate_epochs: int = setting(
        1,
        "evaluate every",
        "Epochs between evaluations; 0 for never.",
        group=RECORD,
        low=0,
        high=100_000,
        unit="epochs",
    )
    evaluate_iterations: int = setting(
        0,
        "evaluate also every",
        "Iterations between evaluations; 0 for never.",
        group=RECORD,
        low=0,
        high=10_000_000,
        unit="iterations",
    )
    checkpoint_epochs: int = setting(
        1,
        "checkpoint every",
        "Epochs between checkpoints; a stopped run always leaves one.",
        group=RECORD,
        low=1,
        high=100_000,
        unit="epochs",
    )

    controls: Controls = field(default_factory=Controls)

    @property
    def judged(self) -> bool:
        """Whether there is any discriminator."""
        return self.discriminator3d != "none" or self.discriminator2d


SETTINGS = settings_of(Config)


def make_config(preset: str = "released", **overrides) -> Config:
    """The preset with overrides; a name may belong to Config or to Controls (a knob held from the start).

    Rates and length of an estimator's own pre-training hold where neither the preset nor an override names them.
    Raises UserError for unknown presets, names and values out of range. Where Config and Controls share a
    name (rates, beta RT) the Config's is meant: the start of the schedule.
    """
    if not isinstance(preset, str) or preset not in PRESETS:
        raise UserError(f"There is no preset {preset!r}; choose one of {', '.join(PRESETS)}.")
    estimator = str(overrides.get("estimator", SETTINGS["estimator"].default))
    values = {**training_defaults(estimator), **PRESETS[preset], **overrides, "preset": preset}
    for name in values:
        if name not in SETTINGS and name not in KNOBS:
            raise UserError(f"There is no setting {name!r}{did_you_mean(name, [*SETTINGS, *KNOBS])}")
    knobs = {k: v for k, v in values.items() if k not in SETTINGS}
    fixed = {k: v for k, v in values.items() if k in SETTINGS}
    return replace(checked(Config, fixed), controls=checked(Controls, knobs))


def with_absolute_paths(config: Config) -> Config:
    """The config with its files named from the root, so that its run goes on in any working folder."""
    fixed = {name: absolute(getattr(config, name)) for name in ("source", "source_test", "estimator_weights")}
    lists = {name: tuple(map(absolute, getattr(config, name))) for name in ("cross", "extra_2d")}
    estimator = absolute(config.estimator) if is_own(config.estimator) else config.estimator
    return replace(config, **fixed, **lists, estimator=estimator)


def absolute(spec: str) -> str:
    """A path from the root; what is no path ('', demo:..., asset:...) as it is. UserError for one that is no text."""
    if not spec or spec.startswith(("demo:", "asset:")):
        return spec
    return as_text(str(Path(spec).absolute()))


def scheduled(config: Config, controls: Controls, phase: str, epoch: int) -> Controls:
    """Controls with every None replaced by its schedule's value in this phase ('pretrain', 'poseaug') and epoch."""
    if phase == "pretrain":
        rates = dict.fromkeys(("lr_augmentor", "lr_discriminator"), 0.0) | {"lr_estimator": config.pretrain_lr}
        decay = 1 - epoch / (config.pretrain_epochs + 1)
    else:
        rates = {name: getattr(config, name) for name in ("lr_augmentor", "lr_discriminator", "lr_estimator")}
        decay = 1 - epoch / (config.epochs + 1)
    done = epoch / max(config.epochs - 1, 1) if phase == "poseaug" else 0.0
    values = {name: rate * decay for name, rate in rates.items()}
    values["beta_ba"] = config.beta_ba_start + (config.beta_ba_end - config.beta_ba_start) * done
    values["beta_rt"] = config.beta_rt
    values["beta"] = config.beta_start + (config.beta_end - config.beta_start) * done
    return replace(controls, **{name: value for name, value in values.items() if getattr(controls, name) is None})


def save_toml(config: Config, path: Path) -> None:
    """Write a config as TOML, knobs that follow their schedule left out."""
    values = {k: v for k, v in dataclasses.asdict(config).items() if k != "controls"}
    knobs = {k: v for k, v in dataclasses.asdict(config.controls).items() if v is not None}
    path.write_text(tomli_w.dumps({"format": FORMAT, **values, "controls": knobs}), encoding="utf-8")


def load_toml(path: Path, **overrides) -> Config:
    """Config from TOML: ``preset`` first, the file over it, overrides over both. Raises UserError."""
    values, knobs = read_toml(path)
    values.pop("format", None)  # of a run's config.toml; see run_config
    asked, own = overrides.pop("preset", None), values.pop("preset", None)
    if asked and own and asked != own:
        raise UserError(f"{path} names the preset {own!r} and --preset {asked!r}; drop --preset or take the file's.")
    preset = asked or own or "released"
    config = make_config(preset, **{**values, **{k: v for k, v in overrides.items() if k in SETTINGS}})
    held = {**dataclasses.asdict(config.controls), **knobs, **{k: v for k, v in overrides.items() if k not in SETTINGS}}
    return replace(config, controls=checked(Controls, held))


def read_toml(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(settings, controls) by name as a file has them, each a number, a text, a truth or a list; nothing else of them
    is checked. Raises UserError."""
    usable(path)
    try:
        text = read_bounded(Path(path), LARGEST).decode()
        if re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "", text).count(".") > POINTS:
            raise ValueError(f"it has more than {POINTS:,} points outside of texts")
        values = tomllib.loads(text)
    except RecursionError:
        raise UserError(f"{path} nests its lists too deeply to be a TOML configuration; write it again.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read as a TOML configuration: {of_library(error)}.")
    except ValueError as error:  # of a number with thousands of digits, or a file that is too large
        raise UserError(f"{path} cannot be read as a TOML configuration ({str(error).split(';')[0]}).") from None
    knobs = values.pop("controls", {})
    if not isinstance(knobs, dict):
        raise UserError(f"{path}: controls is no table; it must be one, [controls] with a line for each control.")
    for name, value in [*values.items(), *knobs.items()]:
        _require_plain(path, name, value)
    return values, knobs


def _require_plain(path: Path, name: str, value: Any) -> None:
    """UserError for what no setting is, before it is looked at, or told of, in full."""
    if len(name) > 100:
        raise UserError(f"{path}: a setting's name has {len(name):,} letters; 'poseaug info settings' lists them all.")
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, str) and len(part) > LONGEST_TEXT:
            raise UserError(f"{path}: {name} is a text of {len(part):,} letters; {LONGEST_TEXT:,} are the most.")
        if isinstance(part, int) and abs(part) >= 1 << 63:
            raise UserError(f"{path}: {name} is a whole number beyond 9.2e18; write a smaller one.")
        if not isinstance(part, str | int | float):
            what = "a table" if isinstance(part, dict) else "a list of lists" if isinstance(part, list) else "a date"
            raise UserError(f"{path}: {name} is {what}; it must be a number, text, true or false, or a list of texts.")
