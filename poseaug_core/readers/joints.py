"""Which joints of other skeletons are ours: one table a skeleton, in the order of HUMAN16.

A number is a joint of theirs; a tuple of two is the point midway between them.
"""

from __future__ import annotations

import numpy as np

Joint = int | tuple["Joint", "Joint"]

#: Human3.6M's 32 joints, and the 17 of them that move; Neck/Nose is dropped.
H36M_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27)
H36M_17 = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16)
#: MPI-INF-3DHP: the test set's 17 joints, and the 28 of its training set. The head is the top of the head.
DHP_17 = (14, 8, 9, 10, 11, 12, 13, 15, 1, 0, 5, 6, 7, 2, 3, 4)
DHP_28 = (4, 23, 24, 25, 18, 19, 20, 3, 5, 7, 9, 10, 11, 14, 15, 16)
#: The 24 joints of SPIN's extractions, as the released PoseAug takes them.
SPIN_24 = (14, 2, 1, 0, 3, 4, 5, 16, 12, 18, 9, 10, 11, 8, 7, 6)
#: SMPL's 24 joints; the head is moved further, see smpl16.
SMPL_24 = (0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 16, 18, 20, 17, 19, 21)
#: MPII: the spine is midway between pelvis and thorax.
MPII_16 = (6, 2, 1, 0, 3, 4, 5, (6, 7), 7, 9, 13, 14, 15, 12, 11, 10)
#: LSP: the pelvis is midway between the hips, the spine midway between pelvis and neck.
LSP_14 = ((2, 3), 2, 1, 0, 3, 4, 5, ((2, 3), 12), 12, 13, 9, 10, 11, 8, 7, 6)

#: What plain arrays of so many joints are taken for.
BY_COUNT = {16: tuple(range(16)), 17: H36M_17, 32: H36M_32}


def sixteen(points: np.ndarray, table: tuple[Joint, ...]) -> np.ndarray:
    """(..., 16, d) our joints of points (..., joints, d)."""
    if all(isinstance(joint, int) for joint in table):
        return points[..., list(table), :]
    return np.stack([_point(points, joint) for joint in table], axis=-2)


def sixteen_found(found: np.ndarray, table: tuple[Joint, ...]) -> np.ndarray:
    """(..., 16) whether our joints are there, of found (..., joints): a midpoint needs both of its ends."""
    return np.stack([_point(found[..., None].astype(float), joint)[..., 0] == 1 for joint in table], axis=-1)


def smpl16(points: np.ndarray) -> np.ndarray:
    """(..., 16, 3) of SMPL's (..., 24, 3).

    SMPL's head joint is at the base of the skull; Human3.6M's is about twice as far from the neck.
    """
    ours = sixteen(points, SMPL_24)
    ours[..., 9, :] += ours[..., 9, :] - ours[..., 8, :]
    return ours


def _point(points: np.ndarray, joint: Joint) -> np.ndarray:
    if isinstance(joint, tuple):
        return (_point(points, joint[0]) + _point(points, joint[1])) / 2
    return points[..., joint, :]
