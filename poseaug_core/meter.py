"""Meter: what a training logs, kept on its device until somebody reads it."""

from __future__ import annotations

import torch
from torch import Tensor

Mark = tuple[dict[str, float], dict[str, int]]


class Meter:
    """Sums and counts of scalars at fixed places on the device, read (a host copy) only when somebody records them."""

    def __init__(self, device: torch.device):
        self.device = device
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, Tensor] = {}
        self.new: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Take note of a 0-d value; ``sum_up`` counts it."""
        if name in self.new:
            self.sum_up()
        self.new[name] = value.detach()

    def sum_up(self) -> None:
        """Count what was noted, in two calls for all of it."""
        new, self.new = self.new, {}
        if not new:
            return
        for name in new:
            if name not in self.sums:
                self.sums[name], self.counts[name] = torch.zeros(2, device=self.device).unbind()
        torch._foreach_add_([self.sums[name] for name in new], list(new.values()))
        torch._foreach_add_([self.counts[name] for name in new], 1.0)

    def forget(self) -> None:
        """Drop what was noted and not yet counted."""
        self.new = {}

    def read(self) -> dict[str, float]:
        """Means since the last reading, and start anew."""
        sums, counts = self.state()
        means = {name: float(total) / counts[name] for name, total in zip(sums, _on_host(sums.values()), strict=True)}
        for held in (*self.sums.values(), *self.counts.values()):
            held.zero_()
        return means

    def since(self, mark: Mark) -> tuple[dict[str, float], Mark]:
        """Means since a mark was taken, and a new mark; changes nothing. A mark: sums and counts, ({}, {}) at first.
        One of before the last reading stands for that reading."""
        sums, counts = self.state()
        held = dict(zip(sums, _on_host(sums.values()), strict=True))
        if any(counts.get(name, 0) < count for name, count in mark[1].items()):
            mark = ({}, {})
        means = {}
        for name, total in held.items():
            if (fresh := counts[name] - mark[1].get(name, 0)) > 0:
                means[name] = (total - mark[0].get(name, 0.0)) / fresh
        return means, (held, counts)

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Sums and counts since the last reading, by name."""
        self.sum_up()
        counted = zip(self.counts, map(int, _on_host(self.counts.values())), strict=True)
        counts = {name: count for name, count in counted if count}
        return {name: self.sums[name] for name in counts}, counts

    def load_state(self, sums: dict[str, Tensor], counts: dict[str, int]) -> None:
        self.forget()
        for held in (*self.sums.values(), *self.counts.values()):
            held.zero_()
        for name, total in sums.items():
            self.add(name, total.to(self.device))
        self.sum_up()
        for name, count in counts.items():
            self.counts[name].fill_(count)


def _on_host(values) -> list[float]:
    """0-d tensors as numbers, copied at once."""
    values = list(values)
    return torch.stack(values).tolist() if values else []
