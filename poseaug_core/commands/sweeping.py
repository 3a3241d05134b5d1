"""What ``table`` and ``figure`` share: naming data, settings and engine, and training what is missing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from poseaug_core.commands.terminal import STOPPING, print_table, progress_bar, tell
from poseaug_core.config import PRESETS
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.signals import Ended, end_by_interrupt, stopping

#: Seconds between two lines where stderr is no terminal.
LINES_APART = 30.0

_OPTIONS = [
    click.option("--data", metavar="DIR", default="", help="Folder of source_train, source_test, cross(_dev), wild."),
    click.option("--source", multiple=True, metavar="[KEYPOINTS=]SPEC",
                 help="Training poses; det=, cpn=, hr= before those with detected 2D. May be repeated."),
    click.option("--source-test", multiple=True, metavar="[KEYPOINTS=]SPEC", help="The source's test people."),
    click.option("--cross", default="", metavar="SPEC", help="Cross-scenario test set, the paper's 3DHP."),
    click.option("--wild", default="", metavar="SPEC", help="In-the-wild test set, the paper's 3DPW."),
    click.option("--extra-2d", multiple=True, metavar="SPEC", help="2D poses for the 2D discriminator."),
    click.option("--preset", default="released", metavar="|".join(PRESETS), help="[default: released]"),
    click.option("--estimator", default="vpose", help="Where rows do not name one. [default: vpose]"),
    click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any setting, for all runs."),
    click.option("--seeds", default="0", metavar="0,1,...", help="[default: 0]"),
    click.option("--runs", "folder", default="runs/tables", type=click.Path(),
                 help="Folder of all run folders; finished ones are read, others resumed. [default: runs/tables]"),
    click.option("--engine", default="process", metavar="process|ray",
                 help="process: one run after the other; ray: several at a time. [default: process]"),
    click.option("--address", default="", help="Of a Ray cluster this machine belongs to; --runs must then be a folder "
                 "that all its machines share."),
    click.option("--workers", default=0, help="Runs at a time with Ray on this machine. [default: one a core]"),
    click.option("--dry-run", is_flag=True, help="Only list the runs, their states and expected times."),
]  # fmt: skip


def sweep_options(function: Callable) -> Callable:
    """The options of a command that trains."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def seeds_of(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        seeds = ()
    if not seeds:
        raise UserError(f"--seeds is {text!r}; list whole numbers with commas, for example 0,1.")
    return tuple(dict.fromkeys(seeds))


def names_of(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def train_plan(plan: Any, folder: str, engine: str, address: str, workers: int) -> dict[str, Any]:
    """Train what is missing, and give the Run of each label.

    Ctrl+C, SIGTERM and SIGHUP stop after the step in hand, which is Ended; the same one again ends at once.
    """
    from poseaug_core.sweep import run_plan

    with stopping(lambda: None, end_by_interrupt, STOPPING) as asked, progress_lines() as progress:
        telling = lambda share, text: progress(share, text) and not asked  # noqa: E731
        try:
            return run_plan(plan, folder, engine, telling, address, workers)
        except Cancelled:
            if asked.number is None:
                raise
            raise Ended(asked.number)


@contextmanager
def progress_lines() -> Iterator[Callable[[float, str], bool]]:
    """A bar on a terminal; elsewhere a line now and then, so that a log tells how far it is."""
    if sys.stderr.isatty():
        with progress_bar() as progress:
            yield progress
        return
    next_at = 0.0

    def progress(share: float, text: str) -> bool:
        nonlocal next_at
        if time.monotonic() >= next_at or share == 1.0:
            next_at = time.monotonic() + LINES_APART
            tell(f"{share:6.1%}  {text}", err=True)
        return True

    yield progress


def plan_rows(plan: Any, folder: str) -> list[dict[str, Any]]:
    """Each run with its state, progress and the seconds it should still take."""
    from poseaug_core.sweep import expected_seconds, state_of

    known = [(job, state_of(job, folder)) for job in plan.jobs.values()]
    rows = []
    for job, state in known:
        whole = expected_seconds(job, known)
        left = 0.0 if state.state == "done" else whole and whole * (1 - state.progress)
        rows.append({"run": job.name, "state": state.state, "progress": round(state.progress, 3), "seconds_left": left})
    return rows


def print_plan(rows: list[dict[str, Any]]) -> None:
    minutes = lambda seconds: "unknown" if seconds is None else f"{seconds / 60:.0f} min"  # noqa: E731
    print_table(
        ["run", "state", "progress", "expected"],
        [[row["run"], row["state"], f"{row['progress']:.0%}", minutes(row["seconds_left"])] for row in rows],
    )
    unknown = sum(row["seconds_left"] is None for row in rows)
    total = sum(row["seconds_left"] or 0.0 for row in rows)
    done = sum(row["state"] == "done" for row in rows)
    more = f", and {unknown} whose time no finished run tells" if unknown else ""
    tell(f"{done} of {len(rows)} finished; {minutes(total)} left one by one{more}.")
