"""Small good files of every kind that is read, made by code, each with what of it can be spoiled and how."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors.torch import save_file
from scipy.io import loadmat, savemat

from benchmarks.fuzz.mutations import spoiled_bytes, spoiled_text, spoiled_tree
from poseaug_core.estimators import make_estimator
from poseaug_core.motion.demo import demo_set
from tests.core import made_datasets as made
from tests.core.acclaim_people import write_person
from tests.core.bvh_people import bvh_text
from tests.core.detectors import annotations, detected, mmpose_instances, openpose_frame, results


@dataclass
class Part:
    """A file of a document. tree and dump: what it holds and how that becomes bytes, where that is known."""

    path: Path
    data: bytes
    text: bool = False
    tree: Any = None
    dump: Callable[[Any], bytes] | None = None

    def spoiled(self, rng: np.random.Generator) -> bytes:
        if self.dump is not None and rng.random() < 0.7:
            try:
                return self.dump(spoiled_tree(self.tree, rng))
            except Exception:  # what the format cannot hold
                pass
        if self.text and rng.random() < 0.7:
            return spoiled_text(self.data, rng)
        return spoiled_bytes(self.data, rng)


@dataclass
class Document:
    """named: what is given to the reader, a file or a folder; options: what follows the question mark."""

    named: Path
    parts: list[Part] = field(default_factory=list)
    options: str = ""

    @classmethod
    def of(cls, named: Path, *spoilt: Path, text: bool = False, options: str = "") -> Document:
        """Of files that are there; spoilt: of which, the named one by default."""
        return cls(named, [Part(path, path.read_bytes(), text) for path in spoilt or (named,)], options)

    @classmethod
    def tree(
        cls, named: Path, tree: Any, dump: Callable[[Any], bytes], text: bool = False, options: str = ""
    ) -> Document:
        named.parent.mkdir(parents=True, exist_ok=True)
        named.write_bytes(data := dump(tree))
        return cls(named, [Part(named, data, text, tree, dump)], options)


def npz(tree: dict) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{str(key): value for key, value in tree.items()})
    return stream.getvalue()


def hdf5(tree: dict, **how) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", **how) as file:
        for key, value in tree.items():
            text = isinstance(value, list) and all(isinstance(one, str) for one in value)
            packed = {"compression": "gzip", "chunks": True} if key == "pose2d" and getattr(value, "size", 0) else {}
            file.create_dataset(key, data=value, **({"dtype": h5py.string_dtype()} if text else packed))
    return stream.getvalue()


def text_json(tree: Any) -> bytes:
    plain = lambda value: value.tolist() if isinstance(value, np.ndarray) else str(value)  # noqa: E731
    return json.dumps(tree, default=plain).encode("utf-8", "surrogatepass")


def npy(tree: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, tree)
    return stream.getvalue()


def matlab(tree: Any) -> bytes:
    stream = io.BytesIO()
    savemat(stream, tree, do_compression=True)
    return stream.getvalue()


def torch_file(tree: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(_tensors(tree), stream)
    return stream.getvalue()


def _tensors(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _tensors(value) for key, value in tree.items()}
    return torch.from_numpy(np.array(tree, order="C")) if isinstance(tree, np.ndarray) else tree


def columns() -> dict[str, Any]:
    poses = demo_set("source_test", seed=0, size=0.05).take(slice(0, 60))
    tags = {key: poses.tag[:, i].numpy() for i, key in enumerate(("subject", "clip", "frame", "view"))}
    texts = {"clips": list(poses.clips), "notes": ["a note"]}
    return {"pose3d": poses.xyz.numpy(), "pose2d": poses.uv.numpy(), "cam": poses.camera.numpy(), **tags, **texts}


def arrays(folder: Path) -> list[Document]:
    tree = columns()
    return [
        Document.tree(folder / "a.npz", tree, npz),
        Document.tree(folder / "a.h5", tree, hdf5),
        Document.tree(folder / "b.h5", tree, lambda tree: hdf5(tree, libver="latest")),
    ]


def human36m(folder: Path) -> list[Document]:
    solid = made.h36m(folder, ("S1", "S9"), ("Walking", "Sitting"), frames=4)
    flat = made.h36m_detections(solid, "cpn_ft_h36m_dbb")
    found = []
    for path, options in ((solid, ""), (flat, "?keypoints=cpn")):
        tree = {key: value.item() for key, value in np.load(path, allow_pickle=True).items()}
        document = Document.tree(path, tree, npz, options=options)
        found.append(Document(solid, document.parts, options))
    return found


def dhp(folder: Path) -> list[Document]:
    home = made.dhp_official(folder, (1,), frames=5)
    path = home / "TS1" / "annot_data.mat"
    with h5py.File(path) as file:
        tree = {key: file[key][()] for key in file}
    return [Document.tree(path, tree, lambda tree: hdf5(tree, userblock_size=512))]


def extractions(folder: Path) -> list[Document]:
    paths = made.spin_dhp(folder, 3), made.test_3dhp(folder), made.spin_pw3d(folder)
    return [Document.tree(path, dict(np.load(path, allow_pickle=True)), npz) for path in paths]


def pickles(folder: Path) -> list[Document]:
    home = made.pw3d(folder)
    path = next(home.rglob("downtown*.pkl"))
    tree = pickle.loads(path.read_bytes(), encoding="latin-1")
    other = path.with_name("protocol4.pkl")
    return [
        Document.tree(path, tree, made.pickled2),
        Document.tree(other, tree, lambda tree: pickle.dumps(tree, protocol=4)),
    ]


def images(folder: Path) -> list[Document]:
    mpii, lsp = made.mpii(folder), made.lsp(folder)
    tree = {"joints": loadmat(lsp)["joints"]}
    return [Document.of(mpii), Document.of(lsp), Document.tree(folder / "plain.mat", tree, matlab)]


def bvh(folder: Path) -> list[Document]:
    found = []
    for scheme in ("motionbuilder", "bandai"):
        path = folder / f"{scheme}.bvh"
        path.write_text(bvh_text(scheme, frames=5)[0])
        found.append(Document.of(path, text=True))
    return found


def acclaim(folder: Path) -> list[Document]:
    motion = write_person(folder, frames=6)[0]
    trials = motion.with_name("trials.toml")
    trials.write_text('[07_01]\nfps = 60\ntext = "walk"\n')
    skeleton = motion.with_name("07.asf")
    return [Document.of(motion, path, text=True) for path in (motion, motion, skeleton, skeleton, trials)]


def keypoints(folder: Path) -> list[Document]:
    people = detected(made.flat_people(6), "coco17")
    frames = folder / "frames"
    frames.mkdir()
    openpose = detected(made.flat_people(6), "openpose25")
    for number, one in enumerate(openpose):
        (frames / f"video_{number:012d}_keypoints.json").write_bytes(text_json(openpose_frame(one[None])))
    first = Document.tree(frames / "video_000000000000_keypoints.json", openpose_frame(openpose[:1]), text_json, True)
    alpha = [{**one, "image_id": f"{i}.jpg", "idx": 1} for i, one in enumerate(results(people))]
    sized = {"keypoints": people, "width": 640, "height": 480, "images": np.array([f"{i}.jpg" for i in range(6)])}
    mmpose = [{"frame_id": i, "instances": mmpose_instances(one[None])} for i, one in enumerate(people)]
    size = "?width=640&height=480"
    return [
        Document.tree(folder / "results.json", results(people), text_json, True, size),
        Document.tree(folder / "annotations.json", annotations(people), text_json, True),
        Document.tree(folder / "alpha.json", alpha, text_json, True),
        Document.tree(folder / "mmpose.json", {"instance_info": mmpose}, text_json, True, size),
        Document(frames, first.parts, size),
        Document.tree(folder / "a.npz", sized, npz),
        Document.tree(folder / "a.npy", people, npy, options=size),
    ]  # fmt: skip


def _state(name: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return make_estimator(name, 16).state_dict()


def safetensors(folder: Path) -> list[Document]:
    def dump(tree: dict) -> bytes:
        path = folder / "part"
        save_file(_tensors(tree["tensors"]), path, {"meta": json.dumps(tree["meta"])})
        return path.read_bytes()

    found = []
    for name in ("simple_baseline", "semgcn"):
        tensors = {f"estimator.{key}": value.numpy() for key, value in _state(name).items()}
        tree = {"tensors": tensors, "meta": {"step": 3, "estimator": {"name": name, "width": 16}}}
        found.append(Document.tree(folder / f"{name}.safetensors", tree, dump))
    return found


def torch_files(folder: Path) -> list[Document]:
    state = {key: value.numpy() for key, value in _state("simple_baseline").items()}
    tree = {"model_pos": state, "epoch": 3, "error": 43.2, "optimizer": {"lr": 1e-3}}
    old = folder / "old.pth"
    torch.save({"state_dict": _state("semgcn")}, old, _use_new_zipfile_serialization=False)
    return [Document.tree(folder / "ckpt.pth.tar", tree, torch_file), Document.of(old)]


def onnx(folder: Path) -> list[Document]:
    from poseaug_core.onnx_files import write_onnx

    network = make_estimator("simple_baseline", 8)
    write_onnx(network, folder / "net.onnx", "simple_baseline")
    return [Document.of(folder / "net.onnx")]
