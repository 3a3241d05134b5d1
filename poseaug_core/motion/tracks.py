"""Smooth, never quite repeating curves over time, of which actions are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Curves:
    """Draws curves of one take: ``frames`` samples at ``fps``, every draw from ``rng``."""

    def __init__(self, frames: int, fps: float, rng: np.random.Generator):
        self.rng = rng
        self.time = np.arange(frames) / fps
        self.step = 1 / fps

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def side(self) -> tuple[str, str]:
        """A side drawn, and the other one."""
        return ("left", "right") if self.rng.random() < 0.5 else ("right", "left")

    def drift(self, scale: float, slow: float = 4.0, quick: float = 0.9) -> np.ndarray:
        """A wandering curve of about that standard deviation, periods from quick to slow seconds."""
        periods, phases = np.exp(self.rng.uniform(np.log(quick), np.log(slow), 3)), self.rng.uniform(0, 2 * np.pi, 3)
        return scale * 0.8 * np.sin(2 * np.pi * self.time / periods[:, None] + phases[:, None]).sum(0)

    def phase(self, rate: float, start: float | None = None) -> np.ndarray:
        """Radians that advance at about ``rate`` cycles a second, unevenly by some per cent."""
        start = self.uniform(0, 2 * np.pi) if start is None else start
        return start + 2 * np.pi * rate * self.step * np.cumsum(1 + self.drift(0.05))

    def cycles(self, phase: np.ndarray, low: float, high: float) -> np.ndarray:
        """A value a cycle, drawn between low and high, that changes smoothly from cycle to cycle."""
        turns = phase / (2 * np.pi)
        whole = np.floor(turns).astype(int) - int(np.floor(turns[0]))
        values = self.rng.uniform(low, high, whole.max() + 2)
        share = turns - np.floor(turns)
        share = share * share * (3 - 2 * share)
        return values[whole] * (1 - share) + values[whole + 1] * share

    def keys(self, phase: np.ndarray, keys: Sequence[tuple[float, float]]) -> np.ndarray:
        """A curve through (share of the cycle, value) keys, resting at each key, the last leading to the first."""
        at, value = np.array(keys, dtype=np.float64).T
        at, value = np.append(at, at[0] + 1), np.append(value, value[0])
        share = (phase / (2 * np.pi) - at[0]) % 1 + at[0]
        k = np.clip(np.searchsorted(at, share, side="right") - 1, 0, len(at) - 2)
        part = (share - at[k]) / (at[k + 1] - at[k])
        return value[k] + (value[k + 1] - value[k]) * part * part * (3 - 2 * part)
