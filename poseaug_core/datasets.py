"""What a run trains and is judged on: source, its held-out part, other sets, and bone-length templates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import torch
from torch import Tensor

from poseaug_core.config import Config
from poseaug_core.errors import UserError
from poseaug_core.poses import Poses
from poseaug_core.readers import data_set, read_keypoints, read_poses
from poseaug_core.readers.h36m import has_test_people, read_once
from poseaug_core.readers.h36m_cameras import templates as released_templates
from poseaug_core.readers.spec import parse_spec

Progress = Callable[[float, str], bool]
#: One clip in so many is held out where no test set is named.
HELD_OUT = 10


@dataclass(frozen=True)
class TrainingData:
    """source and source_test share people and cameras, cross holds other sets by name; all in memory, on the CPU.

    templates: (k, 15) metres, bone lengths that the bone-length swap draws from.
    notes: what was decided while loading, one sentence each.
    extra: (e, 16, 2) normalised 2D poses that join the real side of the 2D discriminator, or None.
    """

    source: Poses
    source_test: Poses
    cross: dict[str, Poses]
    templates: Tensor
    notes: tuple[str, ...] = ()
    extra: Tensor | None = None

    def summary(self) -> dict[str, Any]:
        """JSON-able: for each set its name, counts, mean depth (metres) and fingerprint; and the notes."""
        sets = {"source": self.source, "source_test": self.source_test} | self.cross
        return {
            "sets": {name: describe(poses) for name, poses in sets.items()},
            "templates": len(self.templates),
            "notes": list(self.notes),
        } | ({} if self.extra is None else {"extra_2d": {"poses": len(self.extra), "fingerprint": _hash(self.extra)}})


def describe(poses: Poses) -> dict[str, Any]:
    """JSON-able counts, mean depth of the pelvis (metres) and fingerprint of a set."""
    return {
        "name": poses.name,
        "poses": len(poses),
        "subjects": len(poses.subjects()),
        "clips": len(poses.tag[:, 1].unique()),
        "views": len(poses.tag[:, 3].unique()),
        "mean_depth": round(float(poses.xyz[:, 0, 2].mean()), 3),
        "fingerprint": fingerprint(poses),
    }


def fingerprint(poses: Poses) -> str:
    """16 hexadecimal digits that change with any number of the set."""
    return _hash(poses.xyz, poses.uv, poses.camera, poses.tag)


def _hash(*columns: Tensor) -> str:
    digest = hashlib.sha256()
    for column in columns:
        digest.update(memoryview(column.cpu().contiguous().numpy()).cast("B"))
    return digest.hexdigest()[:16]


def require_same_data(found: dict[str, Any], expected: dict[str, Any], run: str) -> None:
    """UserError unless two summaries are of the same numbers; a run goes on only with what it began with."""
    if not expected.get("sets", {}).get("source", {}).get("fingerprint"):
        raise UserError(
            f"{run} cannot go on: its data.json does not say what data it began with; restore that file from a copy."
        )
    present, began = ({**summary["sets"], **_extra_of(summary)} for summary in (found, expected))
    for name, then in began.items():
        now = present.get(name)
        if now is None or now["fingerprint"] != then.get("fingerprint"):
            has = f"{now['poses']:,} poses with other numbers" if now else "gone"
            of = then.get("name", "without 3D")
            raise UserError(
                f"{run} began with {then.get('poses', 0):,} poses as {name} ({of}), now it is {has}; "
                "put the file back, or start a new run."
            )


def _extra_of(summary: dict[str, Any]) -> dict[str, Any]:
    return {"extra 2D": summary["extra_2d"]} if "extra_2d" in summary else {}


@read_once()
def load_data(config: Config, progress: Progress | None = None) -> TrainingData:
    """Every set that the config names.

    Of Human3.6M a source is its training people and every other set its test people, where the spec does not say; the
    test people are also what is held out. progress(share, text) may return False to cancel (raises Cancelled). Raises
    UserError for what cannot be read.
    """
    test = config.source_test or _test_people(config.source, progress)
    specs = [(config.source, "train"), *([(test, "test")] if test else []), *((spec, "test") for spec in config.cross)]
    sets = []
    count = len(specs) + len(config.extra_2d)
    for number, (spec, split) in enumerate(specs):
        part = _part(progress, number, count)
        sets.append(read_poses(spec, rig=config.rig, seed=config.data_seed, progress=part, split=split))
    source, *rest = sets
    notes = [f"{poses.name}: {note}" for poses in sets for note in poses.notes]
    if test:
        source_test, *rest = rest
    else:
        source, source_test, note = hold_out(source, in_place=True)
        notes.append(note)
    if len(source) < 2:
        raise UserError(
            f"{source.name} leaves {len(source)} pose to train on, at least 2 are needed; name a larger --source."
        )
    cross: dict[str, Poses] = {}
    for poses in rest:
        cross[_unused(poses.name.replace("/", " "), ("source", "source_test", *cross))] = poses
    extra = []
    for number, spec in enumerate(config.extra_2d, len(specs)):
        part = _part(progress, number, count)
        found = read_keypoints(spec, rig=config.rig, seed=config.data_seed, progress=part)
        extra.append(found.uv)
        notes += [f"{found.name}: {note}" for note in found.notes]
    if data_set(config.source) == "h36m":
        templates = released_templates()
        notes.append("bone lengths are swapped with those of S1, S5, S6, S7 and S8, as in the released code")
    else:
        templates = source.bone_templates()
    return TrainingData(source, source_test, cross, templates, tuple(notes), torch.cat(extra) if extra else None)


def _test_people(source: str, progress: Progress | None) -> str:
    """The spec of Human3.6M's test people in the file that source names; '' where there are none or it has others."""
    spec = parse_spec(source)
    if data_set(source) != "h36m" or "subjects" in spec.options or spec.options.get("split") in ("test", "all"):
        return ""
    options = {**spec.options, "split": "test"}
    return f"{spec.place}?{urlencode(options)}" if has_test_people(spec.path, progress) else ""


