"""poseaug export estimator: a trained estimator alone, as .safetensors or ONNX."""

from __future__ import annotations

from pathlib import Path

import click

from poseaug_core.commands.terminal import json_option, out_option, own_estimator_option, print_json, tell
from poseaug_core.errors import UserError

SUFFIXES = (".safetensors", ".onnx")


@click.command()
@click.argument("run", metavar="RUN_OR_CHECKPOINT")
@out_option
@own_estimator_option
@json_option
def estimator(run, out, own, as_json) -> None:
    """Write the estimator alone: .safetensors, fit for evaluate and --estimator-weights, or .onnx for other programs.

    RUN_OR_CHECKPOINT: a run folder (its latest checkpoint), a .safetensors file or the authors' .pth.tar. An ONNX file
    maps uv (batch, 16, 2) to xyz (batch, 16, 3) metres for any batch; its metadata tell units and joints. Where
    onnxruntime is installed the file is checked against the network before it is kept.
    """
    from poseaug_core.checkpoints import write_checkpoint
    from poseaug_core.readers.spec import require_other_target
    from poseaug_core.trained import checkpoint_file, open_estimator

    suffix = Path(out).suffix
    if suffix not in SUFFIXES:
        raise UserError(f"{out}: cannot write {suffix or 'such'} files; end the name in {' or '.join(SUFFIXES)}.")
    require_other_target(out, checkpoint_file(run))
    trained = open_estimator(run, own)
    if trained.name == "onnx":
        raise UserError(f"{run} is ONNX already; name a run or a checkpoint, or copy the file.")
    result = {"written": str(out), **trained.kind}
    if suffix == ".onnx":
        from poseaug_core.onnx_files import OPSET, write_onnx

        result |= {"opset": OPSET, "largest_difference_m": write_onnx(trained.network, out, Path(trained.name).name)}
    else:
        tensors = {f"estimator.{name}": value for name, value in trained.network.state_dict().items()}
        write_checkpoint(Path(out), tensors, {"estimator": trained.kind})
    if as_json:
        print_json(result)
        return
    tell(f"Written: {out}")
    if suffix == ".onnx":
        apart = result["largest_difference_m"]
        checked = f"at most {apart:.1g} m from" if apart is not None else "not compared (no onnxruntime here) with"
        tell(f"ONNX opset {OPSET}; its answers are {checked} the network's.")
