"""Actions kept for the demo's harder test: none of them is among the training actions."""

from __future__ import annotations

import numpy as np

from poseaug_core.motion.actions import Action, Angles, legs, standing
from poseaug_core.motion.tracks import Curves


def jump(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.5, 0.75))
    crouch = c.keys(phase, ((0, 0), (0.25, 1), (0.4, 0), (0.62, 0), (0.75, 0.8), (0.95, 0))) * c.cycles(phase, 0.8, 1.1)
    air = c.keys(phase, ((0, 0), (0.38, 0), (0.51, 1), (0.64, 0)))
    swing, tuck, wide = c.uniform(90, 165), c.uniform(0, 55), c.uniform(0, 22)
    out = standing(c) | legs(c, 4 + 50 * crouch + tuck * air, 4 + 32 * crouch + tuck * air, 30 * crouch)
    arms = c.keys(phase, ((0, 0), (0.22, -40), (0.45, swing), (0.6, swing * 0.8), (0.8, 20), (0.97, 0)))
    for side in ("left", "right"):
        out[f"{side} shoulder flexion"] = arms
        out[f"{side} hip abduction"] = 4 + wide * air
        out[f"{side} shoulder abduction"] = 10 + 2 * wide * air
    return out | {"lift": c.uniform(0.15, 0.4) * air, "waist pitch": 15 * crouch - 6 * air}


def lunge(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.35, 0.55))
    front, back = c.side()
    down = c.keys(phase, ((0, 0), (0.35, 1), (0.55, 1), (0.95, 0))) * c.cycles(phase, 0.75, 1.0)
    out = standing(c)
    arms = c.uniform(-20, 150)
    out |= {
        f"{front} hip flexion": 5 + 76 * down, f"{front} knee": 8 + 74 * down,
        f"{back} hip flexion": 3 - 22 * down, f"{back} knee": 8 + 62 * down,
        "pitch": c.uniform(-2, 12) * down, "waist yaw": c.uniform(-30, 30) * down,
    }  # fmt: skip
    for side in ("left", "right"):
        out[f"{side} shoulder flexion"] = arms * down
        out[f"{side} elbow"] = 20 + c.uniform(0, 60) * down
    return out


def dance(c: Curves) -> Angles:
    beat = c.phase(c.uniform(0.7, 1.1))
    half = beat / 2
    out = standing(c)
    out |= {
        "yaw": 35 * np.sin(half) + c.uniform(-30, 30) * c.time,
        "roll": 7 * np.sin(beat), "waist roll": -12 * np.sin(beat),
        "waist yaw": 22 * np.sin(half + c.uniform(0, 6)), "neck roll": 12 * np.sin(beat),
    }  # fmt: skip
    for side, shift in (("left", 0.0), ("right", np.pi)):
        step = np.clip(np.sin(beat + shift), 0, None)
        own = half + c.uniform(0, 2 * np.pi)
        out |= {
            f"{side} hip abduction": 8 + c.uniform(15, 32) * step,
            f"{side} hip flexion": 8 + c.uniform(8, 45) * step,
            f"{side} knee": 14 + c.uniform(25, 75) * step,
            f"{side} shoulder abduction": 65 + 50 * np.sin(own) + c.drift(10),
            f"{side} shoulder flexion": 25 + 35 * np.sin(own + 1.5) + c.drift(8),
            f"{side} shoulder rotation": -30 + 40 * np.sin(beat + shift),
            f"{side} elbow": 60 + 40 * np.sin(beat + c.uniform(0, 6)),
        }
    return out


def throw(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.4, 0.6))
    near, far = c.side()
    sign = 1 if near == "right" else -1
    wound = c.keys(phase, ((0, 0), (0.35, 1), (0.5, -1), (0.65, -0.8), (0.95, 0))) * c.cycles(phase, 0.8, 1.1)
    out = standing(c)
    out |= {
        "waist yaw": -sign * 38 * wound, "yaw": -sign * 20 * wound, "pitch": -10 * wound, "waist pitch": 5 - 16 * wound,
        f"{near} shoulder abduction": 50 + c.keys(phase, ((0, -40), (0.3, 45), (0.5, 30), (0.65, -25), (0.95, -40))),
        f"{near} shoulder across": c.keys(phase, ((0, 0), (0.35, -30), (0.5, 55), (0.65, 80), (0.95, 0))),
        f"{near} shoulder rotation": c.keys(phase, ((0, 10), (0.35, -85), (0.5, -30), (0.65, 30), (0.95, 10))),
        f"{near} elbow": c.keys(phase, ((0, 20), (0.35, 100), (0.5, 12), (0.7, 25), (0.95, 20))),
        f"{far} shoulder flexion": 30 + 40 * wound, f"{far} elbow": 40,
        f"{far} hip flexion": 14 - 26 * wound, f"{near} hip flexion": 8 + 14 * wound,
        f"{far} knee": 22, f"{near} knee": 24,
    }  # fmt: skip
    return out


def pick_up(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.25, 0.45))
    down = c.keys(phase, ((0, 0), (0.35, 1), (0.55, 1), (0.9, 0))) * c.cycles(phase, 0.75, 1.0)
    out = standing(c) | legs(c, 5 + c.uniform(10, 65) * down, 5 + c.uniform(5, 25) * down, c.uniform(40, 65) * down)
    out |= {"waist pitch": c.uniform(25, 55) * down, "waist yaw": c.uniform(-25, 25) * down, "neck pitch": -20 * down}
    one, side_arm = c.uniform(0, 1) < 0.5, c.uniform(70, 110)
    for side in ("left", "right"):
        amount = 0.2 if one and side == "left" else 1.0
        out[f"{side} shoulder flexion"] = side_arm * down * amount
        out[f"{side} elbow"] = 12 + c.uniform(0, 25) * (1 - down)
        out[f"{side} hip abduction"] = 6 + c.uniform(0, 14) * down
    return out


