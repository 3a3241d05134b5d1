"""poseaug info: the program and machine, the settings, or what is in a run or data file."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from poseaug_core.commands.terminal import (
    counted,
    describe,
    json_option,
    print_errors,
    print_json,
    print_table,
    progress_bar,
)
from poseaug_core.config import PRESETS, SETTINGS
from poseaug_core.controls import KNOBS
from poseaug_core.errors import UserError
from poseaug_core.plain_text import plain

PACKAGES = ("torch", "numpy", "h5py", "safetensors", "PySide6-Essentials", "vispy", "pyqtgraph")


@click.command(short_help="Versions, settings, or what is in a file.")
@click.argument("what", required=False)
@json_option
def info(what, as_json) -> None:
    """Versions and device; or 'settings'; or what is in a run folder, a checkpoint or a data file.

    \b
    poseaug info
    poseaug info settings
    poseaug info runs/a
    poseaug info source.h5
    """
    if what == "settings":
        found = _settings()
        if not as_json:
            rows = [[s["name"], s["group"], s["help"]] for s in found]
            print_table(["setting", "group", "meaning"], rows, f"presets: {', '.join(PRESETS)}")
            return
    elif what is None:
        found = _machine()
    elif Path(what).is_dir() and (Path(what) / "config.toml").exists():
        found = _run(what)
    elif _is_checkpoint(what):
        found = _checkpoint(what)
    else:
        found = _poses(what)
    if as_json:
        print_json(found)
    else:
        evaluation = found.pop("evaluation", {})
        print_table(["", ""], [[name, _text(value)] for name, value in found.items()])
        if evaluation:
            print_errors(evaluation)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{plain(name)}: {_text(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return "\n".join(map(plain, value)) or "none"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else plain(value)


def _settings() -> list[dict[str, Any]]:
    return [
        {"name": s.name, "where": where, "group": s.group, "default": s.default, "help": describe(s)}
        for where, known in (("config", SETTINGS), ("controls", KNOBS))
        for s in known.values()
    ]


def program_version() -> str:
    try:
        return version("poseaug-studio")
    except PackageNotFoundError:
        return "not installed, run from its source"


def _machine() -> dict[str, Any]:
    import torch

    from poseaug_core.device import choose_device

    found: dict[str, Any] = {
        "poseaug": program_version(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    device = choose_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return found | {"device": f"{device} ({name})", "cores": os.cpu_count(), "threads": torch.get_num_threads()}


#: Alarms of a run that are shown.
LAST_ALARMS = 5


def _run(path: str) -> dict[str, Any]:
    from poseaug_core.runs import Run

    run = Run.open(path)
    evaluations = [row for row in run.metrics()[0] if row["kind"] == "evaluation"]
    config = run.config
    return {
        "run": str(run.path),
        "estimator": f"{config.estimator}, {config.estimator_width or 'published'} wide",
        "preset": config.preset,
        "augmentation": config.augmentation,
        **_progress(run),
        "snapshots": run.snapshot_count,
        "control changes": len(run.control_log()),
        "alarms": [f"{row['text']} ({row['action']})" for row in run.alarms()[0][-LAST_ALARMS:]],
        "checkpoints": run.checkpoints(),
        "data": {
            name: ", ".join(
                [
                    s.get("name", name),
                    *(counted(s[of], of) for of in ("poses", "subjects", "clips", "views") if of in s),
                ]
            )
            for name, s in run.data.get("sets", {}).items()
        },
        "notes": [*run.data.get("notes", []), *run.damage, *filter(None, [run.superseded])],
        "evaluation": evaluations[-1]["values"] if evaluations else {},
        "failure": (run.failure() or "none").strip().split("\n")[-1],
    }


def _progress(run) -> dict[str, Any]:
    """How far the latest checkpoint is, and what became of the run."""
    config, meta = run.config, {}
    if "latest" in run.checkpoints():
        from poseaug_core.checkpoints import read_meta

        meta = read_meta(run.path / "checkpoints" / "latest.safetensors")
    at = meta.get("position", {"phase": "pretrain", "epoch": 0})
    of = config.pretrain_epochs if at["phase"] == "pretrain" else config.epochs
    if run.being_written():
        state = "training now"
    elif run.failure():
        state = "failed"
    else:
        state = "finished" if run.finished else "stopped"
    epoch = f"all {of}" if at["phase"] == "done" else f"{at['phase']}, {min(at['epoch'] + 1, of)} of {of}"
    return {"state": state, "step": int(meta.get("step", 0)), "epoch": epoch}


def _is_checkpoint(path: str) -> bool:
    from poseaug_core.weights import SUFFIXES

    return Path(path).suffix in (*SUFFIXES, ".onnx")


def _checkpoint(path: str) -> dict[str, Any]:
    """Of a checkpoint of this program, the authors' or another state dict, or an ONNX file."""
    from poseaug_core.weights import read_weights

    if Path(path).suffix == ".onnx":
        from poseaug_core.onnx_files import OnnxEstimator

        network = OnnxEstimator(path)
        return {"checkpoint": path, "estimator": "ONNX", "batch": network.batch or "any", **network.metadata}
    weights, kind = read_weights(path)
    return {
        "checkpoint": path,
        "estimator": f"{kind['name']}, {kind['width'] or 'published'} wide",
        **_written_by_us(path),
        "tensors": len(weights),
        "numbers": sum(tensor.numel() for tensor in weights.values()),
    }


def _written_by_us(path: str) -> dict[str, Any]:
    """What a checkpoint of this program says beside the weights."""
    from poseaug_core.checkpoints import read_meta

    if Path(path).suffix != ".safetensors":
        return {}
    try:
        return {"at": read_meta(path).get("position", "exported")}
    except UserError:
        return {}


def _poses(spec: str) -> dict[str, Any]:
    from poseaug_core.datasets import describe as describe_poses
    from poseaug_core.readers import is_flat, read_keypoints, read_poses
    from poseaug_core.readers.spec import exists, parse_spec

    path = parse_spec(spec).path
    if spec.strip() and not spec.startswith("demo:") and not exists(path):
        raise UserError(
            f"{path} does not exist; name a file or folder of poses, the folder of a run, a checkpoint, or demo:source."
        )
    with progress_bar() as progress:
        if is_flat(spec):
            people = read_keypoints(spec, progress=progress)
            counts = {"people": len(people), "images": len(people.images), "3D": "none, 2D keypoints alone"}
            return {"data": spec, "name": people.name, **counts, "notes": list(people.notes)}
        poses = read_poses(spec, progress=progress)
    depth = poses.xyz[:, 0, 2]
    found = {"data": spec, **describe_poses(poses), "depth": f"{depth.min():.2f} to {depth.max():.2f} m"}
    return found | {"notes": list(poses.notes)}
