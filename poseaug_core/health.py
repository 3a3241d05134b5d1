"""Health: what goes wrong in a training, found in its own numbers and said in plain words.

A look takes what a snapshot holds anyway; nothing here touches a device or changes the training. Limits lie well
outside what healthy runs of all presets show (tests/core/test_health.py), and what may pass must last for some looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from poseaug_core.config import Config
from poseaug_core.errors import UserError
from poseaug_core.snapshot import Snapshot

#: Iterations between two looks at most; looks that must find what may pass by itself, and looks after which it is over.
LOOK_EVERY, LASTS = 25, 2
#: m: no body of a training lies so far away. m^2: an estimator's loss. Any other loss.
FARTHEST, LARGEST_POSE_LOSS, LARGEST_LOSS = 200.0, 100.0, 1e4
#: mm: error on the watched poses. Its ratio to that at the end of pre-training, and by how many mm at least.
LARGEST_ERROR, WORSE_RATIO, WORSE_BY = 5_000.0, 1.5, 30.0
#: mm: of an estimator that pre-training has taught something. Of the error of the look before, where it is falling.
LEARNED, FALLING = 400.0, 0.98
#: Shares: of pairs kept; of both sides that a saturated discriminator tells right, and that a blind one does.
FEWEST_KEPT, SATURATED, BLIND = 0.05, 0.985, 0.01
#: Ratio of the median hardness to the upper end of its band.
TOO_HARD = 3.0
#: Half image widths between 2D and the projection of its 3D, in the median.
APART = 0.15
#: m: spread of the poses' joints. 1 - R of azimuths (R: length of the mean direction). Degrees of elevation.
SAME_POSE, SAME_AZIMUTH, SAME_ELEVATION = 1e-3, 1e-3, 1.0


#: What is done on a serious alarm, by config.on_alarm, as the log says it.
ACTIONS = {"note": "noted", "pause": "paused", "rollback": "rolled back", "stop": "ended"}


@dataclass(frozen=True)
class Alarm:
    """kind: one of KINDS. value: the number that passed its limit. text: for the user, with what to do. action: one of
    ACTIONS' values."""

    kind: str
    step: int
    value: float
    limit: float
    text: str
    action: str = ACTIONS["note"]

    @property
    def serious(self) -> bool:
        """Whether a policy acts on it; the others are advice."""
        return KINDS[self.kind].serious


@dataclass(frozen=True)
class Kind:
    """lasts: looks that it must last. serious: see Alarm. advice: what to do, a clause."""

    lasts: int
    serious: bool
    advice: str


KINDS = {
    "not finite": Kind(1, True, "go back to the last good checkpoint and lower the learning rates"),
    "exploding": Kind(1, True, "go back to the last good checkpoint and lower the learning rates or the loss weights"),
    "few pairs kept": Kind(
        LASTS, True, "raise the weight of 2D plausibility, turn RT off or go back to the last good checkpoint"
    ),
    "discriminator saturated": Kind(
        LASTS, False, "lower the discriminators' learning rate or let them learn more seldom"
    ),
    "discriminator blind": Kind(LASTS, False, "raise the discriminators' learning rate or let them learn more often"),
    "augmentor idle": Kind(
        LASTS, False, "raise the augmentor's learning rate or beta, or lower the weights of plausibility"
    ),
    "one view": Kind(LASTS, True, "raise the weight of 2D plausibility or go back to the last good checkpoint"),
    "identical poses": Kind(LASTS, True, "check the source's poses, or go back to the last good checkpoint"),
    "2D and 3D apart": Kind(LASTS, True, "check the source's cameras"),
    "too hard": Kind(LASTS, False, "lower beta or raise the weight of feedback"),
    "estimator worse": Kind(
        LASTS, True, "lower the estimator's learning rate or beta, or go back to the last good checkpoint"
    ),
}
Found = Iterator[tuple[str, float, float, str]]


