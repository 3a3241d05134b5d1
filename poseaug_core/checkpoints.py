"""Checkpoints: tensors and what else resuming needs, in one safetensors file, replaced whole."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poseaug_core.errors import UserError
from poseaug_core.storage import explained, replacing

if TYPE_CHECKING:
    from torch import Tensor


def write_checkpoint(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> Path:
    """Tensors, and ``meta`` as JSON in the file's header. A kill at any time leaves the file before intact."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Cloned, because views that share memory are refused by the format.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = {"meta": json.dumps(meta)}
    needed = sum(t.numel() * t.element_size() for t in tensors.values()) + len(header["meta"]) + 200 * len(tensors)
    with replacing(path, needed) as part:
        try:
            save_file(tensors, part, metadata=header)
        except SafetensorError as error:
            raise explained(path, error) from error
    return path


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors on the CPU, meta) of a checkpoint; UserError for a missing, foreign or damaged file."""
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["meta"])


def read_meta(path: str | Path) -> dict[str, Any]:
    """The meta of a checkpoint alone, from the file's header. Raises UserError."""
    with _opened(path, "numpy") as file:  # which needs no torch
        return json.loads(file.metadata()["meta"])


@contextmanager
def _opened(path: str | Path, framework: str = "pt"):
    """The open file; whatever is wrong with it, also while it is read, becomes a UserError."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist; name a run folder or a .safetensors file in its checkpoints folder.")
    try:
        with safe_open(path, framework) as file:
            if "meta" not in (file.metadata() or {}):
                raise KeyError("meta")
            yield file
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        what = "it has no 'meta' entry" if isinstance(error, KeyError) else str(error).split("\n")[0]
        raise UserError(f"{path} is not a checkpoint of this program ({what}); name another file.") from error
