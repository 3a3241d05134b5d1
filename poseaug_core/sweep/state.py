"""How far a job is, read from its folder alone: also while another process or machine trains it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from poseaug_core.checkpoints import read_meta
from poseaug_core.config import Config
from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own
from poseaug_core.runs import Run
from poseaug_core.schedule import Schedule
from poseaug_core.sweep.plan import Job

#: The file in a run's folder that tells of its sweep: seconds spent, program versions.
LOG = "sweep.json"


@dataclass(frozen=True)
class JobState:
    """state: missing, stopped (to be resumed), running, failed or done. progress: 0..1 by iterations.

    values: the errors at the end of the run, {'source_test/poseaug16/mpjpe': mm, ...}; {} until it is done, and where
    the estimator was trained on after its last evaluation.
    sets: the names of its sets by their order: source, source_test, then the other sets.
    """

    state: str
    progress: float = 0.0
    values: dict[str, float] = dataclasses.field(default_factory=dict)
    sets: tuple[str, ...] = ()
    seconds: float = 0.0
    programs: tuple[str, ...] = ()
    iterations: int = 0


def state_of(job: Job, folder: str | Path) -> JobState:
    """The state of a job in the folder of all runs. Raises UserError for a folder with a run of other settings."""
    path = Path(folder) / job.name
    if not (path / "config.toml").is_file():
        return JobState("missing")
    run = Run.open(path)
    require_same(run, job.placed(Path(folder)))
    rows = run.metrics()[0]
    log, iterations = read_log(path), iterations_of(run)
    known = {
        "sets": tuple(run.data["sets"]), "seconds": log["seconds"], "programs": tuple(log["programs"]),
        "iterations": iterations,
    }  # fmt: skip
    if run.finished:
        return JobState("done", 1.0, _at_the_end(path, rows), **known)
    progress = min(max((row["step"] for row in rows), default=0) / max(iterations, 1), 1.0)
    state = "running" if run.being_written() else "failed" if run.failure() else "stopped"
    return JobState(state, progress, **known)


def _at_the_end(path: Path, rows: list[dict[str, Any]]) -> dict[str, float]:
    """The last evaluation of a finished run, if it is of the estimator as it was left; else {}.

    An estimator that does not change any more is not evaluated again, so that the step alone would not tell.
    """
    evaluations = [row["values"] for row in rows if row["kind"] == "evaluation"]
    stale = read_meta(path / "checkpoints" / "latest.safetensors").get("stale")
    return evaluations[-1] if evaluations and not stale else {}


def iterations_of(run: Run) -> int:
    """Iterations of the whole run if every augmented pair is kept."""
    poses = run.data["sets"]["source"]["poses"]
    schedule = Schedule(run.config, poses)
    return schedule.left(schedule.start(), poses)


def require_same(run: Run, config: Config) -> None:
    """UserError unless the run was begun with these settings; where files lie does not count."""
    then, now = _plain(run.config), _plain(config)
    other = [name for name in now if then[name] != now[name]]
    if other:
        raise UserError(
            f"{run.path} was trained with {other[0]} {then[other[0]]!r}, this program's is {now[other[0]]!r}; "
            "name another folder for the runs, or move this one away."
        )


def _plain(config: Config) -> dict[str, Any]:
    nowhere = replace(config, cross=(), extra_2d=(), source="", source_test="", estimator_weights="", preset="")
    values = dataclasses.asdict(nowhere)
    if is_own(config.estimator):  # a file too; its content is in the folder's name
        values["estimator"] = config.estimator.rsplit(":", 1)[1]
    return values.pop("controls") | values


def read_log(path: Path) -> dict[str, Any]:
    """What the folder tells of its sweep; nothing yet for a run that has not stopped or finished."""
    try:
        return {"seconds": 0.0, "programs": []} | json.loads((path / LOG).read_text())
    except FileNotFoundError:
        return {"seconds": 0.0, "programs": []}
    except (OSError, ValueError) as error:
        raise UserError(f"{path / LOG} is damaged ({error}); delete it.") from error


def expected_seconds(job: Job, known: Iterable[tuple[Job, JobState]]) -> float | None:
    """Seconds that a job should take on this machine, by finished runs like it; None where there is none.

    Those of the same plan with the same estimator and augmentation count; a run stopped by a kill has lost the time
    since its start, so that it counts as shorter than it was.
    """
    kind = lambda job: (job.config.estimator, job.config.augmentation, bool(job.config.epochs))  # noqa: E731
    like = [s for j, s in known if s.state == "done" and s.seconds and s.iterations and kind(j) == kind(job)]
    if not like:
        return None
    return sum(state.seconds for state in like) / len(like)
