"""poseaug evaluate: the errors of a trained estimator on sets of poses."""

from __future__ import annotations

from pathlib import Path

import click

from poseaug_core.commands.terminal import json_option, print_json, print_table, progress_bar, read_estimator
from poseaug_core.config import Config
from poseaug_core.errors import UserError

PROTOCOLS = ("poseaug16", "3dhp14")


@click.command(short_help="Errors of a trained estimator.")
@click.argument("run", metavar="RUN_OR_CHECKPOINT")
@click.option("--on", "specs", required=True, multiple=True, help="Poses to evaluate on, as --source; may be repeated.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Only this one; both by default.")
@click.option("--flip/--no-flip", default=True, help="Average with the mirrored answer. [default: flip]")
@click.option("--rig", metavar="lab|wild", help="Cameras that film motion capture. [default: the run's, else lab]")
@click.option("--data-seed", type=int, help="Seeds the demo's sets and the filming. [default: the run's, else 0]")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps. [default: auto]")
@json_option
def evaluate(run, specs, protocol, flip, rig, data_seed, device, as_json) -> None:
    """Errors of the estimator in a run folder (its latest checkpoint) or a .safetensors file.

    Training flips on cross-dataset sets and not on the source's own test set. MPJPE and PA-MPJPE in millimetres,
    PCK and AUC in percent.
    """
    from poseaug_core.device import choose_device
    from poseaug_core.estimators import make_estimator
    from poseaug_core.evaluation import evaluate as errors_on
    from poseaug_core.readers import read_poses
    from poseaug_core.runs import Run

    weights, kind = read_estimator(run)
    own = Run.open(run).config if (Path(run) / "config.toml").is_file() else Config()
    rig, data_seed = rig or own.rig, own.data_seed if data_seed is None else data_seed
    device = choose_device(device)
    estimator = make_estimator(kind["name"], kind["width"])
    try:
        estimator.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{run} does not hold a {kind['name']} {kind['width']} wide; name another checkpoint.")
    estimator.to(device)
    result = {"estimator": kind["name"], "from": str(run), "flip": flip, "sets": []}
    with progress_bar() as progress:
        for spec in specs:
            poses = read_poses(spec, rig=rig, seed=data_seed, progress=progress)
            found = errors_on(estimator, poses.to(device), flip, progress=progress)
            found = {k: v for k, v in found.items() if protocol is None or k.startswith(f"{protocol}/")}
            result["sets"].append({"on": spec, "poses": len(poses), "metrics": found})
    if as_json:
        print_json(result)
        return
    names = list(result["sets"][0]["metrics"])
    rows = [[name, *(f"{found['metrics'][name]:.2f}" for found in result["sets"])] for name in names]
    heads = [f"{found['on']} ({found['poses']:,} poses)" for found in result["sets"]]
    print_table(["metric", *heads], rows, f"{kind['name']} of {run}{', flip-averaged' if flip else ''}")
