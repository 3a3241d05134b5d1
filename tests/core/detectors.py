"""Keypoints as detectors write them, made from known 3D, so that reading them must give its projection back."""

from __future__ import annotations

import numpy as np
import torch

from poseaug_core.geometry import project
from poseaug_core.keypoint_maps import HEAD_FROM
from poseaug_core.motion.actions import SOURCE_ACTIONS
from poseaug_core.motion.demo import perform
from poseaug_core.motion.rigs import LAB
from poseaug_core.skeleton import HUMAN16

SIZE = (1280, 720)
J = {name: number for number, name in enumerate(HUMAN16.names)}
#: What each joint of a format is, in its order, by the format's own documentation and never by our tables.
COCO = (
    "nose, left eye, right eye, left ear, right ear, left shoulder, right shoulder, left elbow, right elbow, "
    "left wrist, right wrist, left hip, right hip, left knee, right knee, left ankle, right ankle"
)
HALPE = f"{COCO}, head, thorax, pelvis" + ", foot" * 6
UPPER = "nose, thorax, right shoulder, right elbow, right wrist, left shoulder, left elbow, left wrist"
LEGS = "right hip, right knee, right ankle, left hip, left knee, left ankle"
FACE = "right eye, left eye, right ear, left ear"
H36M_ARMS = "left shoulder, left elbow, left wrist, right shoulder, right elbow, right wrist"
JOINTS = {
    "coco17": COCO,
    "coco133": COCO + ", other" * 116,
    "halpe26": HALPE,
    "halpe136": HALPE + ", other" * 110,
    "openpose25": f"{UPPER}, pelvis, {LEGS}, {FACE}" + ", foot" * 6,
    "openpose18": f"{UPPER}, {LEGS}, {FACE}",
    "h36m17": f"pelvis, {LEGS}, spine, thorax, neck, head, {H36M_ARMS}",
    "h36m16": f"pelvis, {LEGS}, spine, thorax, head, {H36M_ARMS}",
    "mpii16": (
        "right ankle, right knee, right hip, left hip, left knee, left ankle, pelvis, thorax, upper neck, head, "
        "right wrist, right elbow, right shoulder, left shoulder, left elbow, left wrist"
    ),
}


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
    names = JOINTS[layout].split(", ")
    out = np.full((len(points), len(names), 3), confidence)
    thorax, head = points[:, J["thorax"]], points[:, J["head"]]
    for number, name in enumerate(names):
        side, _, feature = name.rpartition(" ")
        if name in J:
            place = points[:, J[name]]
        elif feature in ("nose", "eye", "ear"):
            beyond = HEAD_FROM["nose" if feature == "nose" else f"{feature}s"]
            place = thorax + (head - thorax) / beyond + ({"left": 4, "right": -4}.get(side, 0), 0)
        elif feature == "neck":
            place = thorax if side else (thorax + head) / 2
        else:  # feet, hands and the like, which we do not read
            place = points[:, 0]
        out[:, number, :2] = place
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
