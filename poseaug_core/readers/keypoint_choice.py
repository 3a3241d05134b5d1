"""Of the people in a file, those that are wanted, as our sixteen joints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoint_filling import FEWEST, enough
from poseaug_core.keypoint_maps import to_sixteen
from poseaug_core.readers.keypoint_columns import CHUNK, Column, Texts, chunks
from poseaug_core.readers.keypoint_people import People


class Chosen:
    """n people in m images, columns on disk.

    xy: (16, 2), NaN where missing. confidence: (16,). image: number among ``images``, the m names. sizes: (2,) of each
    image, NaN where the file has none.
    """

    def __init__(self, folder: Path | None = None):
        self.xy, self.confidence = Column((16, 2), np.float32, folder), Column((16,), np.float32, folder)
        self.image, self.images = Column((), np.int64, folder), Texts(folder)
        self.sizes = Column((2,), np.float64, folder)

    def __len__(self) -> int:
        return len(self.xy)

    @property
    def one_each(self) -> bool:
        """Whether each image has one row."""
        return len(self.images) == len(self)

    def close(self) -> None:
        for column in (self.xy, self.confidence, self.image, self.images, self.sizes):
            column.close()


def choose(
    people: People, layout: str, person: int | None, in_order: bool, path: Path, folder: Path | None = None
) -> tuple[Chosen, list[str]]:
    """The people chosen in each image of whom enough is seen, and what to say of the others.

    person: of those in an image, by their score or else their size, best first; None for all. in_order: whether rows
    come as they should, or are to be sorted by image. Memory does not grow with the file where the people of an image
    follow one another. Raises UserError where nobody is left.
    """
    taken, most, chosen = 0, 0, Chosen(folder)
    for rows, rank in _ranked(people, person, in_order):
        most = max(most, int(rank.max()))
        rows = rows if person is None else rows[rank == person]
        taken += len(rows)
        if len(rows):
            _keep(people, rows, layout, chosen)
    notes = []
    if not taken:
        raise UserError(
            f"{path}: person is {person}, but no image shows {person + 1} people, at most {most + 1}; "
            f"give person=0{f' to {most}' if most else ''}, or all."
        )
    if others := len(people) - taken:
        best = "with the highest score" if people.scored else "that is largest"
        which = f"the one {best}" if person == 0 else f"number {person} by {'score' if people.scored else 'size'}"
        rest = "1 other is" if others == 1 else f"{others:,} others are"
        notes.append(f"Of several people in an image {which} is taken, {rest} left out (?person=1, ?person=all).")
    if not len(chosen):
        raise UserError(f"{path}: nobody shows {FEWEST} of our joints and two of the trunk; choose another file.")
    if len(chosen) < taken:
        lost = f"{taken - len(chosen):,} of {taken:,} people"
        notes.append(f"{lost} show fewer than {FEWEST} joints, or no trunk, and are left out.")
    return chosen, notes


def _ranked(people: People, person: int | None, in_order: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers in the order in which they are wanted, and the rank of each in its image; whole images at a time."""
    if not people.grouped:
        # An image comes back later: all numbers of images are needed at once, though not their joints.
        image, score = people.image.whole(), people.score.whole()
        area = np.concatenate([_areas(people.points.read(rows)) for rows in chunks(len(people))])
        order, rank = _order(image, score, area, people.scored)
        if person is None:
            rows = np.arange(len(people)) if in_order else np.argsort(image, kind="stable")
            order, rank = rows, np.zeros(len(rows), np.int64)
        for part in _whole_images(image[order]) if person is not None or not in_order else [slice(None)]:
            yield order[part], rank[part]
        return
    start = 0
    while start < len(people):
        size = CHUNK
        while True:
            image = people.image.read(slice(start, start + size))
            stop = start + len(image)
            last = stop == len(people)
            if last or image[0] != image[-1]:
                break
            size *= 2  # an image of more people than that
        if not last:
            stop = start + int(np.flatnonzero(np.diff(image))[-1]) + 1
            image = image[: stop - start]
        if person is None or len(image) == image[-1] - image[0] + 1:  # one person an image
            yield np.arange(start, stop), np.zeros(stop - start, np.int64)
        else:
            score, area = people.score.read(slice(start, stop)), _areas(people.points.read(slice(start, stop)))
            order, rank = _order(image, score, area, people.scored)
            yield start + order, rank
        start = stop


def _whole_images(image: np.ndarray) -> Iterator[slice]:
    """Slices of sorted numbers of images, in which none is cut."""
    bounds = np.append(np.flatnonzero(np.diff(image)) + 1, len(image))
    start = 0
    while start < len(image):
        stop = int(bounds[min(np.searchsorted(bounds, start + CHUNK), len(bounds) - 1)])
        yield slice(start, stop)
        start = stop


def _order(image: np.ndarray, score: np.ndarray, area: np.ndarray, scored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows by image, the best first in each, and their ranks."""
    order = np.lexsort((-area, -score if scored else np.zeros(len(score)), image))
    bounds = np.flatnonzero(np.diff(image[order], prepend=-1))
    return order, np.arange(len(order)) - np.repeat(bounds, np.diff([*bounds, len(order)]))


def _keep(people: People, rows: np.ndarray, layout: str, chosen: Chosen) -> None:
    """Add those of the rows, which are of images that no other rows are of, that show enough."""
    xy, sure = to_sixteen(people.points.pick(rows), people.sure.pick(rows), layout)
    kept = enough(xy)
    if not kept.any():
        return
    used, number = np.unique(people.image.pick(rows)[kept], return_inverse=True)
    chosen.image.append(len(chosen.images) + number)
    chosen.images.append(people.images.pick(used))
    chosen.sizes.append(people.sizes.pick(used))
    chosen.xy.append(xy[kept])
    chosen.confidence.append(sure[kept])


def _areas(points: np.ndarray) -> np.ndarray:
    """(n,) of the box around the joints that were found."""
    low, high = _extremes(points)
    return np.prod(high - low, axis=-1)


def _extremes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) lowest and highest coordinates of the joints that were found; 0 where none was."""
    lost = np.isnan(points)
    low = np.where(lost, np.inf, points).min(1)
    high = np.where(lost, -np.inf, points).max(1)
    nobody = lost.all(axis=(1, 2))[:, None]
    return np.where(nobody, 0, low), np.where(nobody, 0, high)
