"""Checkpoints: tensors and what else resuming needs, in one safetensors file, replaced whole."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poseaug_core.errors import UserError
from poseaug_core.plain_text import of_library
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
        what = "it has no 'meta' entry" if isinstance(error, KeyError) else of_library(error)
        raise UserError(f"{path} is not a checkpoint of this program ({what}); name another file.") from error


LATEST, PREVIOUS = "latest", "previous"
#: Names of checkpoints that lie spread over a run, by their steps.
SPREAD = "step-"


def put_by(folder: Path, many: int) -> None:
    """Keep the latest checkpoint of a folder, before another takes its place: as the previous one, and as one of
    ``many`` that lie spread over the steps of the run."""
    latest = folder / f"{LATEST}.safetensors"
    if not latest.is_file():
        return
    try:
        step = int(read_meta(latest)["step"])
    except (UserError, KeyError, TypeError, ValueError):
        return  # one that is damaged is not kept
    _double(latest, folder / f"{PREVIOUS}.safetensors")
    if many and step:
        _double(latest, folder / f"{SPREAD}{step:09}.safetensors")
    for extra in _crowded(spread(folder), many):
        (folder / f"{SPREAD}{extra:09}.safetensors").unlink(missing_ok=True)


def spread(folder: Path) -> list[int]:
    """The steps of the checkpoints that lie spread over the run, rising."""
    names = (file.stem.removeprefix(SPREAD) for file in folder.glob(f"{SPREAD}*.safetensors"))
    return sorted(int(name) for name in names if name.isdecimal())


def _crowded(steps: list[int], many: int) -> list[int]:
    """Those to do without: each time the one whose neighbours are nearest to each other; the newest stays."""
    steps, gone = list(steps), []
    while len(steps) > many:
        before = [0, *steps]
        gaps = [before[i + 2] - before[i] for i in range(len(steps) - 1)]
        gone.append(steps.pop(gaps.index(min(gaps)) if gaps else 0))
    return gone


def make_latest(folder: Path, name: str, step: int) -> None:
    """A checkpoint to go on from becomes the latest; those of later steps, of a way not taken, go."""
    latest, chosen = folder / f"{LATEST}.safetensors", folder / f"{name}.safetensors"
    if chosen != latest:
        _double(chosen, latest)
    for later in spread(folder):
        if later > step:
            (folder / f"{SPREAD}{later:09}.safetensors").unlink(missing_ok=True)
    previous = folder / f"{PREVIOUS}.safetensors"
    try:
        if previous.is_file() and int(read_meta(previous)["step"]) > step:
            previous.unlink()
    except (UserError, KeyError, TypeError, ValueError):
        previous.unlink(missing_ok=True)


def _double(path: Path, other: Path) -> None:
    """The same file under another name as well, which it takes over whole; a copy where links are not known."""
    part = other.with_name(f".{other.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        try:
            os.link(path, part)
        except OSError:
            shutil.copyfile(path, part)
        os.replace(part, other)
    except OSError as error:
        raise explained(other, error) from error
    finally:
        part.unlink(missing_ok=True)  # also where both names were of one file already
