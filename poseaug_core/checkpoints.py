"""Checkpoints: tensors and what else resuming needs, in one safetensors file, replaced whole."""

from __future__ import annotations

import json
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poseaug_core.errors import UserError
from poseaug_core.plain_text import of_library
from poseaug_core.spacing import crowded
from poseaug_core.storage import double, explained, replacing

if TYPE_CHECKING:
    from torch import Tensor


def write_checkpoint(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> Path:
    """Tensors, and ``meta`` as JSON in the file's header. A kill at any time leaves the file before intact."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Cloned, because views that share memory are refused by the format.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(meta)
    header = {"meta": text, "meta_checksum": _checksum_of_text(text), "checksum": _checksum(tensors)}
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
        tensors, meta = {name: file.get_tensor(name) for name in file.keys()}, _meta(file)
        if file.metadata().get("checksum", _checksum(tensors)) != _checksum(tensors):
            raise ValueError("its checksum is another: it is damaged")
        return tensors, meta


def read_meta(path: str | Path) -> dict[str, Any]:
    """The meta of a checkpoint alone, from the file's header. Raises UserError."""
    with _opened(path, "numpy") as file:  # which needs no torch
        return _meta(file)


def _meta(file) -> dict[str, Any]:
    """What the header says; ValueError for what this program did not write there."""
    said = file.metadata()
    if said.get("meta_checksum", _checksum_of_text(said["meta"])) != _checksum_of_text(said["meta"]):
        raise ValueError("the checksum of its header is another: it is damaged")
    meta = json.loads(said["meta"])
    if not isinstance(meta, dict) or not isinstance(meta.get("position", {}), dict):
        raise ValueError("its 'meta' entry is damaged")
    if type(meta.get("step", 0)) is not int or not 0 <= meta.get("step", 0) < 1 << 53:
        raise ValueError(f"its step is {meta['step']!r}")
    return meta


def _checksum_of_text(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _checksum(tensors: dict[str, Tensor]) -> str:
    """CRC-32 over the bytes of all tensors, on the CPU, by their names."""
    from torch import uint8

    found = 0
    for name, tensor in sorted(tensors.items()):
        found = zlib.crc32(tensor.contiguous().reshape(-1).view(uint8).numpy(), zlib.crc32(name.encode(), found))
    return f"{found:08x}"


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
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        what = "it has no 'meta' entry" if isinstance(error, KeyError) else of_library(error)
        raise UserError(f"{path} is not a checkpoint of this program ({what}); name another file.") from error


LATEST, PREVIOUS, BEST = "latest", "previous", "best_source"
#: Names of checkpoints that lie spread over a run, by their steps; of those of a way that was left.
SPREAD, LEFT = "step-", "left_"
#: What the numbers of a checkpoint's header may raise where they are of another version or made up.
STRANGE = (KeyError, TypeError, ValueError, AttributeError, RuntimeError)


def place_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def names(folder: Path) -> list[str]:
    """The checkpoints in a folder, oldest first."""
    return [file.stem for file in sorted(folder.glob("[!.]*.safetensors"), key=lambda file: file.stat().st_mtime)]


def step_of(folder: Path, name: str) -> int:
    """Iterations done at a checkpoint. Raises UserError."""
    return read_meta(place_of(folder, name)).get("step", 0)


def good(folder: Path, before: int) -> dict[str, int]:
    """Checkpoints of the run's own way, of up to a step, that were made while nothing was wrong, with their steps; the
    newest first."""
    found = {}
    for name in names(folder):
        try:
            meta = read_meta(place_of(folder, name))
        except UserError:
            continue
        if (
            not name.startswith(LEFT)
            and "position" in meta
            and meta.get("step", 0) <= before
            and not meta.get("alarms")
        ):
            found[name] = meta.get("step", 0)
    order = (LATEST, PREVIOUS)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0] not in order, item[0])))


def put_by(folder: Path, many: int) -> None:
    """Keep the latest checkpoint of a folder, before another takes its place: as the previous one, and as one of
    ``many`` that lie spread over the steps of the run."""
    latest = place_of(folder, LATEST)
    if not latest.is_file():
        return
    try:
        step = step_of(folder, LATEST)
    except UserError:
        return  # one that is damaged is not kept
    double(latest, place_of(folder, PREVIOUS))
    if many and step:
        double(latest, place_of(folder, f"{SPREAD}{step:09}"))
    steps = [0, *spread(folder)]
    for place in crowded(steps, many + 1) if many else range(1, len(steps)):
        place_of(folder, f"{SPREAD}{steps[place]:09}").unlink(missing_ok=True)


def spread(folder: Path) -> list[int]:
    """The steps of the checkpoints that lie spread over the run, rising."""
    found = (file.stem.removeprefix(SPREAD) for file in folder.glob(f"{SPREAD}*.safetensors"))
    return sorted(int(name) for name in found if name.isdecimal())


def make_latest(folder: Path, name: str, step: int) -> list[str]:
    """A checkpoint to go on from becomes the latest. Of those after it, of a way that is left, the latest and the best
    stay under other names, the rest goes; what is to be told, in sentences."""
    kept = []
    for later in names(folder):
        if later.startswith(LEFT) or later == name:
            continue
        try:
            if step_of(folder, later) <= step:
                continue
        except UserError:
            if later != LATEST:
                continue  # damaged, and in nobody's way
        if later in (LATEST, BEST):
            double(place_of(folder, later), place_of(folder, LEFT + later))
            kept.append(LEFT + later)
        if later != LATEST:
            place_of(folder, later).unlink(missing_ok=True)
    if name != LATEST:
        double(place_of(folder, name), place_of(folder, LATEST))
    if not kept:
        return []
    return [f"What came after step {step:,} is no part of the run any more; its checkpoints stay as {', '.join(kept)}."]
