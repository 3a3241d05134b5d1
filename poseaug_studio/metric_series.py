"""Metric series: the numbers of one run over its steps, smoothed and thinned for drawing."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

BLOCK = 256


class MetricSeries:
    """Every metric of a run by name, appended as rows come."""

    def __init__(self):
        self._steps: dict[str, array] = {}
        self._values: dict[str, array] = {}
        self.changes = 0  # numbers that came, ever

    def extend(self, rows: Iterable[dict]) -> None:
        """Rows of metrics.jsonl: {'step', 'kind', 'values': {name: number}}, or the same with the values inline.

        What is not a finite number is left out: a gap says no more than a missing point. A step that is already
        known takes the place of all from there on: rows may be told twice, and a run may go on from a checkpoint.
        """
        for row in rows:
            step = row["step"]
            for name, value in row.get("values", row).items():
                if "/" in name and isinstance(value, (int, float)) and np.isfinite(value):
                    steps = self._steps.setdefault(name, array("d"))
                    values = self._values.setdefault(name, array("d"))
                    if steps and step <= steps[-1]:
                        known = bisect_left(steps, step)
                        del steps[known:], values[known:]
                    steps.append(step)
                    values.append(value)
                    self.changes += 1

    def load(self, steps: np.ndarray, columns: dict[str, np.ndarray]) -> None:
        """Whole columns (n,) over steps (n,), of names that are not known yet; as ``extend``, a name an array."""
        for name, values in columns.items():
            there = np.isfinite(values)
            if "/" in name and there.any():
                self._steps[name] = array("d", steps[there].astype(np.float64).tobytes())
                self._values[name] = array("d", values[there].astype(np.float64).tobytes())
                self.changes += int(there.sum())

    def names(self) -> tuple[str, ...]:
        return tuple(self._steps)

    def get(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values, as copies; empty for an unknown name."""
        empty = array("d")
        return np.array(self._steps.get(name, empty)), np.array(self._values.get(name, empty))

    def latest(self, name: str, step: int) -> tuple[int, float] | None:
        """The last known step up to this one, and the value there; None without any."""
        steps = self._steps.get(name, ())
        at = bisect_right(steps, step) - 1
        return (int(steps[at]), self._values[name][at]) if at >= 0 else None

    @property
    def last_step(self) -> int:
        return int(max((steps[-1] for steps in self._steps.values()), default=0))


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving average (n,) that keeps ``weight`` of the past; the start is corrected for its short past."""
    if weight <= 0 or not len(values):
        return values
    # Block by block, each a product with a triangle of powers: a Python loop would take a second on a long run.
    triangle, powers = _triangle(weight)
    out, past = np.empty(len(values)), 0.0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        n = len(block)
        out[start : start + n] = triangle[:n, :n] @ block + powers[:n] * past
        past = out[start + n - 1]
    return out / (1 - weight ** np.arange(1, len(values) + 1))


@lru_cache(maxsize=4)
def _triangle(weight: float) -> tuple[np.ndarray, np.ndarray]:
    """What a block's values, and the average before it, give to each of its averages."""
    lag = np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK))
    powers = weight ** np.arange(BLOCK + 1)
    return np.where(lag >= 0, powers[lag.clip(0)], 0.0) * (1 - weight), powers[1:]


class Staircase:
    """A quantity by steps, told in any order, of which only the ends of each level are kept."""

    def __init__(self):
        self.steps: list[int] = []
        self.levels: list[tuple[float, ...]] = []

    def add(self, step: int, level: tuple[float, ...]) -> None:
        at = bisect_left(self.steps, step)
        if at < len(self.steps) and self.steps[at] == step:
            self.levels[at] = level
        else:
            self.steps.insert(at, step)
            self.levels.insert(at, level)
        for middle in (at + 1, at, at - 1):  # what lies between two of its own level says nothing
            if 0 < middle < len(self.steps) - 1 and len(set(self.levels[middle - 1 : middle + 2])) == 1:
                del self.steps[middle], self.levels[middle]


def summary(x: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Of a long curve: the middles of at most so many stretches, and in each the mean, the lowest and the highest."""
    starts = np.arange(0, len(x), -(-len(x) // count))
    sizes = np.diff(starts, append=len(x))
    mean, low, high = np.add.reduceat(y, starts) / sizes, np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    return x[starts + sizes // 2], mean, low, high


def thin(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points: the lowest and the highest of each stretch, so that no peak is lost; the last is kept."""
    if len(x) <= most:
        return x, y
    size = -(-len(x) // (most // 2 - 1))
    count = -(-len(x) // size)
    padded = np.concatenate((y, np.full(count * size - len(y), y[-1]))).reshape(count, size)
    starts = np.arange(count) * size
    keep = np.concatenate((starts + padded.argmin(1), starts + padded.argmax(1), [len(x) - 1]))
    keep = np.sort(keep.clip(0, len(x) - 1))
    keep = keep[np.diff(keep, prepend=-1) > 0]
    return x[keep], y[keep]
