"""The engine 'ray': a task for each run, on this machine or a cluster; a killed worker's run is resumed by a retry.

Tasks write run folders and nothing else, so that on a cluster the folder of all runs, and the data, must lie under the
same path on every machine. Progress is read from the run folders too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.estimators.own import name_own
from poseaug_core.plain_text import named_error, of_library
from poseaug_core.sweep.plan import Job
from poseaug_core.sweep.state import state_of
from poseaug_core.sweep.work import Busy, finish

Progress = Callable[[float, str], bool]
#: Times that a run is taken up again after its worker was killed or its machine lost.
RETRIES = 5
#: Seconds between two looks at the run folders, and at a run that a dead worker may still hold.
LOOK, PATIENCE = 1.0, 2.0
#: Bytes of Ray's store for objects passed between processes: here nothing passes but settings.
STORE = 100 << 20
#: With 0 all of a Ray that is started here listens on the loopback alone, whatever the system; its setting for an
#: address of the machine does not do that. Whoever reaches its ports can have it run anything.
CLUSTERS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def train_on_ray(
    todo: list[Job], folder: Path, progress: Progress, program: str, address: str, workers: int
) -> dict[str, str]:
    """Train the jobs; the reason of each that failed. See ``run_plan``.

    Raises UserError where Ray is missing or the cluster cannot be reached, Cancelled where progress says stop: then
    the runs in training stop after their step.
    """
    ray = started(address, workers)
    try:
        return _train(ray, todo, folder, progress, program)
    finally:
        ray.shutdown()


def started(address: str, workers: int):
    """Ray, connected to the cluster at an address, or where there is none started here, for this machine alone.

    Raises UserError where Ray is missing or the cluster cannot be reached.
    """
    ray = _ray(address)
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        else:
            ray.init(
                num_cpus=workers or os.cpu_count(), include_dashboard=False, log_to_driver=False,
                logging_level="ERROR", object_store_memory=STORE,
            )  # fmt: skip
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster at {address!r} was not reached" if address else "Ray did not start"
        raise UserError(f"{where} ({of_library(error)}); check the address, or use --engine process.")
    return ray


def _ray(address: str):
    # Before ray is loaded: it would report its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address:
        os.environ.setdefault(CLUSTERS, "0")
    try:
        import ray
    except ImportError:
        raise UserError(
            "The engine 'ray' needs Ray, which is not installed; run: pip install 'poseaug-studio[ray]', or use "
            "--engine process."
        ) from None
    return ray


def _train(ray, todo: list[Job], folder: Path, progress: Progress, program: str) -> dict[str, str]:
    task = ray.remote(_task)
    gpu = 1 if ray.cluster_resources().get("GPU") else 0
    tasks: dict[str, object] = {}
    for job in todo:
        how = {"name": job.name, "num_cpus": max(job.config.threads, 1), "max_retries": RETRIES}
        how |= {"num_gpus": gpu if job.config.device == "auto" or job.config.device.startswith("cuda") else 0}
        # Waiting for the task before is Ray's: a task starts when its arguments are there.
        tasks[job.name] = task.options(**how).remote(job, str(folder), program, tasks.get(job.after))
    names = {ref: name for name, ref in tasks.items()}
    failed: dict[str, str] = {}
    running = list(tasks.values())
    while running:
        ended, running = ray.wait(running, timeout=LOOK)
        for ref in ended:
            try:
                reason = ray.get(ref)
            except ray.exceptions.RayError as error:
                reason = f"Ray lost it ({of_library(error)})"
            if reason:
                failed[names[ref]] = reason
        states = {job.name: state_of(job, folder) for job in todo}
        share = sum(state.progress for state in states.values()) / len(todo)
        at_work = [f"{name} {state.progress:.0%}" for name, state in states.items() if state.state == "running"]
        text = f"{len(todo) - len(running)} of {len(todo)} ended; {', '.join(at_work) or 'starting workers'}"
        if not progress(min(share, 0.999), text):
            for ref in running:
                ray.cancel(ref)
            ray.wait(running, num_returns=len(running))
            raise Cancelled("The sweep was stopped.")
    return failed


def _task(job: Job, folder: str, program: str, before: str | None) -> str:
    """One job on a worker; the reason if it failed, '' if not. before: that of the pre-training it starts from."""
    if before:
        return "the pre-training it starts from failed."
    name_own(job.config.estimator)
    asked: list[bool] = []
    ended: list[BaseException | None] = []

    def work() -> None:
        try:
            while True:
                try:
                    ended.append(finish(job, Path(folder), lambda _: not asked, program))
                    return
                except Busy:  # a dead worker's hold on a shared folder may outlive it for a while
                    if asked:
                        raise Cancelled("The sweep was stopped.") from None
                    time.sleep(PATIENCE)
        except BaseException as error:
            ended.append(error)

    # Beside the main thread, in which Ray raises KeyboardInterrupt to cancel: the step in hand is finished then.
    thread = threading.Thread(target=work, name="training")
    thread.start()
    while thread.is_alive():
        try:
            thread.join(0.2)
        except KeyboardInterrupt:
            asked.append(True)
    error = ended[0]
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, Cancelled):
        return "it was stopped."
    return named_error(error) if error else ""
