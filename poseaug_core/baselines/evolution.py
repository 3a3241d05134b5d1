"""Offline evolution of a set of poses, after Li et al., Cascaded deep monocular 3D human pose estimation with
evolutionary training data (CVPR 2020), the augmentation that PoseAug's Fig. 7 and tables compare with.

A generation: parents are drawn from the population; each two exchange the limbs below a random joint (crossover);
exchanged limbs are turned at random (mutation of joint angles); a child keeps its own parent's trunk and takes the
other's limb lengths; children outside the joint-angle limits are dropped; some are turned as a whole, some get other
bone lengths. Children join the population, until it has grown enough.

Of the release (github.com/Nicholasli1995/EvoSkeleton, libs/evolution) are the operators, rates and angles. Other than
there: limits are learnt (joint_limits); poses are in camera frames, without a floor, so a child stands near its
source's place, within ``evolution_shift``, instead of anywhere on the laboratory's floor before its four cameras;
bone lengths come from the source's subjects and ``evolution_body_size``; father lines take turns, so that each source
pose has children.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from poseaug_core.augmentor import set_lengths
from poseaug_core.baselines.joint_limits import JointLimits
from poseaug_core.baselines.limbs import LIMBS, SUBTREES, from_local, to_local
from poseaug_core.baselines.offspring import Evolved
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.geometry import project, rigid
from poseaug_core.poses import Poses
from poseaug_core.ranges import RELEASED_EVOLUTION, EvolutionRanges
from poseaug_core.skeleton import HUMAN16

Progress = Callable[[float, str], bool | None]
#: Generations in a row that may leave no child before the source is given up.
BARREN = 20


@torch.no_grad()
def evolve(
    source: Poses,
    count: int,
    generator: Generator,
    settings: EvolutionRanges = RELEASED_EVOLUTION,
    progress: Progress | None = None,
) -> Evolved:
    """``count`` children of a source (metres, camera frame), all inside the image and in front of its camera.

    The release stops at 1.5 children for each source pose. The generator must be on the source's device; the same
    one gives the same children. progress(share, text) may return False to cancel (raises Cancelled). Raises
    UserError for a count below 1 and for a source of which no child survives.
    """
    if count < 1:
        raise UserError(f"{count} evolved poses are asked for; choose 1 or more.")
    if len(source) < 2:
        raise UserError(f"{source.name} has {len(source)} pose; evolution needs two parents at least.")
    population = _Population(source, count)
    limits, templates = JointLimits.learn(source.xyz, settings.evolution_slack), source.bone_templates()
    barren = 0
    while population.children < count:
        if progress and progress(population.children / count, f"evolving {source.name}") is False:
            raise Cancelled(f"Evolving {source.name} was cancelled.")
        pairs = max(int(settings.evolution_pairs * population.filled), 1)
        one, other = population.parents(pairs, generator)
        xyz, fit = _cross(population.xyz[one], population.xyz[other], limits, settings, generator)
        xyz = _mutate(xyz, population.place(one), templates, settings, generator)
        uv = project(xyz, population.camera(one))
        fit &= (uv.abs() <= 1).flatten(1).all(1) & (xyz[..., :2].abs() < xyz[..., 2:]).flatten(1).all(1)
        barren = 0 if population.join(xyz, one, fit) else barren + 1
        if barren == BARREN:
            raise UserError(
                f"No child of {source.name} survived {BARREN} generations; choose a smaller shift than "
                f"{settings.evolution_shift:g} m, a larger slack than {settings.evolution_slack:g} degrees, or poses "
                "inside the image."
            )
    return population.evolved()


def _cross(
    own: Float[Tensor, "c 16 3"],
    other: Float[Tensor, "c 16 3"],
    limits: JointLimits,
    settings: EvolutionRanges,
    generator: Generator,
) -> tuple[Float[Tensor, "c 16 3"], Bool[Tensor, " c"]]:
    """Children with the trunk of one parent and, below a random joint, the limbs of the other, turned at random; and
    which of them are within the limits. The other's limb lengths go with them."""
    how = {"generator": generator, "device": own.device}
    exchanged = torch.zeros(len(SUBTREES), len(LIMBS), dtype=torch.bool, device=own.device)
    for joint, below in enumerate(SUBTREES):
        exchanged[joint, list(below)] = True
    exchanged = exchanged[torch.randint(len(SUBTREES), (len(own),), **how)]
    local = torch.where(exchanged[..., None], to_local(other), to_local(own))
    turned = exchanged & (torch.rand(exchanged.shape, **how) < settings.evolution_turn_rate)
    local = _turn(local.flatten(0, 1), turned.flatten(), settings.evolution_turn, generator).view_as(local)
    lengths = HUMAN16.lengths(own)
    lengths[:, list(LIMBS)] = HUMAN16.lengths(other)[:, list(LIMBS)]
    return from_local(own, local, lengths), limits.allow(local).all(1)


