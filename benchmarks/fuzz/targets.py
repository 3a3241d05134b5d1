"""Every reader of a foreign file: its good files, how it is asked, and what of an answer cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.fuzz import documents
from benchmarks.fuzz.documents import Document
from benchmarks.fuzz.run_folder import read_run, runs
from poseaug_core.config import SETTINGS, load_toml, make_config, save_toml
from poseaug_core.estimators.checking import PROBE
from poseaug_core.readers import is_flat, read_keypoints, read_poses
from poseaug_core.readers.array_parts import open_pose_file
from poseaug_core.readers.reading import KEYPOINT_SUFFIXES, READERS
from poseaug_core.skeleton import HUMAN16
from poseaug_core.trained import open_estimator
from poseaug_core.units import ANSWER, BONE, CAMERA, CONFIDENCE, DEPTH, EXTENT, PLACE, UV
from poseaug_core.weights import SUFFIXES as WEIGHTS
from poseaug_core.weights import read_weights


@dataclass(frozen=True)
class Target:
    """make: good files in a folder. read: gives what cannot be in the answer to a name. suffixes: of its files."""

    make: Callable[[Path], list[Document]]
    read: Callable[[str], list[str]]
    suffixes: tuple[str, ...] = ()


def _outside(pairs) -> list[str]:
    return [bound.what for bound, values in pairs if not bool(torch.as_tensor(bound.holds(values)).all())]


def poses(name: str) -> list[str]:
    found = read_poses(name)
    points = found.xyz
    absurd = _outside([
        (PLACE, points), (DEPTH, points[:, 0, 2]), (BONE, HUMAN16.lengths(points)), (UV, found.uv),
        (EXTENT, (points - points[:, :1]).abs().amax((1, 2))),
        *((bound, found.camera[:, rows]) for rows, bound in CAMERA),
    ])  # fmt: skip
    clips = found.tag[:, 1]
    absurd += ["numbers of clips"] * bool((clips < 0).any() or (clips >= max(len(found.clips), 1)).any())
    return absurd + ["no poses"] * (len(found) == 0)


def arrays(name: str) -> list[str]:
    """Whole, and in parts as lifting reads them."""
    path = Path(name.partition("?")[0])
    parted = open_pose_file(path, lambda share: None)
    if parted is not None:
        for part in parted.parts(32):
            if not part.uv.isfinite().all():
                return ["2D that is not finite, in parts"]
    return poses(name)


def keypoints(name: str) -> list[str]:
    if not is_flat(name):
        return poses(name)
    found = read_keypoints(name)
    absurd = _outside([(UV, found.uv), (CONFIDENCE, found.confidence)])
    absurd += ["confidences"] * bool((found.confidence < 0).any() or (found.confidence > 1).any())
    absurd += ["images"] * bool((found.image < 0).any() or (found.image >= len(found.images)).any())
    return absurd + ["nobody"] * (len(found) == 0)


def estimator(name: str) -> list[str]:
    found = open_estimator(name)
    with torch.no_grad():
        answer = found.network(torch.tensor([PROBE]))
    numbers = [value for value in found.network.state_dict().values() if value.is_floating_point()]
    finite = all(bool(value.isfinite().all()) for value in numbers)
    return _outside([(ANSWER, answer)]) + ["weights that are not finite"] * (not finite)


def weights(name: str) -> list[str]:
    read_weights(name)
    return estimator(name)


def settings(name: str) -> list[str]:
    found: Any = load_toml(Path(name))
    for key, setting in SETTINGS.items():
        setting.check(getattr(found, key))
    return []


def toml(folder: Path) -> list[Document]:
    save_toml(make_config(beta_ba=4.0, cross=("a.h5", "b.h5")), folder / "a.toml")
    (folder / "b.toml").write_text(
        'preset = "small_data"\nepochs = 3\nlr_estimator = 1e-4\n[controls]\nfeedback = true\n'
    )
    return [Document.of(folder / name, text=True) for name in ("a.toml", "b.toml")]


TARGETS = {
    "arrays": Target(documents.arrays, arrays, (".npz", ".h5", ".hdf5")),
    "h36m": Target(documents.human36m, poses, (".npz",)),
    "3dhp": Target(documents.dhp, poses, (".mat",)),
    "extractions": Target(documents.extractions, poses, (".npz",)),
    "3dpw": Target(documents.pickles, poses, (".pkl",)),
    "mpii_lsp": Target(documents.images, keypoints, (".mat",)),
    "bvh": Target(documents.bvh, poses, (".bvh",)),
    "asf_amc": Target(documents.acclaim, poses, (".asf", ".amc")),
    "keypoints": Target(documents.keypoints, keypoints, (".json", ".npy", ".npz")),
    "safetensors": Target(documents.safetensors, weights, (".safetensors",)),
    "torch": Target(documents.torch_files, weights, (".pth", ".pt", ".tar", ".ckpt", ".bin")),
    "onnx": Target(documents.onnx, estimator, (".onnx",)),
    "toml": Target(toml, settings, (".toml",)),
    "run": Target(runs, read_run),
}

#: Every suffix that the program reads; the demo is no file.
READ = {suffix for suffix in (*READERS, *KEYPOINT_SUFFIXES, *WEIGHTS, ".onnx", ".toml") if suffix.startswith(".")}
