"""Lifted poses as files: arrays, CSV, JSON and BVH, written a part at a time, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.fixed_point import FixedPoint
from poseaug_core.motion.bvh_writer import write_bvh
from poseaug_core.plain_text import plain
from poseaug_core.readers.column_files import begin_npy
from poseaug_core.readers.hdf5_writer import Hdf5Writer
from poseaug_core.readers.keypoint_columns import Column, Texts, chunks
from poseaug_core.skeleton import HUMAN16
from poseaug_core.storage import replacing

#: Rows whose text is made at once: it stays in a core's cache.
TEXT_ROWS = 256
UNITS = "metres relative to the pelvis; camera frame: x right, y down, z forward"


@dataclass(frozen=True)
class LiftedPoses:
    """n lifted poses. xyz: (n, 16, 3) root-relative metres. uv: (n, 16, 2) that was lifted.

    confidence: (n, 16) of the 2D. names: of the rows. baseline: (n, 16, 3) of a second estimator, or None.
    estimator: what lifted them. fps: frames a second, for motion. one_person: whether each image has one row.
    """

    xyz: np.ndarray
    uv: np.ndarray
    confidence: np.ndarray
    names: Sequence[str]
    estimator: str
    baseline: np.ndarray | None = None
    fps: float = 30.0
    one_person: bool = True

    def __len__(self) -> int:
        return len(self.xyz)

    def columns(self) -> dict[str, np.ndarray]:
        """Arrays by the names they have in .npz and .h5 files."""
        found = {"pose3d": self.xyz, "pose2d": self.uv, "confidence": self.confidence}
        return found | ({} if self.baseline is None else {"pose3d_baseline": self.baseline})

    def part(self, rows: slice) -> LiftedPoses:
        baseline = None if self.baseline is None else self.baseline[rows]
        return replace(
            self, xyz=self.xyz[rows], uv=self.uv[rows], confidence=self.confidence[rows], names=self.names[rows],
            baseline=baseline,
        )  # fmt: skip


@dataclass(frozen=True)
class Head:
    """What is known of lifted poses before they are there. count: of all; two: whether there is a baseline; the rest as
    LiftedPoses."""

    count: int
    estimator: str
    two: bool = False
    fps: float = 30.0
    one_person: bool = True

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the arrays, by the names of LiftedPoses.columns."""
        found = {"pose3d": (16, 3), "pose2d": (16, 2), "confidence": (16,)}
        found |= {"pose3d_baseline": (16, 3)} if self.two else {}
        return {key: (self.count, *shape) for key, shape in found.items()}


class Writer:
    """Open for poses: ``add`` takes the next ones. notes: what to say of the file, once it is whole."""

    def __init__(self, path: Path, head: Head, write: Callable[[LiftedPoses], None]):
        self.path, self.expected, self._write = path, head.count, write
        self.count = 0
        self.notes: list[str] = []

    def add(self, poses: LiftedPoses) -> None:
        """UserError for numbers that are not finite, and for more poses than were announced."""
        for key, column in poses.columns().items():
            if not np.isfinite(column).all():
                raise UserError(f"{self.path} was not written: {key} has NaN or infinite values; give finite numbers.")
        self.count += len(poses)
        if self.count > self.expected:
            raise self._miscounted()
        self._write(poses)

    def require_whole(self) -> None:
        if self.count < self.expected:
            raise self._miscounted()

    def _miscounted(self) -> UserError:
        return UserError(
            f"{self.path} was not written: {self.count:,} poses were given, {self.expected:,} were announced; give as "
            "many."
        )


def write_lifted(poses: LiftedPoses, path: str | Path) -> tuple[Path, list[str]]:
    """Write to .npz, .h5, .csv, .json or .bvh, by the suffix; the path and what to say of it. Raises UserError."""
    head = Head(len(poses), poses.estimator, poses.baseline is not None, poses.fps, poses.one_person)
    with writing_lifted(path, head) as writer:
        for rows in chunks(len(poses)):
            writer.add(poses.part(rows))
    return writer.path, writer.notes