def _turn(
    vectors: Float[Tensor, "v 3"], which: Bool[Tensor, " v"], degrees: float, generator: Generator
) -> Float[Tensor, "v 3"]:
    """The chosen vectors, each turned about x, y or z by a normal angle."""
    turns = _random_turns(len(vectors), degrees, generator, vectors)
    return torch.where(which[:, None], rigid(vectors[:, None], turns, torch.zeros_like(vectors))[:, 0], vectors)


def _random_turns(count: int, degrees: float, generator: Generator, like: Tensor) -> Float[Tensor, "c 3"]:
    """Axis-angles about one axis of the frame each."""
    how = {"generator": generator, "device": like.device}
    angle = torch.randn(count, dtype=like.dtype, **how) * degrees * torch.pi / 180
    axes = torch.eye(3, dtype=like.dtype, device=like.device)
    return axes[torch.randint(3, (count,), **how)] * angle[:, None]


def _mutate(
    xyz: Float[Tensor, "c 16 3"],
    place: Float[Tensor, "c 3"],
    templates: Float[Tensor, "k 15"],
    settings: EvolutionRanges,
    generator: Generator,
) -> Float[Tensor, "c 16 3"]:
    """Children turned as a whole, resized and moved about their source's place."""
    count, how = len(xyz), {"generator": generator, "device": xyz.device}
    turns = _random_turns(count, settings.evolution_view, generator, xyz)
    turns = torch.where(torch.rand(count, 1, **how) < settings.evolution_view_rate, turns, torch.zeros_like(turns))
    place = place + settings.evolution_shift * (2 * torch.rand(count, 3, **how) - 1)
    size = 1 + settings.evolution_body_size * (2 * torch.rand(count, 1, **how) - 1)
    lengths = templates[torch.randint(len(templates), (count,), **how)] * size
    resized = torch.rand(count, 1, **how) < settings.evolution_length_rate
    xyz = set_lengths(xyz, torch.where(resized, lengths, HUMAN16.lengths(xyz)))
    return rigid(xyz - xyz[:, :1], turns, place)


class _Population:
    """The source's poses and, after them, the children so far."""

    def __init__(self, source: Poses, count: int):
        self.source, self.count = source, count
        self.filled = self.first = len(source)
        self.xyz = torch.cat((source.xyz, source.xyz.new_zeros(count, *source.xyz.shape[1:])))
        self.line = torch.arange(len(self.xyz), device=source.xyz.device)  # the source row of each one's father line
        # By father line, ten for a child and one for a failure; whole numbers, whose sums have no order.
        self.born = torch.zeros(len(source), dtype=torch.long, device=source.xyz.device)

    @property
    def children(self) -> int:
        return self.filled - self.first

    def parents(self, pairs: int, generator: Generator) -> tuple[Int[Tensor, " c"], Int[Tensor, " c"]]:
        """Two parents for each of 2 * pairs children: fathers from the lines with the fewest so far, then mothers; and
        the same the other way round."""
        order = torch.randperm(self.filled, generator=generator, device=self.line.device)
        father = order[self.born[self.line[order]].argsort(stable=True)[:pairs]]
        mother = torch.randint(self.filled, (len(father),), generator=generator, device=self.line.device)
        return torch.cat((father, mother)), torch.cat((mother, father))

    def place(self, rows: Int[Tensor, " c"]) -> Float[Tensor, "c 3"]:
        """Where the pelvis of each one's source pose is."""
        return self.source.xyz[self.line[rows], 0]

    def camera(self, rows: Int[Tensor, " c"]) -> Float[Tensor, "c 9"]:
        return self.source.camera[self.line[rows]]

    def join(self, xyz: Float[Tensor, "c 16 3"], own: Int[Tensor, " c"], fit: Bool[Tensor, " c"]) -> int:
        """Take in the children that are fit, up to ``count``; how many that were."""
        self.born.index_add_(0, self.line[own], torch.where(fit, 10, 1))
        rows = fit.nonzero()[: self.count - self.children, 0]
        new = slice(self.filled, self.filled + len(rows))
        self.xyz[new], self.line[new] = xyz[rows], self.line[own[rows]]
        self.filled = new.stop
        return len(rows)

    def evolved(self) -> Evolved:
        parent = self.line[self.first :]
        order = parent.argsort(stable=True)
        xyz, parent = self.xyz[self.first :][order], parent[order]
        same = self.source.take(parent)
        poses = replace(same, xyz=xyz, uv=project(xyz, same.camera), name=f"{self.source.name} evolved")
        return Evolved(self.source, poses, parent)
