"""What a table's grid shows, read from run folders: beside the window, since it loads the training's libraries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poseaug_core.errors import UserError

if TYPE_CHECKING:
    from poseaug_core.tables import Experiment
    from poseaug_core.tables.result import Result


#: The paper's tables, named here too: their own module loads what a window must not wait for.
TITLES = {
    1: "Results on the source data set",
    2: "Results on the cross-scenario data set",
    3: "Four estimators on the in-the-wild data set",
    4: "Estimators trained without and with PoseAug, by the source of 2D poses",
    5: "Ablation of the augmentor's components",
    6: "Ablation of the discriminators",
    7: "Ablation of the part-aware KCS",
}
#: What the command line calls something, and what the page calls it.
WORDS = {
    r"a set --cross": "a Cross set",
    r"a set --wild": "a Wild set",
    r"--extra-2d": "an Extra 2D set",
    r" Add --.*--data\.": " Choose it above.",
    r"; name the sets with --.*": "; choose another folder.",
    r"; 'poseaug info settings' lists them all\.": "; the button beside Settings lists them all.",
    r"--set ": "",
    r"a table has an option of its own for it, --.*": "it has a field of its own.",
}
#: Tables whose rows name their estimators themselves.
SEVERAL = (3, 4)


@dataclass(frozen=True)
class Asked:
    """A table as it is asked for.

    data: a folder of data sets, or '' where sets names source and source_test; those of cross, wild and extra_2d that
    are named count over the folder's. estimator: '' for all that the table has.
    settings: 'epochs=8', ... runs: the folder of all run folders.
    """

    number: int
    data: str
    sets: Mapping[str, str] = field(default_factory=dict)
    preset: str = "small_data"
    estimator: str = ""
    seeds: tuple[int, ...] = (0,)
    settings: tuple[str, ...] = ()
    runs: str = ""

    def arguments(self) -> list[str]:
        """Of ``poseaug table``, which trains it."""
        words = ["table", str(self.number), "--preset", self.preset, "--seeds", ",".join(map(str, self.seeds))]
        words += ["--data", self.data] if self.data else []
        for role, spec in self.sets.items():
            words += [f"--{role.replace('_', '-')}", spec] if spec else []
        if self.estimator:
            words += ["--estimators" if self.number in SEVERAL else "--estimator", self.estimator]
        for text in self.settings:
            words += ["--set", text]
        return [*words, "--runs", self.runs]


@dataclass(frozen=True)
class GridCell:
    """state: '' (published only), missing, stopped, running, failed or done. main: our figure, '' while there is none.
    more: the difference to the baseline, and how many seeds it is of. paper: the published figure, '' without one.
    runs: run folders by seed, those that exist first."""

    state: str
    progress: float
    main: str
    more: str
    paper: str
    best: bool
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """heads: our and the paper's name of each column. rows: (label, ticked marks, cells). seconds: still to train, by
    the runs that are finished, None while none tells."""

    title: str
    marks: tuple[str, ...]
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[bool, ...], tuple[GridCell, ...]], ...]
    notes: tuple[str, ...]
    done: int
    jobs: int
    seconds: float | None
    result: Result

    @property
    def complete(self) -> bool:
        return self.done == self.jobs


def experiment_of(asked: Asked) -> Experiment:
    """Raises UserError for data that are not there and settings that are none. Reads the data files."""
    from poseaug_core.estimators.own import name_own
    from poseaug_core.tables import Setup, data_sets, experiment, parse_settings

    several = ("source", "source_test", "extra_2d")
    named = {role: (spec,) if role in several else spec for role, spec in asked.sets.items() if spec}
    sets = data_sets(asked.data, **named)
    several = asked.number in SEVERAL
    estimator = name_own(asked.estimator) if asked.estimator and not several else "vpose"
    setup = Setup(sets, asked.preset, estimator, asked.seeds, parse_settings(asked.settings))
    return experiment(asked.number, setup, estimators=[asked.estimator] if several and asked.estimator else [])


def read_grid(experiment: Experiment, runs: str | Path, program: str) -> Grid:
    """The grid as far as the run folders have filled it; nothing is written. Raises UserError."""
    from poseaug_core.sweep import expected_seconds, state_of
    from poseaug_core.tables import table_state
    from poseaug_core.tables.result import result_of

    result = result_of(experiment, runs, program)
    states = table_state(experiment, runs)
    known = [(job, state_of(job, runs)) for job in experiment.plan.jobs.values()]
    left = [(expected_seconds(job, known), state) for job, state in known if state.state != "done"]
    seconds = None
    if all(whole is not None for whole, _ in left):
        seconds = sum(whole * (1 - state.progress) for whole, state in left)
    rows = tuple(
        (
            row.label,
            tuple(mark in row.marks for mark in result.table.marks),
            tuple(_cell(figure, cell, Path(runs)) for figure, cell in zip(figures, cells, strict=True)),
        )
        for row, figures, cells in zip(result.table.rows, result.figures, states, strict=True)
    )
    return Grid(
        title=result.title,
        marks=result.table.marks,
        heads=result.heads,
        rows=rows,
        notes=(*result.order, *result.notes),
        done=sum(state.state == "done" for _, state in known),
        jobs=len(known),
        seconds=seconds,
        result=result,
    )


def _cell(figure: Any, cell: Any, runs: Path) -> GridCell:
    main = "" if figure.mean is None else f"{figure.mean:.1f}"
    main += f" \u00b1 {figure.sd:.1f}" if figure.sd is not None else ""
    more = _signed(figure.delta)
    if figure.mean is not None and figure.state != "done":
        more = f"{more} {len(figure.values)} of {len(figure.runs)} seeds".strip()
    paper = ""
    if figure.published is not None:
        value, delta = figure.published
        paper = f"{value:.1f} {_signed(delta)}".strip()
    folders = [runs / name for name in figure.runs.values()]
    there = sorted(folders, key=lambda folder: not (folder / "config.toml").is_file())
    return GridCell(cell.state, cell.progress, main, more, paper, figure.best, tuple(map(str, there)))


def _signed(delta: float | None) -> str:
    return "" if delta is None else f"({delta:+.1f})".replace("-", "\u2212")


def seeds_of(text: str) -> tuple[int, ...]:
    """'0, 1' as numbers. Raises UserError."""
    try:
        seeds = tuple(dict.fromkeys(int(part) for part in text.replace(";", ",").split(",") if part.strip()))
    except ValueError:
        seeds = ()
    if not seeds or min(seeds) < 0:
        raise UserError(f"Seeds are {text!r}; list whole numbers with commas, for example 0, 1.")
    return seeds


def in_window(sentence: str) -> str:
    """What the command line says of a table, with the window's fields in place of flags."""
    for pattern, words in WORDS.items():
        sentence = re.sub(pattern, words, sentence)
    return sentence


def settings_of(text: str) -> tuple[str, ...]:
    """'epochs=8, pretrain_epochs=6' in pieces; they are checked where a table is made of them."""
    return tuple(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())
