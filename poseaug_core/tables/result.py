"""A table's figures, computed once for all the files it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

from poseaug_core.sweep import JobState, state_of
from poseaug_core.tables.definitions import KEYPOINTS, METRICS, ROLES, Column, Published, Row, Table
from poseaug_core.tables.experiment import Cell, Experiment, set_name, table_state

PCK_NOTE = (
    "poseaug16 counts 16 joints with the root, whose error is always 0: beside the data set's official 14 joints "
    "(protocol 3dhp14) it flatters PCK and AUC, and lowers MPJPE."
)
#: Runs that the header names as not finished, before it only counts them.
NAMED = 8
OTHER_DATA = "Published figures are the paper's, on Human3.6M, MPI-INF-3DHP and 3DPW: other data than ours."


@dataclass(frozen=True)
class Figure:
    """What stands where row and column meet. mean, sd, delta: over the seeds that are done, None where there are none;
    sd None for a single seed. published: the paper's figure and its printed difference."""

    values: Mapping[int, float]
    mean: float | None = None
    sd: float | None = None
    delta: float | None = None
    published: Published | None = None
    best: bool = False
    best_published: bool = False
    state: str = ""
    runs: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """facts: (name, text) of the header. sets: the name of each column's set. heads: for each column the set and metric
    as ours and as the paper's name it. figures: row by row. order: sentences on where the order differs."""

    table: Table
    protocol: str
    facts: tuple[tuple[str, str], ...]
    sets: tuple[str, ...]
    heads: tuple[tuple[str, str], ...]
    figures: tuple[tuple[Figure, ...], ...]
    order: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"Table {self.table.number}: {self.table.title}"


def result_of(experiment: Experiment, folder: str | Path, program: str) -> Result:
    """The table as far as its runs have come; program: version and commit that write it."""
    table, setup = experiment.table, experiment.setup
    grid = table_state(experiment, folder)
    states = {name: state_of(job, folder) for name, job in experiment.plan.jobs.items()}
    figures = [[_figure(experiment, row, column, cell) for column, cell in zip(table.columns, cells, strict=True)]
               for row, cells in zip(table.rows, grid, strict=True)]  # fmt: skip
    rows = {row.key: number for number, row in enumerate(table.rows)}
    for number, row in enumerate(table.rows):
        for k in range(len(table.columns)):
            base = figures[rows[row.versus]][k] if row.versus in rows else None
            if base and base.mean is not None and figures[number][k].mean is not None:
                figures[number][k] = _with(figures[number][k], delta=figures[number][k].mean - base.mean)
    for k, column in enumerate(table.columns):
        _mark_best(figures, k, column)
    sets = _sets(grid)
    names = tuple(set_name(column, sets, setup.data) if sets else column.role for column in table.columns)
    heads = tuple((_head(c, name), _head(c, ROLES[c.role])) for c, name in zip(table.columns, names, strict=True))
    order = tuple(
        sentence
        for k, column in enumerate(table.columns)
        for sentence in [_order(table.rows, [line[k] for line in figures], column, heads[k][0])]
        if sentence
    )
    failures = [f"{name} failed: {state.reason}" for name, state in states.items() if state.state == "failed"]
    pck = [PCK_NOTE] if setup.protocol == "poseaug16" else []
    notes = [*failures, *experiment.left_out, *table.notes, *pck]
    facts = (*_facts(experiment, states), ("written by", program), ("published figures", OTHER_DATA))
    frozen = tuple(tuple(line) for line in figures)
    return Result(table, setup.protocol, facts, names, heads, frozen, order, tuple(notes))


def _with(figure: Figure, **values) -> Figure:
    return Figure(**{**vars(figure), **values})


def _figure(experiment: Experiment, row: Row, column: Column, cell: Cell) -> Figure:
    values = [cell.values[seed] for seed in sorted(cell.values)]
    seeds = experiment.setup.seeds if row.kind != "cited" else ()
    return Figure(
        values=cell.values,
        mean=fmean(values) if values else None,
        sd=stdev(values) if len(values) > 1 else None,
        published=row.published.get(column.key),
        state=cell.state,
        runs={seed: experiment.job(row, column, seed).name for seed in seeds},
    )


