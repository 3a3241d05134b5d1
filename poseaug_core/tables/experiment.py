"""An experiment: a table of the paper on data at hand, as a plan of runs and a grid that fills while they train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from poseaug_core.config import PRESETS, SETTINGS, Config, make_config
from poseaug_core.errors import UserError
from poseaug_core.settings import did_you_mean
from poseaug_core.sweep import Job, JobState, Plan, plan_of, state_of
from poseaug_core.tables.definitions import KEYPOINTS, ROLES, TABLES, Column, Row, Table


@dataclass(frozen=True)
class DataSets:
    """What to train and evaluate on, as specs of ``read_poses``.

    source, source_test: by the keypoints they hold (det, cpn, hr, gt). cross, wild: '' for none. extra_2d: sets of
    2D poses without 3D.
    """

    source: Mapping[str, str]
    source_test: Mapping[str, str] = field(default_factory=dict)
    cross: str = ""
    wild: str = ""
    extra_2d: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(spec for spec in (self.cross, self.wild) if spec)


@dataclass(frozen=True)
class Setup:
    """How a table is run: preset and settings over it, the estimator where rows do not name one, seeds, and the
    protocol of its figures."""

    data: DataSets
    preset: str = "released"
    estimator: str = "vpose"
    seeds: tuple[int, ...] = (0,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocol: str = "poseaug16"


@dataclass(frozen=True)
class Experiment:
    """table: with the rows and columns that the data allow. left_out: a sentence for each that they do not.
    labels: (row key, column key, seed) -> label in the plan."""

    table: Table
    setup: Setup
    plan: Plan
    labels: Mapping[tuple[str, str, int], str]
    left_out: tuple[str, ...] = ()

    def job(self, row: Row, column: Column, seed: int) -> Job:
        """Whose last evaluation is the figure: the row's run, or the pre-training it starts from."""
        job = self.plan.job(self.labels[row.key, column.key, seed])
        return self.plan.jobs[job.after] if row.kind == "pretrained" else job


@dataclass(frozen=True)
class Cell:
    """state: '' (cited), missing, stopped, running, failed or done, the least of its seeds'. values: by seed, of those
    that are done. progress: 0..1 over all seeds."""

    state: str
    values: Mapping[int, float] = field(default_factory=dict)
    progress: float = 0.0
    sets: tuple[str, ...] = ()


def experiment(
    number: int,
    setup: Setup,
    rows: Iterable[str] = (),
    columns: Iterable[str] = (),
    estimators: Iterable[str] = (),
    keypoints: Iterable[str] = (),
) -> Experiment:
    """Table ``number`` of the paper on the setup's data; rows, columns, estimators, keypoints: only these of it.

    Raises UserError for what the table does not have and for a table of which nothing is left.
    """
    if number not in TABLES:
        raise UserError(f"The paper has no table {number}; choose 1 to {len(TABLES)}.")
    if setup.preset not in PRESETS:
        raise UserError(f"There is no preset {setup.preset!r}; choose one of {', '.join(PRESETS)}.")
    if not setup.seeds:
        raise UserError("No seed is named; give at least one, for example --seeds 0,1.")
    corner = _chosen(TABLES[number], list(rows), list(columns), list(estimators), list(keypoints))
    table, left_out = _fitting(corner, setup)
    configs: dict[str, Config] = {}
    labels = {}
    trained = [row for row in table.rows if row.kind != "cited"]
    # One seed after the other, so that the table has all its rows early.
    for seed, row, column in product(setup.seeds, trained, table.columns):
        keypoints_of = column.keypoints or _keypoints(table, setup)
        label = f"{row.key}, {keypoints_of}, seed {seed}"
        labels[row.key, column.key, seed] = label
        if label not in configs:
            configs[label] = config_of(row, keypoints_of, seed, setup)
            _require_evaluated(configs[label])
    return Experiment(table, setup, plan_of(configs), labels, tuple(left_out))


def config_of(row: Row, keypoints: str, seed: int, setup: Setup) -> Config:
    """The settings of one run; what the row is about counts over what the user set."""
    data = setup.data
    own = {"estimator": setup.estimator, **row.settings}
    values = {"threads": 1, **setup.settings, **own}
    values |= {"source": data.source[keypoints], "source_test": data.source_test.get(keypoints, "")}
    values |= {"cross": data.others, "seed": seed}
    if row.needs == "extra_2d":
        values["extra_2d"] = data.extra_2d
    config = make_config(setup.preset, **values)
    if config.estimator_weights or not config.pretrain_epochs:
        raise UserError("A table pre-trains its estimators itself; leave out estimator_weights and pretrain_epochs 0.")
    return config


def _require_evaluated(config: Config) -> None:
    """UserError unless every run is evaluated when it ends: with any number of epochs in between it is."""
    if not config.evaluate_epochs:
        raise UserError(
            "A table is made of each run's evaluation at its end, and evaluate_epochs is 0; set it to 1 or more, or "
            "leave it out."
        )


def _keypoints(table: Table, setup: Setup) -> str:
    """Those of the paper's table if there are such data, else the first there are."""
    return table.keypoints if table.keypoints in setup.data.source else next(iter(setup.data.source))


