"""Launching a run: from a config or a run folder to a trained estimator, watched through Live or not.

Nothing here knows who watches; the command line and the studio call ``train`` in a thread of theirs.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from poseaug_core.config import Config
from poseaug_core.controls import Controls
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.live import Live, Status

# Before torch is loaded: spinning threads collapse on a machine that does something else as well.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def train(config: Config | None, folder: str | Path, live: Live, resume: bool = False):
    """Train config in a new run folder, or go on with the run in ``folder``; the Run, None if stopped before it began.

    A resumed run keeps its own config. It goes on with live's controls; without a config (None) with those in
    force at its checkpoint. live tells how it goes and how it ended. What fails is reported as 'failed', with the
    traceback in the run folder unless it is the user's to mend, and raised again.
    """
    # Here and not above, so that a window is open before torch is loaded, in its own thread.
    from poseaug_core.datasets import load_data, require_same_data
    from poseaug_core.device import use_threads
    from poseaug_core.runs import Run, require_new_folder

    run = None
    live.report(Status(state="preparing", message="loading", run=str(folder)))

    def progress(share: float, text: str) -> bool:
        live.report(replace(live.status, message=text, done=share))
        return not live.stopping

    try:
        if resume:
            run = Run.open(folder)
        else:
            require_new_folder(folder)  # before minutes of loading
        began = run.config if resume else config
        use_threads(began.threads)
        data = load_data(began, progress)
        progress(1.0, "building the networks")
        from poseaug_core.trainer import Trainer

        trainer = Trainer(began, data)
        if resume:
            require_same_data(data.summary(), run.data, str(folder))
            run, tensors, meta = Run.resume(folder)
            trainer.load_state(tensors, meta)
            if config is None:
                live.steer(trainer.steered)
        else:
            run = Run.create(folder, config, data.summary())
            trainer.save(run, "latest")  # a run can be resumed whenever it is killed
        trainer.run(live, run)
        return run
    except Cancelled:
        live.report(replace(live.status, state="stopped", message="stopped before the first iteration"))
        return None
    except Exception as error:
        live.report(replace(live.status, state="failed", message=_message(error, run)))
        raise
    finally:
        if run is not None:
            run.close()


def _message(error: Exception, run) -> str:
    """What to tell the user, keeping the traceback of anything that is not the user's to mend."""
    if isinstance(error, UserError):
        return str(error)
    what = f"The training broke off: {type(error).__name__}: {error}".split("\n")[0].rstrip(".")
    if "out of memory" in str(error).lower():
        return f"{what}. Choose a smaller batch size, a narrower estimator or device 'cpu'."
    if run is None:
        return f"{what}."
    try:
        return f"{what}. The details are in {run.save_failure(traceback.format_exc())}."
    except UserError:
        return f"{what}."


class ReplayLive(Live):
    """A Live that turns the controls as a control log says, at the same steps; the run then repeats the logged one.

    log: rows {step, field, old, new}, ``step`` being the iterations done before the change was first used.
    """

    def __init__(self, controls: Controls, log: list[dict[str, Any]]):
        super().__init__(controls)
        self._log, self._turns = log, 0

    def turn(self) -> Controls | None:
        due = {row["field"]: row["new"] for row in self._log if row["step"] == self._turns}
        if due:
            self.steer(replace(self.controls, **due))
        controls = super().turn()
        self._turns += 1
        return controls