class Alarmed(UserError):
    """A training ended by an alarm."""

    def __init__(self, alarm: Alarm):
        super().__init__(alarm.text)
        self.alarm = alarm


class Health:
    """What was found, look by look. baseline: error on the watched poses when pre-training ended, mm, or None."""

    def __init__(self, config: Config):
        self.config = config
        self.baseline: float | None = None
        self.lasted: dict[str, int] = {}
        self.raised: dict[str, int] = {}  # looks since an alarm that was raised was last found
        self._before: Snapshot | None = None

    @property
    def suspicious(self) -> list[str]:
        """Kinds of what is found at this moment, also where it has not lasted yet."""
        return sorted({*self.lasted, *self.raised})

    def look(self, snapshot: Snapshot, means: dict[str, float]) -> list[Alarm]:
        """Alarms that are new. means: of the scalars since the look before."""
        found = {}
        for kind, value, limit, text in self._found(snapshot, means):
            found.setdefault(kind, (value, limit, text))
        asleep = set() if _augments(snapshot, means) else set(OF_AUGMENTOR)  # of whom nothing was asked in this look
        asleep |= set() if _learns_real(means) else {"estimator worse"}
        self.lasted = {kind: n for kind, n in self.lasted.items() if kind in found or kind in asleep}
        self.lasted |= {kind: self.lasted.get(kind, 0) + 1 for kind in found}
        ago = {kind: 0 if kind in found else n + (kind not in asleep) for kind, n in self.raised.items()}
        self.raised = {kind: n for kind, n in ago.items() if n < LASTS}
        alarms = []
        for kind, (value, limit, text) in found.items():
            if self.lasted[kind] >= KINDS[kind].lasts and kind not in self.raised:
                self.raised[kind] = 0
                alarms.append(made(kind, snapshot.step, value, limit, text))
        self._before = snapshot
        if snapshot.phase == "poseaug" and self.baseline is None:
            self.baseline = float(snapshot.error[0].mean())
        return alarms

    def state(self) -> dict[str, Any]:
        """For a checkpoint, as JSON."""
        return {"baseline": self.baseline, "lasted": dict(self.lasted), "raised": dict(self.raised)}

    def load_state(self, state: dict[str, Any]) -> None:
        self.baseline, self._before = state.get("baseline"), None
        self.lasted, self.raised = dict(state.get("lasted", {})), dict(state.get("raised", {}))

    def _found(self, snapshot: Snapshot, means: dict[str, float]) -> Found:
        yield from _not_finite(snapshot, means)
        yield from _exploding(snapshot, means)
        yield from _identical(snapshot)
        yield from _apart(snapshot)
        if snapshot.phase != "poseaug":
            return
        if _learns_real(means) and self.baseline and self.baseline < LEARNED:
            yield from self._worse(snapshot)
        if _augments(snapshot, means):
            yield from self._augmentor(snapshot, means)

    def _worse(self, snapshot: Snapshot) -> Found:
        """While it learns from real pairs: after a pass of augmented ones alone it is worse, and getting better."""
        error, limit = float(snapshot.error[0].mean()), max(WORSE_RATIO * self.baseline, self.baseline + WORSE_BY)
        falling = self._before is not None and error < FALLING * float(self._before.error[0].mean())
        if error > limit and not falling:
            told = f"The estimator's error on the watched poses is {error:.0f} mm, {self.baseline:.0f} mm before"
            yield "estimator worse", error, limit, f"{told} PoseAug began (limit {limit:.0f})"

    def _augmentor(self, snapshot: Snapshot, means: dict[str, float]) -> Found:
        """What is found only while the augmentor is at work."""
        if (kept := means.get("kept", 1.0)) < FEWEST_KEPT:
            yield (
                "few pairs kept",
                kept,
                FEWEST_KEPT,
                (f"Only {kept:.1%} of the augmented pairs are kept (limit {FEWEST_KEPT:.0%}): {why_dropped(snapshot)}"),
            )
        for name in ("d3d", "d2d"):
            sides = [means.get(f"accuracy/{name}_{side}") for side in ("real", "fake")]
            if None in sides or "kept" not in means:  # a warm-up's discriminators have still to learn
                continue
            who = f"The {name[1:].upper()} discriminator"
            if min(sides) > SATURATED:
                told = f"{who} tells {min(sides):.1%} of all poses right (limit {SATURATED:.1%})"
                yield "discriminator saturated", min(sides), SATURATED, f"{told}: the augmentor learns nothing from it"
            elif min(sides) < BLIND:
                side = ("real", "augmented")[sides.index(min(sides))]
                told = f"{who} tells {min(sides):.1%} of the {side} poses right (limit {BLIND:.0%})"
                yield "discriminator blind", min(sides), BLIND, f"{told}: its judgement says nothing"
        controls = snapshot.controls
        for name in ("ba", "rt"):
            hard, beta = means.get(f"hardness/{name}"), controls.get(f"beta_{name}", math.nan)
            top = beta + controls.get(f"tolerance_{name}", 0.0)
            if hard is not None and hard > TOO_HARD * top:
                told = (
                    f"{name.upper()} poses are {hard:.3g} times as hard as the originals, beta's band ends at {top:.3g}"
                )
                yield "too hard", hard, TOO_HARD * top, f"{told} (limit {TOO_HARD * top:.3g})"
        yield from self._idle(snapshot, means)
        yield from _one_view(snapshot)

    def _idle(self, snapshot: Snapshot, means: dict[str, float]) -> Found:
        learns = self.config.augmentation == "poseaug" and snapshot.controls.get("learn_augmentor", 1) > 0
        if not learns or "loss/augmentor" not in means:
            return
        moved = float(max(np.abs(snapshot.xyz[3] - snapshot.xyz[0]).max(), np.abs(snapshot.angle_change).max()))
        operations = any(snapshot.controls.get(f"apply_{name}", 1) for name in ("ba", "bl", "rt"))
        if operations and moved < SAME_POSE:
            told = f"The augmentor moves no joint by more than {1000 * moved:.2g} mm (limit {1000 * SAME_POSE:g})"
            yield "augmentor idle", moved, SAME_POSE, told
        before = self._before
        if before is not None and before.phase == "poseaug" and before.xyz.shape == snapshot.xyz.shape:
            if np.array_equal(before.xyz[3], snapshot.xyz[3]) and operations:
                yield "augmentor idle", 0.0, 0.0, "The augmentor learns, but its poses do not change (limit 0 mm)"


