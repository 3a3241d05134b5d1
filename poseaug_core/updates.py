"""The training step: one update of augmentor, discriminators or estimator on a batch, nothing else.

No host copy and no ``.item()`` here: what is logged goes into a Meter as device tensors.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from poseaug_core import losses
from poseaug_core.adam import Adam
from poseaug_core.augmentor import Augmented, Augmentor
from poseaug_core.config import Config
from poseaug_core.controls import Controls
from poseaug_core.discriminators import HistoryPool, PartKCS, Pose2D
from poseaug_core.estimators import make_estimator
from poseaug_core.estimators.layers import frozen, kept_statistics


@dataclass(frozen=True)
class Networks:
    """Everything that learns."""

    augmentor: Augmentor
    d3d: PartKCS
    d2d: Pose2D
    estimator: nn.Module

    @classmethod
    def make(cls, config: Config, device: torch.device) -> Networks:
        """New networks from config.seed; torch's global generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            estimator = make_estimator(config.estimator, config.estimator_width)
            made = cls(Augmentor(config.fix_trunk), PartKCS(), Pose2D(), estimator)
        for network in made.named().values():
            network.to(device).train()
        return made

    def named(self) -> dict[str, nn.Module]:
        return {"augmentor": self.augmentor, "d3d": self.d3d, "d2d": self.d2d, "estimator": self.estimator}


class Meter:
    """Sums of scalars on the device, read (a host copy) only when somebody records them."""

    def __init__(self):
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor) -> None:
        value = value.detach()
        self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
        self.counts[name] = self.counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """Means since the last reading, and start anew."""
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


