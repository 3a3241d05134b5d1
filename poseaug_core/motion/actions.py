"""What the demo's people do: each action draws joint angles over time.

An action takes Curves and returns angles by name (see body.ANGLES), arrays of degrees or numbers, and
``lift``, metres above the ground. Angles not named are zero.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from poseaug_core.motion.tracks import Curves

Angles = dict[str, "np.ndarray | float"]
Action = Callable[[Curves], Angles]


def arms_down(c: Curves) -> Angles:
    """Arms hanging, each in its own way."""
    out: Angles = {}
    for side in ("left", "right"):
        out |= {
            f"{side} shoulder flexion": c.uniform(-8, 12) + c.drift(4),
            f"{side} shoulder abduction": c.uniform(4, 16) + c.drift(2),
            f"{side} shoulder rotation": c.uniform(-5, 35),
            f"{side} elbow": c.uniform(8, 40) + c.drift(6),
        }
    return out


def standing(c: Curves) -> Angles:
    """Weight shifting on two feet."""
    bend, shift = c.uniform(2, 10) + np.abs(c.drift(2)), c.drift(1.5)
    out = arms_down(c) | {"neck yaw": c.drift(14), "neck pitch": c.uniform(-8, 14) + c.drift(5), "roll": shift}
    for side, sign in (("left", 1), ("right", -1)):
        out |= {
            f"{side} hip flexion": bend, f"{side} knee": 2 * bend,
            f"{side} hip abduction": c.uniform(1, 9) + sign * shift, f"{side} hip rotation": c.uniform(0, 15),
        }  # fmt: skip
    return out


def legs(c: Curves, thigh, shin, lean) -> Angles:
    """Both legs alike: thighs ``thigh`` degrees forward of vertical, shins ``shin`` back of it, pelvis leaning."""
    out: Angles = {"pitch": lean}
    for side in ("left", "right"):
        out |= {f"{side} hip flexion": thigh + lean, f"{side} knee": thigh + shin}
    return out


def _cycle(*samples: float) -> np.ndarray:
    """Fourier coefficients, six harmonics, of a curve sampled at every twentieth of a gait cycle."""
    return np.fft.rfft(samples)[:7] / len(samples)


#: Thigh forward of vertical and knee flexion, degrees, from one contact of the foot to its next.
_WALK = (
    _cycle(30, 28, 25, 21, 17, 12, 8, 3, -2, -6, -10, -11, -7, 0, 10, 19, 26, 31, 33, 32),
    _cycle(5, 10, 16, 17, 15, 11, 8, 6, 5, 7, 12, 22, 36, 50, 59, 59, 50, 37, 20, 8),
)
_RUN = (
    _cycle(35, 33, 30, 23, 15, 7, 0, -6, -9, -9, -5, 5, 17, 29, 39, 45, 48, 48, 45, 40),
    _cycle(18, 28, 38, 42, 38, 30, 22, 17, 20, 38, 58, 78, 93, 101, 99, 89, 73, 54, 34, 20),
)


def _along(cycle: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """The curve of ``_cycle`` at phases in radians."""
    harmonics = np.exp(1j * phase[:, None] * np.arange(1, len(cycle)))
    return cycle[0].real + 2 * (harmonics @ cycle[1:]).real


def _gait(c: Curves, cycle, phase, stride, arm, elbow, lean) -> Angles:
    """Legs half a cycle apart, arms against them."""
    sway = np.cos(phase)
    out: Angles = {
        "yaw": c.uniform(-25, 25) * c.time + c.drift(3), "pitch": lean, "roll": 2.5 * np.sin(phase),
        "waist yaw": 8 * sway, "neck yaw": c.drift(12), "neck pitch": c.uniform(-5, 12) + c.drift(3),
        "waist pitch": c.uniform(0, 6),
    }  # fmt: skip
    for side, shift in (("left", 0.0), ("right", np.pi)):
        own = phase + shift
        thigh, knee = (_along(curve, own) for curve in cycle)
        size = stride * c.cycles(own, 0.95, 1.05)
        out |= {
            f"{side} hip flexion": lean + size * thigh,
            f"{side} knee": size * knee,
            f"{side} hip abduction": c.uniform(0, 4),
            f"{side} hip rotation": c.uniform(0, 10),
            f"{side} shoulder flexion": -arm * np.cos(own) * c.cycles(own, 0.8, 1.2) + c.uniform(-4, 6),
            f"{side} shoulder abduction": c.uniform(5, 14),
            f"{side} shoulder rotation": c.uniform(0, 30),
            f"{side} elbow": elbow * (1 - 0.2 * np.cos(own)) + c.drift(3),
        }
    return out


def walk(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.75, 1.05))
    return _gait(c, _WALK, phase, c.uniform(0.8, 1.12), c.uniform(8, 26), c.uniform(12, 40), c.uniform(-1, 5))


def run(c: Curves) -> Angles:
    phase = c.phase(c.uniform(1.2, 1.5))
    out = _gait(c, _RUN, phase, c.uniform(0.8, 1.1), c.uniform(28, 45), c.uniform(75, 105), c.uniform(5, 12))
    # Both feet are in the air for the last quarter of each half cycle.
    air = (phase / np.pi % 1 - 0.75).clip(0) / 0.25
    return out | {"lift": c.uniform(0.04, 0.08) * np.sin(np.pi * air) ** 2}


def reach(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.3, 0.55))
    go = c.keys(phase, ((0, 0), (0.3, 1), (0.6, 1), (0.9, 0))) * c.cycles(phase, 0.75, 1.05)
    near, _ = c.side()
    low = c.uniform(0, 1) < 0.35
    out = standing(c)
    sides = ("left", "right") if c.uniform(0, 1) < 0.25 else (near,)
    if low:
        out |= legs(c, go * c.uniform(15, 60), go * c.uniform(10, 30), go * c.uniform(15, 45))
    out |= {"waist pitch": go * c.uniform(0, 30 if low else 12), "waist yaw": go * c.uniform(-30, 30)}
    height, across, open_ = c.uniform(60, 95) if low else c.uniform(50, 160), c.uniform(-25, 50), c.uniform(0, 40)
    for side in sides:
        out[f"{side} shoulder flexion"] = out[f"{side} shoulder flexion"] * (1 - go) + go * height
        out[f"{side} shoulder across"] = go * across
        out[f"{side} shoulder abduction"] = 8 + go * open_
        out[f"{side} elbow"] = 25 + 25 * np.sin(np.pi * go.clip(0, 1)) - 15 * go
    return out


def sit(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.16, 0.28))
    down = c.keys(phase, ((0, 0), (0.2, 1), (0.75, 1), (0.95, 0)))
    moving = c.keys(phase, ((0, 0), (0.1, 1), (0.22, 0), (0.74, 0), (0.85, 1), (0.97, 0)))
    knee_out = c.uniform(0, 14)
    lean = moving * 30 + down * c.uniform(-12, 8)
    out = standing(c) | legs(c, down * c.uniform(78, 90), down * c.uniform(-12, 18), lean)
    out |= {"waist pitch": moving * 15 + down * (c.uniform(-3, 22) + c.drift(4)), "waist yaw": c.drift(8)}
    for side in ("left", "right"):
        out[f"{side} hip abduction"] = 3 + down * knee_out
        out[f"{side} shoulder flexion"] = down * (c.uniform(5, 55) + c.drift(8)) + moving * 20
        out[f"{side} elbow"] = 15 + down * (c.uniform(20, 95) + c.drift(10))
        out[f"{side} shoulder rotation"] = 10 + down * c.uniform(0, 45)
    return out


def squat(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.3, 0.5))
    down = c.keys(phase, ((0, 0), (0.4, 1), (0.55, 1), (0.95, 0))) * c.cycles(phase, 0.6, 1.0)
    out = standing(c) | legs(c, 4 + down * c.uniform(75, 90), 4 + down * c.uniform(28, 40), down * c.uniform(22, 38))
    out["waist pitch"] = down * c.uniform(0, 15)
    out["neck pitch"] = -down * c.uniform(5, 25)
    arms, bend, wide = c.uniform(10, 95), c.uniform(5, 90), c.uniform(4, 20)
    for side in ("left", "right"):
        out[f"{side} shoulder flexion"] = down * arms
        out[f"{side} elbow"] = 10 + down * bend
        out[f"{side} hip abduction"] = 5 + down * wide
        out[f"{side} hip rotation"] = 8 + down * wide
    return out


def kick(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.4, 0.65))
    power = c.cycles(phase, 0.7, 1.1)
    near, far = c.side()
    out = standing(c)
    height, back = c.uniform(45, 95), c.uniform(10, 25)
    strike = c.keys(phase, ((0, 0), (0.25, -back), (0.5, height), (0.7, height * 0.5), (0.95, 0))) * power
    out |= {
        f"{near} hip flexion": 3 + strike,
        f"{near} knee": 6 + c.keys(phase, ((0, 0), (0.3, 85), (0.5, 3), (0.72, 60), (0.95, 0))) * power,
        f"{near} hip abduction": 3 + c.keys(phase, ((0, 0), (0.5, c.uniform(0, 25)), (0.95, 0))),
        f"{far} knee": 14 + c.drift(2), f"{far} hip flexion": 7,
        "pitch": -0.18 * strike, "waist pitch": 0.2 * strike.clip(0),
        f"{far} shoulder flexion": 0.6 * strike, f"{near} shoulder flexion": -0.4 * strike,
        f"{far} shoulder abduction": 20 + 0.3 * strike.clip(0), f"{near} shoulder abduction": 20 + 0.3 * strike.clip(0),
    }  # fmt: skip
    return out


def wave(c: Curves) -> Angles:
    near, _ = c.side()
    swing = c.phase(c.uniform(1.2, 2.2))
    raised = c.keys(c.phase(c.uniform(0.18, 0.3)), ((0, 0), (0.2, 1), (0.8, 1), (0.98, 0)))
    high, wide = c.uniform(55, 120), c.uniform(14, 28)
    out = standing(c)
    out |= {
        f"{near} shoulder abduction": 8 + raised * (high + c.drift(4)),
        f"{near} shoulder flexion": raised * c.uniform(-5, 30),
        f"{near} shoulder rotation": 10 - raised * (95 - 0.3 * high),
        f"{near} elbow": 15 + raised * (c.uniform(50, 80) + wide * np.sin(swing) * c.cycles(swing, 0.6, 1.2)),
    }
    return out


def turn(c: Curves) -> Angles:
    rate, way = c.uniform(0.9, 1.4), c.rng.choice((-1, 1))
    phase = c.phase(rate)
    out = standing(c)
    out["yaw"] = way * (c.uniform(50, 120) * c.time + 10 * np.sin(phase))
    out["neck yaw"] = way * c.uniform(5, 35) + c.drift(5)
    out["waist yaw"] = way * c.uniform(0, 18)
    for side, shift in (("left", 0.0), ("right", np.pi)):
        step = np.exp(2.2 * (np.cos(phase + shift) - 1)) * c.cycles(phase + shift, 0.7, 1.1)
        out[f"{side} hip flexion"] = 4 + 20 * step
        out[f"{side} knee"] = 8 + 38 * step
        out[f"{side} shoulder flexion"] = 8 * np.sin(phase + shift) + c.drift(3)
    return out


SOURCE_ACTIONS: dict[str, Action] = {
    "walk": walk, "run": run, "reach": reach, "sit": sit, "squat": squat, "kick": kick, "wave": wave, "turn": turn,
}  # fmt: skip
