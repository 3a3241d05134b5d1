"""Dials: the controls as an iteration reads them, numbers at fixed places on its device."""

from __future__ import annotations

import torch

from poseaug_core.controls import KNOBS, Controls

NUMBERS = tuple(name for name, knob in KNOBS.items() if knob.kind == "float")
SWITCHES = tuple(name for name, knob in KNOBS.items() if knob.kind == "bool")


class Dials:
    """Every field of Controls but the interval: a switch as it is, a number as a 0-d tensor that ``turn`` writes to.

    An iteration recorded once reads numbers that were turned since; a switch chooses another recording.
    """

    def __init__(self, device: torch.device):
        self.turned: Controls | None = None
        for name in NUMBERS:
            # torch's Adam takes a rate in float64 on a CPU, in float32 on any other device.
            kind = torch.float64 if name.startswith("lr_") and device.type == "cpu" else torch.float32
            setattr(self, name, torch.zeros((), dtype=kind, device=device))

    def turn(self, controls: Controls) -> None:
        """Take over resolved controls (no None), writing what changed."""
        before, self.turned = self.turned, controls
        if controls == before:
            return
        for name in NUMBERS:
            if before is None or getattr(before, name) != getattr(controls, name):
                getattr(self, name).fill_(getattr(controls, name))
        for name in SWITCHES:
            setattr(self, name, getattr(controls, name))

    @property
    def switches(self) -> tuple[bool, ...]:
        return tuple(getattr(self, name) for name in SWITCHES)