class Updates:
    """The updates and the optimisers, pools and generator they draw on.

    generator: every random number of a step comes from it. controls are passed resolved (no None).
    """

    def __init__(self, config: Config, networks: Networks, generator: Generator, device: torch.device):
        self.config, self.networks, self.generator, self.device = config, networks, generator, device
        self.optimisers = {name: Adam(network.parameters()) for name, network in networks.named().items()}
        self.pool3d = HistoryPool(config.pool_size, 16, 3, device=device)
        self.pool2d = HistoryPool(config.pool_size, 16, 2, device=device)
        self.meter = Meter()

    def restart_estimator_optimiser(self) -> None:
        """A new Adam for the estimator, as PoseAug starts after pre-training."""
        self.optimisers["estimator"] = Adam(self.networks.estimator.parameters())

    def augmentor(
        self,
        xyz: Float[Tensor, "b 16 3"],
        uv: Float[Tensor, "b 16 2"],
        camera: Float[Tensor, "b 9"],
        controls: Controls,
        feedback: bool,
    ) -> Augmented:
        """Augment a batch and update the augmentor (Eq. 9-12); the augmented batch, detached, of before the update."""
        augmentor, d3d, d2d = self.networks.augmentor, self.networks.d3d, self.networks.d2d
        operations = (controls.apply_ba, controls.apply_bl, controls.apply_rt)
        learn = controls.learn_augmentor and any(operations)
        with nullcontext() if learn else torch.no_grad():
            made = augmentor(xyz, camera, augmentor.draw(len(xyz), self.generator), *operations)
        if learn:
            with frozen(d3d, d2d):
                terms = {
                    "adversarial3d": controls.weight_adversarial3d * losses.adversarial_loss(d3d(made.ba)),
                    "adversarial2d": controls.weight_adversarial2d * losses.adversarial_loss(d2d(made.uv_rt)),
                }
            terms["range_ba"] = controls.weight_range * losses.angle_range_loss(
                made.angle_change, controls.range_mean, controls.range_width
            )
            terms["limit_bl"] = controls.weight_limit * losses.length_limit_loss(
                made.length_ratio, controls.length_limit
            )
            if feedback and controls.feedback:
                terms |= self._feedback(xyz, uv, made, controls)
            total = torch.stack(list(terms.values())).sum()
            self._descend("augmentor", total, controls.lr_augmentor)
            for name, value in (terms | {"augmentor": total}).items():
                self.meter.add(f"loss/{name}", value)
        return Augmented(**{name: value.detach() for name, value in vars(made).items()})

    def _feedback(self, xyz: Tensor, uv: Tensor, made: Augmented, controls: Controls) -> dict[str, Tensor]:
        """Hardness of BA and RT poses against the original, kept near beta (released Eq. 9).

        Two thirds of the step's arithmetic. The estimator is in train mode with its weights frozen.
        """

        def error(uv: Tensor, xyz: Tensor) -> Tensor:
            return losses.grouped_error(self._estimate(uv), xyz - xyz[:, :1])

        estimator = self.networks.estimator
        kept = kept_statistics(estimator) if self.config.feedback_statistics == "kept" else nullcontext()
        with frozen(estimator), kept:
            with torch.no_grad():
                original = error(uv, xyz)
            terms = {}
            for name, pair in (("ba", (made.uv_ba, made.ba)), ("rt", (made.uv_rt, made.rt))):
                ratio = losses.hardness(error(*pair), original)
                beta, tolerance = getattr(controls, f"beta_{name}"), getattr(controls, f"tolerance_{name}")
                weight = getattr(controls, f"weight_feedback_{name}")
                terms[f"feedback_{name}"] = weight * losses.hardness_loss(ratio, beta, tolerance)
                self.meter.add(f"hardness/{name}", ratio.detach().median())
        return terms

    def discriminators(self, xyz: Tensor, uv: Tensor, made: Augmented, controls: Controls) -> None:
        """Update both discriminators on real (b, 16, 3) and (b, 16, 2) against pooled augmented poses (Eq. 12)."""
        pairs = {"d3d": (xyz, made.ba, self.pool3d), "d2d": (uv, made.uv_rt, self.pool2d)}
        for name, (real, fake, pool) in pairs.items():
            network = self.networks.named()[name]
            past = pool.exchange(fake, self.generator)
            scores = network(torch.cat((real, past)))
            real_score, fake_score = scores[: len(real)], scores[len(real) :]
            loss = losses.discriminator_loss(real_score, fake_score)
            self._descend(name, loss, controls.lr_discriminator)
            self.meter.add(f"loss/{name}", loss)
            self.meter.add(f"accuracy/{name}_real", (real_score.detach() > 0.5).float().mean())
            self.meter.add(f"accuracy/{name}_fake", (fake_score.detach() < 0.5).float().mean())

    def estimator(
        self, uv: Float[Tensor, "b 16 2"], xyz: Float[Tensor, "b 16 3"], controls: Controls, name: str
    ) -> None:
        """Update the estimator on pairs (Eq. 8); name is the loss's in the log."""
        loss = losses.pose_loss(self._estimate(uv), xyz - xyz[:, :1])
        self._descend("estimator", loss, controls.lr_estimator)
        self.meter.add(f"loss/{name}", loss)

    def _estimate(self, uv: Tensor) -> Tensor:
        mixed = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            return self.networks.estimator(uv, self.generator).float()

    def _descend(self, name: str, loss: Tensor, lr: float) -> None:
        loss.backward()
        self.optimisers[name].update(lr, self.config.gradient_clip)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, optimisers, pools, sums and the generator as tensors, and the counts that go with them."""
        tensors: dict[str, Tensor] = {"generator": self.generator.get_state()}
        for name, network in self.networks.named().items():
            tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
            tensors |= {f"optimiser.{name}.{key}": value for key, value in self.optimisers[name].state().items()}
        tensors |= {"pool3d": self.pool3d.poses, "pool2d": self.pool2d.poses}
        tensors |= {f"meter.{name}": value for name, value in self.meter.sums.items()}
        return tensors, {"pools": [self.pool3d.filled, self.pool2d.filled], "meter": self.meter.counts}

    def load_state(self, tensors: dict[str, Tensor], counts: dict[str, Any]) -> None:
        for name, network in self.networks.named().items():
            network.load_state_dict(under(tensors, name))
            self.optimisers[name].load_state(under(tensors, f"optimiser.{name}"))
        self.generator.set_state(tensors["generator"].cpu())
        for name, filled in zip(("pool3d", "pool2d"), counts["pools"], strict=True):
            pool = getattr(self, name)
            pool.poses, pool.filled = tensors[name].to(self.device).clone(), filled
        self.meter.sums = {name: value.to(self.device) for name, value in under(tensors, "meter").items()}
        self.meter.counts = dict(counts["meter"])


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with 'prefix.', by the rest of their names."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + ".")}
