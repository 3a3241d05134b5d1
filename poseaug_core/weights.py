"""Weights of estimators from files: this program's checkpoints, the authors' .pth.tar, any other state dict.

Which estimator a file holds, and how wide, is read from the names and shapes of its tensors, never from its name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from poseaug_core.errors import UserError
from poseaug_core.estimators import ESTIMATORS, estimator_class
from poseaug_core.estimators.checking import require_answers
from poseaug_core.estimators.own import is_own
from poseaug_core.plain_text import of_library
from poseaug_core.torch_files import read_torch_file

Shapes = dict[str, tuple[int, ...]]
#: Where the authors' files hold the estimator: PoseAug's, then a baseline's.
ENTRIES = ("model_pos", "state_dict")
SUFFIXES = (".safetensors", ".pth", ".pt", ".tar", ".ckpt", ".bin")
LISTED = f"{', '.join(SUFFIXES)} or .onnx"
COUNTER = "num_batches_tracked"
#: Wider estimators are none.
WIDEST = 1 << 16
#: Bytes of all tensors over bytes of their file: tensors may share numbers, and do so now and then.
SHARED = 4


def read_weights(path: str | Path, own: str = "") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The estimator's weights, float32 on the CPU, and which it is: {'name': ..., 'width': ...}. Raises UserError.

    path: a file, or 'asset:NAME' for one that comes with the program. own: the FILE.py:CLASS that the user named for
    it, taken as it is; else a .safetensors file of this program may say such a name; any other file is recognised.
    """
    from poseaug_core.assets import asset

    path = asset(str(path).removeprefix("asset:")) if str(path).startswith("asset:") else Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a checkpoint in it.")
    if path.suffix and path.suffix not in SUFFIXES:
        raise UserError(f"{path}: {path.suffix} files hold no estimator; name a run folder or a checkpoint ({LISTED}).")
    if not path.is_file():
        raise UserError(f"{path} does not exist; name a run folder or a checkpoint ({LISTED}).")
    weights, said = _safetensors(path) if path.suffix == ".safetensors" else (_torch(path), {})
    named = own or is_own(said.get("name", ""))
    # Which estimator it is comes first, because making numbers float32 takes memory.
    kind = {} if named else recognise({key: tuple(value.shape) for key, value in weights.items()}, str(path))
    weights = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    _require_finite(weights, path)
    if named:
        width = said.get("width", 0)
        return weights, {"name": own or said["name"], "width": width if isinstance(width, int) else 0}
    counters = [key for key in shapes_of(**kind) if key.endswith(COUNTER)]  # files of before torch 0.4.1 have none
    return weights | {key: torch.zeros((), dtype=torch.int64) for key in counters if key not in weights}, kind


def recognise(shapes: Shapes, source: str) -> dict[str, Any]:
    """{'name', 'width'} of the estimator with these parameters. source: what the error names."""
    found = _without_counters(shapes)
    apart: dict[str, int] = {}
    for name in ESTIMATORS:
        width = _width(name, found)
        expected = _without_counters(shapes_of(name, width)) if width else {}
        if found and found == expected:
            return {"name": name, "width": width}
        apart[name] = len(found.items() ^ (expected or _without_counters(shapes_of(name, 8))).items())
    nearest = min(apart, key=apart.get)
    width = _width(nearest, found)
    expected = _without_counters(shapes_of(nearest, width)) if width else {}
    if not expected:
        raise UserError(f"{source} holds no estimator known here ({', '.join(ESTIMATORS)}); name another file.")
    key = next(key for key in sorted(found.keys() | expected.keys()) if found.get(key) != expected.get(key))
    says = lambda shapes: f"of shape {shapes[key]}" if key in shapes else "not there"  # noqa: E731
    raise UserError(
        f"{source} holds no estimator known here: it is nearest to {nearest}, but {key} is {says(found)} in it and "
        f"{says(expected)} in that one; name another file."
    )


