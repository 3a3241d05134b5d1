"""python -m benchmarks.accuracy --data DIR --runs DIR --out DIR: PoseAug against the same estimator without it.

Trains, for each seed, one run with PoseAug and one that takes as many estimator steps on real pairs alone
(finished ones that are there already are only read, others resumed), then writes a table and the curves.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from poseaug_core.config import Config, make_config
from poseaug_core.errors import UserError
from poseaug_core.palette import LIGHT
from poseaug_core.runs import Run

ARMS = {"PoseAug": "poseaug", "real pairs alone": "none"}
COLUMNS = ("mpjpe", "pa_mpjpe", "pck150", "auc")
SETS = ("source_test", "cross_dev")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of source_train, source_test, cross_dev .npz")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the run folders, made or read")
    parser.add_argument("--out", type=Path, required=True, help="where accuracy.md and accuracy.png go")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    found: dict[str, list[Run]] = {arm: [] for arm in ARMS}
    for seed in seeds:
        for arm, augmentation in ARMS.items():
            folder = options.runs / f"{augmentation}-{seed}"
            finish(expected(options.data, seed, augmentation, options.precision), folder)
            found[arm].append(Run.open(folder))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "accuracy.md").write_text(table(found, seeds))
    draw(found, options.out / "accuracy.png")
    print((options.out / "accuracy.md").read_text())


def expected(data: Path, seed: int, augmentation: str, precision: str) -> Config:
    """The settings of one run of the comparison."""
    sets = [str((data / f"{name}.npz").absolute()) for name in ("source_train", *SETS)]
    names = {"source": sets[0], "source_test": sets[1], "cross": tuple(sets[2:])}
    return make_config("small_data", **names, seed=seed, augmentation=augmentation, precision=precision)


def finish(config: Config, folder: Path) -> None:
    """Train config in folder, or go on there, until it is done; UserError for a run of other settings there."""
    if folder.exists():
        run = Run.open(folder)
        other = [f.name for f in fields(Config) if getattr(run.config, f.name) != getattr(config, f.name)]
        if other:
            name = other[0]
            raise UserError(
                f"{folder} was trained with {name} {getattr(run.config, name)!r}, the comparison asks for "
                f"{getattr(config, name)!r}; name another --runs folder."
            )
        if run.load_checkpoint()[1]["position"]["phase"] == "done":
            return
        words = ["--resume", str(folder)]
    else:
        words = ["--preset", config.preset, "--seed", str(config.seed), "--source", config.source]
        words += ["--source-test", config.source_test, "--cross", config.cross[0], "--augmentation"]
        words += [config.augmentation, "--precision", config.precision, "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "poseaug_core.cli", "train", *words], check=True)


def evaluations(run: Run, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of one metric of a run."""
    rows = [row for row in run.metrics()[0] if row["kind"] == "evaluation"]
    return np.array([row["step"] for row in rows]), np.array([row["values"][key] for row in rows])


def last(run: Run, which: str) -> list[float]:
    return [evaluations(run, f"{which}/poseaug16/{column}")[1][-1] for column in COLUMNS]


def pretrained(run: Run, which: str) -> float:
    """MPJPE at the end of pre-training."""
    steps, values = evaluations(run, f"{which}/poseaug16/mpjpe")
    schedule = run.config.pretrain_epochs * -(-run.data["sets"]["source"]["poses"] // run.config.batch_size)
    return values[steps <= schedule][-1]


def table(found: dict[str, list[Run]], seeds: list[int]) -> str:
    """Markdown: a row a run and set, then the means and what PoseAug changes."""
    lines = ["| run | seed | set | " + " | ".join(("pre-trained MPJPE", "MPJPE", "PA-MPJPE", "PCK@150", "AUC")) + " |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for arm, runs in found.items():
        for seed, run in zip(seeds, runs, strict=True):
            for which in SETS:
                values = " | ".join(f"{value:.1f}" for value in (pretrained(run, which), *last(run, which)))
                lines.append(f"| {arm} | {seed} | {which} | {values} |")
    lines.append("")
    for which in SETS:
        mean = {arm: np.mean([last(run, which)[0] for run in runs]) for arm, runs in found.items()}
        with_it, without = mean.values()
        change = 100 * (with_it / without - 1)
        lines.append(f"- {which}: MPJPE {with_it:.1f} mm with PoseAug, {without:.1f} mm without: {change:+.1f} %.")
    return "\n".join(lines) + "\n"


def draw(found: dict[str, list[Run]], out: Path) -> None:
    """MPJPE on both sets against steps of the estimator's training time, a line a run."""
    figure = Figure(figsize=(8, 3), layout="constrained", dpi=150)
    colours = dict(zip(ARMS, (LIGHT.stages["rt"], LIGHT.stages["original"]), strict=True))
    for axes, which in zip(figure.subplots(1, 2), SETS, strict=True):
        for arm, runs in found.items():
            for k, run in enumerate(runs):
                steps, values = evaluations(run, f"{which}/poseaug16/mpjpe")
                begin = run.config.pretrain_epochs * -(-run.data["sets"]["source"]["poses"] // run.config.batch_size)
                shown = steps >= begin // 2
                axes.plot(steps[shown] / 1000, values[shown], color=colours[arm], label=arm if k == 0 else None, lw=1.2)
        axes.axvline(begin / 1000, color=LIGHT.line, lw=1)
        axes.annotate("pre-trained", (begin / 1000, 1), xycoords=("data", "axes fraction"), fontsize=7, va="top",
                      xytext=(3, -2), textcoords="offset points", color=LIGHT.muted)  # fmt: skip
        axes.set_title(f"{which}, MPJPE [mm], poseaug16", fontsize=9, loc="left")
        axes.set_xlabel("iterations of the run [thousands]", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(out)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"Error: {error}") from error
