"""Estimators P: each maps uv (b, 16, 2) to root-relative xyz (b, 16, 3) metres. One file, one entry here."""

from __future__ import annotations

from torch import nn

from poseaug_core.errors import UserError
from poseaug_core.estimators.simple_baseline import SimpleBaseline
from poseaug_core.estimators.vpose import VPose

#: name -> class taking the width of its hidden layers.
ESTIMATORS: dict[str, type[nn.Module]] = {"simple_baseline": SimpleBaseline, "vpose": VPose}


def make_estimator(name: str, width: int = 1024) -> nn.Module:
    """A new estimator with weights from torch's global generator. Raises UserError for an unknown name."""
    if name not in ESTIMATORS:
        raise UserError(f"There is no estimator {name!r}; choose one of {', '.join(ESTIMATORS)}.")
    return ESTIMATORS[name](width)