#: Kinds that are looked for only while the augmentor is at work.
OF_AUGMENTOR = (
    "few pairs kept",
    "discriminator saturated",
    "discriminator blind",
    "augmentor idle",
    "one view",
    "too hard",
)


def _learns_real(means: dict[str, float]) -> bool:
    real = {"loss/estimator_real", "loss/estimator_mixed"} & means.keys()
    return bool(real) and "loss/estimator_augmented" not in means


def _augments(snapshot: Snapshot, means: dict[str, float]) -> bool:
    return snapshot.phase == "poseaug" and ("loss/augmentor" in means or "kept" in means)


def made(kind: str, step: int, value: float, limit: float, text: str) -> Alarm:
    return Alarm(kind, step, float(value), float(limit), f"{text}, at step {step:,}; {KINDS[kind].advice}.")


def not_finite(step: int, what: str) -> Alarm:
    """For what is found outside a look: an evaluation, a checkpoint."""
    return made("not finite", step, math.nan, math.inf, f"The training diverged: {what} is not a finite number")


def _not_finite(snapshot: Snapshot, means: dict[str, float]) -> Found:
    lost = [name for name, value in means.items() if not math.isfinite(value)]
    arrays = ("xyz", "prediction", "error", "angle_change", "length_ratio", "translation")
    lost += [name for name in arrays if not np.isfinite(getattr(snapshot, name)).all()]
    if lost:
        value = means.get(lost[0], math.nan)
        yield "not finite", value, math.inf, f"The training diverged: {lost[0]} is {value}, not a finite number"


