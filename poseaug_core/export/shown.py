"""Shown: what a figure is drawn from, apart from its size and theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poseaug_core.config import Config
from poseaug_core.diversity import Views
from poseaug_core.errors import UserError
from poseaug_core.skeleton import HUMAN16, Skeleton
from poseaug_core.snapshot import Snapshot


@dataclass(frozen=True)
class Shown:
    """snapshot: the moment. rows: probe poses, one or several, where a figure follows poses.

    columns: title -> further snapshot, or views of a baseline, beside the first in 'distributions'. metrics: rows of
    Run.metrics and smoothing, the weight 0..1 that a curve gives its past, in 'curves'. controls: name -> (k,) values
    in force at controls['step'], for the beta bands; without them the snapshot's own are drawn throughout.
    skeleton: with the parts that the run's 3D discriminator judges. config: of the run.
    """

    snapshot: Snapshot
    rows: Sequence[int] = (0,)
    columns: Mapping[str, Snapshot | Views] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    controls: Mapping[str, np.ndarray] = field(default_factory=dict)
    smoothing: float = 0.0
    skeleton: Skeleton = HUMAN16
    config: Config = field(default_factory=Config)

    def __post_init__(self):
        if not self.rows:
            raise UserError("No pose is chosen; name at least one row of the probe.")
        for row in self.rows:
            if not 0 <= row < self.snapshot.probe_size:
                last = self.snapshot.probe_size - 1
                raise UserError(f"Row {row} is not among the recorded poses; choose one from 0 to {last}.")
        if not 0 <= self.smoothing < 1:
            raise UserError(f"Smoothing {self.smoothing} is outside 0 to 1; 0 draws the curves as they are.")
