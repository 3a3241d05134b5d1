"""Engines: who trains the jobs of a plan. 'process': this process, one by one. 'ray': Ray's workers."""

from __future__ import annotations

import subprocess
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.live import Status
from poseaug_core.plain_text import named_error
from poseaug_core.runs import Run
from poseaug_core.storage import make_folder
from poseaug_core.sweep.plan import Job, Plan
from poseaug_core.sweep.state import state_of
from poseaug_core.sweep.work import Busy, finish

ENGINES = ("process", "ray")
Progress = Callable[[float, str], bool]
#: Seconds between two tellings of a run in training, and between two looks at one that another process trains.
SOON, PATIENCE = 0.2, 2.0


def run_plan(
    plan: Plan,
    folder: str | Path,
    engine: str = "process",
    progress: Progress | None = None,
    address: str = "",
    workers: int = 0,
) -> dict[str, Run]:
    """Train what is not finished yet of a plan, resuming what was begun; the finished Run of each label.

    folder: of all run folders; on a cluster one that every machine sees under the same path.
    progress(share, text): False stops after the step in hand (Cancelled); all is resumed by the next call.
    address: of a Ray cluster that this machine belongs to, '' for this machine alone. workers: runs at a time with
    Ray on this machine, 0 for one a core.
    A job that fails leaves the others alone; UserError in the end names the first and how many failed.
    """
    if engine not in ENGINES:
        raise UserError(f"There is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    if engine == "process" and (address or workers):
        raise UserError("An address and a number of workers are for the engine 'ray'; name it, or leave them out.")
    folder = make_folder(folder).absolute()
    states = {name: state_of(job, folder) for name, job in plan.jobs.items()}
    todo = [job for name, job in plan.jobs.items() if states[name].state != "done"]
    telling = progress or (lambda share, text: True)
    if todo and engine == "ray":
        from poseaug_core.sweep.on_ray import train_on_ray

        failed = train_on_ray(todo, folder, telling, program(), address, workers)
    else:
        failed = _train_here(todo, folder, telling, program())
    if failed:
        name, reason = next(iter(failed.items()))
        raise UserError(f"{len(failed)} of {len(todo)} runs failed; {name}: {reason}")
    telling(1.0, f"{len(plan.jobs)} runs are finished")
    return {label: Run.open(folder / name) for label, name in plan.runs.items()}


def _train_here(todo: list[Job], folder: Path, progress: Progress, program: str) -> dict[str, str]:
    """Job after job; the reason of each that failed. Those that another process trains come last, and are waited for,
    so that two processes share a plan."""
    failed: dict[str, str] = {}
    waiting = deque(todo)
    busy = 0  # jobs put back since one was trained
    while waiting:
        job, done = waiting.popleft(), len(todo) - len(waiting) - 1
        if job.after in failed:
            failed[job.name] = "the pre-training it starts from failed."
            continue
        try:
            if job.after in [other.name for other in waiting]:
                raise Busy(f"the pre-training {job.after} is not finished")
            finish(job, folder, _Telling(job, done, len(todo), progress), program)
            busy = 0
        except Busy:
            waiting.append(job)
            busy += 1
            if busy >= len(waiting):
                if not progress(done / len(todo), f"waiting for another process that trains {job.name}"):
                    raise Cancelled("The sweep was stopped.") from None
                time.sleep(PATIENCE)
        except Cancelled:
            raise
        except UserError as error:
            failed[job.name] = str(error)
        except Exception as error:  # its traceback is in the run's folder
            failed[job.name] = named_error(error)
    return failed


class _Telling:
    """Tells the progress of all jobs from the status of one, a few times a second."""

    def __init__(self, job: Job, number: int, count: int, progress: Progress):
        self.job, self.number, self.count, self.progress = job, number, count, progress
        self.next = 0.0

    def __call__(self, status: Status) -> bool:
        now = time.monotonic()
        if now < self.next and status.state in ("preparing", "running"):
            return True
        self.next = now + SOON
        share = status.step / status.steps if status.steps else 0.0
        what = f"{status.phase} {status.epoch + 1}/{status.epochs}" if status.epochs else status.message
        text = f"run {self.number + 1} of {self.count}, {self.job.name}: {what}"
        return self.progress((self.number + share) / self.count, text)


def program() -> str:
    """Version and, in a checkout, commit of what runs: '0.1.0, commit 4a22a4a', '+' where its files were changed."""
    try:
        found = version("poseaug-studio")
    except PackageNotFoundError:
        found = "run from source"
    ask = ["git", "-C", str(Path(__file__).parent)]

    def git(*words: str) -> str:
        return subprocess.run([*ask, *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # not some other checkout around an installation
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(Path(__file__).parents[1]))
        return f"{found}, commit {git('rev-parse', '--short', 'HEAD')}{'+' if changed else ''}"
    except (OSError, subprocess.CalledProcessError):
        return found
