"""Doing one job of a plan: begin, resume or only find it finished. Both engines come through here."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from poseaug_core.config import Config, save_toml, with_absolute_paths
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.launch import train
from poseaug_core.live import Live, Status
from poseaug_core.locks import Lock
from poseaug_core.runs import Run
from poseaug_core.storage import explained, make_folder, replacing
from poseaug_core.sweep.identity import FILES
from poseaug_core.sweep.plan import Job
from poseaug_core.sweep.state import read_log, require_same, write_log

Told = Callable[[Status], bool]


class Busy(UserError):
    """Another process trains the run at this moment."""


class Reporting(Live):
    """A Live that tells each status; an answer of False stops the run after its step, with a checkpoint."""

    def __init__(self, controls, told: Told):
        super().__init__(controls)
        self._told = told

    def report(self, status: Status) -> None:
        super().report(status)
        if not self.stopping and not self._told(status):
            self.stop()


def finish(job: Job, folder: Path, told: Told, program: str) -> None:
    """Train the job to its end in its folder, going on with what is there; nothing to do where it is finished.

    told: hears every status, in the training's thread; False stops. program: version to note in the folder.
    Raises Busy, UserError for a run that cannot be trained, and Cancelled when stopped; what was done stays and is
    resumed by the next call.
    """
    path, config = folder.absolute() / job.name, with_absolute_paths(job.placed(folder))
    with _held(path):
        _finish(job, path, config, told, program)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Be the only one to begin or go on with the run, also before its folder is there; Busy while another is.

    The system frees the lock when a process is killed; the file is taken away by whoever held it to the end.
    """
    lock = Lock(make_folder(path.parent) / f".{path.name}.lock")
    try:
        taken = lock.take()
    except OSError as error:
        raise explained(lock.path, error) from error
    if not taken:
        raise Busy(f"{path} is being trained by another process; wait for it or stop it.")
    try:
        yield
    finally:
        lock.free(remove=True)


def _finish(job: Job, path: Path, config: Config, told: Told, program: str) -> None:
    resume = False
    if path.exists():
        run = Run.open(path)
        require_same(run, config)
        if run.finished:
            return
        if run.being_written():
            raise Busy(f"{path} is being trained by another process; wait for it or stop it.")
        resume = bool(run.checkpoints())
        if not resume:  # killed before its first checkpoint
            shutil.rmtree(path)
        elif any(getattr(run.config, name) != getattr(config, name) for name in FILES):
            moved = replace(run.config, **{name: getattr(config, name) for name in FILES})
            with replacing(path / "config.toml") as part:
                save_toml(moved, part)
    live = Reporting(config.controls, told)
    if read_log(path).failed:  # from now on it is in training again, also if it is killed
        write_log(path, replace(read_log(path), failed=""))
    began, failed = time.monotonic(), ""
    try:
        train(None if resume else config, path, live, resume=resume)
    except Exception:
        failed = live.status.message
        raise
    finally:
        if path.is_dir():
            seconds = time.monotonic() - began
            write_log(path, read_log(path).with_more(seconds, program, device_name(live.status.device), failed))
    if live.status.state != "finished":
        raise Cancelled(f"{job.name} was stopped.")


def device_name(device: str) -> str:
    """'cuda:0 (NVIDIA A100)', 'cpu', '' where there is none yet: figures are compared on one kind of device."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"
