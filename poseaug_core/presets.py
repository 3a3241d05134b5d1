"""Presets: named overrides of Config and Controls."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # What the authors' released code does: the defaults of Config and Controls.
    "released": {},
    # What the paper's text says. It leaves open the schedule of beta, the unit of the losses in Eq. 9, both
    # thresholds of Eq. 10 and any weight: those here are chosen. No warm-up, swap of bone lengths or fixed trunk is
    # in the text.
    "paper": {
        "discriminator3d": "paper_parts",
        "feedback_form": "exponential",
        "regulariser": "rectified",
        "gan_scale": "unscaled",
        "fix_trunk": False,
        "swap_bone_lengths": False,
        "estimator_batches": "mixed",
        "keep_rule": "inside",
        "warmup_epochs": 0,
        "weight_adversarial3d": 1.0,
        "weight_range": 1.0,
        "weight_limit": 1.0,
    },
    # The released schedule fails on sets of some ten thousand poses: the estimator meets the augmentor while its
    # views are still noise, and feedback spoils the estimator's batch statistics. Here the augmentor learns faster
    # and alone first, statistics are kept, and every batch of the estimator mixes augmented and real pairs.
    "small_data": {
        "batch_size": 256,
        "pretrain_epochs": 40,
        "epochs": 24,
        "warmup_epochs": 0,
        "warmup_iterations": 1460,
        "feedback_statistics": "kept",
        "keep_rule": "inside",
        "estimator_batches": "mixed",
        "augmented_share": 0.33,
        "lr_augmentor": 3e-4,
        "lr_discriminator": 3e-4,
        "lr_estimator": 5e-4,
    },
}
