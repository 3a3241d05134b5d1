"""Lifting: 2D poses of any length through an estimator, a chunk at a time, so that memory does not grow with them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.geometry import mirror
from poseaug_core.keypoints import Keypoints
from poseaug_core.lifted_files import LiftedPoses
from poseaug_core.metrics import joint_values, summarise
from poseaug_core.poses import Poses
from poseaug_core.readers import is_flat, read_keypoints, read_poses
from poseaug_core.readers.keypoint_images import find_image, load_image
from poseaug_core.skeleton import HUMAN16
from poseaug_core.storage import require_space
from poseaug_core.trained import Trained, open_estimator

if TYPE_CHECKING:
    from poseaug_core.export.lifted import Lifted

Progress = Callable[[float, str], bool | None]
#: What lifts for people without a run of their own.
DEFAULT = "asset:demo_estimator.safetensors"
DEFAULT_NOTE = (
    "The estimator is the demo's: it was trained on parametric motion alone. Name a run or a checkpoint trained on "
    "motion capture for real use."
)
CHUNK = 4096


def open_lifter(source: str | Path = DEFAULT, own: str = "", device: str | torch.device = "cpu") -> Trained:
    """The estimator of a run folder, a checkpoint of this program or the authors', or ONNX; the demo's by default.

    own: FILE.py:CLASS for an estimator of the user's own. Raises UserError.
    """
    return open_estimator(source, own, device)


def title_of(trained: Trained) -> str:
    """A few words for headings: the run's or the file's name."""
    return "Demo estimator" if trained.source == DEFAULT else Path(trained.source).name.removesuffix(".safetensors")


@torch.no_grad()
def lift_chunk(trained: Trained, uv: Tensor, flip: bool = True) -> Tensor:
    """(b, 16, 3) root-relative metres, camera frame, of normalised 2D (b, 16, 2); on the CPU.

    flip: average with the mirrored answer to the mirrored input. Raises UserError for answers that are not finite.
    """
    network, swap = trained.network, HUMAN16.mirror
    uv = uv.to(next((weight.device for weight in network.parameters()), uv.device))
    answer = network(uv)
    if flip:
        answer = (answer + mirror(network(mirror(uv, swap)), swap)) / 2
    if not answer.isfinite().all():
        raise UserError(f"{trained.source} answers NaN, so its training has diverged; use an earlier checkpoint.")
    return (answer - answer[:, :1]).float().cpu()


def tensor_of(uv: np.ndarray) -> Tensor:
    """(n, 16, 2) float32, for who keeps arrays."""
    return torch.from_numpy(np.ascontiguousarray(uv, np.float32))


def chunks(count: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices that cover count rows."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@contextmanager
def lifted(
    trained: Trained, uv: Tensor, beside: Path, flip: bool = True, progress: Progress | None = None, size: int = CHUNK
) -> Iterator[np.ndarray]:
    """(n, 16, 3) float32 answers to uv (n, 16, 2), mapped from a file in the folder ``beside``, gone after the block.

    progress(share, text) may return False to cancel. Raises UserError (also for a disk too full), Cancelled.
    """
    shape = (len(uv), 16, 3)
    require_space(beside, 12 * 16 * len(uv))
    with tempfile.NamedTemporaryFile(dir=beside, prefix=".lifted.", suffix=".part") as scratch:
        answers = np.memmap(scratch, np.float32, "w+", shape=shape)
        for rows in chunks(len(uv), size):
            if progress and progress(rows.start / len(uv), f"lifting with {title_of(trained)}") is False:
                raise Cancelled(f"Lifting with {title_of(trained)} was cancelled.")
            answers[rows] = lift_chunk(trained, uv[rows], flip).numpy()
        yield answers


def errors_of(answers: np.ndarray, poses: Poses) -> dict[str, float]:
    """Every metric under every protocol, as evaluation.evaluate gives them, of answers to the poses' uv."""
    sums: dict[str, Tensor] = {}
    for rows in chunks(len(poses)):
        values = joint_values(torch.from_numpy(np.array(answers[rows])), poses.root_relative[rows])
        sums = {name: sums.get(name, 0) + value.double().sum(0) for name, value in values.items()}
    return summarise({name: value / len(poses) for name, value in sums.items()})


def read_2d(spec: str | Path, progress: Progress | None = None) -> Keypoints | Poses:
    """What is to be lifted: 2D keypoints alone as Keypoints, all other sets as Poses, whose 2D is lifted.

    spec: see readers.read_keypoints and readers.read_poses. Raises UserError.
    """
    read = read_keypoints if is_flat(spec) else read_poses
    return read(spec, progress=progress)


def as_lifted(
    table: Keypoints | Poses,
    answers: np.ndarray,
    trained: Trained,
    baseline: np.ndarray | None = None,
    fps: float = 30.0,
) -> LiftedPoses:
    """The answers with what they answer, ready to be written."""
    sure = table.confidence.numpy() if isinstance(table, Keypoints) else np.ones(table.uv.shape[:2], np.float32)
    single = not isinstance(table, Keypoints) or len(table.image.unique()) == len(table)
    return LiftedPoses(answers, table.uv.numpy(), sure, row_names(table), trained.source, baseline, fps, single)


def spread(count: int, wanted: int) -> list[int]:
    """Rows spread evenly over a set."""
    return np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()


def examples(
    table: Keypoints | Poses, rows: Sequence[int], answers: np.ndarray, baseline: np.ndarray | None, folder: Path | None
) -> list[Lifted]:
    """What export.draw_lifted draws of these rows; images are looked for in the folder.

    Raises UserError for rows that are not there.
    """
    from poseaug_core.export.lifted import Lifted

    for row in rows:
        if not 0 <= row < len(table):
            raise UserError(f"Row {row} is not among the poses; choose one from 0 to {len(table) - 1:,}.")
    names = row_names(table)
    found = [find_image(folder, names[row]) if folder and isinstance(table, Keypoints) else None for row in rows]
    truth = table.root_relative.numpy() if isinstance(table, Poses) else None
    return [
        Lifted(
            table.uv[row].numpy(),
            answers[row],
            None if baseline is None else baseline[row],
            None if truth is None else truth[row],
            load_image(path) if path else None,
            names[row],
        )
        for row, path in zip(rows, found, strict=True)
    ]


def row_names(table: Keypoints | Poses) -> list[str]:
    """What each row is called in files: its image, or its clip, frame and camera."""
    if isinstance(table, Keypoints):
        return [table.images[number] for number in table.image.tolist()]
    clips = table.clips
    return [
        f"{clips[clip] if clip < len(clips) else clip} {frame} {view}"
        for clip, frame, view in table.tag[:, 1:].tolist()
    ]
