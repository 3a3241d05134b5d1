"""A jointed body: joint angles within human limits to 16 joints that stand on the ground.

Body frame: x forward, y left, z up. Angles are degrees and zero when standing with arms down. Flexion
brings a limb forward, abduction to the side; ``pitch`` leans forward, ``yaw`` turns left.
"""

from __future__ import annotations

import numpy as np

from poseaug_core.motion.turning import rotations
from poseaug_core.skeleton import HUMAN16

#: Range of each angle, degrees. Limb angles exist for both sides, as 'left knee' and 'right knee'.
TRUNK_LIMITS = {
    "yaw": (-np.inf, np.inf), "pitch": (-95, 95), "roll": (-60, 60),
    "waist pitch": (-25, 70), "waist roll": (-30, 30), "waist yaw": (-45, 45),
    "neck pitch": (-45, 45), "neck roll": (-30, 30), "neck yaw": (-65, 65),
}  # fmt: skip
LIMB_LIMITS = {
    "hip flexion": (-25, 125), "hip abduction": (-15, 50), "hip rotation": (-35, 45), "knee": (0, 145),
    "shoulder flexion": (-50, 175), "shoulder abduction": (-5, 165), "shoulder rotation": (-90, 80),
    "shoulder across": (-40, 110), "elbow": (0, 145),
}  # fmt: skip
SIDES = ("left", "right")
LIMITS = TRUNK_LIMITS | {f"{side} {angle}": limit for side in SIDES for angle, limit in LIMB_LIMITS.items()}
ANGLES = tuple(LIMITS)

#: Metres of an average adult's bones, in bone order.
AVERAGE_LENGTHS = np.array(
    (0.098, 0.42, 0.455, 0.098, 0.42, 0.455, 0.285, 0.235, 0.205, 0.132, 0.295, 0.25, 0.132, 0.295, 0.25)
)

#: How far each joint's middle stays above what it rests on, metres: the sole, the thickness of the trunk.
_CLEARANCE = {
    "ankle": 0.08, "knee": 0.06, "hip": 0.11, "pelvis": 0.11, "spine": 0.11, "thorax": 0.1, "head": 0.1,
    "shoulder": 0.06, "elbow": 0.04, "wrist": 0.04,
}  # fmt: skip
CLEARANCE = np.array([_CLEARANCE[name.split()[-1]] for name in HUMAN16.names])


def seeded_lengths(rng: np.random.Generator) -> np.ndarray:
    """(15,) metres, one person's bones: stature 0.9-1.09 of the average, each limb 0.94-1.06, sides alike."""
    groups = HUMAN16.length_groups
    return AVERAGE_LENGTHS * rng.uniform(0.9, 1.09) * rng.uniform(0.94, 1.06, groups.max() + 1)[groups]


def limited(angles: np.ndarray) -> np.ndarray:
    """(frames, angles) in degrees, held within LIMITS."""
    low, high = np.array(list(LIMITS.values())).T
    return np.clip(angles, low, high)


def pose(angles: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(frames, 16, 3) metres, the pelvis at the origin, of angles (frames, len(ANGLES)) held within limits.

    lengths: (15,) or (frames, 15) metres.
    """
    value = dict(zip(ANGLES, limited(angles).T, strict=True))

    def turn(*parts: tuple[int, np.ndarray]) -> np.ndarray:
        return rotations(np.stack([angle for _, angle in parts], axis=1), tuple(axis for axis, _ in parts))

    x, y, z = 0, 1, 2
    pelvis = turn((z, value["yaw"]), (y, value["pitch"]), (x, value["roll"]))
    waist = [(z, value["waist yaw"]), (y, value["waist pitch"]), (x, value["waist roll"])]
    belly = pelvis @ turn(*[(axis, angle / 2) for axis, angle in waist])
    chest = pelvis @ turn(*waist)
    skull = chest @ turn((z, value["neck yaw"]), (y, value["neck pitch"]), (x, value["neck roll"]))
    carried: dict[str, tuple[np.ndarray, tuple[float, float, float]]] = {
        "spine": (belly, (0.04, 0, 1)),
        "thorax": (chest, (-0.05, 0, 1)),
        "head": (skull, (0.2, 0, 1)),
    }
    for side, out in (("left", 1.0), ("right", -1.0)):
        angle = {name: value[f"{side} {name}"] for name in LIMB_LIMITS}
        thigh = pelvis @ turn(
            (y, -angle["hip flexion"]), (x, out * angle["hip abduction"]), (z, out * angle["hip rotation"])
        )
        upper_arm = chest @ turn(
            (z, -out * angle["shoulder across"]),
            (y, -angle["shoulder flexion"]),
            (x, out * angle["shoulder abduction"]),
            (z, -out * angle["shoulder rotation"]),
        )
        # The collar-bone follows an arm that is lifted past 60 degrees.
        lifted = np.degrees(np.arccos(np.clip((chest * upper_arm)[..., 2].sum(1), -1, 1)))
        collar = chest @ turn((x, out * 0.25 * np.clip(lifted - 60, 0, None)))
        carried |= {
            f"{side} hip": (pelvis, (0, out, 0)),
            f"{side} knee": (thigh, (0, 0, -1)),
            f"{side} ankle": (thigh @ turn((y, angle["knee"])), (0, 0, -1)),
            f"{side} shoulder": (collar, (0, out, -0.38)),
            f"{side} elbow": (upper_arm, (0, 0, -1)),
            f"{side} wrist": (upper_arm @ turn((y, -angle["elbow"])), (0, 0, -1)),
        }
    directions = np.empty((len(angles), HUMAN16.bone_count, 3))
    for bone, name in enumerate(HUMAN16.names[1:]):
        rotation, rest = carried[name]
        directions[:, bone] = rotation @ (np.array(rest) / np.linalg.norm(rest))
    return HUMAN16.joints(-directions * lengths[..., None])


def grounded(xyz: np.ndarray, lift: np.ndarray) -> np.ndarray:
    """Poses (frames, 16, 3) of one take moved so that they rest on the ground and do not slide on it.

    The lowest joint, its thickness allowed for, touches z = lift (frames,) metres; the lower foot stays
    where it was put, so that the steps themselves carry the body along.
    """
    height = (CLEARANCE - xyz[..., 2]).max(1) + lift
    ankles = xyz[:, [HUMAN16.names.index(f"{side} ankle") for side in SIDES]]
    low = ankles[..., 2] - ankles[..., 2].min(1, keepdims=True)
    weight = np.exp(-low / 0.02)
    weight = weight[1:] * weight[:-1] + 1e-9
    steps = (weight[..., None] * np.diff(ankles[..., :2], axis=0)).sum(1) / weight.sum(1, keepdims=True)
    # In the air the body goes on as it left the ground.
    down = np.flatnonzero(lift[1:] < 0.005)
    if 0 < len(down) < len(steps):
        steps = np.stack([np.interp(np.arange(len(steps)), down, steps[down, axis]) for axis in (0, 1)], axis=1)
    root = np.column_stack((np.vstack((np.zeros(2), -np.cumsum(steps, axis=0))), height))
    return xyz + root[:, None]
