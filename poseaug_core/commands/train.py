"""poseaug train: the trainer in a worker thread, watched through Live as the studio does."""

from __future__ import annotations

import shlex
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from poseaug_core.commands.terminal import (
    STOPPING,
    GroupedCommand,
    json_option,
    print_errors,
    print_json,
    setting_options,
    tell,
)
from poseaug_core.config import PRESETS, SETTINGS, Config, load_toml, make_config
from poseaug_core.controls import KNOBS
from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own, name_own
from poseaug_core.health import Alarmed
from poseaug_core.paths import usable
from poseaug_core.plain_text import named_error
from poseaug_core.signals import Asked, stopping

#: Every flag but the preset's own; where Config and Controls share a name, the start of the schedule is meant.
FLAGS = {name: s for name, s in {**SETTINGS, **KNOBS, **SETTINGS}.items() if name != "preset"}


@click.command(cls=GroupedCommand, short_help="Train an estimator with PoseAug in a run folder.")
@click.option("--out", type=click.Path(), help="Folder of the new run, for example runs/a.")
@click.option("--resume", type=click.Path(), help="Go on with the run in this folder, as if it had never stopped.")
@click.option(
    "--from", "checkpoint", metavar="NAME", help="With --resume: the checkpoint to go back to. [default: latest]"
)
@click.option("--replay", type=click.Path(), help="Repeat this run, with every change of a control at its step.")
@click.option("--config", "file", type=click.Path(), help="A TOML file of settings, such as a run's config.toml.")
@click.option("--preset", metavar="|".join(PRESETS), help="Named settings to start from. [default: released]")
@json_option
@setting_options(FLAGS)
def train(out, resume, checkpoint, replay, file, preset, as_json, **flags) -> None:
    """Train an estimator with PoseAug in a new run folder.

    Settings come from the preset, then the TOML file, then the flags. Ctrl+C, SIGTERM and a closed terminal (SIGHUP)
    stop after the step in hand and leave a checkpoint; a second Ctrl+C ends at once. A resumed run keeps its settings;
    its controls (rates, weights, beta, ...) may be changed, and --on-alarm. Where progress cannot be written the
    training goes on. Exit codes: 130, 143 or 129 stopped by Ctrl+C, SIGTERM or SIGHUP; 3 ended by an alarm; 74
    finished, but the result could not be written on stdout.

    \b
    poseaug train --source source.h5 --cross wild.h5 --estimator simple_baseline --out runs/a
    poseaug train --resume runs/a
    """
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    _name_own(given, resume or replay)
    if resume:
        turned = {name: value for name, value in given.items() if name in KNOBS or name == "on_alarm"}
        rest = {name: value for name, value in given.items() if name not in turned}
        _refuse("--resume", rest, out=out, replay=replay, config=file, preset=preset)
    elif not out:
        raise UserError("There is no folder to train in; name a new one with --out, for example --out runs/a.")
    if checkpoint and not resume:
        raise UserError(f"--from is {checkpoint!r}, a checkpoint to resume from; name the run with --resume.")
    if replay:
        _refuse("--replay", given, config=file, preset=preset)
    overrides = {**given, **({"preset": preset} if preset else {})}
    if resume:
        config = _turned(resume, turned)
    else:
        config = load_toml(Path(file), **overrides) if file else make_config(**overrides)
    result, asked = _watched(
        config, usable(resume or out).absolute(), bool(resume), replay, as_json, checkpoint or "latest"
    )
    if as_json:
        print_json(result)
    if result["state"] == "stopped":
        raise click.exceptions.Exit(asked.code)


def _turned(folder: str, turned: dict[str, Any]) -> Config | None:
    """The config of a run to resume with some of its controls changed, None where none is."""
    if not turned:
        return None
    from poseaug_core.runs import Run

    run = Run.open(folder)
    policy = turned.pop("on_alarm", run.config.on_alarm)
    controls = {name: KNOBS[name].check(value) for name, value in turned.items()}
    return replace(run.config, on_alarm=policy, controls=replace(run.controls(), **controls))


def _name_own(given: dict[str, Any], run: str | None) -> None:
    """--estimator FILE.py:CLASS lets that code run; for a run resumed or replayed it confirms the run's own."""
    if "estimator" in given:
        given["estimator"] = name_own(given["estimator"])
        if run and is_own(given["estimator"]):
            from poseaug_core.runs import Run

            own = Run.open(run).config.estimator
            if given.pop("estimator") != own:
                raise UserError(f"{run} is a run of the estimator {own}; name that one, or leave --estimator out.")


def _refuse(flag: str, given: dict[str, Any], **others) -> None:
    """Resuming and replaying keep the settings of the run they name."""
    names = [name.replace("_", "-") for name in (*given, *(k for k, v in others.items() if v))]
    if names:
        raise UserError(f"{flag} keeps the settings of the run it names; leave out --{' --'.join(names)}.")


def _watched(
    config: Config | None, folder: Path, resume: bool, replay: str | None, as_json: bool, checkpoint: str
) -> tuple[dict[str, Any], Asked]:
    """The result, and which signal asked for the end, if one did."""
    from poseaug_core.commands.watching import watch
    from poseaug_core.launch import train
    from poseaug_core.live import Live

    live = Live(config and config.controls)
    failures: list[Exception] = []

    def work() -> None:
        try:
            given = None if replay else config
            train(given, folder, live, resume=resume, replay=replay, checkpoint=checkpoint)
        except Exception as error:
            failures.append(error)

    worker = threading.Thread(target=work, name="training", daemon=True)
    with stopping(live.stop, words=STOPPING) as asked:
        worker.start()
        try:
            watch(live, worker, folder)
        except Exception as error:  # whatever becomes of telling, the training goes on
            tell(f"How it goes can no longer be told ({named_error(error)}); the training goes on.", err=True)
        finally:
            worker.join()
    status = live.status
    if failures:
        if isinstance(failures[0], Alarmed):
            tell(f"Error: {failures[0]}", err=True)
            raise click.exceptions.Exit(3)
        if isinstance(failures[0], UserError):
            raise failures[0]
        tell(f"Error: {status.message}", err=True)
        raise click.exceptions.Exit(1)
    return _outcome(replace(status, run=str(folder)), as_json), asked


def _outcome(status, as_json: bool) -> dict[str, Any]:
    """What to say in the end; the evaluation table goes to stdout."""
    from poseaug_core.runs import Run

    result = {"run": status.run, "state": status.state, "steps": status.step, "evaluation": {}}
    if not Path(status.run, "config.toml").exists():
        tell("Stopped before the first iteration; there is no run.", err=True)
        return result
    run = Run.open(status.run)
    rows = [row for row in run.metrics()[0] if row["kind"] == "evaluation"]
    if rows:
        result |= {"evaluation": rows[-1]["values"], "evaluated_at_step": rows[-1]["step"]}
    if not as_json:
        if rows:
            print_errors(rows[-1]["values"], f"Evaluated after {rows[-1]['step']:,} iterations")
        done = "Finished" if status.state == "finished" else "Stopped"
        tell(f"{done} after {status.step:,} iterations; the run is in {status.run}")
    if status.state == "stopped":
        own = run.config.estimator if is_own(run.config.estimator) else ""
        words = ["poseaug", "train", "--resume", status.run, *(["--estimator", own] if own else [])]
        tell(f"Go on with: {shlex.join(words)}", err=True)
    return result
