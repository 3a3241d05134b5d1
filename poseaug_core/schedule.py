"""What each iteration does: the schedule as a pure function of the config and the counts of poses."""

from __future__ import annotations

from dataclasses import dataclass, replace

from poseaug_core.config import Config


@dataclass(frozen=True)
class Position:
    """Where a run stands. phase: 'pretrain', 'poseaug' or 'done'; epoch is 0-based in its phase; stage indexes
    Schedule.stages; iteration counts within the stage; step counts every iteration of the run, augmented those of
    the augmentor."""

    phase: str = "pretrain"
    epoch: int = 0
    stage: int = 0
    iteration: int = 0
    step: int = 0
    augmented: int = 0


@dataclass(frozen=True)
class Schedule:
    """config and poses: the number of training poses. A batch never exceeds the set."""

    config: Config
    poses: int

    @property
    def batch(self) -> int:
        return min(self.config.batch_size, self.poses)

    def batches(self, rows: int) -> int:
        return -(-rows // self.batch)

    @property
    def pretrain_epochs(self) -> int:
        """Given weights take the place of pre-training."""
        return 0 if self.config.estimator_weights else self.config.pretrain_epochs

    def warming_up(self, epoch: int) -> bool:
        """Whether augmentor and discriminators learn alone: until both limits of warm-up have passed. Iterations
        count for a third of the epochs at most, so that the estimator has its turn on any set."""
        done = epoch * self.batches(self.poses)
        by_iterations = done < self.config.warmup_iterations and epoch < self.config.epochs // 3
        return epoch < self.config.warmup_epochs or by_iterations

    def stages(self, phase: str, epoch: int) -> tuple[str, ...]:
        """The stages of an epoch. Without augmentation the estimator takes as many steps, on real pairs; only an
        augmentor that learns has a warm-up."""
        if phase == "pretrain":
            return ("pretrain",)
        augment = self.config.augmentation != "none"
        if self.warming_up(epoch):
            return ("warm-up",) if self.config.augmentation == "poseaug" else ()
        if self.config.estimator_batches == "mixed" and augment:
            return ("augment", "estimate mixed")
        return ("augment", "estimate augmented", "estimate real") if augment else ("estimate real", "estimate real")

    def iterations(self, stage: str, kept: int) -> int:
        """Iterations of a stage; kept: the augmented pairs that passed the keep rule."""
        rows = {"estimate augmented": kept, "estimate mixed": kept + self.poses}.get(stage, self.poses)
        return self.batches(rows)

    def left(self, position: Position, kept: int) -> int:
        """Iterations from a position to the end of the run if every epoch keeps so many augmented pairs."""
        if position.phase == "done":
            return 0
        stages = self.stages(position.phase, position.epoch)[position.stage :]
        ahead = [(position.phase, e) for e in range(position.epoch + 1, self._epochs(position.phase))]
        if position.phase == "pretrain":
            ahead += [("poseaug", e) for e in range(self.config.epochs)]
        stages += tuple(stage for phase, epoch in ahead for stage in self.stages(phase, epoch))
        return sum(self.iterations(stage, kept) for stage in stages) - position.iteration

    def _epochs(self, phase: str) -> int:
        return self.pretrain_epochs if phase == "pretrain" else self.config.epochs

    def start(self) -> Position:
        return self._settle(Position(), 0)

    def _settle(self, position: Position, kept: int) -> Position:
        """The position itself, or the first one after it that has something to do."""
        while position.phase != "done":
            if position.epoch >= self._epochs(position.phase):
                phase = "poseaug" if position.phase == "pretrain" else "done"
                position = replace(position, phase=phase, epoch=0, stage=0, iteration=0)
            elif position.stage >= len(self.stages(position.phase, position.epoch)):
                position = replace(position, epoch=position.epoch + 1, stage=0, iteration=0)
            elif position.iteration >= self.iterations(self._stage(position), kept):
                position = replace(position, stage=position.stage + 1, iteration=0)
            else:
                break
        return position

    def _stage(self, position: Position) -> str:
        return self.stages(position.phase, position.epoch)[position.stage]

    def advance(self, position: Position, kept: int, count: int = 1) -> Position:
        """The position after ``count`` iterations, all of the stage it stands in."""
        augmented = position.augmented + count * (self._stage(position) in ("warm-up", "augment"))
        after = replace(position, step=position.step + count, iteration=position.iteration + count, augmented=augmented)
        return self._settle(after, kept)
