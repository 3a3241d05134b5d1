"""The loop of the released PoseAug code in our own words, to measure ours against: its structure, not its numbers.

What costs it time is all there: loaders made anew each epoch that collate pose by pose, every batch moved to the
device by itself, five discriminators on 15 x 15 matrices with zeros outside their part, estimator passes one by one
with gradients of its weights that nobody uses, nn.Dropout, pools on the host, an ``.item()`` for each scalar, clipping
and Adam parameter by parameter.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from poseaug_core.augmentor import rotate_translate, set_lengths, stretch_bones, turn_bones
from poseaug_core.geometry import project
from poseaug_core.losses import grouped_error, hardness_loss
from poseaug_core.poses import Poses
from poseaug_core.skeleton import HUMAN16

NOISE, HIDDEN, WIDTH, DROPOUT, POOL = 48, 256, 1024, 0.25, 4096


class Residual(nn.Module):
    """Two layers of an estimator, added to what comes in."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*_layer(WIDTH, WIDTH), *_layer(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(DROPOUT)]


def plain_estimator(name: str) -> nn.Module:
    """(b, 32) -> (b, 45): as many layers as 'simple_baseline' or 'vpose' have."""
    blocks = {"simple_baseline": 2, "vpose": 4}[name]
    return nn.Sequential(*_layer(32, WIDTH), *(Residual() for _ in range(blocks)), nn.Linear(WIDTH, 45))


def _generator(inputs: int, outputs: int) -> nn.Module:
    layers: list[nn.Module] = []
    for k in range(5):
        layers += [nn.Linear(HIDDEN if k else inputs, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers, nn.Linear(HIDDEN, outputs))


def _judge(inputs: int, hidden: int) -> nn.Module:
    sizes = (inputs, hidden, hidden, hidden, 100, 1)
    layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)]
    return nn.Sequential(*(part for layer in layers[:-1] for part in (layer, nn.LeakyReLU(0.01))), layers[-1])


class Pool:
    """Poses of past iterations, in the host's memory."""

    def __init__(self):
        self.poses, self.random = np.zeros((0, 0), np.float32), np.random.default_rng(0)

    def exchange(self, batch: Tensor) -> Tensor:
        new = batch.detach().cpu().numpy().reshape(len(batch), -1)
        if len(self.poses) < POOL:
            self.poses = np.concatenate((self.poses.reshape(-1, new.shape[1]), new))
            return batch.detach()
        swap = self.random.random(len(new)) < 0.5
        slots = self.random.permutation(len(self.poses))[: swap.sum()]
        past = new.copy()
        past[swap], self.poses[slots] = self.poses[slots], new[swap]
        return torch.from_numpy(past).view(batch.shape).to(batch.device)


