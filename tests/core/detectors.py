"""Keypoints as detectors write them, made from known 3D, so that reading them must give its projection back."""

from __future__ import annotations

import numpy as np
import torch

from poseaug_core.geometry import project
from poseaug_core.keypoint_maps import HEAD_FROM, LAYOUTS
from poseaug_core.motion.actions import SOURCE_ACTIONS
from poseaug_core.motion.demo import perform
from poseaug_core.motion.rigs import LAB
from poseaug_core.skeleton import HUMAN16

SIZE = (1280, 720)
J = {name: number for number, name in enumerate(HUMAN16.names)}


def moving_uv(frames: int = 12, action: str = "kick") -> np.ndarray:
    """(frames, 16, 2) normalised 2D of a person moving, whose trunk is where COCO's joints put it."""
    clip = perform({action: SOURCE_ACTIONS[action]}, (1,), 1, seed=3, frames=75)[0]
    camera = LAB.cameras[0]
    xyz = torch.from_numpy(camera.view(clip.xyz[:frames].astype(np.float64)).astype(np.float32))
    uv = project(xyz, torch.from_numpy(np.tile(camera.lens, (frames, 1)).astype(np.float32))).numpy().astype(np.float64)
    uv[:, J["pelvis"]] = (uv[:, J["left hip"]] + uv[:, J["right hip"]]) / 2
    uv[:, J["thorax"]] = (uv[:, J["left shoulder"]] + uv[:, J["right shoulder"]]) / 2
    uv[:, J["spine"]] = (uv[:, J["pelvis"]] + uv[:, J["thorax"]]) / 2
    return uv


def pixels(uv: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Inverse of u = 2 px / w - 1, v = 2 py / w - h / w, of a portrait image padded to a square."""
    width, height = size
    side = max(size) if height > 1.05 * width else width
    return uv * side / 2 + np.array(size) / 2


def detected(points: np.ndarray, layout: str, confidence: float = 0.9) -> np.ndarray:
    """(n, k, 3) x, y, confidence of our joints (n, 16, 2) as a layout has them, a face around the head."""
    found = LAYOUTS[layout]
    out = np.full((len(points), found.count, 3), confidence)
    out[..., :2] = points[:, :1]  # feet, hands and the like, which we do not read
    for name, numbers in found.joints.items():
        if len(numbers) == 1:
            out[:, numbers[0], :2] = points[:, J[name]]
    thorax, head = points[:, J["thorax"]], points[:, J["head"]]
    for feature, numbers in found.face.items():
        place = thorax + (head - thorax) / HEAD_FROM[feature]
        for number, shift in zip(numbers, (4, -4) if len(numbers) > 1 else (0,), strict=True):
            out[:, number, :2] = place + (shift, 0)
    if layout == "h36m17":
        out[:, 9, :2] = (thorax + head) / 2
    if layout == "mpii16":
        out[:, 8, :2] = thorax
    return out


def results(people: np.ndarray, name="{:d}", **more) -> list[dict]:
    """COCO's and AlphaPose's list of results, one person an image."""
    return [
        {"image_id": int(i) if name == "{:d}" else name.format(i), "category_id": 1, "keypoints": one.ravel().tolist(),
         "score": 2.5, **more}
        for i, one in enumerate(people)
    ]  # fmt: skip


def annotations(people: np.ndarray, size: tuple[int, int] = SIZE) -> dict:
    """COCO's annotation file; confidence becomes visibility 2."""
    seen = people.copy()
    seen[..., 2] = np.where(people[..., 2] > 0, 2, 0)
    return {
        "images": [{"id": 7 + i, "file_name": f"{i:012d}.jpg", "width": size[0], "height": size[1]}
                   for i in range(len(people))],
        "annotations": [{"id": i, "image_id": 7 + i, "category_id": 1, "num_keypoints": 17, "bbox": [0, 0, 9, 9],
                         "area": 81.0, "iscrowd": 0, "keypoints": one.ravel().tolist()} for i, one in enumerate(seen)],
        "categories": [{"id": 1, "name": "person"}],
    }  # fmt: skip


def openpose_frame(people: np.ndarray) -> dict:
    """One of OpenPose's *_keypoints.json, of people (m, k, 3)."""
    empty = {f"{part}_keypoints_2d": [] for part in ("face", "hand_left", "hand_right")}
    return {
        "version": 1.3,
        "people": [{"person_id": [-1], "pose_keypoints_2d": one.ravel().tolist(), **empty} for one in people],
    }


def mmpose_instances(people: np.ndarray) -> list[dict]:
    return [
        {"keypoints": one[:, :2].tolist(), "keypoint_scores": one[:, 2].tolist(), "bbox": [[0, 0, 9, 9]],
         "bbox_score": 0.9}
        for one in people
    ]  # fmt: skip
