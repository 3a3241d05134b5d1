"""Ranges of the baselines that stand in the augmentor's place: part of Config, and all that they know of it."""

from __future__ import annotations

from dataclasses import dataclass

from poseaug_core.errors import UserError
from poseaug_core.settings import setting

RANDOM, EVOLUTION = "Random views", "Evolution"
# What they are read with (Setting.where).
DRAWN, BRED = (("augmentation", ("random",)),), (("augmentation", ("evolution",)),)


@dataclass(frozen=True)
class RandomRanges:
    """Ranges of the draws. Turns are about the axes of the camera's frame, the only frame that poses have."""

    random_yaw: float = setting(
        180.0, "yaw", "Turn about the camera's vertical axis, uniform on both sides.",
        group=RANDOM, where=DRAWN, low=0.0, high=180.0, unit="degrees",
    )  # fmt: skip
    random_pitch: float = setting(
        20.0, "pitch", "Nodding to and from the camera after the yaw, normal.",
        group=RANDOM, where=DRAWN, low=0.0, high=90.0, unit="degrees",
    )  # fmt: skip
    random_roll: float = setting(
        6.0, "roll", "Turn in the image after the pitch, normal.",
        group=RANDOM, where=DRAWN, low=0.0, high=90.0, unit="degrees",
    )  # fmt: skip
    random_near: float = setting(
        3.0, "nearest", "Nearest pelvis.", group=RANDOM, where=DRAWN, low=1.0, high=1000.0, unit="m"
    )
    random_far: float = setting(
        12.0, "farthest", "Farthest pelvis.", group=RANDOM, where=DRAWN, low=1.0, high=1000.0, unit="m"
    )
    random_reach: float = setting(
        0.95, "reach", "How far from its middle the image may be filled, of half its width; 1 is the border. "
        "The whole body stays inside.", group=RANDOM, where=DRAWN, low=0.05, high=1.0,
    )  # fmt: skip
    random_angle: float = setting(
        0.0, "bone angle", "Turn of each limb, normal; no limits are kept.",
        group=RANDOM, where=DRAWN, low=0.0, high=90.0, unit="degrees",
    )  # fmt: skip
    random_length: float = setting(
        0.0, "bone length", "Change of a bone's length, uniform on both sides, left and right alike.",
        group=RANDOM, where=DRAWN, low=0.0, high=0.19, unit="ratio",
    )  # fmt: skip

    def __post_init__(self):
        if self.random_near > self.random_far:
            raise UserError(
                f"The nearest pelvis is at {self.random_near:g} m, the farthest at {self.random_far:g} m; "
                "choose random_far at least as large as random_near."
            )


@dataclass(frozen=True)
class EvolutionRanges:
    """Rates and ranges; names in brackets are the release's, whose defaults they have."""

    evolution_size: float = setting(
        3.0, "offspring per pose", "Offspring for each source pose; the release stops at 1.5.",
        group=EVOLUTION, where=BRED, low=0.1, high=100.0,
    )  # fmt: skip
    evolution_pairs: float = setting(
        0.05,
        "pairs",
        "Pairs of parents in a generation, of the population (F).",
        group=EVOLUTION,
        where=BRED,
        low=1e-4,
        high=0.5,
    )
    evolution_turn_rate: float = setting(
        0.3,
        "turned limbs",
        "Share of the exchanged limbs that are turned (MRL).",
        group=EVOLUTION,
        where=BRED,
        low=0.0,
        high=1.0,
    )
    evolution_turn: float = setting(
        10.0, "limb turn", "Turn of a limb about an axis of its frame, normal (SDL).",
        group=EVOLUTION, where=BRED, low=0.0, high=180.0, unit="degrees",
    )  # fmt: skip
    evolution_view_rate: float = setting(
        0.1,
        "turned children",
        "Share of children that are turned as a whole (MRG).",
        group=EVOLUTION,
        where=BRED,
        low=0.0,
        high=1.0,
    )
    evolution_view: float = setting(
        60.0, "view turn", "Turn of a child about an axis of the camera's frame, normal. The release names 30 (SDG) "
        "but does not hand it on to the turn, which takes 60.",
        group=EVOLUTION, where=BRED, low=0.0, high=180.0, unit="degrees",
    )  # fmt: skip
    evolution_length_rate: float = setting(
        0.5, "resized children", "Share of children with the bone lengths of a random subject (MBLR).",
        group=EVOLUTION, where=BRED, low=0.0, high=1.0,
    )  # fmt: skip
    evolution_body_size: float = setting(
        0.1, "body size", "Change of those lengths, all alike, uniform on both sides; chosen here.",
        group=EVOLUTION, where=BRED, low=0.0, high=0.9, unit="ratio",
    )  # fmt: skip
    evolution_shift: float = setting(
        0.2, "shift", "How far from its source's place a child may stand, uniform in x, y and z; chosen here.",
        group=EVOLUTION, where=BRED, low=0.0, high=100.0, unit="m",
    )  # fmt: skip
    evolution_slack: float = setting(
        10.0, "slack", "How far beyond the directions seen in the source a limb may go; chosen here.",
        group=EVOLUTION, where=BRED, low=0.0, high=90.0, unit="degrees",
    )  # fmt: skip


#: As declared: the recorded random views, and the release's rates of evolution.
RANDOM_VIEWS, RELEASED_EVOLUTION = RandomRanges(), EvolutionRanges()
