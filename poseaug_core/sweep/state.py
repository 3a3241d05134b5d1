"""How far a job is, read from its folder alone: also while another process or machine trains it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from poseaug_core.checkpoints import read_meta
from poseaug_core.config import Config
from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own
from poseaug_core.run_data import training_poses
from poseaug_core.runs import Run
from poseaug_core.schedule import Schedule
from poseaug_core.storage import replacing
from poseaug_core.sweep.identity import BESIDE
from poseaug_core.sweep.plan import Job

#: The file in a run's folder that tells of its sweep.
LOG = "sweep.json"


@dataclass(frozen=True)
class JobState:
    """state: missing, stopped (to be resumed), running, failed or done. progress: 0..1 by iterations.

    values: the errors at the end of the run, {'source_test/poseaug16/mpjpe': mm, ...}; {} until it is done, and where
    the estimator was trained on after its last evaluation.
    sets: the names of its sets by their order: source, source_test, then the other sets. devices: what it was trained
    on, () where that was not noted. reason: of a failure, else ''.
    """

    state: str
    progress: float = 0.0
    values: dict[str, float] = dataclasses.field(default_factory=dict)
    sets: tuple[str, ...] = ()
    seconds: float = 0.0
    programs: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    iterations: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Log:
    """What a run's folder tells of its sweep: seconds spent, program versions and devices that spent them, and why the
    last attempt failed, '' where it did not."""

    seconds: float = 0.0
    programs: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    failed: str = ""

    def with_more(self, seconds: float, program: str, device: str, failed: str) -> Log:
        """After another attempt."""
        return Log(
            round(self.seconds + seconds, 1),
            tuple(dict.fromkeys((*self.programs, program))),
            tuple(dict.fromkeys((*self.devices, *([device] if device else [])))),
            failed,
        )


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
        "sets": tuple(run.data["sets"]), "seconds": log.seconds, "programs": log.programs, "devices": log.devices,
        "iterations": iterations,
    }  # fmt: skip
    if run.finished:
        return JobState("done", 1.0, _at_the_end(path, rows), **known)
    progress = min(max((row["step"] for row in rows), default=0) / max(iterations, 1), 1.0)
    if run.being_written():
        return JobState("running", progress, **known)
    reason = log.failed or (run.failure() or "").strip().rpartition("\n")[2]
    return JobState("failed" if reason else "stopped", progress, reason=reason, **known)


def _at_the_end(path: Path, rows: list[dict[str, Any]]) -> dict[str, float]:
    """The last evaluation of a finished run, if it is of the estimator as it was left; else {}.

    An estimator that does not change any more is not evaluated again, so that the step alone would not tell.
    """
    evaluations = [row["values"] for row in rows if row["kind"] == "evaluation"]
    stale = read_meta(path / "checkpoints" / "latest.safetensors").get("stale")
    return evaluations[-1] if evaluations and not stale else {}


def iterations_of(run: Run) -> int:
    """Iterations of the whole run if every augmented pair is kept."""
    poses = training_poses(run.data)
    if not poses:
        raise UserError(f"{run.path / 'data.json'} is damaged; restore it from a copy, or move the folder away.")
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
    nowhere = replace(config, cross=(), extra_2d=(), source="", source_test="", estimator_weights="")
    values = {name: value for name, value in dataclasses.asdict(nowhere).items() if name not in BESIDE}
    if is_own(config.estimator):  # a file too; its content is in the folder's name
        values["estimator"] = config.estimator.rsplit(":", 1)[1]
    return values.pop("controls") | values


def read_log(path: Path) -> Log:
    """What the folder tells of its sweep; nothing for a run that has not stopped or finished, and where the file is
    damaged: no figure of a table depends on it. Raises UserError for a file that may not be read."""
    try:
        found = json.loads((path / LOG).read_text())
    except (FileNotFoundError, ValueError):
        return Log()
    except OSError as error:
        raise UserError(f"{path / LOG} cannot be read ({error.strerror}); check its permissions.") from error
    found = found if isinstance(found, dict) else {}
    seconds, failed = found.get("seconds"), found.get("failed")
    texts = {
        name: tuple(text for text in found[name] if isinstance(text, str))
        for name in ("programs", "devices")
        if isinstance(found.get(name), list)
    }
    good = isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0
    return Log(float(seconds) if good else 0.0, failed=failed if isinstance(failed, str) else "", **texts)


def write_log(path: Path, log: Log) -> None:
    """Put it in the run's folder."""
    with replacing(path / LOG) as part:
        part.write_text(json.dumps(dataclasses.asdict(log)) + "\n")


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