def _exploding(snapshot: Snapshot, means: dict[str, float]) -> Found:
    for name, value in means.items():
        limit = LARGEST_POSE_LOSS if name.startswith(("loss/estimator", "loss/pretrain")) else LARGEST_LOSS
        if name.startswith("loss/") and value > limit:
            yield "exploding", value, limit, f"{name} is {value:.3g} (limit {limit:g})"
    far = float(np.abs(snapshot.position[1]).max())
    if snapshot.phase == "poseaug" and far > max(FARTHEST, 10 * float(np.abs(snapshot.position[0]).max())):
        yield "exploding", far, FARTHEST, f"Augmented bodies lie {far:,.0f} m away (limit {FARTHEST:g})"
    error = float(snapshot.error[0].mean())
    if error > LARGEST_ERROR:
        told = f"The estimator is wrong by {error:,.0f} mm (limit {LARGEST_ERROR:,.0f})"
        yield "exploding", error, LARGEST_ERROR, told


def _identical(snapshot: Snapshot) -> Found:
    if snapshot.probe_size < 2:
        return
    answered = "The estimator's answers to all"
    for xyz, name in (
        (snapshot.xyz[0], "The source's"),
        (snapshot.xyz[3], "All augmented"),
        (snapshot.prediction[0], answered),
    ):
        poses = xyz - xyz[:, :1]
        spread = float(poses.std(0).max())
        if spread < SAME_POSE:
            told = f"{name} poses are one and the same: they differ by {1000 * spread:.2g} mm"
            yield "identical poses", spread, SAME_POSE, f"{told} (limit {1000 * SAME_POSE:g})"


def _apart(snapshot: Snapshot) -> Found:
    """Without the lens's distortion, which moves a joint by far less."""
    xyz, camera = snapshot.xyz[0], snapshot.camera[:, None]
    seen = camera[..., :2] * xyz[..., :2] / np.maximum(xyz[..., 2:], 1e-3) + camera[..., 2:4]
    apart = float(np.median(np.abs(seen - snapshot.uv[0])))
    if apart > APART:
        told = f"The source's 2D lies {apart:.2g} half image widths from the projection of its 3D (limit {APART:g})"
        yield "2D and 3D apart", apart, APART, told


def _one_view(snapshot: Snapshot) -> Found:
    turned, raised = zip(*((1 - _direction(view[:, 0]), float(view[:, 1].std())) for view in snapshot.view_point),
                         strict=True)  # fmt: skip
    original, augmented = (a < SAME_AZIMUTH and e < SAME_ELEVATION for a, e in zip(turned, raised, strict=True))
    if augmented and not original and snapshot.view_point.shape[1] > 1:
        told = f"All augmented poses are seen from one view: elevations differ by {raised[1]:.2g} degrees"
        yield "one view", raised[1], SAME_ELEVATION, f"{told} (limit {SAME_ELEVATION:g})"


def _direction(degrees: np.ndarray) -> float:
    """R: length of the mean direction, 1 where all are the same."""
    angles = np.radians(degrees.astype(float))
    return float(math.hypot(np.cos(angles).mean(), np.sin(angles).mean()))


def why_dropped(snapshot: Snapshot) -> str:
    """Where the watched RT poses fall out, in words."""
    uv, depth = snapshot.uv[3], snapshot.xyz[3][..., 2]
    behind = float((depth <= 0).any(1).mean())
    outside = float(((np.abs(uv) > 1).any((1, 2)) & (depth > 0).all(1)).mean())
    return f"of those watched {outside:.0%} leave the image and {behind:.0%} are behind the camera"
