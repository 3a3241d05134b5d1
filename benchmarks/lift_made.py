"""2D poses for the benchmark of lifting, in the formats in which many come, and an estimator of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from poseaug_core.checkpoints import write_checkpoint
from poseaug_core.estimators import make_estimator
from poseaug_core.keypoint_maps import LAYOUTS
from poseaug_core.motion.demo import demo_set
from poseaug_core.poses import Poses
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.skeleton import HUMAN16

SIDE = 1000
#: Share of joints that the detector did not find.
LOST = 0.02


def estimator(folder: Path, name: str = "simple_baseline", width: int = 1024) -> Path:
    """A checkpoint of random weights, whose batch norms have seen something."""
    torch.manual_seed(0)
    network = make_estimator(name, width)
    network.train()(0.3 * torch.randn(256, 16, 2))
    tensors = {f"estimator.{key}": value for key, value in network.state_dict().items()}
    return write_checkpoint(
        folder / f"{name}{width}.safetensors", tensors, {"estimator": {"name": name, "width": width}}
    )


def poses(count: int) -> Poses:
    """The demo's poses, over and over."""
    source = demo_set("source", 0, 1)
    return source.take(torch.arange(count) % len(source))


def keypoints(count: int) -> np.ndarray:
    """(count, 17, 3) in COCO's order, pixels with three decimals, and confidence."""
    pixels = (poses(count).uv.numpy().astype(np.float64) + 1) * SIDE / 2
    found = np.repeat(pixels[:, [HUMAN16.names.index("head")]], 17, axis=1)
    for name, places in LAYOUTS["coco17"].joints.items():
        if len(places) == 1:
            found[:, places[0]] = pixels[:, HUMAN16.names.index(name)]
    sure = np.random.default_rng(0).uniform(0.3, 1, found.shape[:2])
    lost = np.random.default_rng(1).random(found.shape[:2]) < LOST
    return np.round(np.concatenate((found, np.where(lost, 0, sure)[..., None]), axis=2), 3)


def write(folder: Path, kind: str, count: int) -> str:
    """A file, or folder, of so many poses, as `poseaug lift` is given it."""
    options = f"?layout=coco17&width={SIDE}&height={SIDE}"
    if kind in ("poses.npz", "poses.h5"):
        return str(write_arrays(poses(count), folder / f"{count}_{kind}"))
    points = keypoints(count)
    if kind == "keypoints.npz":
        path = folder / f"{count}.npz"
        np.savez(path, keypoints=points.astype(np.float32))
    elif kind == "results.json":
        path = folder / f"{count}.json"
        with open(path, "w") as file:
            for number, one in enumerate(points.reshape(count, -1).tolist()):
                record = {"image_id": f"{number}.jpg", "category_id": 1, "keypoints": one, "score": 2.5}
                file.write(("," if number else "[") + json.dumps(record))
            file.write("]")
    else:
        path = folder / f"{count}_frames"
        path.mkdir()
        for number, one in enumerate(points.reshape(count, -1).tolist()):
            people = [{"person_id": [-1], "pose_keypoints_2d": one, "face_keypoints_2d": []}]
            (path / f"video_{number:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return f"{path}{options}"