def _fitting(table: Table, setup: Setup) -> tuple[Table, list[str]]:
    """The table without what the data do not allow, and what that is."""
    data, left_out = setup.data, []
    there = {"source_test": True, "cross": bool(data.cross), "wild": bool(data.wild)}
    columns = []
    for column in table.columns:
        if not there[column.role]:
            left_out.append(f"Without a set --{column.role} the paper's {ROLES[column.role]} columns are left out.")
        elif column.keypoints and column.keypoints not in data.source:
            left_out.append(f"Without 2D poses from {KEYPOINTS[column.keypoints]} its columns are left out.")
        else:
            columns.append(column)
    rows = []
    for row in table.rows:
        if row.needs and not getattr(data, row.needs):
            left_out.append(f"Without --{row.needs.replace('_', '-')} the row '{row.label}' is left out.")
        else:
            rows.append(row)
    chosen = _keypoints(table, setup)
    if table.keypoints != chosen and not any(column.keypoints for column in table.columns):
        wanted, used = KEYPOINTS[table.keypoints], KEYPOINTS[chosen]
        left_out.append(f"The paper's table has 2D poses from {wanted}; here they are from {used}.")
    if not columns:
        lacking = list(dict.fromkeys(column.role for column in table.columns if not there[column.role]))
        flags, files = (" or ".join(form.format(role) for role in lacking) for form in ("--{} SPEC", "{}.h5"))
        remedy = f" Add {flags}, or {files} to the folder of --data." if lacking else ""
        raise UserError(f"Nothing is left of table {table.number}: {' '.join(dict.fromkeys(left_out))}{remedy}")
    return replace(table, columns=tuple(columns), rows=tuple(rows)), list(dict.fromkeys(left_out))


def _chosen(table: Table, rows: list[str], columns: list[str], estimators: list[str], keypoints: list[str]) -> Table:
    """The corner of the table that was asked for; a row's baselines stay with it."""
    own = [row.settings.get("estimator", "") for row in table.rows]
    if estimators:
        _require(estimators, own, f"table {table.number}'s rows", "estimator")
        table = replace(table, rows=tuple(r for r, name in zip(table.rows, own, strict=True) if name in estimators))
    if keypoints:
        _require(
            keypoints, [column.keypoints for column in table.columns], f"table {table.number}'s columns", "keypoints"
        )
        table = replace(table, columns=tuple(c for c in table.columns if c.keypoints in keypoints))
    if columns:
        _require(columns, [column.key for column in table.columns], f"table {table.number}", "column")
        table = replace(table, columns=tuple(c for c in table.columns if c.key in columns))
    if rows:
        _require(rows, [row.key for row in table.rows], f"table {table.number}", "row")
        wanted = {*rows, *(row.versus for row in table.rows if row.key in rows)}
        table = replace(table, rows=tuple(row for row in table.rows if row.key in wanted))
    return table


def _require(asked: list[str], known: list[str], where: str, what: str) -> None:
    known = [name for name in dict.fromkeys(known) if name]
    for name in asked:
        if name not in known:
            there = ", ".join(known) or "none"
            raise UserError(f"There is no {what} {name!r} in {where}; there are: {there}.")


def parse_settings(given: Iterable[str]) -> dict[str, str]:
    """{'epochs': '8'} of ['epochs=8']; values are checked where a Config is made. Raises UserError."""
    from poseaug_core.controls import KNOBS

    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise UserError(f"--set {text} has no '='; give name=value, for example --set epochs=8.")
        if name not in SETTINGS and name not in KNOBS:
            raise UserError(f"There is no setting {name!r}{did_you_mean(name, [*SETTINGS, *KNOBS])}")
        if name in ("source", "source_test", "cross", "extra_2d", "seed", "preset", "estimator"):
            flag = {"seed": "seeds"}.get(name, name).replace("_", "-")
            raise UserError(f"--set {text}: a table has an option of its own for it, --{flag}.")
        found[name] = value.strip()
    return found


def table_state(experiment: Experiment, folder: str | Path) -> list[list[Cell]]:
    """The grid as far as the run folders have filled it, row by row; reads only, at any time.

    Raises UserError for folders with runs of other settings.
    """
    states = {name: state_of(job, folder) for name, job in experiment.plan.jobs.items()}
    return [[_cell(experiment, row, column, states) for column in experiment.table.columns]
            for row in experiment.table.rows]  # fmt: skip


def _cell(experiment: Experiment, row: Row, column: Column, states: dict[str, JobState]) -> Cell:
    if row.kind == "cited":
        return Cell("")
    values, seen, progress = {}, [], []
    sets: tuple[str, ...] = ()
    for seed in experiment.setup.seeds:
        job = experiment.job(row, column, seed)
        state = states[job.name]
        seen.append(state.state)
        progress.append(_whole_progress(job, states))
        if state.state == "done":
            sets = state.sets
            values[seed] = _value(state, column, experiment.setup, job)
    order = ("failed", "running", "stopped", "missing", "done")
    return Cell(min(seen, key=order.index), values, fmean(progress), sets)


def _whole_progress(job: Job, states: dict[str, JobState]) -> float:
    """With the pre-training that comes first, each counted as half."""
    own = states[job.name].progress
    return (states[job.after].progress + own) / 2 if job.after else own


def set_name(column: Column, sets: tuple[str, ...], data: DataSets) -> str:
    """The name in the run's evaluations of the set that the column is about."""
    if column.role == "source_test":
        return "source_test"
    return sets[2 + (1 if column.role == "wild" and data.cross else 0)]


def _value(state: JobState, column: Column, setup: Setup, job: Job) -> float:
    name = f"{set_name(column, state.sets, setup.data)}/{setup.protocol}/{column.metric}"
    value = state.values.get(name)
    if value is None:
        raise UserError(
            f"{job.name} has no {name} of the estimator at its end; name another folder with --runs, or move this run "
            "away, and let it train and evaluate again."
        )
    return value
