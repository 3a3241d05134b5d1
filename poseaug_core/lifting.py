"""Lifting: 2D poses of any number through estimators, a part at a time, so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.inference import Inference, in_order
from poseaug_core.keypoints import Keypoints
from poseaug_core.lifted_files import LiftedPoses
from poseaug_core.metrics import joint_values, summarise
from poseaug_core.motion.clip import tell
from poseaug_core.poses import Poses
from poseaug_core.readers import is_flat, read_keypoints, read_poses
from poseaug_core.readers.array_parts import open_pose_file
from poseaug_core.readers.keypoint_columns import chunks
from poseaug_core.readers.keypoint_images import find_image, load_image
from poseaug_core.readers.keypoint_json import open_keypoint_file
from poseaug_core.readers.spec import parse_spec
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
#: Poses read, lifted and written at a time.
PART = 2048


class Source(Protocol):
    """2D poses in parts. name: of the set. one_each: whether each image has one row. notes: what was decided while
    reading, complete after the last part."""

    name: str
    one_each: bool

    @property
    def notes(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def parts(self, size: int) -> Iterator[Keypoints | Poses]: ...


class Held:
    """A Source of what is in memory already."""

    def __init__(self, table: Keypoints | Poses):
        self.table, self.name, self.notes = table, table.name, table.notes
        self.one_each = not isinstance(table, Keypoints) or len(table.image.unique()) == len(table)

    def __len__(self) -> int:
        return len(self.table)

    def parts(self, size: int) -> Iterator[Keypoints | Poses]:
        return (self.table.take(rows) for rows in chunks(len(self), size))


@dataclass(frozen=True)
class Part:
    """Some rows and their answers. start: number of the first row. answers: (m, 16, 3) by each estimator, root-relative
    metres. sums: for each estimator, where the truth is known, the sums over rows of metrics.joint_values."""

    start: int
    table: Keypoints | Poses
    answers: list[np.ndarray]
    sums: list[dict[str, Tensor]]


def open_lifter(source: str | Path = DEFAULT, own: str = "", device: str | torch.device = "cpu") -> Trained:
    """The estimator of a run folder, a checkpoint of this program or the authors', or ONNX; the demo's by default.

    own: FILE.py:CLASS for an estimator of the user's own. Raises UserError.
    """
    return open_estimator(source, own, device)


def title_of(trained: Trained) -> str:
    """A few words for headings: the run's or the file's name."""
    return "Demo estimator" if trained.source == DEFAULT else Path(trained.source).name.removesuffix(".safetensors")


def read_2d(spec: str | Path, progress: Progress | None = None) -> Keypoints | Poses:
    """What is to be lifted, in memory: 2D keypoints alone as Keypoints, all other sets as Poses, whose 2D is lifted.

    spec: see readers.read_keypoints and readers.read_poses. Raises UserError.
    """
    read = read_keypoints if is_flat(spec) else read_poses
    return read(spec, progress=progress)


@contextmanager
def open_2d(spec: str | Path, progress: Progress | None = None, folder: Path | None = None) -> Iterator[Source]:
    """The same in parts: keypoint files and plain arrays stay on disk, other sets are read into memory.

    folder: of what lies on disk within the block, the system's for temporary files by default. Raises UserError.
    """
    found = parse_spec(spec)
    if is_flat(found) and found.path.suffix.lower() != ".mat":
        with open_keypoint_file(spec, progress, folder) as file:
            yield file
        return
    plain = found.path.is_file() and not found.options and found.path.suffix.lower() in (".npz", ".h5", ".hdf5")
    looked = lambda share: tell(progress, share, f"looking at {found.path.name}")  # noqa: E731
    yield (open_pose_file(found.path, looked) if plain else None) or Held(read_2d(spec, progress))


def lift(
    lifters: Sequence[Trained],
    source: Source,
    flip: bool = True,
    precision: str = "float32",
    progress: Progress | None = None,
) -> Iterator[Part]:
    """The parts of source in order, each lifted by every lifter.

    flip: average with the mirrored answer to the mirrored input. precision: see inference.Inference. progress(share,
    text) may return False to cancel. Raises UserError, also for answers that are not finite, Cancelled.
    """
    ready = [Inference(trained.network, precision) for trained in lifters]
    titles = " and ".join(map(title_of, lifters))

    def work(item: tuple[int, Keypoints | Poses]) -> Part:
        start, table = item
        answers = [_finite(one.answer(table.uv, flip), trained) for one, trained in zip(ready, lifters, strict=True)]
        sums = [_sums(answer, table) for answer in answers] if isinstance(table, Poses) else []
        return Part(start, table, [answer.numpy() for answer in answers], sums)

    def report(done: int) -> None:
        text = f"lifting with {titles}, {done:,} of {len(source):,} poses"
        if progress and progress(done / max(len(source), 1), text) is False:
            raise Cancelled(f"Lifting with {titles} was cancelled.")

    report(0)
    with closing(in_order(work, _numbered(source), min(one.workers for one in ready))) as parts:
        for part in parts:
            report(part.start + len(part.table))
            yield part


def lift_array(
    trained: Trained, uv: np.ndarray, flip: bool = True, precision: str = "float32", progress: Progress | None = None
) -> np.ndarray:
    """(n, 16, 3) float32 answers to normalised 2D (n, 16, 2), in memory. Arguments and errors as lift."""
    uv = torch.from_numpy(np.ascontiguousarray(uv, np.float32))
    count = len(uv)
    table = Keypoints(uv, torch.ones(count, 16), torch.zeros(count, 2), torch.arange(count))
    answers = np.empty((count, 16, 3), np.float32)
    for part in lift([trained], Held(table), flip, precision, progress):
        answers[part.start : part.start + len(part.table)] = part.answers[0]
    return answers


def errors_of(sums: Sequence[dict[str, Tensor]], count: int) -> dict[str, float]:
    """Every metric under every protocol, as evaluation.evaluate gives them, of the sums of an estimator's parts."""
    return summarise({name: sum(one[name] for one in sums) / count for name in sums[0]})