def _mark_best(figures: list[list[Figure]], k: int, column: Column) -> None:
    pick = max if column.more_is_better else min
    for of, mark in ((lambda f: f.mean, "best"), (lambda f: f.published and f.published[0], "best_published")):
        known = [(of(line[k]), number) for number, line in enumerate(figures) if of(line[k]) is not None]
        if len(known) > 1:
            number = pick(known)[1]
            figures[number][k] = _with(figures[number][k], **{mark: True})


def _sets(grid: list[list[Cell]]) -> tuple[str, ...]:
    return next((cell.sets for line in grid for cell in line if cell.sets), ())


def _head(column: Column, where: str) -> str:
    arrow = "↑" if column.more_is_better else "↓"
    keypoints = f" {KEYPOINTS[column.keypoints]}" if column.keypoints else ""
    return f"{where}{keypoints} {METRICS[column.metric]} {arrow}"


def _order(rows: tuple[Row, ...], figures: list[Figure], column: Column, head: str) -> str:
    """Where our rows stand in another order than the paper's; '' where they do not, or too few are done."""
    known = [
        (row.label, figure.mean, row.expected[column.key][0])
        for row, figure in zip(rows, figures, strict=True)
        if row.kind == "trained" and figure.mean is not None and column.key in row.expected
    ]
    sign = -1 if column.more_is_better else 1
    ours = [label for label, _, _ in sorted(known, key=lambda entry: sign * entry[1])]
    theirs = [label for label, _, _ in sorted(known, key=lambda entry: sign * entry[2])]
    if ours == theirs:
        return ""
    return (
        f"The order differs from the paper's on {head}: ours, best first, is {', '.join(ours)}; the paper's is "
        f"{', '.join(theirs)}."
    )


def _facts(experiment: Experiment, states: Mapping[str, JobState]) -> list[tuple[str, str]]:
    """What a reader must know: data, preset and changed settings, estimator, protocol, seeds, versions, devices."""
    setup, table = experiment.setup, experiment.table
    programs = dict.fromkeys(program for state in states.values() for program in state.programs)
    data = [("source", dict(setup.data.source)), ("source_test", dict(setup.data.source_test))]
    told = [f"{role}: {_named(specs)}" for role, specs in data if specs]
    told += [
        f"{role}: {Path(spec).name}" for role, spec in (("cross", setup.data.cross), ("wild", setup.data.wild)) if spec
    ]
    told += [f"extra 2D: {', '.join(Path(spec).name for spec in setup.data.extra_2d)}"] if setup.data.extra_2d else []
    trained = [row for row in table.rows if row.kind == "trained"]
    estimators = dict.fromkeys(row.settings.get("estimator", setup.estimator) for row in trained)
    settings = ", ".join(f"{name} = {value}" for name, value in setup.settings.items()) or "none"
    return [
        ("data", "; ".join(told)),
        ("preset", setup.preset),
        ("settings changed", settings),
        ("estimator", ", ".join(estimators)),
        ("protocol", f"{setup.protocol}, the last evaluation of each run, flip-averaged on all sets but the source's"),
        ("seeds", ", ".join(map(str, setup.seeds)) + (" (mean ± standard deviation)" if len(setup.seeds) > 1 else "")),
        ("runs", _how_far(states)),
        *([("trained by", ", ".join(programs))] if programs else []),
        *([("trained on", on)] if (on := _devices(states)) else []),
    ]


def _how_far(states: Mapping[str, JobState]) -> str:
    """'5 of 7 finished; not finished: NAME (missing), NAME (failed)'."""
    left = [f"{name} ({state.state})" for name, state in states.items() if state.state != "done"]
    text = f"{len(states) - len(left)} of {len(states)} finished"
    if not left:
        return text
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return f"{text}; not finished: {', '.join(left[:NAMED])}{more}"


def _devices(states: Mapping[str, JobState]) -> str:
    """'cpu', 'cpu, cuda (NVIDIA A100); not noted for 2 runs'; '' where none is noted."""
    begun = [state for state in states.values() if state.state != "missing"]
    devices = dict.fromkeys(device for state in begun for device in state.devices)
    unknown = sum(not state.devices for state in begun)
    more = f"; not noted for {unknown} run{'s' if unknown > 1 else ''}" if unknown else ""
    return ", ".join(devices) + more if devices else ""


def _named(specs: Mapping[str, str]) -> str:
    return ", ".join(f"{KEYPOINTS[name]} {Path(spec).name}" if len(specs) > 1 else Path(spec).name
                     for name, spec in specs.items())  # fmt: skip