def fill(estimator: nn.Module, weights: dict[str, Tensor], kind: dict[str, Any], source: str, name: str) -> None:
    """Put the weights that ``source`` holds (of ``kind``) into a new estimator called ``name``.

    Raises UserError, also where it then places joints where none can be.
    """
    expected = {key: tuple(value.shape) for key, value in estimator.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    if found != expected:
        what = f"a {kind['name']} {kind['width']} wide" if kind["name"] in ESTIMATORS else "other weights"
        key = next(key for key in sorted(found.keys() | expected.keys()) if found.get(key) != expected.get(key))
        raise UserError(
            f"{source} holds {what}, which does not fit this {name} (first: {key}); "
            "choose the estimator and width that it was trained with."
        )
    estimator.load_state_dict(weights)
    require_answers(estimator, source)


def shapes_of(name: str, width: int) -> Shapes:
    """Names and shapes of an estimator's parameters and statistics; makes no weights."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in estimator_class(name)(width).state_dict().items()}


def _without_counters(shapes: Shapes) -> Shapes:
    return {key: shape for key, shape in shapes.items() if not key.endswith(COUNTER)}


def _width(name: str, found: Shapes) -> int | None:
    """The width that these shapes have as estimator ``name``: that of a tensor side that equals the width."""
    narrow, wide = shapes_of(name, 8), shapes_of(name, 9)
    for key, shape in narrow.items():
        for side, size in enumerate(shape):
            if size == 8 and wide[key][side] == 9 and len(found.get(key, ())) == len(shape):
                return found[key][side] if found[key][side] <= WIDEST else None
    return None


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, those under 'estimator.' alone where there are any (a run's checkpoint), and what the header says."""
    try:
        with safe_open(path, framework="pt") as file:
            keys = list(file.keys())
            meta = json.loads((file.metadata() or {}).get("meta", "{}"))
            nested = [key for key in keys if key.startswith("estimator.")]
            weights = {key.removeprefix("estimator."): file.get_tensor(key) for key in nested or keys}
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a .safetensors checkpoint: {of_library(error)}.")
    said = meta.get("estimator") if isinstance(meta, dict) else None
    return weights, said if isinstance(said, dict) and isinstance(said.get("name"), str) else {}


def _torch(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of torch.save: bare, or an entry of the authors' checkpoints."""
    saved = read_torch_file(path)
    if not isinstance(saved, dict):
        raise UserError(f"{path} holds a {type(saved).__name__}, not the weights of a model; name another file.")
    held = next((saved[entry] for entry in ENTRIES if isinstance(saved.get(entry), dict)), saved)
    weights = {key: value for key, value in held.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if not weights or (held is saved and len(weights) < len(held)):
        names = ", ".join(str(key)[:40] for key in list(saved)[:8]) or "nothing"
        raise UserError(
            f"{path} has no weights under {' or '.join(ENTRIES)} (it has {names}); name a checkpoint of an estimator."
        )
    _require_stored(weights, path)
    if all(key.startswith("module.") for key in weights):  # of torch.nn.DataParallel
        weights = {key.removeprefix("module."): value for key, value in weights.items()}
    return weights


def _require_finite(weights: dict[str, Tensor], path: Path) -> None:
    for key, value in weights.items():
        good = value.isfinite() if value.is_floating_point() else None
        if good is not None and not good.all():
            raise UserError(
                f"{path}: {int((~good).sum()):,} of {value.numel():,} numbers of {key[:60]} are NaN or infinite; name "
                "another checkpoint, or train it again."
            )


def _require_stored(weights: dict[str, Tensor], path: Path) -> None:
    """UserError where tensors have more numbers than are in the file: one number may stand for all of a tensor."""
    total = 0
    for key, value in weights.items():
        plain = value.layout == torch.strided and not value.is_quantized and value.device.type == "cpu"
        size = value.numel() * value.element_size()
        if not plain or size > value.untyped_storage().nbytes():
            raise UserError(f"{path}: {key[:60]} is no plain tensor of as many numbers as it says; save it again.")
        total += size
    if total > SHARED * path.stat().st_size:
        raise UserError(
            f"{path} holds {total:,} bytes of tensors in {path.stat().st_size:,} bytes, which share their numbers; "
            "save a state_dict of plain tensors."
        )
