"""observe: what the networks make of the probe, as a Snapshot. Pure: it changes nothing and draws nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseaug_core.controls import Controls
from poseaug_core.geometry import project
from poseaug_core.layers import kept_statistics
from poseaug_core.losses import grouped_error, hardness
from poseaug_core.metrics import joint_errors
from poseaug_core.networks import Networks
from poseaug_core.poses import Poses
from poseaug_core.schedule import Position
from poseaug_core.snapshot import Snapshot
from poseaug_core.viewpoint import view_point


@dataclass(frozen=True)
class Probe:
    """The poses a run is watched by, with fixed noise (4, m, 48); the first ``size`` are followed in full."""

    poses: Poses
    noise: Tensor
    size: int

    @classmethod
    def choose(cls, source: Poses, networks: Networks, size: int, crowd: int, seed: int, device: torch.device) -> Probe:
        """Rows spread evenly over the source, those followed in full spread evenly as well."""
        rows = source.spread(max(crowd, size))
        size = min(size, len(rows))
        first = torch.linspace(0, len(rows) - 1, size).round().long()
        rest = torch.ones(len(rows), dtype=torch.bool)
        rest[first] = False
        generator = torch.Generator(device).manual_seed(seed)
        chosen = torch.cat((rows[first], rows[rest]))
        poses = source.take(chosen.to(source.xyz.device)).to(device)
        return cls(poses, networks.augmentor.draw(chosen.to(device), generator), size)


@torch.no_grad()
def observe(
    networks: Networks, probe: Probe, controls: Controls, position: Position, scalars: dict[str, float]
) -> Snapshot:
    """The Snapshot of this moment. The augmentor normalises by the probe's batch, as in training; the estimator
    answers in evaluation mode, as its user would run it."""
    poses, n = probe.poses, probe.size
    xyz, uv, camera = poses.xyz, poses.uv, poses.camera
    with kept_statistics(*networks.named().values()):
        made = networks.augmentor(xyz, camera, probe.noise, controls.apply_ba, controls.apply_bl, controls.apply_rt)
    estimator = networks.estimator
    training = estimator.training
    estimator.eval()
    answers = estimator(torch.cat((uv, made.uv_ba, made.uv_rt))).chunk(3)
    estimator.train(training)
    truths = [pose - pose[:, :1] for pose in (xyz, made.ba, made.rt)]
    groups = [grouped_error(answer, truth) for answer, truth in zip(answers, truths, strict=True)]
    arrays = {
        "xyz": torch.stack((xyz[:n], made.ba[:n], made.bl[:n], made.rt[:n])),
        "uv": torch.stack((uv[:n], made.uv_ba[:n], project(made.bl[:n], camera[:n]), made.uv_rt[:n])),
        "camera": camera[:n],
        "prediction": torch.stack((answers[0][:n], answers[2][:n])),
        "angle_change": made.angle_change,
        "length_ratio": made.length_ratio,
        "axis_angle": made.axis_angle,
        "translation": made.translation,
        "view_point": torch.stack((view_point(xyz), view_point(made.rt))),
        "position": torch.stack((xyz[:, 0], made.rt[:, 0])),
        "scores3d": _scores(networks.d3d, xyz, made.ba),
        "scores2d": _scores(networks.d2d, uv, made.uv_rt).squeeze(-1),
        "error": torch.stack([joint_errors(a, t).mean(1) for a, t in zip(answers, truths, strict=True)]),
        "hardness": torch.stack([hardness(group, groups[0]) for group in groups[1:]]),
    }
    return Snapshot(
        step=position.step,
        phase=position.phase,
        epoch=position.epoch,
        scalars=scalars,
        controls={name: float(value) for name, value in dataclasses.asdict(controls).items()},
        **_to_host(arrays),
    )


def _scores(discriminator: nn.Module | None, original: Tensor, made: Tensor) -> Float[Tensor, "2 m p"]:
    """The discriminator's scores; where there is none, no parts in 3D and NaN in 2D."""
    if discriminator is not None:
        return torch.stack(discriminator(torch.cat((original, made))).chunk(2))
    return original.new_full((2, len(original), 0 if original.shape[-1] == 3 else 1), torch.nan)


def _to_host(arrays: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Read-only float32 arrays, brought from the device in one piece: each copy would wait for the device anew."""
    flat = torch.cat([tensor.float().flatten() for tensor in arrays.values()]).cpu().numpy()
    flat.flags.writeable = False
    ends = np.cumsum([tensor.numel() for tensor in arrays.values()])
    parts = np.split(flat, ends[:-1])
    return {name: part.reshape(arrays[name].shape) for name, part in zip(arrays, parts, strict=True)}