def lifted_poses(
    part: Keypoints | Poses, answers: Sequence[np.ndarray], estimator: str, fps: float = 30.0
) -> LiftedPoses:
    """Answers, of one estimator or two, with what they answer, ready to be written."""
    sure = part.confidence.numpy() if isinstance(part, Keypoints) else np.ones(part.uv.shape[:2], np.float32)
    baseline = answers[1] if len(answers) > 1 else None
    return LiftedPoses(answers[0], part.uv.numpy(), sure, row_names(part), estimator, baseline, fps)


def spread(count: int, wanted: int) -> list[int]:
    """Rows spread evenly over a set."""
    return np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()


def require_rows(rows: Sequence[int], count: int) -> None:
    """UserError for a row that is not there."""
    for row in rows:
        if not 0 <= row < count:
            raise UserError(f"Row {row} is not among the poses; choose one from 0 to {count - 1:,}.")


def example(part: Keypoints | Poses, row: int, answers: Sequence[np.ndarray], folder: Path | None) -> Lifted:
    """What export.draw_lifted draws of a row of the part, whose answers are by one estimator or two.

    folder: where its image is looked for.
    """
    from poseaug_core.export.lifted import Lifted

    name = row_names(part.take(slice(row, row + 1)))[0]
    found = find_image(folder, name) if folder and isinstance(part, Keypoints) else None
    return Lifted(
        part.uv[row].numpy(),
        answers[0][row],
        answers[1][row] if len(answers) > 1 else None,
        part.root_relative[row].numpy() if isinstance(part, Poses) else None,
        load_image(found) if found else None,
        name,
    )


def row_names(table: Keypoints | Poses) -> list[str]:
    """What each row is called in files: its image, or its clip, frame and camera."""
    if isinstance(table, Keypoints):
        return [table.images[number] for number in table.image.tolist()]
    clips, tag = table.clips, table.tag.numpy()
    named = {clip: clips[clip] if clip < len(clips) else clip for clip in np.unique(tag[:, 1]).tolist()}
    return [f"{named[clip]} {frame} {view}" for clip, frame, view in tag[:, 1:].tolist()]


def _numbered(source: Source) -> Iterator[tuple[int, Keypoints | Poses]]:
    start = 0
    for table in source.parts(PART):
        yield start, table
        start += len(table)


def _finite(answer: Tensor, trained: Trained) -> Tensor:
    """The answer on the CPU; UserError where it is none."""
    if not answer.isfinite().all():
        raise UserError(f"{trained.source} answers NaN, so its training has diverged; use an earlier checkpoint.")
    return answer.cpu()


def _sums(answer: Tensor, poses: Poses) -> dict[str, Tensor]:
    return {name: value.double().sum(0) for name, value in joint_values(answer, poses.root_relative).items()}
