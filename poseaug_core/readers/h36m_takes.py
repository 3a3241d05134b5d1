"""Human3.6M's takes through the four cameras: which rows they become, and filling these as the takes are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from poseaug_core.geometry import project
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.h36m_cameras import Camera, cameras
from poseaug_core.readers.joints import BY_COUNT, sixteen
from poseaug_core.readers.safe_pickle import Stored

Array = np.ndarray | Stored
#: Given arrays, gives their rows in bands as (the array, first row, rows), in the order that suits the file.
Bands = Callable[[Iterable[Array]], Iterator[tuple[Array, int, np.ndarray]]]
#: Bytes of a pose: 3D, 2D, camera, tag.
POSE = 4 * (48 + 32 + 9 + 4)


class Columns(NamedTuple):
    """xyz (n, 16, 3), uv (n, 16, 2) and camera (n, 9), float32; tag (n, 4) int32, as in Poses."""

    xyz: np.ndarray
    uv: np.ndarray
    camera: np.ndarray
    tag: np.ndarray


@dataclass(frozen=True)
class Sequence:
    """A take seen by a camera: its rows begin at ``start``, and are the frames 0, stride, 2 stride, ... below count."""

    label: str
    world: Array
    pixels: Array | None
    camera: Camera
    start: int
    count: int
    stride: int

    def part(self, first: int, length: int) -> tuple[slice, slice]:
        """Of a band of ``length`` frames from ``first`` on: which of them are taken, and the rows they become."""
        stop = min(first + length, self.count)
        low, high = -(-first // self.stride), max(-(-stop // self.stride), -(-first // self.stride))
        return slice(low * self.stride - first, max(stop - first, 0), self.stride), slice(
            self.start + low, self.start + high
        )


class Plan:
    """Takes are added one by one, then all of their rows are filled.

    clips: the actions, in the order in which they were added. notes: where ``end`` puts what was cut.
    """

    def __init__(self, stride: int, notes: list[str]):
        self.stride, self.notes = stride, notes
        self.clips: list[str] = []
        self.sequences: list[Sequence] = []
        self.tags: list[tuple[int, int, int]] = []
        self.rows = 0
        self.uneven: list[tuple[int, str]] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return POSE * self.rows

    def add(self, subject: str, action: str, world: Array, views: list[Array] | None) -> None:
        """world: (frames, 32, 17 or 16, 3) metres; views: of each camera (frames, 17 or 16, 2) pixels, if detected."""
        if action not in self.clips:
            self.clips.append(action)
        frames = world.shape[0]
        for view, camera in enumerate(cameras(subject)):
            pixels = None if views is None else views[view]
            seen = frames if pixels is None else pixels.shape[0]
            if seen != frames:
                what = f"{subject} {action} camera {view + 1} with {frames:,} and {seen:,} frames"
                self.uneven.append((abs(seen - frames), what))
            count = min(seen, frames)
            label = f"{subject} {action}"
            self.sequences.append(Sequence(label, world, pixels, camera, self.rows, count, self.stride))
            self.tags.append((int(subject[1:]), self.clips.index(action), view))
            self.rows += -(-count // self.stride)

    def end(self) -> None:
        """Say what was cut."""
        if self.uneven:
            lost = sum(frames for frames, _ in self.uneven)
            self.notes.append(
                f"{len(self.uneven)} of {len(self.sequences)} sequences have 3D and 2D of unequal length and were cut "
                f"to the shorter, {lost:,} frames in all (the first: {self.uneven[0][1]})"
            )

    def filled(self, solid: Bands, flat: Bands | None, progress: Progress | None) -> Columns:
        """All rows: 3D from solid; 2D from flat, or projected where that is None. Raises Cancelled."""
        n = self.rows
        out = Columns(
            np.empty((n, 16, 3), np.float32), np.empty((n, 16, 2), np.float32),
            np.empty((n, 9), np.float32), np.empty((n, 4), np.int32),
        )  # fmt: skip
        for sequence, (subject, clip, view) in zip(self.sequences, self.tags, strict=True):
            frames = np.arange(0, sequence.count, self.stride)
            rows = slice(sequence.start, sequence.start + len(frames))
            out.camera[rows] = sequence.camera.nine
            out.tag[rows, 0], out.tag[rows, 1], out.tag[rows, 2], out.tag[rows, 3] = subject, clip, frames, view
        half = 0.9 if flat is None else 0.45
        for sequences, first, band in self._bands(solid, "world", progress, 0.0, half):
            points = sixteen(band.astype(float), BY_COUNT[band.shape[1]])
            for sequence in sequences:
                frames, rows = sequence.part(first, len(points))
                out.xyz[rows] = sequence.camera.seen(points[frames])
                if flat is None:
                    columns = (torch.from_numpy(column[rows]) for column in (out.xyz, out.camera))
                    out.uv[rows] = project(*columns).numpy()
        if flat is not None:
            for sequences, first, band in self._bands(flat, "pixels", progress, half, 0.9):
                for sequence in sequences:
                    frames, rows = sequence.part(first, len(band))
                    pixels = sixteen(band[frames, :, :2].astype(float), BY_COUNT[band.shape[1]])
                    out.uv[rows] = sequence.camera.normalised(pixels)
        return out

    def _bands(
        self, read: Bands, what: str, progress: Progress | None, begin: float, end: float
    ) -> Iterator[tuple[list[Sequence], int, np.ndarray]]:
        """(the sequences of an array, first frame, frames) of all arrays, each read once however often it is named."""
        of: dict[int, list[Sequence]] = {}
        arrays: dict[int, Array] = {}
        for sequence in self.sequences:
            array = getattr(sequence, what)
            of.setdefault(id(array), []).append(sequence)
            arrays[id(array)] = array
        done = 0
        for array, first, band in read(arrays.values()):
            sequences = of[id(array)]
            if first == 0:
                tell(progress, begin + (end - begin) * done / len(arrays), f"reading {sequences[0].label}")
                done += 1
            yield sequences, first, band
