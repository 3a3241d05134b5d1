"""poseaug evaluate: the errors of a trained estimator on sets of poses."""

from __future__ import annotations

from pathlib import Path

import click

from poseaug_core.commands.terminal import (
    counted,
    json_option,
    own_estimator_option,
    print_json,
    print_table,
    progress_bar,
    tell,
    with_unit,
)
from poseaug_core.config import Config

PROTOCOLS = ("poseaug16", "3dhp14")
SIDES = ("action", "joint", "part", "subject", "view")
#: What papers report of actions: every row counts alike, however many poses it has.
MEAN = "mean of the rows"


@click.command(short_help="Errors of a trained estimator.")
@click.argument("run", metavar="RUN_OR_CHECKPOINT")
@click.option("--on", "specs", required=True, multiple=True, help="Poses to evaluate on, as --source; may be repeated.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Only this one; both by default.")
@click.option("--by", "sides", multiple=True, type=click.Choice(SIDES), help="Also a table by these; may be repeated.")
@click.option("--flip/--no-flip", default=True, help="Average with the mirrored answer. [default: flip]")
@click.option("--rig", metavar="lab|wild", help="Cameras that film motion capture. [default: the run's, else lab]")
@click.option("--data-seed", type=int, help="Seeds the demo's sets and the filming. [default: the run's, else 0]")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps. [default: auto]")
@own_estimator_option
@json_option
def evaluate(run, specs, protocol, sides, flip, rig, data_seed, device, own, as_json) -> None:
    """Errors of the estimator in a run folder (its latest checkpoint) or a checkpoint.

    A checkpoint is a .safetensors file, the authors' .pth.tar or any other state dict of these estimators, recognised
    by its tensors, or an .onnx file, which onnxruntime runs.
    Training flips on cross-dataset sets and not on the source's own test set. MPJPE and PA-MPJPE in millimetres,
    PCK and AUC in percent.
    """
    from poseaug_core.device import choose_device
    from poseaug_core.evaluation import evaluate_detail
    from poseaug_core.readers import read_poses
    from poseaug_core.runs import Run
    from poseaug_core.trained import open_estimator

    opened = Run.open(run) if (Path(run) / "config.toml").is_file() else None
    settings = Config() if opened is None else opened.config
    for sentence in [] if opened is None else opened.damage:
        tell(sentence, err=True)
    rig, data_seed = rig or settings.rig, settings.data_seed if data_seed is None else data_seed
    device = choose_device(device)
    trained = open_estimator(run, own, device)
    result = {"estimator": trained.name, "width": trained.width, "from": str(run), "flip": flip, "sets": []}
    with progress_bar() as progress:
        for spec in specs:
            poses = read_poses(spec, rig=rig, seed=data_seed, progress=progress, split="test")
            detail = evaluate_detail(trained.network, poses.to(device), flip, progress=progress)
            found = {"on": spec, "name": poses.name, "poses": len(poses), "metrics": _kept(detail.overall(), protocol)}
            by = {side: {label: _kept(row, protocol) for label, row in _rows(detail, side).items()} for side in sides}
            result["sets"].append(found | ({"by": by} if by else {}) | {"note": detail.note()})
    if as_json:
        print_json(result)
        return
    names = list(result["sets"][0]["metrics"])
    rows = [[with_unit(name), *(f"{found['metrics'][name]:.2f}" for found in result["sets"])] for name in names]
    heads = [_head(result["sets"], number) for number in range(len(result["sets"]))]
    print_table(["metric", *heads], rows, f"{trained.name} of {run}{', flip-averaged' if flip else ''}")
    for head, found in zip(heads, result["sets"], strict=True):
        tell(f"{head}: {found['on']}, {counted(found['poses'], 'poses')}")
    for head, found in zip(heads, result["sets"], strict=True):
        for side, table in found.get("by", {}).items():
            _print_side(side, table, head)
        tell(found["note"])


def _head(sets: list[dict], number: int) -> str:
    """The name of a set, with its number where several are called alike."""
    name = sets[number]["name"]
    return f"{name} ({number + 1})" if [found["name"] for found in sets].count(name) > 1 else name


def _rows(detail, side: str) -> dict[str, dict[str, float | None]]:
    """The breakdown by a side, its mean named for what it is; where there is one row alone it has none."""
    rows = detail.by(side)
    mean = rows.pop("mean", None)
    if mean is None or len(rows) == 1:
        return rows
    return rows | {MEAN: {key: value for key, value in mean.items() if key != "poses"}}


def _kept(row: dict[str, float | None], protocol: str | None) -> dict[str, float | None]:
    """The row without the other protocol's numbers."""
    return {key: value for key, value in row.items() if protocol is None or "/" not in key or key.startswith(protocol)}


def _print_side(side: str, table: dict[str, dict[str, float | None]], on: str) -> None:
    """A table for each protocol, so that it fits on a page; without what does not count in it. One row alone is
    shown once, with both."""
    first = next(iter(table.values()))
    told = {protocol: [key for key in first if key.startswith(f"{protocol}/")] for protocol in PROTOCOLS}
    found = [
        [label, f"{row['poses']:,}" if "poses" in row else "", protocol, *(f"{row[key]:.2f}" for key in names)]
        for protocol, names in told.items()
        for label, row in table.items()
        if names and None not in (row[key] for key in names)
    ]
    heads = [with_unit(key.partition("/")[2]).replace(" (", "\n(") for key in next(filter(None, told.values()))]
    if len(table) == 1:
        print_table([side, "poses", "protocol", *heads], found, f"\nBy {side} on {on}")
        return
    for protocol in (protocol for protocol, names in told.items() if names):
        rows = [[*row[:2], *row[3:]] for row in found if row[2] == protocol]
        print_table([side, "poses", *heads], rows, f"\nBy {side} on {on}, {protocol}")
