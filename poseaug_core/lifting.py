"""Lifting: 2D poses of any length through an estimator, a chunk at a time, so that memory does not grow with them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.estimators import make_estimator
from poseaug_core.geometry import mirror
from poseaug_core.keypoints import Keypoints
from poseaug_core.metrics import PROTOCOLS, pose_errors, summarise
from poseaug_core.poses import Poses
from poseaug_core.readers import read_poses
from poseaug_core.readers.keypoint_arrays import holds_keypoints
from poseaug_core.readers.keypoint_json import read_keypoint_file
from poseaug_core.readers.spec import parse_spec
from poseaug_core.skeleton import HUMAN16
from poseaug_core.storage import require_space
from poseaug_core.weights import read_weights

Progress = Callable[[float, str], bool | None]
#: What lifts for people without a run of their own.
DEFAULT = "asset:demo_estimator.safetensors"
DEFAULT_NOTE = (
    "The estimator is the demo's: it was trained on parametric motion alone. Name a run or a checkpoint trained on "
    "motion capture for real use."
)
CHUNK = 4096


@dataclass(frozen=True)
class Lifter:
    """An estimator in evaluation mode and what to call it. source: the run or checkpoint it came from."""

    estimator: nn.Module
    name: str
    source: str


def load_lifter(source: str | Path = DEFAULT, device: str | torch.device = "cpu") -> Lifter:
    """The estimator of a run folder (its latest checkpoint), a checkpoint, or the demo's. Raises UserError."""
    path = Path(source)
    if path.is_dir():
        path = path / "checkpoints" / "latest.safetensors"
        if not path.is_file():
            raise UserError(f"{source} has no checkpoint yet; name the folder of a run that has trained.")
        source = Path(source).name
    weights, kind = read_weights(path if path.is_file() else source)
    if not {"name", "width"} <= set(kind):
        raise UserError(f"{source} does not say which estimator it is; name one that 'poseaug train' or 'export' made.")
    estimator = make_estimator(kind["name"], kind["width"])
    try:
        estimator.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{source} does not hold a {kind['name']} {kind['width']} wide; name another checkpoint.")
    title = "demo estimator" if str(source) == DEFAULT else Path(source).stem
    return Lifter(estimator.to(device).eval(), title, str(source))


@torch.no_grad()
def lift_chunk(lifter: Lifter, uv: Tensor, flip: bool = True) -> Tensor:
    """(b, 16, 3) root-relative metres, camera frame, of normalised 2D (b, 16, 2); on the CPU.

    flip: average with the mirrored answer to the mirrored input. Raises UserError for answers that are not finite.
    """
    uv = uv.to(next(lifter.estimator.parameters()).device)
    answer = lifter.estimator(uv)
    if flip:
        answer = (answer + mirror(lifter.estimator(mirror(uv, HUMAN16.mirror)), HUMAN16.mirror)) / 2
    if not answer.isfinite().all():
        raise UserError(f"{lifter.source} answers NaN, so its training has diverged; use an earlier checkpoint.")
    return (answer - answer[:, :1]).float().cpu()


def chunks(count: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices that cover count rows."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@contextmanager
def lifted(
    lifter: Lifter, uv: Tensor, beside: Path, flip: bool = True, progress: Progress | None = None, size: int = CHUNK
) -> Iterator[np.ndarray]:
    """(n, 16, 3) float32 answers to uv (n, 16, 2), in a scratch file in the folder ``beside`` that leaves with the block.

    progress(share, text) may return False to cancel. Raises UserError (also for a disk too full), Cancelled.
    """
    shape = (len(uv), 16, 3)
    require_space(beside, 12 * 16 * len(uv))
    with tempfile.NamedTemporaryFile(dir=beside, prefix=".lifted.", suffix=".part") as scratch:
        answers = np.memmap(scratch, np.float32, "w+", shape=shape)
        for rows in chunks(len(uv), size):
            if progress and progress(rows.start / len(uv), f"lifting with {lifter.name}") is False:
                raise Cancelled(f"Lifting with {lifter.name} was cancelled.")
            answers[rows] = lift_chunk(lifter, uv[rows], flip).numpy()
        yield answers


def errors_of(answers: np.ndarray, poses: Poses) -> dict[str, float]:
    """Every metric under every protocol, as evaluation.evaluate gives them, of answers to the poses' uv."""
    parts = [
        pose_errors(torch.from_numpy(np.array(answers[rows])), poses.root_relative[rows]) for rows in chunks(len(poses))
    ]
    errors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {name: value for protocol in PROTOCOLS for name, value in summarise(errors, protocol).items()}


def read_2d(spec: str | Path, progress: Progress | None = None) -> Keypoints | Poses:
    """What is to be lifted: keypoint files and folders as Keypoints, all other sets as Poses, whose 2D is lifted.

    spec: see readers.keypoint_json.read_keypoint_file and readers.read_poses. Raises UserError.
    """
    path = parse_spec(spec).path
    if path.is_dir():
        frames = any(file.suffix.lower() == ".json" for file in path.iterdir())
        return read_keypoint_file(spec, progress) if frames else read_poses(spec, progress=progress)
    suffix = path.suffix.lower()
    if suffix in (".json", ".npy") or suffix == ".npz" and path.is_file() and holds_keypoints(path):
        return read_keypoint_file(spec, progress)
    return read_poses(spec, progress=progress)


def row_names(table: Keypoints | Poses) -> list[str]:
    """What each row is called in files: its image, or its clip, frame and camera."""
    if isinstance(table, Keypoints):
        return [table.images[number] for number in table.image.tolist()]
    clips = table.clips
    return [
        f"{clips[clip] if clip < len(clips) else clip} {frame} {view}"
        for clip, frame, view in table.tag[:, 1:].tolist()
    ]
