"""The training step: one update of augmentor, discriminators or estimator on a batch, nothing else.

No host copy and no ``.item()`` here: what is logged goes into a Meter as device tensors.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from poseaug_core import losses
from poseaug_core.adam import Adam
from poseaug_core.augmentor import Augmented
from poseaug_core.config import Config
from poseaug_core.dials import Dials
from poseaug_core.history_pool import HistoryPool
from poseaug_core.layers import frozen, kept_statistics
from poseaug_core.meter import Meter
from poseaug_core.networks import Networks
from poseaug_core.products import rounded


class Updates:
    """The updates and the optimisers, pools and generator they draw on.

    generator: every random number of a step comes from it. Nothing of a step goes to or comes from the host, and every
    tensor that lasts stays in its place, so that a step can be recorded on a GPU (capture.py).
    """

    def __init__(self, config: Config, networks: Networks, generator: Generator, device: torch.device):
        self.config, self.networks, self.generator, self.device = config, networks, generator, device
        self.optimisers = {name: Adam(network.parameters()) for name, network in networks.named().items()}
        self.pool3d = HistoryPool(config.pool_size, 16, 3, device=device)
        self.pool2d = HistoryPool(config.pool_size, 16, 2, device=device)
        self.meter = Meter(device)

    def restart_estimator_optimiser(self) -> None:
        """A new Adam for the estimator, as PoseAug starts after pre-training."""
        self.optimisers["estimator"].restart()

    def forget(self) -> None:
        """Drop the gradients and notes of an update that broke off."""
        self.meter.forget()
        for network in self.networks.named().values():
            network.zero_grad(set_to_none=True)

    @property
    def pools_full(self) -> bool:
        """Of the discriminators that there are."""
        pools = {"d3d": self.pool3d, "d2d": self.pool2d}
        return all(pool.full for name, pool in pools.items() if name in self.networks.named())

    def augmentor(
        self,
        rows: Int[Tensor, " b"],
        xyz: Float[Tensor, "b 16 3"],
        uv: Float[Tensor, "b 16 2"],
        camera: Float[Tensor, "b 9"],
        controls: Dials,
        feedback: bool,
    ) -> Augmented:
        """Augment a batch, the source's ``rows``, and update the augmentor if it is one that learns (Eq. 9-12).

        The augmented batch, detached, of before the update.
        """
        augmentor = self.networks.augmentor
        operations = (controls.apply_ba, controls.apply_bl, controls.apply_rt)
        learn = controls.learn_augmentor and any(operations) and isinstance(augmentor, nn.Module)
        with nullcontext() if learn else torch.no_grad():
            made = augmentor(xyz, camera, augmentor.draw(rows, self.generator), *operations)
        if learn:
            terms = self._adversarial(made, controls) | self._regulariser(made, controls)
            if feedback and controls.feedback:
                terms |= self._feedback(xyz, uv, made, controls)
            total = torch.stack(list(terms.values())).sum()
            if total.requires_grad:  # not where no term asks anything of the operations that are on
                self._descend("augmentor", total, controls.lr_augmentor)
            for name, value in (terms | {"augmentor": total}).items():
                self.meter.add(f"loss/{name}", value)
        return Augmented(**{name: value.detach() for name, value in vars(made).items()})

    def _adversarial(self, made: Augmented, controls: Dials) -> dict[str, Tensor]:
        """Eq. 12 from the augmentor's side, for the discriminators that there are."""
        scale = losses.GAN_SCALE[self.config.gan_scale]
        judged = {"d3d": (made.ba, "adversarial3d"), "d2d": (made.uv_rt, "adversarial2d")}
        terms = {}
        for name, (fake, term) in judged.items():
            if (network := self.networks.named().get(name)) is not None:
                with frozen(network):
                    loss = losses.adversarial_loss(network(fake), scale)
                terms[term] = getattr(controls, f"weight_{term}") * loss
        return terms

    def _regulariser(self, made: Augmented, controls: Dials) -> dict[str, Tensor]:
        """Eq. 10, released or as printed."""
        if self.config.regulariser == "range":
            angle = losses.angle_range_loss(made.angle_change, controls.range_mean, controls.range_width)
            length = losses.length_limit_loss(made.length_ratio, controls.length_limit)
        else:
            angle = losses.rectified_loss(made.angle_residual, controls.threshold_ba)
            length = losses.rectified_loss(made.length_ratio, controls.threshold_bl)
        return {"range_ba": controls.weight_range * angle, "limit_bl": controls.weight_limit * length}

    def _feedback(self, xyz: Tensor, uv: Tensor, made: Augmented, controls: Dials) -> dict[str, Tensor]:
        """Eq. 9, released (hardness of BA and of RT poses kept near beta) or as printed (of RT poses alone).

        Two thirds of the step's arithmetic. The estimator is in train mode with its weights frozen.
        """
        ratio_form = self.config.feedback_form == "ratio"
        # Not of an operation that is off; the printed form is of what comes out in the end, whatever is on.
        pairs = {"ba": (made.uv_ba, made.ba)} if ratio_form and controls.apply_ba else {}
        pairs |= {"rt": (made.uv_rt, made.rt)} if controls.apply_rt or not ratio_form else {}
        estimator = self.networks.estimator
        kept = kept_statistics(estimator) if self.config.feedback_statistics == "kept" else nullcontext()
        with frozen(estimator), kept:
            with torch.no_grad():
                original = self._estimate(uv), xyz - xyz[:, :1]
            answers = {name: (self._estimate(uv), xyz - xyz[:, :1]) for name, (uv, xyz) in pairs.items()}
        easy = losses.grouped_error(*original)
        ratios = {name: losses.hardness(losses.grouped_error(*answer), easy) for name, answer in answers.items()}
        for name, ratio in ratios.items():
            self.meter.add(f"hardness/{name}", ratio.detach().median())
        if ratio_form:
            return {f"feedback_{name}": _hardness_term(name, ratio, controls) for name, ratio in ratios.items()}
        harder, easier = (losses.square_error(*answer, controls.loss_unit) for answer in (answers["rt"], original))
        loss = losses.relative_hardness_loss(harder, easier, controls.beta).mean()
        return {"feedback": controls.weight_feedback * loss}

    def discriminators(self, xyz: Tensor, uv: Tensor, made: Augmented, controls: Dials) -> None:
        """Update the discriminators that there are, on real (b, 16, 3) and (b, 16, 2) against pooled augmented poses
        (Eq. 12)."""
        pairs = {"d3d": (xyz, made.ba, self.pool3d), "d2d": (uv, made.uv_rt, self.pool2d)}
        for name, (real, fake, pool) in pairs.items():
            if (network := self.networks.named().get(name)) is None:
                continue
            past = pool.exchange(fake, self.generator)
            scores = network(torch.cat((real, past)))
            real_score, fake_score = scores[: len(real)], scores[len(real) :]
            loss = losses.discriminator_loss(real_score, fake_score, losses.GAN_SCALE[self.config.gan_scale])
            self._descend(name, loss, controls.lr_discriminator)
            self.meter.add(f"loss/{name}", loss)
            self.meter.add(f"accuracy/{name}_real", (real_score.detach() > 0.5).float().mean())
            self.meter.add(f"accuracy/{name}_fake", (fake_score.detach() < 0.5).float().mean())

    def estimator(self, uv: Float[Tensor, "b 16 2"], xyz: Float[Tensor, "b 16 3"], controls: Dials, name: str) -> None:
        """Update the estimator on pairs (Eq. 8); name is the loss's in the log."""
        loss = losses.pose_loss(self._estimate(uv), xyz - xyz[:, :1])
        self._descend("estimator", loss, controls.lr_estimator)
        self.meter.add(f"loss/{name}", loss)

    def _estimate(self, uv: Tensor) -> Tensor:
        mixed = self.config.precision == "bfloat16"
        rounds = rounded(self.config.precision == "tf32")
        with rounds, torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            return self.networks.estimator(uv, self.generator).float()

    def _descend(self, name: str, loss: Tensor, lr: float) -> None:
        loss.backward()
        self.optimisers[name].update(lr, self.config.gradient_clip)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, optimisers, pools, sums and the generator as tensors, and the counts that go with them."""
        tensors: dict[str, Tensor] = {"generator": self.generator.get_state(), **self.learned()}
        tensors |= {"pool3d": self.pool3d.poses, "pool2d": self.pool2d.poses}
        sums, counts = self.meter.state()
        tensors |= {f"meter.{name}": value.clone() for name, value in sums.items()}
        return tensors, {"pools": [self.pool3d.filled, self.pool2d.filled], "meter": counts}

    def learned(self) -> dict[str, Tensor]:
        """What the networks and their optimisers hold, by name."""
        tensors: dict[str, Tensor] = {}
        for name, network in self.networks.named().items():
            tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
            tensors |= {f"optimiser.{name}.{key}": value for key, value in self.optimisers[name].state().items()}
        return tensors

    def load_state(self, tensors: dict[str, Tensor], counts: dict[str, Any]) -> None:
        for name, network in self.networks.named().items():
            network.load_state_dict(under(tensors, name))
            self.optimisers[name].load_state(under(tensors, f"optimiser.{name}"))
        self.generator.set_state(tensors["generator"].cpu())
        for name, filled in zip(("pool3d", "pool2d"), counts["pools"], strict=True):
            getattr(self, name).load(tensors[name], filled)
        self.meter.load_state(under(tensors, "meter"), counts["meter"])


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with 'prefix.', by the rest of their names."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + ".")}


def _hardness_term(name: str, ratio: Tensor, controls: Dials) -> Tensor:
    beta, tolerance = getattr(controls, f"beta_{name}"), getattr(controls, f"tolerance_{name}")
    return getattr(controls, f"weight_feedback_{name}") * losses.hardness_loss(ratio, beta, tolerance)
