"""A small run's folder, every file of it to be spoiled, and reading all that it holds."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import h5py
import numpy as np
import torch

from benchmarks.fuzz.documents import Document, Part
from poseaug_core.config import SETTINGS, make_config
from poseaug_core.controls import KNOBS
from poseaug_core.errors import UserError
from poseaug_core.health import Alarm
from poseaug_core.runs import Run
from poseaug_core.snapshot import ARRAYS, Snapshot
from tests.studio.fakes import make_snapshot

TEXTS = (".toml", ".json", ".jsonl", ".txt")


def runs(folder: Path) -> list[Document]:
    """One written by this version, and one with the history of earlier ones."""
    new, old = _run(folder / "new"), _run(folder / "old")
    (old / "history.db").unlink(missing_ok=True)
    for rest in old.glob("history.db-*"):
        rest.unlink()
    _old_history(old / "history.h5", [make_snapshot(step, 2, 4) for step in (0, 20, 40)])
    names = ("config.toml", "data.json", "controls.jsonl", "metrics.jsonl", "replay.jsonl", "alarms.jsonl",
             "history.db", "checkpoints/latest.safetensors", "failure.txt")  # fmt: skip
    found = [Document(new, [_part(new / name)]) for name in names]
    return [*found, Document(old, [_part(old / "history.h5")])]


def _part(path: Path) -> Part:
    data, lines = path.read_bytes(), path.suffix == ".jsonl"
    if path.suffix not in (".json", ".jsonl"):
        return Part(path, data, path.suffix in TEXTS)
    tree = [json.loads(line) for line in data.splitlines()] if lines else json.loads(data)

    def dump(tree) -> bytes:
        return b"".join(json.dumps(row).encode() + b"\n" for row in tree) if lines else json.dumps(tree).encode()

    return Part(path, data, True, tree, dump)


def _run(path: Path) -> Path:
    sets = {
        "name": "demo",
        "poses": 40,
        "subjects": 2,
        "clips": 3,
        "views": 4,
        "mean_depth": 4.5,
        "fingerprint": "ab12",
    }
    run = Run.create(path, make_config(estimator_width=8, probe_size=2, crowd_size=4),
                     {"sets": {"source": sets, "source_test": sets}, "templates": 2, "notes": ["a note"]})  # fmt: skip
    for step in (0, 20, 40):
        run.append(make_snapshot(step, 2, 4))
        run.log_metrics(step, {"pose": 0.1, "d3d": 0.2}, "scalars")
    run.log_metrics(40, {"source_test/poseaug16/mpjpe": 51.0}, "evaluation")
    run.log_controls(5, [("beta_ba", None, 4.0), ("feedback", True, False)])
    run.plan([{"step": 50, "field": "weight_range", "old": 3.0, "new": 2.0}], 40)
    run.log_alarm(Alarm("too hard", 30, 5.0, 3.0, "Poses are too hard; lower beta."))
    tensors = {"estimator.w": torch.zeros(3, 4), "generator": torch.zeros(16, dtype=torch.uint8)}
    run.save_checkpoint("latest", tensors, {"step": 40, "position": {"phase": "done"}, "owed": []})
    run.save_failure("Traceback\n  ValueError: x\n")
    run.close()
    return path


def _old_history(path: Path, snapshots: list[Snapshot]) -> None:
    """As versions before 0.2 wrote it."""
    head = np.dtype([("step", np.int64), ("epoch", np.int32), ("phase", "S16")])
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        rows = np.stack([np.concatenate([getattr(s, name).ravel() for name in ARRAYS]) for s in snapshots])
        records = file.create_dataset(
            "records", data=rows.astype("f4"), chunks=(1, rows.shape[1]), maxshape=(None, None)
        )
        records.attrs["fields"] = json.dumps({name: getattr(snapshots[0], name).shape for name in ARRAYS})
        heads = np.array([(s.step, s.epoch, s.phase.encode()) for s in snapshots], head)
        file.create_dataset("heads", data=heads, chunks=(256,), maxshape=(None,))
        for column in ("scalars", "controls"):
            names = list(getattr(snapshots[0], column))
            table = np.array([[getattr(s, column)[name] for name in names] for s in snapshots], float)
            file.create_dataset(column, data=table, chunks=(64, 32), maxshape=(None, None))
            file.create_dataset(f"{column}_names", data=np.array(names, "S64"), chunks=(64,), maxshape=(None,))
        file.create_dataset("count", data=np.full(1, len(snapshots), np.int64))


def read_run(path: str) -> list[str]:
    """Open a run and read all through, as the studio does; what cannot be in what came of it."""
    run, absurd = Run.open(path), []
    try:
        for look in (lambda: run.finished, run.load_checkpoint, lambda: run.superseded, lambda: _history(run, absurd)):
            try:
                look()
            except UserError as error:
                _sentence(error)
        rows = [row for kind in ("", "scalars", "evaluation") for row in run.metrics(kind=kind)[0]]
        numbers = [value for row in rows for value in row["values"].values() if value is not None]
        absurd += ["metrics that are not finite"] * (not all(map(math.isfinite, numbers)))
        steps = [row["step"] for row in (*rows, *run.control_log(), *run.pending(), *run.alarms()[0])]
        absurd += ["steps below 0"] * any(step < 0 for step in steps)
        for known, value in ((SETTINGS, run.config), (KNOBS, run.controls())):
            for name, found in dataclasses.asdict(value).items():
                if name in known:
                    known[name].check(found)
        (*run.damage, *run.checkpoints(), run.failure())
    finally:
        run.close()
    return absurd


def _history(run: Run, absurd: list[str]) -> None:
    for column in ("scalars", "controls"):
        run.series(column)
    steps = run.steps()
    absurd += ["steps of snapshots below 0"] * bool((steps < 0).any())
    for k in range(min(run.snapshot_count, 5)):
        try:
            snapshot = run.read(k)
        except UserError as error:
            _sentence(error)
            continue
        if not all(np.isfinite(getattr(snapshot, name)).all() for name in ("xyz", "uv")):
            absurd.append("snapshots that are not finite")


def _sentence(error: UserError) -> None:
    text = str(error)
    assert text.strip() and len(text) < 2000, text
