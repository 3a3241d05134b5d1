"""Evaluating an estimator on a set of poses, under both protocols."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseaug_core.breakdown import Breakdown
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.geometry import mirror
from poseaug_core.poses import Poses

Progress = Callable[[float, str], bool | None]
#: Poses at once: the graph networks' activations stay in a CPU's cache (SemGCN takes half the time of 4096).
BATCH = 512


@torch.no_grad()
def estimate(
    estimator: nn.Module, poses: Poses, flip: bool = False, batch_size: int = BATCH, progress: Progress | None = None
) -> Float[Tensor, "n 16 3"]:
    """The estimator's answers in evaluation mode, root-relative metres.

    flip: average with the mirrored answer to the mirrored input, as the released code does on cross-dataset sets.
    progress(share, text) may return False to cancel (raises Cancelled). The estimator's mode is restored.
    """
    training, swap = estimator.training, poses.skeleton.mirror
    estimator.eval()
    answers = []
    try:
        for start in range(0, len(poses), batch_size):
            if progress and progress(start / len(poses), f"evaluating on {poses.name}") is False:
                raise Cancelled(f"Evaluation on {poses.name} was cancelled.")
            uv = poses.uv[start : start + batch_size]
            answer = estimator(uv)
            if flip:
                answer = (answer + mirror(estimator(mirror(uv, swap)), swap)) / 2
            answers.append(answer.float())
    finally:
        estimator.train(training)
    pred = torch.cat(answers)
    if not pred.isfinite().all():
        raise UserError(
            f"The estimator answers NaN on {poses.name}, so its training has diverged; "
            "use an earlier checkpoint, or train with a lower learning rate."
        )
    return pred - pred[:, :1]


def evaluate(
    estimator: nn.Module, poses: Poses, flip: bool = False, batch_size: int = BATCH, progress: Progress | None = None
) -> dict[str, float]:
    """Every metric under every protocol: {'poseaug16/mpjpe': mm, ..., '3dhp14/auc': percent}."""
    return evaluate_detail(estimator, poses, flip, batch_size, progress).overall()


def evaluate_detail(
    estimator: nn.Module, poses: Poses, flip: bool = False, batch_size: int = BATCH, progress: Progress | None = None
) -> Breakdown:
    """The same, to be asked also for single actions, joints, parts, subjects and views."""
    return Breakdown.of(estimate(estimator, poses, flip, batch_size, progress), poses)
