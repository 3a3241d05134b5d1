"""Evaluating an estimator on a set of poses, under both protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseaug_core.breakdown import Breakdown
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.inference import Inference, in_order
from poseaug_core.metrics import joint_values
from poseaug_core.poses import Poses

Progress = Callable[[float, str], bool | None]
#: Poses handed to a worker at once.
BATCH = 2048


def estimate(
    estimator: nn.Module, poses: Poses, flip: bool = False, batch_size: int = BATCH, progress: Progress | None = None
) -> Float[Tensor, "n 16 3"]:
    """The estimator's answers in evaluation mode, root-relative metres.

    flip: average with the mirrored answer to the mirrored input, as the released code does on cross-dataset sets.
    progress(share, text) may return False to cancel (raises Cancelled). The estimator's mode is restored.
    """
    return torch.cat([answer for answer, _ in _judged(estimator, poses, flip, batch_size, progress, judge=False)])


def evaluate(
    estimator: nn.Module, poses: Poses, flip: bool = False, batch_size: int = BATCH, progress: Progress | None = None
) -> dict[str, float]:
    """Every metric under every protocol: {'poseaug16/mpjpe': mm, ..., '3dhp14/auc': percent}."""
    return evaluate_detail(estimator, poses, flip, batch_size, progress).overall()


def evaluate_detail(
    estimator: nn.Module, poses: Poses, flip: bool = False, batch_size: int = BATCH, progress: Progress | None = None
) -> Breakdown:
    """The same, to be asked also for single actions, joints, parts, subjects and views."""
    found = [values for _, values in _judged(estimator, poses, flip, batch_size, progress, judge=True)]
    return Breakdown({name: torch.cat([values[name] for values in found]) for name in found[0]}, poses)


def _judged(
    estimator: nn.Module, poses: Poses, flip: bool, size: int, progress: Progress | None, judge: bool
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """For each batch in order its answers, and where asked what metrics.joint_values says of them."""
    training = estimator.training
    estimator.eval()
    try:
        ready = Inference(estimator)

        def work(start: int) -> tuple[Tensor, dict[str, Tensor]]:
            answer = ready.answer(poses.uv[start : start + size], flip)
            if not answer.isfinite().all():
                raise UserError(
                    f"The estimator answers NaN on {poses.name}, so its training has diverged; "
                    "use an earlier checkpoint, or train with a lower learning rate."
                )
            xyz = poses.xyz[start : start + size]
            return answer, joint_values(answer, xyz - xyz[:, :1]) if judge else {}

        starts = range(0, len(poses), size)
        with closing(in_order(work, starts, ready.workers)) as found:
            for start, one in zip(starts, found, strict=True):
                if progress and progress(start / len(poses), f"evaluating on {poses.name}") is False:
                    raise Cancelled(f"Evaluation on {poses.name} was cancelled.")
                yield one
    finally:
        estimator.train(training)
