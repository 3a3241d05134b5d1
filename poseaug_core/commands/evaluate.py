"""poseaug evaluate: the errors of a trained estimator on sets of poses."""

from __future__ import annotations

import click

from poseaug_core.commands.terminal import json_option, print_json, print_table, progress_bar, read_estimator
from poseaug_core.errors import UserError

PROTOCOLS = ("poseaug16", "3dhp14")


@click.command(short_help="Errors of a trained estimator.")
@click.argument("run", metavar="RUN_OR_CHECKPOINT")
@click.option("--on", "specs", required=True, multiple=True, help="Poses to evaluate on, as --source; may be repeated.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Only this one; both by default.")
@click.option("--flip/--no-flip", default=True, help="Average with the mirrored answer. [default: flip]")
@click.option("--rig", default="lab", metavar="lab|wild", help="Cameras that film motion capture. [default: lab]")
@click.option("--seed", default=0, help="Seeds the filming of motion capture. [default: 0]")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps. [default: auto]")
@json_option
def evaluate(run, specs, protocol, flip, rig, seed, device, as_json) -> None:
    """Errors of the estimator in a run folder (its latest checkpoint) or a .safetensors file.

    Training flips on cross-dataset sets and not on the source's own test set. MPJPE and PA-MPJPE in millimetres,
    PCK and AUC in percent.
    """
    from poseaug_core.device import choose_device
    from poseaug_core.estimators import make_estimator
    from poseaug_core.evaluation import evaluate as errors_on
    from poseaug_core.readers import read_poses

    weights, kind = read_estimator(run)
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
            poses = read_poses(spec, rig=rig, seed=seed, progress=progress)
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