class ReleasedLoop:
    """One training; ``epoch`` makes the loaders, then iterations are asked for one by one."""

    def __init__(self, poses: Poses, estimator: str, batch: int, device: torch.device):
        self.poses, self.batch, self.device = poses, batch, device
        torch.manual_seed(0)
        self.estimator = plain_estimator(estimator).to(device)
        pose = 48 + NOISE
        shapes = ((pose, 45), (pose + 15, 9), (pose, 3), (pose, 3))
        self.augmentor = nn.ModuleList(_generator(*shape) for shape in shapes).to(device)
        self.d3d = nn.ModuleList(_judge(225, HIDDEN) for _ in HUMAN16.parts).to(device)
        self.d2d = _judge(32, 100).to(device)
        self.masks = [self._mask(bones) for bones in HUMAN16.parts.values()]
        self.adam = {
            name: torch.optim.Adam(getattr(self, name).parameters(), 1e-4, foreach=False)
            for name in ("estimator", "augmentor", "d3d", "d2d")
        }
        self.pools, self.scalars, self.done = (Pool(), Pool()), {}, 0
        self.collected: list[tuple[Tensor, Tensor]] = []
        self.epoch()

    def _mask(self, bones: tuple[int, ...]) -> Tensor:
        mask = torch.zeros(15, 15, device=self.device)
        mask[np.ix_(bones, bones)] = 1
        return mask

    def epoch(self) -> None:
        """New loaders over poses with swapped bone lengths and over the real ones, as each epoch has."""
        templates = self.poses.bone_templates()
        swapped = set_lengths(self.poses.xyz, templates[torch.randint(len(templates), (len(self.poses),))])
        columns = (swapped, project(swapped, self.poses.camera), self.poses.camera)
        self.given = {"fake": 0, "judged": 0, "real": 0}
        self.fake, self.judged, self.real = (
            iter(DataLoader(TensorDataset(*given), self.batch, shuffle=True, drop_last=True))
            for given in (columns, columns, (self.poses.xyz, self.poses.uv, self.poses.camera))
        )
        self.collected = []

    def left(self) -> int:
        """Batches that every loader still has."""
        return len(self.poses) // self.batch - max(self.given.values())

    def _batch(self, loader: str) -> list[Tensor]:
        """The loader's next batch, moved to the device column by column."""
        self.given[loader] += 1
        return [column.to(self.device) for column in next(getattr(self, loader))]

    def augmentor_iteration(self) -> None:
        """The augmentor's update with feedback, and every second time the discriminators'."""
        xyz, uv, camera = self._batch("fake")
        ba, rt, change, ratio = self._augment(xyz)
        uv_ba, uv_rt = project(ba, camera), project(rt, camera)
        terms = {
            "d3d": 6 * sum((score - 1).square().mean() for score in self._scores3d(ba)),
            "d2d": (self.d2d(uv_rt.flatten(1)) - 1).square().mean(),
            "angle": (change.mean(1) - 0.2).square().mean(),
            "length": ratio.square().mean(),
        }
        easy = grouped_error(self._estimate(uv), xyz - xyz[:, :1])
        for name, seen, pose in (("ba", uv_ba, ba), ("rt", uv_rt, rt)):
            hard = grouped_error(self._estimate(seen), pose - pose[:, :1])
            terms[name] = 0.1 * hardness_loss(hard / easy, 3.0, 2.0)
        self._descend("augmentor", sum(terms.values()))
        self._log(terms)
        self.collected.append((rt.detach().cpu(), uv_rt.detach().cpu()))
        if self.done % 2 == 0:
            self._judges(ba.detach(), uv_rt.detach())
        self.done += 1

    def _judges(self, ba: Tensor, uv_rt: Tensor) -> None:
        xyz, uv, _ = self._batch("judged")
        past3d, past2d = (pool.exchange(fake) for pool, fake in zip(self.pools, (ba, uv_rt), strict=True))
        pairs = zip(self._scores3d(xyz), self._scores3d(past3d), strict=True)
        loss3d = sum((real - 1).square().mean() + fake.square().mean() for real, fake in pairs)
        real, fake = self.d2d(uv.flatten(1)), self.d2d(past2d.flatten(1))
        loss2d = (real - 1).square().mean() + fake.square().mean()
        self._descend("d3d", loss3d)
        self._descend("d2d", loss2d)
        self._log({"d3d": loss3d, "d2d": loss2d, "real": (real > 0.5).float().mean()})

    def estimator_iteration(self) -> None:
        """The estimator's update on a batch of real pairs."""
        xyz, uv, _ = self._batch("real")
        loss = F.mse_loss(self._estimate(uv), xyz - xyz[:, :1])
        self._descend("estimator", loss)
        self._log({"estimator": loss})

    def _augment(self, xyz: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pose, lengths = (xyz - xyz[:, :1]).flatten(1), HUMAN16.lengths(xyz)
        raw = []
        for k, generator in enumerate(self.augmentor):
            noise = torch.randn(len(xyz), NOISE, device=self.device)
            raw.append(generator(torch.cat((pose, noise, lengths) if k == 1 else (pose, noise), dim=1)))
        ba, change = turn_bones(xyz, raw[0].unflatten(1, (15, 3)))
        bl, ratio = stretch_bones(ba, raw[1])
        return ba, rotate_translate(bl, raw[2], raw[3])[0], change, ratio

    def _scores3d(self, xyz: Tensor) -> list[Tensor]:
        directions = nn.functional.normalize(HUMAN16.bones(xyz), dim=-1)
        cosines = directions @ directions.transpose(1, 2)
        return [judge((cosines * mask).flatten(1)) for judge, mask in zip(self.d3d, self.masks, strict=True)]

    def _estimate(self, uv: Tensor) -> Tensor:
        return F.pad(self.estimator(uv.flatten(1)).unflatten(1, (15, 3)), (0, 0, 1, 0))

    def _descend(self, name: str, loss: Tensor) -> None:
        """Gradients of whatever else took part are computed too, and dropped at that one's own turn."""
        self.adam[name].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(getattr(self, name).parameters(), 1.0, foreach=False)
        self.adam[name].step()

    def _log(self, terms: dict[str, Tensor]) -> None:
        for name, value in terms.items():
            self.scalars[name] = value.item()
