"""The people of a file of keypoints, in order, as columns on disk: what every format is read into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoint_maps import LAYOUTS
from poseaug_core.readers.keypoint_columns import Column, Texts
from poseaug_core.units import CONFIDENCE, PIXEL, SIDE, Bound, Watch

#: People that are converted at once.
TOGETHER = 1024
COUNTS = {layout.count for layout in LAYOUTS.values()}
#: COCO's visibility flags as confidence: not labelled, labelled but hidden, visible.
VISIBILITY = np.array((0.0, 0.5, 1.0))


class People:
    """What one file holds: a row a person, a row an image.

    title: of the format. names: of the k joints, where the file has them. points: (k, 2) each, NaN where not found,
    sure: (k,) confidence, score: of the person, NaN where not given, image: which of the images (columns, once
    ``finish`` was called). images: names, in the order in which they first appear; sizes: (2,) width and height, NaN
    where the file has none. grouped: whether the people of an image always follow one another.
    scored: whether everyone has a score. low, high: of all coordinates.
    """

    def __init__(self, title: str = "", folder: Path | None = None):
        self.title, self.folder, self.names = title, folder, ()
        self.points: Column | None = None
        self.sure: Column | None = None
        self.score, self.image = Column((), np.float64, folder), Column((), np.int64, folder)
        self.images, self.sizes = Texts(folder), Column((2,), np.float64, folder)
        self.grouped, self.scored = True, True
        self.low, self.high = np.inf, -np.inf
        self._waiting: list[tuple[str, Any, Any, float]] = []
        self._visibility = False
        self._new: list[tuple[str, tuple[float, float]]] = []
        self._last, self._rising = "", True
        self._numbers: dict[str, int] | None = None
        self._image = -1

    def __len__(self) -> int:
        return len(self.image) + len(self._waiting)

    @property
    def image_count(self) -> int:
        return len(self.images)

    def add(
        self, image: Any, keypoints: Any, sure: Any = None, score: Any = None, visibility: bool = False,
        size: tuple[float, float] = (np.nan, np.nan),
    ) -> None:  # fmt: skip
        """One person; keypoints are x, y (, confidence) in a row or a list of such triples or pairs.

        visibility: whether the third is COCO's flag. size: of the image, as far as the file tells.
        """
        self._visibility = visibility
        self._waiting.append((str(image), keypoints, sure, one_number(score), size))
        if len(self._waiting) >= TOGETHER:
            self.finish()

    def finish(self) -> None:
        """Put down who was added since."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        converted = self._converted(waiting)
        if converted is None:
            rows = [self._one(len(self.image) + number, *one[:3]) for number, one in enumerate(waiting)]
            converted = np.stack([points for points, _ in rows]), np.stack([sure for _, sure in rows])
        self.put([one[0] for one in waiting], *converted, [one[3] for one in waiting], [one[4] for one in waiting])

    def put(
        self, images: Sequence[str] | None, points: np.ndarray, sure: np.ndarray, score: Sequence[float],
        sizes: Sequence[tuple[float, float]] | np.ndarray,
    ) -> None:  # fmt: skip
        """m people at once: names of their images, (m, k, 2), (m, k), (m,) and the sizes of the images (m, 2).

        images: None where everyone, of the whole file, has one of their own, called by the number of the row.
        """
        if self.points is None:
            self._begin(points.shape[1])
        if points.shape[1:] != self.points.shape:
            raise UserError(
                f"{_where(len(self.image), images[0] if images else '')} has {points.shape[1]} joints, those before "
                f"have {self.points.shape[0]}; keep one kind."
            )
        # Not found: confidence 0, whose place means nothing, and without confidence the corner of the image.
        x, y = points[..., 0], points[..., 1]
        lost = np.isnan(x) | np.isnan(y) | ~(sure > 0)
        lost |= (x == 0) & (y == 0) & (sure >= 1)
        self._require(PIXEL, np.where(lost[..., None], 0, points), images)
        self._require(CONFIDENCE, np.where(np.isnan(sure), 0, sure), images)
        self._require(SIDE, np.fmax(np.asarray(sizes, float), SIDE.low), images)  # what is smaller counts as not given
        points = np.where(lost[..., None], np.nan, points).astype(np.float32)
        if not lost.all():
            self.low, self.high = min(self.low, np.nanmin(points)), max(self.high, np.nanmax(points))
        self.points.append(points)
        self.sure.append(np.where(lost, 0.0, sure).clip(0, 1))
        self.score.append(score)
        self.scored &= bool(np.isfinite(score).all())
        if images is None:
            numbers = range(len(self.image), len(self.image) + len(points))
            self.image.append(numbers)
            self.images.append([str(number) for number in numbers])
            self.sizes.append(sizes)
            return
        self.image.append([self._number(name, size) for name, size in zip(images, sizes, strict=True)])
        self.images.append([name for name, _ in self._new])
        self.sizes.append([size for _, size in self._new])
        self._new = []

    def _require(self, bound: Bound, values: np.ndarray, images: Sequence[str] | None) -> None:
        watch = Watch(bound)
        watch.look(values)
        if watch.count:
            row = len(self.image) + watch.row
            where = _where(row, images[watch.row] if images else str(row))
            raise UserError(f"{where} has {bound.what} of {watch.value:.3g} ({bound.limits}); {bound.remedy}.")

    def _begin(self, joints: int) -> None:
        self.points = Column((joints, 2), np.float32, self.folder)
        self.sure = Column((joints,), np.float32, self.folder)

    def close(self) -> None:
        for column in (self.points, self.sure, self.score, self.image, self.images, self.sizes):
            if column is not None:
                column.close()

    def _number(self, name: str, size: tuple[float, float]) -> int:
        """Of the image. While names rise, by length and then by letters, none comes twice and none is remembered."""
        if name == self._last and self._image >= 0:
            return self._image
        count = len(self.images) + len(self._new)
        if self._numbers is None and count and (len(name), name) < (len(self._last), self._last):
            known = [*self.images.read(slice(None)), *(one for one, _ in self._new)]
            self._numbers = {known_name: number for number, known_name in enumerate(known)}
        self._last = name
        if self._numbers is not None and name in self._numbers:
            self.grouped = False
            self._image = self._numbers[name]
            return self._image
        if self._numbers is not None:
            self._numbers[name] = count
        self._new.append((name, size))
        self._image = count
        return count

    def _converted(self, waiting: list[tuple]) -> tuple[np.ndarray, np.ndarray] | None:
        """(m, k, 2) and (m, k) of people who are all written alike; None where they are not."""
        try:
            values = np.array([one[1] for one in waiting])
            given = [one[2] for one in waiting]
            scores = None if given[0] is None else np.array(given).reshape(len(waiting), -1)
        except (ValueError, TypeError, OverflowError):
            return None
        if any(found is not None and found.dtype.kind not in "fiu" for found in (values, scores)):
            return None
        if values.ndim == 2:
            columns = _columns(values.shape[1])
            if not columns:
                return None
            values = values.reshape(len(waiting), -1, columns)
        if values.ndim != 3 or values.shape[2] not in (2, 3) or not values.shape[1]:
            return None
        return self._split(values, scores)

    def _split(self, values: np.ndarray, scores: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
        points, sure = values[..., :2], values[..., 2] if values.shape[2] > 2 else np.ones(values.shape[:2])
        if scores is not None:
            if scores.shape != sure.shape:
                return None
            sure = scores
        if self._visibility:
            sure = VISIBILITY[np.nan_to_num(sure).clip(0, 2).astype(int)]
        return points, sure

    def _one(self, number: int, image: str, keypoints: Any, sure: Any) -> tuple[np.ndarray, np.ndarray]:
        """(k, 2) and (k,) of one person; UserError saying what is wrong with it."""
        where = _where(number, image)
        rows = _rows(keypoints, where)
        expected = self.points.shape[0] if self.points is not None else None
        if expected is None:
            self._begin(len(rows))
        elif len(rows) != expected:
            raise UserError(f"{where} has {len(rows)} joints, those before have {expected}; keep one kind.")
        scores = None
        if sure is not None:
            scores = numbers_of(sure, f"the scores of {where}").reshape(1, -1)
            if scores.shape[1] != len(rows):
                raise UserError(
                    f"{where} has {len(rows)} joints and {scores.shape[1]} scores; write one score a joint."
                )
        points, certain = self._split(rows[None], scores)
        return points[0], certain[0]


def numbers_of(value: Any, where: str) -> np.ndarray:
    """float64; null counts as NaN. UserError for texts and lists of unequal length."""
    try:
        array = np.array(value, dtype=object if value is None else None)
        if array.dtype == object:
            array = np.array(value, dtype=np.float64)
        if array.dtype.kind not in "fiu":
            raise ValueError
        return array.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        shown = str(value).replace("\n", " ")[:60]
        raise UserError(f"{where} has keypoints that are not numbers in equal rows: {shown}.") from None


def one_number(value: Any) -> float:
    """A float, NaN for what is none."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, int) and abs(value) > 1e300:
        return float("inf") if value > 0 else float("-inf")
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _where(number: int, image: str) -> str:
    return f"person {number} (image {image[:60]})"


def _columns(count: int) -> int:
    """Whether so many numbers in a row are triples or pairs; 0 where they can be neither."""
    by_three, by_two = count % 3 == 0, count % 2 == 0
    if by_three and (count // 3 in COUNTS or not (by_two and count // 2 in COUNTS)):
        return 3
    return 2 if by_two else 0


def _rows(keypoints: Any, where: str) -> np.ndarray:
    """(k, 2 or 3) float64 of a flat or nested list."""
    values = numbers_of(keypoints, where)
    if values.ndim == 2 and values.shape[1] in (2, 3) and len(values):
        return values
    if values.ndim != 1 or not len(values):
        raise UserError(f"{where} has keypoints of shape {values.shape}, expected x, y, confidence for each joint.")
    columns = _columns(len(values))
    if not columns:
        raise UserError(f"{where} has {len(values)} numbers, which are not x, y, confidence for each joint.")
    return values.reshape(-1, columns)
