"""Controls: exactly what a training step reads afresh, and so what can be turned while it runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from poseaug_core.settings import setting, settings_of

FEEDBACK, ANGLE, LENGTH = "Feedback", "Bone angle (BA)", "Bone length (BL)"
WEIGHTS, RATES, OPERATIONS, LEARNING = "Loss weights", "Learning rates", "Operations", "Who learns"
# What a control is read with (Setting.where).
LEARNED = ("augmentation", ("poseaug",))
AUGMENTED = ("augmentation", ("poseaug", "evolution", "random"))
RATIO, EXPONENTIAL = ("feedback_form", ("ratio",)), ("feedback_form", ("exponential",))
RANGE, RECTIFIED = ("regulariser", ("range",)), ("regulariser", ("rectified",))
JUDGED3D = ("discriminator3d", ("parts", "paper_parts", "whole_body"))
JUDGED2D = ("discriminator2d", (True,))
JUDGED = ("judged", (True,))


@dataclass(frozen=True)
class Controls:
    """The live knobs of a run. None means: follow the schedule (see config.scheduled).

    Replaced whole by whoever steers, read once a step by the trainer.
    """

    beta_ba: float | None = setting(
        None, "beta BA", "How many times harder than the original a bone-angle augmented pose should be.",
        group=FEEDBACK, kind="float", low=1.0, high=20.0, unit="x", equation="Eq. 9", scheduled=True,
        where=(LEARNED, RATIO),
    )  # fmt: skip
    tolerance_ba: float = setting(
        2.0, "tolerance BA", "Hardness within beta +- tolerance costs the augmentor nothing.",
        group=FEEDBACK, low=0.0, high=20.0, unit="x", equation="Eq. 9", where=(LEARNED, RATIO),
    )  # fmt: skip
    beta_rt: float | None = setting(
        None, "beta RT", "How many times harder than the original a rotated and moved pose should be.",
        group=FEEDBACK, kind="float", low=1.0, high=40.0, unit="x", equation="Eq. 9", scheduled=True,
        where=(LEARNED, RATIO),
    )  # fmt: skip
    tolerance_rt: float = setting(
        15.0, "tolerance RT", "Hardness within beta +- tolerance costs the augmentor nothing.",
        group=FEEDBACK, low=0.0, high=40.0, unit="x", equation="Eq. 9", where=(LEARNED, RATIO),
    )  # fmt: skip
    beta: float | None = setting(
        None, "beta", "How many times larger than the original's the loss of the augmented pose should be.",
        group=FEEDBACK, kind="float", low=1.0, high=100.0, unit="x", equation="Eq. 9", scheduled=True,
        where=(LEARNED, EXPONENTIAL),
    )  # fmt: skip
    loss_unit: float = setting(
        1.0, "loss unit", "Length in which the pose loss of the feedback is measured: 1 gives square metres.",
        group=FEEDBACK, low=0.05, high=10.0, unit="m", equation="Eq. 9", log=True, where=(LEARNED, EXPONENTIAL),
    )  # fmt: skip
    range_mean: float = setting(
        0.205, "BA range centre", "Centre of the free range of a pose's mean angle change, 1 - cos.",
        group=ANGLE, low=0.0, high=1.0, unit="1 - cos", equation="Eq. 10", where=(LEARNED, RANGE),
    )  # fmt: skip
    range_width: float = setting(
        0.165, "BA range width", "Half width of the free range of a pose's mean angle change.",
        group=ANGLE, low=0.0, high=0.5, unit="1 - cos", equation="Eq. 10", where=(LEARNED, RANGE),
    )  # fmt: skip
    threshold_ba: float = setting(
        0.2, "BA threshold", "Direction changes whose mean size is below this cost the augmentor nothing.",
        group=ANGLE, low=0.0, high=2.0, equation="Eq. 10", where=(LEARNED, RECTIFIED),
    )  # fmt: skip
    length_limit: float = setting(
        0.1, "BL limit", "Length ratios up to this size cost the augmentor nothing.",
        group=LENGTH, low=0.0, high=0.2, unit="ratio", equation="Eq. 10", where=(LEARNED, RANGE),
    )  # fmt: skip
    threshold_bl: float = setting(
        0.1, "BL threshold", "Length ratios whose mean size is below this cost the augmentor nothing.",
        group=LENGTH, low=0.0, high=0.2, unit="ratio", equation="Eq. 10", where=(LEARNED, RECTIFIED),
    )  # fmt: skip
    weight_adversarial2d: float = setting(
        1.0, "2D plausibility", "Weight of fooling the 2D discriminator.",
        group=WEIGHTS, low=0.0, high=20.0, equation="Eq. 12", where=(LEARNED, JUDGED2D),
    )  # fmt: skip
    weight_adversarial3d: float = setting(
        6.0, "3D plausibility", "Weight of fooling the 3D discriminator.",
        group=WEIGHTS, low=0.0, high=20.0, equation="Eq. 12", where=(LEARNED, JUDGED3D),
    )  # fmt: skip
    weight_range: float = setting(
        3.0, "BA range", "Weight of turning bones out of the free range.",
        group=WEIGHTS, low=0.0, high=20.0, equation="Eq. 10", where=(LEARNED,),
    )  # fmt: skip
    weight_limit: float = setting(
        3.0, "BL limit", "Weight of stretching bones out of the free range.",
        group=WEIGHTS, low=0.0, high=20.0, equation="Eq. 10", where=(LEARNED,),
    )  # fmt: skip
    weight_feedback_ba: float = setting(
        0.1, "feedback BA", "Weight of the hardness of bone-angle augmented poses.",
        group=WEIGHTS, low=0.0, high=2.0, equation="Eq. 9", where=(LEARNED, RATIO),
    )  # fmt: skip
    weight_feedback_rt: float = setting(
        0.01, "feedback RT", "Weight of the hardness of rotated and moved poses.",
        group=WEIGHTS, low=0.0, high=2.0, equation="Eq. 9", where=(LEARNED, RATIO),
    )  # fmt: skip
    weight_feedback: float = setting(
        1.0, "feedback", "Weight of the loss on augmented poses relative to the original's.",
        group=WEIGHTS, low=0.0, high=100.0, equation="Eq. 9", where=(LEARNED, EXPONENTIAL),
    )  # fmt: skip
    lr_augmentor: float | None = setting(
        None, "augmentor", "Adam step size of the augmentor.",
        group=RATES, kind="float", low=1e-7, high=1e-1, scheduled=True, log=True, where=(LEARNED,),
    )  # fmt: skip
    lr_discriminator: float | None = setting(
        None, "discriminators", "Adam step size of both discriminators.",
        group=RATES, kind="float", low=1e-7, high=1e-1, scheduled=True, log=True, where=(LEARNED, JUDGED),
    )  # fmt: skip
    lr_estimator: float | None = setting(
        None, "estimator", "Adam step size of the estimator.",
        group=RATES, kind="float", low=1e-7, high=1e-1, scheduled=True, log=True,
    )  # fmt: skip
    apply_ba: bool = setting(
        True, "bone angle", "Turn bones (BA).", group=OPERATIONS, equation="Eq. 4", where=(AUGMENTED,)
    )
    apply_bl: bool = setting(
        True, "bone length", "Stretch bones (BL).", group=OPERATIONS, equation="Eq. 5", where=(AUGMENTED,)
    )
    apply_rt: bool = setting(
        True, "rotate, translate", "Turn and move the body (RT).",
        group=OPERATIONS, equation="Eq. 6", where=(AUGMENTED,),
    )  # fmt: skip
    feedback: bool = setting(
        True, "feedback", "Let the estimator's error guide the augmentor.",
        group=OPERATIONS, equation="Eq. 9", where=(LEARNED,),
    )  # fmt: skip
    learn_augmentor: bool = setting(True, "augmentor", "Update the augmentor.", group=LEARNING, where=(LEARNED,))
    learn_discriminators: bool = setting(
        True, "discriminators", "Update the discriminators.", group=LEARNING, where=(LEARNED, JUDGED)
    )
    learn_estimator: bool = setting(True, "estimator", "Update the estimator.", group=LEARNING)
    discriminator_interval: int = setting(
        2, "D every", "Augmentor iterations between two updates of the discriminators.",
        group=LEARNING, low=1, high=20, unit="iterations", where=(LEARNED, JUDGED),
    )  # fmt: skip


KNOBS = settings_of(Controls)


def changes(old: Controls, new: Controls) -> list[tuple[str, object, object]]:
    """(field, old value, new value) of every field that differs, in order of declaration."""
    pairs = ((f.name, getattr(old, f.name), getattr(new, f.name)) for f in dataclasses.fields(Controls))
    return [(name, a, b) for name, a, b in pairs if a != b]
