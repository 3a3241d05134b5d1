"""Estimators P: each maps uv (b, 16, 2) to root-relative xyz (b, 16, 3) metres. One file, one entry here.

Loads no torch until an estimator is made: front ends list them before.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own, own_class

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Entry:
    """title: as papers write it. place: 'module:Class' in this package, a class of nn.Module whose only argument, the
    width of its hidden layers, has the published one as default. The rest: how PoseAug trains it."""

    title: str
    place: str
    pretrain_epochs: int = 50
    pretrain_lr: float = 1e-3
    lr_estimator: float = 1e-4


ESTIMATORS = {
    "simple_baseline": Entry("SimpleBaseline", "simple_baseline:SimpleBaseline"),
    "semgcn": Entry("SemGCN", "semgcn:SemGCN", pretrain_epochs=100, pretrain_lr=2e-2, lr_estimator=1e-3),
    "st_gcn": Entry("ST-GCN, one frame", "st_gcn:STGCN"),
    "vpose": Entry("VPose, one frame", "vpose:VPose"),
}


def make_estimator(name: str, width: int = 0) -> nn.Module:
    """A new estimator with weights from torch's global generator; width 0 is the published one.

    name: one of ESTIMATORS, or 'FILE.py:CLASS' of the user's own, checked first (estimators/own.py). Raises UserError.
    """
    if is_own(name):
        from poseaug_core.estimators.checking import made_and_checked

        return made_and_checked(own_class(name), width, name)
    made = estimator_class(name)
    return made(width) if width else made()


def estimator_class(name: str) -> type[nn.Module]:
    """The class of one of ESTIMATORS. Raises UserError for another name."""
    if name not in ESTIMATORS:
        raise UserError(
            f"There is no estimator {name!r}; choose one of {', '.join(ESTIMATORS)}, or name your own as FILE.py:CLASS."
        )
    module, made = ESTIMATORS[name].place.split(":")
    return getattr(import_module(f"{__name__}.{module}"), made)


def training_defaults(name: str) -> dict[str, Any]:
    """Settings with which PoseAug trains this estimator: pretrain_epochs, pretrain_lr, lr_estimator."""
    entry = ESTIMATORS.get(name, Entry(name, ""))
    return {key: getattr(entry, key) for key in ("pretrain_epochs", "pretrain_lr", "lr_estimator")}
