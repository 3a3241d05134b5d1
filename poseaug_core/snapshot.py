"""Snapshot: what a watcher sees of a run at one step, as read-only numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from poseaug_core.skeleton import HUMAN16, Skeleton

#: The four stages of a pose, first axis of Snapshot.xyz and uv.
STAGES = ("original", "ba", "bl", "rt")
#: Names of the three joint groups over which hardness is taken (inner, middle and outer joints).
JOINT_GROUPS = ("hips, shoulders", "knees, elbows", "ankles, wrists")


@dataclass(frozen=True)
class Snapshot:
    """n probe poses in full and m crowd poses in brief; row i is the same pose in every field.

    The probe is the crowd's first n rows. Everything is float32, metres, camera frame. The poses
    and their noise are fixed for a run, so a row moves only because the networks learn.

    step: iterations done. phase: 'pretrain' or 'poseaug'. epoch: 0-based, of its phase.
    xyz (4, n, 16, 3), uv (4, n, 16, 2): a pose at each of STAGES; the root of 'original', 'ba' and 'bl' is the
    original's, that of 'rt' is the augmented translation. camera (n, 9).
    prediction (2, n, 16, 3): the estimator's answer for uv of 'original' and of 'rt', root-relative.
    angle_change (m, 15): 1 - cos per bone by BA. length_ratio (m, 9): BL, by skeleton.length_groups.
    axis_angle (m, 3) radians, translation (m, 3) metres: RT.
    view_point (2, m, 2): azimuth and elevation of the camera in the body frame, degrees, original and augmented;
    azimuth 0 looks at the front, positive from the body's left; elevation positive from above.
    position (2, m, 3): the pelvis, original and augmented.
    scores3d (2, m, p): KCS scores in order of the parts of skeleton.JUDGED[config.discriminator3d], of the original
    and of the BA pose; 1 is real; p is 0 without a 3D discriminator.
    scores2d (2, m): 2D scores of the original and of the RT pose; NaN without a 2D discriminator.
    error (3, m): MPJPE of the estimator on original, BA and RT poses, millimetres.
    hardness (2, m, 3): error of BA and RT over error of the original, by JOINT_GROUPS (Eq. 9's ratio).
    scalars: means since the snapshot before: losses, accuracies, shares ('loss/adversarial3d', ...).
    controls: the values in force at this step, schedules resolved.
    """

    step: int
    phase: str
    epoch: int
    xyz: np.ndarray
    uv: np.ndarray
    camera: np.ndarray
    prediction: np.ndarray
    angle_change: np.ndarray
    length_ratio: np.ndarray
    axis_angle: np.ndarray
    translation: np.ndarray
    view_point: np.ndarray
    position: np.ndarray
    scores3d: np.ndarray
    scores2d: np.ndarray
    error: np.ndarray
    hardness: np.ndarray
    scalars: dict[str, float]
    controls: dict[str, float]

    def __post_init__(self):
        for name in ARRAYS:
            array = np.asarray(getattr(self, name), dtype=np.float32)
            array = array.copy() if array.flags.writeable else array
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def probe_size(self) -> int:
        return self.xyz.shape[1]

    def kcs(self, row: int, stage: str, skeleton: Skeleton = HUMAN16) -> np.ndarray:
        """(15, 15) cosines between the bones of a probe pose; a part's KCS is its rows and columns."""
        bones = skeleton.bones(self.xyz[STAGES.index(stage), row])
        unit = bones / np.linalg.norm(bones, axis=-1, keepdims=True).clip(1e-8)
        return unit @ unit.T

    def angle_degrees(self, row: int) -> np.ndarray:
        """(15,) degrees through which BA turned each bone."""
        return np.degrees(np.arccos(np.clip(1 - self.angle_change[row], -1, 1)))


#: Names of the array fields, in order.
ARRAYS = tuple(f.name for f in fields(Snapshot) if f.type == "np.ndarray")
