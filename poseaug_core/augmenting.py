"""Augmented pairs from a trained augmentor, as training hands them to the estimator; a part at a time.

Memory does not grow with the poses where a run's source is a file of plain arrays. Other sources are read into memory,
and so is that of an evolution, whose population stays there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseaug_core.augmentations import make_augmentation
from poseaug_core.augmentor import Augmentor
from poseaug_core.config import Config
from poseaug_core.controls import Controls
from poseaug_core.datasets import hold_out, load_data, require_same_data
from poseaug_core.device import memory_kept
from poseaug_core.epoch import Epoch
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.inference import in_order
from poseaug_core.layers import kept_statistics
from poseaug_core.poses import COLUMNS, Poses
from poseaug_core.readers.array_parts import PoseFile
from poseaug_core.readers.arrays import SUFFIXES
from poseaug_core.readers.keypoint_columns import Column, chunks
from poseaug_core.readers.spec import parse_spec
from poseaug_core.resident import Resident

Progress = Callable[[float, str], bool | None]
#: Poses read, and well written, at a time.
PART = 4096
#: Numbers drawn at a time to pass over them.
PASSED = 1 << 16
#: What becomes of a part of a file: which of its poses are trained on.
Choice = Callable[[Poses], Poses]


@dataclass(frozen=True)
class Source:
    """What a run trains on, in its order. head: all of the poses, or none where they stay in a file; their names.

    count: of the poses. templates: (k, 15) metres, bone lengths that swaps draw from. parts: all poses, from the
    first one each time that it is called.
    """

    head: Poses
    count: int
    templates: Float[Tensor, "k 15"]
    parts: Callable[[], Iterator[Poses]]

    def __len__(self) -> int:
        return self.count

    def spread(self, count: int) -> Source:
        """``count`` of the poses, spread evenly; as Poses.spread."""
        if len(self.head):
            return held(self.head.take(self.head.spread(count)), self.templates)
        rows = torch.linspace(0, len(self) - 1, min(count, len(self))).round().long()
        return replace(self, count=len(rows), parts=lambda: _at(self.parts(), rows))


def held(poses: Poses, templates: Float[Tensor, "k 15"]) -> Source:
    """A Source of what is in memory."""
    return Source(poses, len(poses), templates, lambda: iter((poses,)))


def open_source(config: Config, began: dict[str, Any], run: str, progress: Progress | None = None) -> Source:
    """What the run of this config trains on. began: the summary of the data that it began with; run: its name.

    progress(share, text) may return False to cancel (raises Cancelled). UserError for what cannot be read, and for
    other numbers than the run began with.
    """
    source = _in_file(config, began, progress)
    if source is None:
        data = load_data(config, progress)
        require_same_data(data.summary(), began, run)
        source = held(data.source, data.templates)
    return source


def augmented_pairs(
    config: Config,
    controls: Controls,
    tensors: dict[str, Tensor],
    source: Source,
    seed: int,
    progress: Progress | None = None,
) -> Generator[Poses]:
    """The source's RT poses and their 2D by the augmentor of a checkpoint, in parts; pairs that training drops are left
    out.

    Where the config swaps bone lengths, every pose first gets those of a random template, as in an epoch of training;
    seed draws that and the noise. controls say which operations are on. Batches are normalised by themselves, as in
    training, and each is the work of one thread. UserError where no pair is left, Cancelled where
    progress(share, text) answers False.
    """
    name = source.head.name
    augmentor = make_augmentation(config, source.head, progress)
    networks = [augmentor] if isinstance(augmentor, Augmentor) else []
    for network in networks:
        prefix = "augmentor."
        network.train()
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    batch = min(config.batch_size, len(source))
    templates = source.templates if config.swap_bone_lengths else None
    swaps, noise = _generators(len(source), templates is not None, seed)

    def batches() -> Iterator[tuple[Poses, Tensor | None, Tensor, int]]:
        """A batch, its templates, what the augmentor draws, and how many of the poses are not given twice."""
        start = 0
        for poses in regrouped(source.parts(), batch):
            fresh = len(poses)
            template = None if templates is None else torch.randint(len(templates), (fresh,), generator=swaps)
            if start == 0:
                first, first_template = poses, template
            if fresh < batch:  # The last batch wraps around to the first poses.
                poses = _joined([poses, first.take(slice(0, batch - fresh))])
                template = None if templates is None else torch.cat((template, first_template[: batch - fresh]))
            rows = torch.arange(start, start + batch) % len(source)
            yield poses, template, augmentor.draw(rows, noise), fresh
            start += fresh

    def augment(item: tuple[Poses, Tensor | None, Tensor, int]) -> tuple[Poses, int]:
        poses, template, draws, fresh = item
        with torch.no_grad():  # which each thread has to say
            epoch = Epoch(Resident(poses), templates, batch)
            if template is not None:
                epoch.template.copy_(template)
            _, xyz, _, camera = epoch.swapped(0)
            made = augmentor(xyz, camera, draws, controls.apply_ba, controls.apply_bl, controls.apply_rt)
            epoch.collect(0, made, config.keep_rule)
            rows = epoch.usable[:fresh].nonzero()[:, 0]
            kept = poses.take(rows)
            return replace(kept, xyz=epoch.collected_xyz[rows], uv=epoch.collected_uv[rows]), fresh

    done = given = 0
    workers = torch.get_num_threads()
    with memory_kept(), kept_statistics(*networks), closing(in_order(augment, batches(), workers)) as results:
        for pairs, fresh in results:
            if progress and progress(done / len(source), f"augmenting {name}") is False:
                raise Cancelled(f"Augmenting {name} was cancelled.")
            done, given = done + fresh, given + len(pairs)
            yield replace(pairs, name=f"{name} augmented")
    if not given:
        raise UserError(f"None of the {done:,} augmented poses lies inside the image; train the augmentor for longer.")


def regrouped(parts: Iterator[Poses], size: int) -> Iterator[Poses]:
    """The same poses, ``size`` at a time; the last time what is left."""
    waiting: list[Poses] = []
    for part in parts:
        while len(part):
            some = part.take(slice(0, size - sum(map(len, waiting))))
            waiting, part = [*waiting, some], part.take(slice(len(some), None))
            if sum(map(len, waiting)) == size:
                yield _joined(waiting)
                waiting = []
    if waiting:
        yield _joined(waiting)


def _generators(count: int, swap: bool, seed: int) -> tuple[torch.Generator, torch.Generator]:
    """Of templates and of noise: both where an epoch of training, which draws one after the other, has them.

    It orders its poses twice before, by count - 1 random words each; a template takes one.
    """
    swaps = torch.Generator().manual_seed(seed)
    _pass(swaps, 2 * (count - 1))
    noise = swaps.clone_state()
    _pass(noise, count if swap else 0)
    return swaps, noise


def _pass(generator: torch.Generator, words: int) -> None:
    for some in chunks(words, PASSED):
        torch.empty(some.stop - some.start, dtype=torch.int32).random_(generator=generator)


def _in_file(config: Config, began: dict[str, Any], progress: Progress | None) -> Source | None:
    """The source where it is a file that can be read in parts, with the numbers that the run began with; or None: what
    else it is, or what is wrong with it, is for load_data to judge."""
    spec = parse_spec(config.source)
    plain = spec.path.is_file() and not spec.options and spec.path.suffix.lower() in SUFFIXES
    if not plain or config.augmentation == "evolution":
        return None
    try:
        file = PoseFile(spec.path)
        trained = _not_held_out(file, bool(config.source_test), progress)
        look = _Look(config.swap_bone_lengths)
        for part in _told(file, progress):
            look.add(trained(part))
        if look.fingerprint() != began["sets"]["source"]["fingerprint"]:
            return None
    except (UserError, ValueError, OSError):
        return None
    notes = takewhile(lambda note: note.startswith(f"{file.name}: "), began.get("notes", ()))
    empty = _empty(0, (16, 3), (16, 2), (9,), name=file.name, clips=file.clips)
    head = replace(empty, notes=tuple(note.removeprefix(f"{file.name}: ") for note in notes))
    parts = lambda: (replace(trained(part), notes=head.notes) for part in file.parts(PART))  # noqa: E731
    return Source(head, look.count, look.templates(), parts)


def _told(file: PoseFile, progress: Progress | None) -> Iterator[Poses]:
    """The parts of a file; raises Cancelled."""
    for number, part in enumerate(file.parts(PART)):
        if progress and progress(number * PART / len(file), f"looking at {file.path.name}") is False:
            raise Cancelled(f"Looking at {file.path.name} was cancelled.")
        yield part


def _not_held_out(file: PoseFile, tested: bool, progress: Progress | None) -> Choice:
    """What datasets.hold_out, which asks only for clips and, of a single one, frames, leaves to train on.

    tested: whether there is a test set, so that nothing is held out.
    """
    if tested:
        return lambda part: part
    clips, frames = torch.empty(0, dtype=torch.int32), []
    for part in _told(file, progress):
        clips = torch.cat((clips, part.tag[:, 1])).unique()
        frames = [*frames, part.tag[:, 2].unique()] if len(clips) == 1 else []
    rows = clips if len(clips) > 1 else torch.cat(frames).unique()
    bare = _empty(len(rows), (0, 3), (0, 2), (0,), name=file.name)
    bare.tag[:, 1 if len(clips) > 1 else 2] = rows
    test = hold_out(bare)[1].tag
    if len(clips) > 1:
        return lambda part: part.take(~torch.isin(part.tag[:, 1], test[:, 1]))
    return lambda part: part.take(part.tag[:, 2] < test[:, 2].min())


class _Look:
    """What one look at poses in parts tells of them all: the fingerprint of datasets.fingerprint, which takes column
    after column, and the bone lengths of each subject."""

    def __init__(self, lengths: bool):
        self.lengths, self.count = lengths, 0
        self.digest = hashlib.sha256()
        self.later = [Column((16, 2), "f4"), Column((9,), "f4"), Column((4,), "i4")]
        self.sums: dict[int, tuple[Tensor, int]] = {}

    def add(self, poses: Poses) -> None:
        self.count += len(poses)
        self.digest.update(memoryview(poses.xyz.contiguous().numpy()).cast("B") if len(poses) else b"")
        for column, rows in zip(self.later, (poses.uv, poses.camera, poses.tag), strict=True):
            column.append(rows.numpy())
        if self.lengths:
            lengths, subject = poses.skeleton.lengths(poses.xyz).double(), poses.tag[:, 0]
            for one in subject.unique().tolist():
                own = lengths[subject == one]
                total, count = self.sums.get(one, (0, 0))
                self.sums[one] = total + own.sum(0), count + len(own)

    def fingerprint(self) -> str:
        """To be asked once, after the last part."""
        for column in self.later:
            for rows in chunks(self.count):
                self.digest.update(column.read(rows).data.cast("B"))
            column.close()
        return self.digest.hexdigest()[:16]

    def templates(self) -> Float[Tensor, "k 15"]:
        """(subjects, 15) metres, as Poses.bone_templates; summed in double precision, so that parts do not matter."""
        found = [(total / count).float() for _, (total, count) in sorted(self.sums.items())]
        return torch.stack(found) if found else torch.empty(0, 15)


def _empty(rows: int, *shapes: tuple[int, ...], **texts: Any) -> Poses:
    columns = [torch.empty(rows, *shape) for shape in shapes]
    return Poses(*columns, torch.zeros(rows, 4, dtype=torch.int32), **texts)


def _at(parts: Iterator[Poses], rows: Int[Tensor, " r"]) -> Iterator[Poses]:
    """The poses at sorted rows."""
    start = 0
    for part in parts:
        low, high = torch.searchsorted(rows, torch.tensor([start, start + len(part)])).tolist()
        yield part.take(rows[low:high] - start)
        start += len(part)


def _joined(tables: list[Poses]) -> Poses:
    if len(tables) == 1:
        return tables[0]
    return replace(tables[0], **{name: torch.cat([getattr(table, name) for table in tables]) for name in COLUMNS})
