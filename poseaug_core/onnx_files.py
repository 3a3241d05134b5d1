"""Estimators as ONNX files: written from a network and checked against it, and run as one."""

from __future__ import annotations

import io
import json
import logging
import warnings
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from poseaug_core.errors import UserError
from poseaug_core.plain_text import of_library
from poseaug_core.skeleton import HUMAN16
from poseaug_core.storage import replacing

#: Of the ONNX standard: runtimes since 2023 know it.
OPSET = 18
#: Metres by which a written file may answer otherwise than its network.
TOLERANCE = 1e-4
#: Poses of a file whose batch is fixed.
LARGEST_BATCH = 1 << 16
ABOUT = {
    "input": "uv (batch, 16, 2): u = 2 px / width - 1, v = 2 py / width - height / width",
    "output": "xyz (batch, 16, 3) metres, x right, y down, z forward; subtract joint 0 for root-relative",
    "joints": json.dumps(HUMAN16.names),
}


class OnnxEstimator(nn.Module):
    """An ONNX file run by onnxruntime on the CPU, in the place of an estimator in evaluation mode.

    Files with a fixed batch are run piece by piece, the last one filled up. Raises UserError for a file that cannot
    be run or does not map (batch, 16, 2) to (batch, 16, 3).
    """

    def __init__(self, path: str | Path):
        super().__init__()
        try:
            import onnxruntime
        except ImportError as error:
            raise _missing("Running", error) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4
        if not Path(path).is_file():
            raise UserError(f"{path} does not exist; name an ONNX file.")
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            #: What its maker wrote into it.
            self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
            inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
            given = ", ".join(f"{one.name} {one.shape}" for one in inputs)[:200]
            known = len(inputs) == 1 and inputs[0].type == "tensor(float)" and inputs[0].shape[1:] == [16, 2]
            batch, output = inputs[0].shape[0], outputs[0].name
        except Exception as error:  # onnxruntime's own kinds have no public base class
            raise UserError(f"{path} cannot be run as ONNX ({of_library(error)}); export it again.") from error
        self.path = str(path)
        if not known:
            raise UserError(f"{path} takes {given}, but an estimator takes uv (batch, 16, 2) alone; name another file.")
        if isinstance(batch, int) and not 1 <= batch <= LARGEST_BATCH:
            raise UserError(
                f"{path} takes {batch:,} poses at a time, at most {LARGEST_BATCH:,} can be; export it again."
            )
        self.input, self.output = inputs[0].name, output
        self.batch = batch if isinstance(batch, int) else None

    def forward(self, uv: Tensor, generator: Generator | None = None) -> Tensor:
        rows = uv.detach().float().cpu().numpy()
        size = self.batch or max(len(rows), 1)
        answers = []
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            full = np.concatenate((part, np.repeat(part[:1], size - len(part), axis=0)))
            answers.append(self._run(full)[: len(part)])
        return torch.from_numpy(np.concatenate(answers)).to(uv.device)

    def _run(self, uv: np.ndarray) -> np.ndarray:
        try:
            xyz = self.session.run([self.output], {self.input: uv})[0]
        except Exception as error:
            raise UserError(f"{self.path} fails in onnxruntime ({of_library(error)}); export it again.") from error
        if not isinstance(xyz, np.ndarray) or xyz.dtype.kind != "f" or xyz.shape != (len(uv), 16, 3):
            found = getattr(xyz, "shape", type(xyz).__name__)
            raise UserError(f"{self.path} answers with {found}, not with {(len(uv), 16, 3)}; name another file.")
        return xyz


def write_onnx(network: nn.Module, path: str | Path, name: str) -> float | None:
    """Write a network as ONNX, whole or not at all: input uv, output xyz, any batch; its mode is restored.

    name: of the estimator, for the file's metadata. The greatest difference to the network in metres, by onnxruntime
    on random poses, None where that is not installed. Raises UserError.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  torch's exporter runs on it
    except ImportError as error:
        raise _missing("Writing", error) from error
    training, device = network.training, next(network.parameters()).device
    network.eval().to("cpu")
    try:
        program = _translated(network, name)
        program.model.metadata_props.update({**ABOUT, "estimator": name})
        for node in program.model.graph:
            node.metadata_props.clear()  # traces with the paths of this machine
        size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
        with replacing(path, size) as part, _quiet():
            program.save(str(part), external_data=False)
            onnx.checker.check_model(str(part))
            return _difference(network, part, name) if find_spec("onnxruntime") else None
    finally:
        network.train(training).to(device)


def _translated(network: nn.Module, name: str):
    batch = torch.export.Dim("batch")
    try:
        with _quiet():
            return torch.onnx.export(
                network, (torch.zeros(2, 16, 2),), dynamo=True, verbose=False, opset_version=OPSET,
                input_names=["uv"], output_names=["xyz"], dynamic_shapes=({0: batch},),
            )  # fmt: skip
    except Exception as error:  # whatever a network of the user's own does that ONNX has no words for
        raise UserError(f"{name} cannot be put in ONNX ({of_library(error)}); write .safetensors instead.") from error


def _difference(network: nn.Module, path: Path, name: str) -> float:
    written, generator, apart = OnnxEstimator(path), torch.Generator().manual_seed(0), 0.0
    with torch.no_grad():
        for batch in (1, 7):
            uv = torch.empty(batch, 16, 2).uniform_(-0.8, 0.8, generator=generator)
            apart = max(apart, (written(uv) - network(uv)).abs().max().item())
    if not apart <= TOLERANCE:
        raise UserError(
            f"{name} as ONNX answers up to {apart:.2g} m from the network itself, the limit is {TOLERANCE:g}; "
            "write it as .safetensors."
        )
    return apart


@contextmanager
def _quiet():
    """Without the exporter's talk, on stdout (where JSON may go), in logs and warnings."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _missing(what: str, error: ImportError) -> UserError:
    return UserError(
        f"{what} ONNX files needs the package {error.name}, which is not here; pip install 'poseaug-studio[onnx]' "
        "brings it."
    )