def hold_out(poses: Poses, in_place: bool = False) -> tuple[Poses, Poses, str]:
    """(training poses, test poses, what was done): every tenth clip, or the last tenth of the frames of a single one.

    With two to nine clips the last one is held out. in_place: both are made in the memory of poses, which must not be
    used any more; else they are copies. UserError for a set too small to part.
    """
    clip, frame = poses.tag[:, 1], poses.tag[:, 2]
    clips = clip.unique()
    if len(clips) > 1:
        chosen = clips[HELD_OUT - 1 :: HELD_OUT] if len(clips) >= HELD_OUT else clips[-1:]
        test = torch.isin(clip, chosen)
        note = f"{len(chosen)} of {len(clips)} clips of {poses.name} are held out as its test set"
    else:
        # The end and not every tenth frame, because neighbouring frames show nearly the same pose.
        frames = frame.unique()
        count = -(-len(frames) // HELD_OUT)
        test = frame >= frames[-count]
        note = f"the last {count} of {len(frames)} frames of {poses.name}, a single clip, are held out as its test set"
    if bool(test.all()):
        raise UserError(
            f"{poses.name} has {len(poses)} poses of one frame, too few to hold some out for testing; "
            "name a test set with --source-test."
        )
    train, held = poses.divided(test) if in_place else (poses.take(~test), poses.take(test))
    return train, replace(held, name=f"{poses.name} held out"), note


def _part(progress: Progress | None, number: int, count: int) -> Progress | None:
    """The progress of one of ``count`` parts, as a part of the whole."""
    return progress and (lambda share, text: progress((number + share) / count, text))


def _unused(name: str, taken: tuple[str, ...]) -> str:
    return next(n for n in (name, *(f"{name} {i}" for i in range(2, len(taken) + 3))) if n not in taken)