@contextmanager
def writing_lifted(path: str | Path, head: Head) -> Iterator[Writer]:
    """A writer of exactly head.count poses, whose file is there after the block, whole, or not at all. UserError.

    Arrays: pose3d, pose2d, confidence, images (and pose3d_baseline). CSV and JSON: a row or entry a pose, joints by
    name. BVH: the poses as one motion.
    """
    path = require_lifted_target(path)
    with WRITERS[path.suffix.lower()](path, head) as writer:
        yield writer
        writer.require_whole()


def require_lifted_target(path: str | Path) -> Path:
    """The path, if lifted poses can be written there; UserError for another suffix or a missing folder."""
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"{path}: cannot write '{path.suffix}' files; end the name in {', '.join(WRITERS)}.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path} cannot be written: the folder {path.parent} does not exist; make it first.")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it.")
    return path


def _array_bytes(head: Head) -> int:
    return 4 * sum(int(np.prod(shape)) for shape in head.shapes().values()) + 200 * head.count


@contextmanager
def _npz(path: Path, head: Head) -> Iterator[Writer]:
    """An archive has its arrays one after the other: the first is written as it comes, the others wait on disk."""
    first, *others = head.shapes().items()
    with replacing(path, _array_bytes(head)) as part, ExitStack() as stack:
        waiting = {key: Column(shape[1:], "<f4", path.absolute().parent, path) for key, shape in others}
        for column in waiting.values():
            stack.callback(column.close)
        names = stack.enter_context(tempfile.TemporaryFile(dir=path.absolute().parent))
        widths: list[tuple[int, int]] = []
        archive = stack.enter_context(zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True))
        with archive.open(f"{first[0]}.npy", "w", force_zip64=True) as member:
            begin_npy(member, "<f4", first[1])

            def add(poses: LiftedPoses) -> None:
                columns = poses.columns()
                member.write(np.ascontiguousarray(columns.pop(first[0]), "<f4").data.cast("B"))
                for key, column in columns.items():
                    waiting[key].append(column)
                texts = np.array(list(poses.names), dtype=np.str_)
                widths.append((len(texts), max(texts.dtype.itemsize // 4, 1)))
                names.write(texts.tobytes())

            yield Writer(path, head, add)
        for key, column in waiting.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                begin_npy(member, "<f4", (head.count, *column.shape))
                for rows in chunks(head.count):
                    member.write(column.read(rows).data.cast("B"))
            column.close()
        widest = max((width for _, width in widths), default=1)
        names.seek(0)
        with archive.open("images.npy", "w", force_zip64=True) as member:
            begin_npy(member, f"<U{widest}", (head.count,))
            for count, width in widths:
                texts = np.frombuffer(names.read(4 * count * width), f"<U{width}")
                member.write(texts.astype(f"<U{widest}").tobytes())


@contextmanager
def _h5(path: Path, head: Head) -> Iterator[Writer]:
    """Of all names the longest says how much place each gets: they wait on disk."""
    with replacing(path, _array_bytes(head)) as part, ExitStack() as stack:
        names = Texts(path.absolute().parent, path)
        stack.callback(names.close)
        file = Hdf5Writer(
            stack.enter_context(open(part, "wb")), {key: (shape, "<f4") for key, shape in head.shapes().items()}
        )
        widest = 1

        def add(poses: LiftedPoses) -> None:
            nonlocal widest
            for key, column in poses.columns().items():
                file.append(key, column)
            texts = list(map(plain, poses.names))
            names.append(texts)
            widest = max(widest, *(len(text.encode()) for text in texts))

        yield Writer(path, head, add)
        known = {"units": UNITS, "estimator": plain(head.estimator), "joints": list(HUMAN16.names)}
        file.end({}, known, {"images": ((len(names),), np.dtype(f"S{widest}"))})
        for rows in chunks(len(names)):
            file.append("images", np.array([text.encode() for text in names.read(rows)], f"S{widest}"))


@contextmanager
def _csv(path: Path, head: Head) -> Iterator[Writer]:
    """A header, then a row a pose: image, x y z of each joint in metres, then the confidence of each."""
    joints = [name.replace(" ", "_") for name in HUMAN16.names]
    kinds = ["", *(["baseline_"] if head.two else [])]
    header = ["image", *(f"{kind}{joint}_{axis}" for kind in kinds for joint in joints for axis in "xyz")]
    header += [f"{joint}_confidence" for joint in joints]
    text = FixedPoint([",", *[","] * (len(header) - 2), "\r\n"])
    with replacing(path, 700 * head.count) as part, open(part, "wb") as file:
        file.write((",".join(header) + "\r\n").encode())

        def add(poses: LiftedPoses) -> None:
            for rows in chunks(len(poses), TEXT_ROWS):
                some = poses.part(rows)
                columns = [some.xyz, *([some.baseline] if head.two else []), some.confidence]
                numbers = np.concatenate([np.reshape(column, (len(some), -1)) for column in columns], axis=1)
                lines = zip(_csv_texts(some.names), text.rows(numbers), strict=True)
                file.write(b"".join(piece for line in lines for piece in line))

        yield Writer(path, head, add)


def _csv_texts(names: Sequence[str]) -> list[bytes]:
    """Names as fields, quoted where they need it."""
    if not set('",\r\n').intersection("".join(names)) and all(names):
        return [name.encode("utf-8", "replace") for name in names]
    fields = []
    for name in names:
        field = io.StringIO()
        csv.writer(field, lineterminator="").writerow([name])
        fields.append(field.getvalue().encode("utf-8", "replace"))
    return fields


@contextmanager
def _json(path: Path, head: Head) -> Iterator[Writer]:
    known = {"units": UNITS, "estimator": head.estimator, "fps": head.fps, "joints": list(HUMAN16.names)}
    text = FixedPoint(_json_between(head.two))
    with replacing(path, 1500 * head.count) as part, open(part, "wb") as file:
        file.write((json.dumps(known)[:-1] + ', "poses": [').encode())
        first = True

        def add(poses: LiftedPoses) -> None:
            nonlocal first
            for rows in chunks(len(poses), TEXT_ROWS):
                some = poses.part(rows)
                columns = [some.xyz, some.confidence, some.uv, *([some.baseline] if head.two else [])]
                numbers = np.concatenate([np.reshape(column, (len(some), -1)) for column in columns], axis=1)
                lines = [
                    b'\n{"image": ' + json.dumps(name).encode() + line
                    for name, line in zip(some.names, text.rows(numbers), strict=True)
                ]
                file.write((b"" if first else b",") + b",".join(lines))
                first = False

        yield Writer(path, head, add)
        file.write(b"\n]}\n")


def _json_between(two: bool) -> list[str]:
    """What stands between the numbers of an entry, from the end of its image's name on."""
    points = lambda axes: ["[["] + ([", "] * (axes - 1) + ["], ["]) * 15 + [", "] * (axes - 1) + ["]]"]  # noqa: E731
    parts = {"xyz": points(3), "confidence": ["[", *[", "] * 15, "]"], "uv": points(2)}
    parts |= {"baseline_xyz": points(3)} if two else {}
    texts = [""]
    for key, between in parts.items():
        texts[-1] += f', "{key}": {between[0]}'
        texts += between[1:]
    texts[-1] += "}"
    return texts


@contextmanager
def _bvh(path: Path, head: Head) -> Iterator[Writer]:
    """A motion begins with bone lengths, medians over all of it: poses wait on disk."""
    if not head.one_person:
        raise UserError(f"{path}: a BVH file moves one person, but some images have several; choose one by ?person=0.")
    waiting = Column((16, 3), np.float32, path.absolute().parent, path)
    try:
        writer = Writer(path, head, lambda poses: waiting.append(poses.xyz))
        yield writer
        moved = write_bvh(waiting, path, head.fps)["moved_mm"]
    finally:
        waiting.close()
    writer.notes.append(
        f"BVH has one length a bone: the medians are used, which moves joints by {moved:.0f} mm on average; "
        f"{head.fps:g} frames a second."
    )


#: suffix -> writer.
WRITERS: dict[str, Callable[[Path, Head], object]] = {
    ".npz": _npz,
    ".h5": _h5,
    ".csv": _csv,
    ".json": _json,
    ".bvh": _bvh,
}
