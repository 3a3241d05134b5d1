"""A trained estimator, wherever it is: in a run folder, a checkpoint of this program or the authors', an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from poseaug_core.errors import UserError
from poseaug_core.estimators import make_estimator
from poseaug_core.estimators.checking import require_answers
from poseaug_core.weights import fill, read_weights


@dataclass(frozen=True)
class Trained:
    """network: in evaluation mode. name: of the estimator ('onnx' for an ONNX file). width: of its hidden layers, 0
    where only its maker knows. source: where it came from, as it was named."""

    network: nn.Module
    name: str
    width: int
    source: str

    @property
    def kind(self) -> dict[str, str | int]:
        """{'name', 'width'}, as checkpoints keep it."""
        return {"name": self.name, "width": self.width}


def open_estimator(source: str | Path, own: str = "", device: torch.device | str = "cpu") -> Trained:
    """The estimator in a run folder (its latest checkpoint), in a checkpoint that ``read_weights`` reads, or ONNX.

    own: the class FILE.py:CLASS that the user named for it, needed for estimators of the user's own. Raises UserError.
    """
    file = checkpoint_file(source)
    if file.suffix == ".onnx":
        from poseaug_core.onnx_files import OnnxEstimator

        network = OnnxEstimator(file).eval()
        require_answers(network, str(source))
        return Trained(network, "onnx", 0, str(source))
    weights, kind = read_weights(source if str(source).startswith("asset:") else file, own)
    network = make_estimator(kind["name"], kind["width"])
    fill(network, weights, kind, str(source), kind["name"])
    return Trained(network.eval().to(device), kind["name"], kind["width"], str(source))


def checkpoint_file(source: str | Path) -> Path:
    """The file itself, or a run folder's latest checkpoint. Raises UserError where there is none yet."""
    file = Path(source)
    if not file.is_dir():
        return file
    latest = file / "checkpoints" / "latest.safetensors"
    if not latest.is_file():
        raise UserError(f"{source} has no checkpoint yet; name the folder of a run that has trained, or a checkpoint.")
    return latest