def climb(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.35, 0.6))
    out: Angles = {"pitch": c.uniform(0, 12), "waist pitch": c.uniform(0, 10), "neck pitch": c.uniform(-35, -5)}
    out |= {"waist roll": 9 * np.sin(phase), "roll": -5 * np.sin(phase)}
    for side, shift in (("left", 0.0), ("right", np.pi)):
        up = c.keys(phase + shift, ((0, 0), (0.45, 1), (0.55, 1), (0.98, 0)))
        out |= {
            f"{side} hip flexion": 12 + c.uniform(65, 90) * up, f"{side} knee": 14 + c.uniform(75, 105) * up,
            f"{side} hip abduction": 8 + c.uniform(5, 25) * up, f"{side} hip rotation": c.uniform(5, 30),
            f"{side} shoulder flexion": 85 + c.uniform(50, 80) * (1 - up),
            f"{side} shoulder abduction": c.uniform(5, 25),
            f"{side} elbow": 25 + c.uniform(50, 90) * up,
        }  # fmt: skip
    return out


def punch(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.6, 1.0))
    out = standing(c)
    lead, rear = c.side()
    sign = 1 if lead == "left" else -1
    out |= {
        f"{lead} hip flexion": 28, f"{lead} knee": 30, f"{rear} hip flexion": -6, f"{rear} knee": 28, "pitch": 4,
        f"{rear} hip rotation": 35, "yaw": -sign * 25 + c.drift(8), "neck yaw": sign * 20,
        "waist pitch": 10 + c.drift(4),
    }  # fmt: skip
    for side, shift in ((lead, 0.0), (rear, np.pi)):
        own = phase + shift
        hit = c.keys(own, ((0, 0), (0.25, 1), (0.5, 0), (0.9, 0))) * c.cycles(own, 0.7, 1.05)
        hook = c.uniform(0, 45)
        out |= {
            f"{side} shoulder flexion": 28 + 58 * hit, f"{side} elbow": 125 - (112 - hook) * hit,
            f"{side} shoulder across": 5 + 18 * hit, f"{side} shoulder abduction": 12 + hook * hit,
            f"{side} shoulder rotation": 15 * (1 - hit),
        }  # fmt: skip
    hit_yaw = np.sin(phase)
    return out | {"waist yaw": -sign * 28 * hit_yaw}


def lie(c: Curves) -> Angles:
    on_back = c.rng.random() < 0.6
    out: Angles = {"pitch": (-88 if on_back else 86) + c.drift(3), "roll": c.drift(6), "waist yaw": c.drift(9)}
    out["neck pitch"] = c.uniform(-5, 25) if on_back else c.uniform(-35, -5)
    for side in ("left", "right"):
        bend = max(0.0, c.uniform(-30, 75)) if on_back else 0.0
        out |= {
            f"{side} hip flexion": bend * 0.6 + np.abs(c.drift(8)),
            f"{side} knee": bend * 1.3 + np.abs(c.drift(10)),
            f"{side} hip abduction": c.uniform(0, 22), f"{side} hip rotation": c.uniform(0, 35),
            f"{side} shoulder abduction": c.uniform(8, 140) + c.drift(10),
            f"{side} shoulder flexion": c.uniform(-5, 40 if on_back else 5) + c.drift(8),
            f"{side} elbow": c.uniform(5, 100) + c.drift(12), f"{side} shoulder rotation": c.uniform(-40, 50),
        }  # fmt: skip
    return out


def crawl(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.5, 0.8))
    lean = c.uniform(76, 84)
    out: Angles = {"pitch": lean, "neck pitch": c.uniform(-42, -15) + c.drift(4), "neck yaw": c.drift(14)}
    out |= {"waist yaw": 8 * np.sin(phase), "roll": 4 * np.sin(phase), "yaw": c.uniform(-15, 15) * c.time}
    for side, shift in (("left", 0.0), ("right", np.pi)):
        swing = 18 * np.sin(phase + shift)
        out |= {
            f"{side} hip flexion": lean + swing, f"{side} knee": 92 + 0.6 * swing,
            f"{side} hip abduction": c.uniform(2, 12),
            f"{side} shoulder flexion": lean - 20 * np.sin(phase + shift),
            f"{side} shoulder abduction": c.uniform(2, 16),
            f"{side} elbow": 10 + 25 * np.clip(np.cos(phase + shift), 0, None),
        }  # fmt: skip
    return out


def stretch(c: Curves) -> Angles:
    phase = c.phase(c.uniform(0.2, 0.35))
    go = c.keys(phase, ((0, 0), (0.25, 1), (0.6, 1), (0.9, 0)))
    lean, wide = c.uniform(-28, 28) * np.sin(c.phase(0.3)), c.uniform(4, 28)
    out = standing(c)
    out |= {"waist roll": go * lean, "roll": 0.3 * go * lean, "waist pitch": go * c.uniform(-20, 25)}
    arms, bend = c.uniform(120, 165), c.uniform(0, 110)
    for side in ("left", "right"):
        out |= {
            f"{side} shoulder abduction": 8 + go * arms,
            f"{side} shoulder rotation": -60 * go,
            f"{side} elbow": 12 + bend * go,
            f"{side} hip abduction": wide,
        }
    return out


CROSS_ACTIONS: dict[str, Action] = {
    "jump": jump, "lunge": lunge, "dance": dance, "throw": throw, "pick up": pick_up, "climb": climb,
    "punch": punch, "lie": lie, "crawl": crawl, "stretch": stretch,
}  # fmt: skip
