"""What is refused at the border: every message names the value, the limit and the remedy."""

from __future__ import annotations

from torch import Tensor

from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.skeleton import HUMAN16

#: Median distance of given from projected 2D, in half image widths, beyond which they cannot belong together.
MAX_APART = 0.1


def check_poses(xyz: Tensor, uv: Tensor, camera: Tensor, name: str) -> None:
    """Raise UserError unless xyz (n,16,3) metres, uv (n,16,2) normalised and camera (n,9) agree."""
    if xyz.ndim != 3 or xyz.shape[-1] != 3:
        raise UserError(f"{name}: 3D poses have shape {tuple(xyz.shape)}, expected (poses, 16, 3).")
    if len(xyz) == 0:
        raise UserError(f"{name}: there are 0 poses in it, at least 1 is needed; check the file or its filters.")
    if xyz.shape[1] != 16:
        hint = {
            17: "drop Neck/Nose, joint 9 of Human3.6M's 17, or add ?joints=h36m17 where they are these",
            32: "keep joints 0 1 2 3 6 7 8 12 13 15 17 18 19 25 26 27, or add ?joints=h36m32 where they are these",
        }.get(xyz.shape[1], "docs/data.md lists their order")
        raise UserError(f"{name}: poses have {xyz.shape[1]} joints, PoseAug uses 16; {hint}.")
    if tuple(uv.shape) != (*xyz.shape[:2], 2):
        raise UserError(
            f"{name}: 2D poses have shape {tuple(uv.shape)}, but 3D needs {(*xyz.shape[:2], 2)}; "
            "give one 2D pose for each 3D pose, with the same joints."
        )
    if tuple(camera.shape) != (len(xyz), 9):
        raise UserError(
            f"{name}: cameras have shape {tuple(camera.shape)}, expected {(len(xyz), 9)}: focal 2, centre 2, "
            "radial 3, tangential 2 for every pose."
        )
    for what, values in (("3D", xyz), ("2D", uv), ("camera", camera)):
        bad = (~values.isfinite()).flatten(1).any(1)
        if bad.any():
            raise UserError(
                f"{name}: {int(bad.sum())} of {len(bad)} poses have NaN or infinite {what} values (first: pose "
                f"{int(bad.nonzero()[0])}); remove those rows and try again."
            )
    size = (xyz - xyz[:, :1]).abs().amax((1, 2)).median().item()
    if size > 10:
        unit = "millimetres, divide by 1000" if size > 300 else "centimetres, divide by 100"
        raise UserError(
            f"{name}: half the poses reach {size:.0f} units from the pelvis, people reach about 1 metre; "
            f"the 3D looks like {unit}."
        )
    if size < 0.05:
        raise UserError(
            f"{name}: half the poses reach less than {size:.3g} units from the pelvis, people reach about 1 metre; "
            "scale the 3D to metres."
        )
    length = HUMAN16.lengths(xyz)
    empty = (length < 1e-6).nonzero()
    if len(empty):
        row, bone = empty[0].tolist()
        raise UserError(
            f"{name}: {len(empty[:, 0].unique())} of {len(xyz)} poses have a bone of length 0 (first: pose {row}, "
            f"{HUMAN16.bone_names[bone]}); remove those rows or give each joint its own place."
        )
    far = uv.abs().amax((1, 2)).median().item()
    if far > 5:
        raise UserError(
            f"{name}: half the 2D poses reach {far:.0f}, normalised 2D stays near [-1, 1]; it looks like pixels: "
            "use u = 2 px / width - 1 and v = 2 py / width - height / width."
        )
    behind = (xyz[..., 2] <= 0).flatten(1).any(1)
    if behind.float().mean() > 0.5:
        raise UserError(
            f"{name}: {int(behind.sum())} of {len(behind)} poses are not in front of the camera (z <= 0 m); "
            "3D must be in the camera frame, z forward, with the root kept."
        )


def check_projection(xyz: Tensor, uv: Tensor, camera: Tensor, name: str) -> None:
    """Raise UserError unless uv is about where the camera projects xyz; detected 2D is well within the limit.

    Up to 2000 poses spread over the set are looked at.
    """
    rows = slice(None, None, max(len(xyz) // 2000, 1))
    apart = (project(xyz[rows], camera[rows]) - uv[rows]).norm(dim=-1).median().item()
    if apart > MAX_APART:
        raise UserError(
            f"{name}: half the 2D joints are {apart:.2f} or more from where the camera projects their 3D, the limit is "
            f"{MAX_APART} (half an image is 1); check that rows belong together, that y points down and that "
            "v = 2 py / width - height / width."
        )
