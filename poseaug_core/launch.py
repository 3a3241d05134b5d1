"""Launching a run: from a config or a run folder to a trained estimator, watched through Live or not.

Nothing here knows who watches; the command line and the studio call ``train`` in a thread of theirs.
"""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from poseaug_core.config import Config, scheduled, with_absolute_paths
from poseaug_core.controls import KNOBS, Controls, changes
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.health import ACTIONS, Alarmed
from poseaug_core.live import Live, Status
from poseaug_core.plain_text import named_error

#: What a rollback halves.
RATES = ("lr_augmentor", "lr_discriminator", "lr_estimator")


def train(
    config: Config | None,
    folder: str | Path,
    live: Live,
    resume: bool = False,
    replay: str | Path | None = None,
    checkpoint: str = "latest",
):
    """Train config in a new run folder, or go on with the run in ``folder``; the Run, None if stopped before it began.

    A resumed run keeps its own config and goes on with the controls of its checkpoint; what was turned after it
    comes again at its steps. With a config, what live's controls changed since the run's last counts instead.
    checkpoint: the one to resume from. An alarm (health.py) may end the training, or take it back to its last good
    checkpoint with halved rates, as config.on_alarm says; with a config that of it counts.
    replay: a run whose changes of controls are repeated at their steps, on the same data and config (config None).
    live tells how it goes and how it ended. What fails is reported as 'failed', with the
    traceback in the run folder unless it is the user's to mend, and raised again.
    """
    # Here and not above, so that a window is open before torch is loaded, in its own thread.
    from poseaug_core.datasets import load_data, require_same_data
    from poseaug_core.device import memory_kept, use_threads
    from poseaug_core.runs import Run, require_new_folder

    run = None
    live.report(Status(state="preparing", message="loading", run=str(folder)))

    def progress(share: float, text: str) -> bool:
        live.report(replace(live.status, message=text, done=share))
        return not live.stopping

    try:
        unbegun = False
        if resume:
            run = Run.open(folder)
            unbegun = run.unbegun  # killed before its first checkpoint: it begins from the start
        else:
            require_new_folder(folder)  # before minutes of loading
            config = config and with_absolute_paths(config)
        if replay:
            model = Run.open(replay)
            config = model.config
            live.steer(config.controls)
        began = run.config if resume else config
        use_threads(began.threads)
        data = load_data(began, progress)
        progress(1.0, "building the networks")
        from poseaug_core.trainer import Trainer

        if replay:
            require_same_data(data.summary(), model.data, str(model.path))
        if resume and config is not None:
            began = replace(began, on_alarm=config.on_alarm)
        trainer = Trainer(began, data, not resume or unbegun, progress)
        if resume:
            require_same_data(data.summary(), run.data, str(folder))
            before = run.controls()
            if unbegun:
                run = Run.restart(folder, lambda run: trainer.save(run, "latest"))
            else:
                run, *_ = Run.resume(folder, checkpoint, load=trainer.load_state)
            live.note(*run.damage)
            turned = {} if config is None else {name: new for name, _, new in changes(before, live.controls)}
            live.steer(replace(trainer.steered, **turned))
            run.drop_pending(set(turned))
        else:
            pending = model.control_log() if replay else []
            if replay:
                live.note(*model.damage)
            run = Run.create(folder, config, data.summary(), lambda run: _begin(run, trainer, pending))
        with memory_kept():
            tried: dict[int, int] = {}
            while True:
                try:
                    trainer.run(Following(live, run.pending(), trainer.position.step), run)
                    return run
                except Alarmed as alarmed:
                    run = roll_back(run, trainer, live, alarmed, tried)
    except Cancelled:
        live.report(replace(live.status, state="stopped", message="stopped before the first iteration"))
        return None
    except Exception as error:
        if isinstance(error, Alarmed):
            live.report(replace(live.status, alarms=trainer.alarms))
        live.report(replace(live.status, state="failed", message=_message(error, run)))
        raise
    finally:
        if run is not None:
            run.close()


#: Times that a run goes back to one checkpoint, and in all, before it ends.
ONCE_MORE, OFTEN = 2, 8


def roll_back(run, trainer, live: Live, alarmed: Alarmed, tried: dict[int, int]):
    """The run, gone back to its last good checkpoint, its rates halved from there on.

    Weights, optimisers, pools and random numbers are the checkpoint's; what was recorded after it is dropped. The rates
    are turned as a user would turn them, so that a replay of the run gives the same bits. tried: how often each
    checkpoint, by its step, was gone back to. Raises alarmed where that is not wanted or of no use any more.
    """
    from poseaug_core import checkpoints
    from poseaug_core.runs import Run

    alarm, held = alarmed.alarm, live.controls
    going = alarm.action == ACTIONS["rollback"] and sum(tried.values()) < OFTEN and not live.stopping
    good = checkpoints.good(run.saved, alarm.step) if going else {}
    run.close()
    for name, step in good.items():
        if tried.get(step, 0) < ONCE_MORE:
            tried[step] = tried.get(step, 0) + 1
            try:
                run, *_ = Run.resume(run.path, name, load=trainer.load_state)
                break
            except UserError as error:  # damaged: there may be another one
                live.note(str(error))
    else:
        raise alarmed
    at = trainer.position
    now = scheduled(trainer.config, held, at.phase, at.epoch)
    rates = {field: getattr(now, field) / 2 for field in RATES if getattr(now, field)}
    rates = {field: max(rate, KNOBS[field].low) for field, rate in rates.items()}
    live.steer(replace(held, **rates))
    run.drop_pending(set(rates))
    told = f"{alarm.text} It went back to step {step:,} and goes on with rates halved."
    trainer.alarms = (*trainer.alarms[:-1], replace(alarm, text=told))
    live.note(*run.notes)
    live.report(replace(live.status, alarms=trainer.alarms))
    return run


def _message(error: Exception, run) -> str:
    """What to tell the user, keeping the traceback of anything that is not the user's to mend."""
    if isinstance(error, UserError):
        return str(error)
    what = f"The training broke off: {named_error(error)}"
    if "out of memory" in str(error).lower():
        return f"{what}. Choose a smaller batch size, a narrower estimator or device 'cpu'."
    if run is None:
        return f"{what}."
    try:
        return f"{what}. The details are in {run.save_failure(traceback.format_exc())}."
    except UserError:
        return f"{what}."


def _begin(run, trainer, pending: list[dict[str, Any]]) -> None:
    """What lets a run be resumed whenever it is killed."""
    run.plan(pending)
    trainer.save(run, "latest")


class Following:
    """A Live whose controls are turned as a control log says, at the same steps; all else is the live's own.

    log: rows {step, field, old, new}, ``step`` being the iterations done before the change was first used.
    step: the iterations already done.
    """

    def __init__(self, live: Live, log: list[dict[str, Any]], step: int):
        self._live, self._log, self._step = live, log, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    def turn(self) -> Controls | None:
        """As Live.turn, with the changes due at this step made first."""
        due = {row["field"]: row["new"] for row in self._log if row["step"] == self._step}
        if due:
            self._live.steer(replace(self._live.controls, **due))
        controls = self._live.turn()
        self._step += 1
        return controls

    def more(self, count: int) -> int:
        """As Live.more, up to the next change."""
        ahead = [row["step"] - self._step for row in self._log if row["step"] >= self._step]
        granted = self._live.more(min([count, *ahead]))
        self._step += granted
        return granted
