"""Motion capture of any format, filmed, as poses or written as arrays; what was found in it, in sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Clip, Progress, tell
from poseaug_core.motion.filming import film, filming, require_choices, what_was_lost
from poseaug_core.poses import Poses
from poseaug_core.readers.array_writer import writing
from poseaug_core.readers.arrays import require_target
from poseaug_core.readers.body import DEFAULT_FPS
from poseaug_core.readers.motion_files import MOTION, Reading

#: In the notes of a clip.
_STATURE = re.compile(r"stature ([0-9.]+) m")


def read_motion(source: str | Path, rig: str, fps: float | None, seed: int, progress: Progress | None = None) -> Poses:
    """A motion file, or all below a folder, filmed by the rig; what was found and left out is in the notes.

    Raises UserError and Cancelled as ``convert_motion``.
    """
    require_choices(rig)
    rng = _generator(seed)
    reading = Reading(source, fps, progress=progress)
    poses, dropped = film(reading, rig, rng, name=Path(source).stem)
    return replace(poses, notes=_sentences(reading.found, reading.left_out, dropped))


def convert_motion(
    source: str | Path | Sequence[str | Path],
    rig: str,
    out: str | Path,
    fps: float | None = DEFAULT_FPS,
    seed: int = 0,
    proportions: str = "own",
    progress: Progress | None = None,
    kinds: Sequence[str] = tuple(MOTION),
    jobs: int = 1,
) -> dict:
    """Motion filmed by the rig and written as arrays (.npz, .h5), complete or not at all, clip by clip.

    source: a motion file, a folder of them, or several of either. proportions: 'own', or 'seeded' for new limb
    lengths for each subject. kinds: suffixes to look for in folders. jobs: processes that read, 0 for one a core; the
    result is the same. Gives a summary: out, poses, clips, subjects, rig, left_out (a sentence for each file or count
    left out) and notes (what was found in the files, with how many say so). Raises UserError and Cancelled as
    ``Reading`` and ``filming``.
    """
    rng = _generator(seed)
    require_choices(rig, proportions)
    require_target(out)
    film_clip = filming(rig, rng, proportions=proportions)
    reading = Reading(source, fps, kinds, jobs, _share(progress, 0.0, 0.95))
    lost = 0
    with writing(out) as file:
        for number, clip in enumerate(reading):
            seen = film_clip(clip, number)
            file.add(seen)
            lost += seen.lost
        dropped = what_was_lost(lost, len(file))
        tell(progress, 0.95, f"writing {out}")
        names = [clip.name for clip in reading.found]
        file.check(Path(out).stem)
        file.name(names, _sentences(reading.found, reading.left_out, dropped))
        poses = len(file)
    tell(progress, 1.0, f"wrote {poses:,} poses")
    return {
        "out": str(out),
        "poses": poses,
        "clips": len(reading.found),
        "subjects": sorted(file.subjects),
        "rig": rig,
        "left_out": [*reading.left_out, *dropped],
        "notes": found_in(reading.found),
    }


def found_in(clips: Sequence[Clip]) -> dict[str, int]:
    """What the clips' notes say, statures as a range, with how many clips say so; and which names come twice."""
    metres: dict[str, list[float]] = {}
    said: Counter[str] = Counter()
    skeletons = [note.removeprefix("skeleton: ") for clip in clips for note in clip.notes if "skeleton: " in note]
    if skeletons:
        said[f"skeleton: {_few(list(dict.fromkeys(skeletons)))}"] = len(skeletons)
    for note in (note for clip in clips for note in clip.notes if "skeleton: " not in note):
        found = _STATURE.search(note)
        note = _STATURE.sub("stature {} m", note) if found else note
        said[note] += 1
        metres.setdefault(note, []).extend([float(found[1])] if found else [])
    spans = {note: f"{min(m):.2f}" + f" to {max(m):.2f}" * (max(m) > min(m)) for note, m in metres.items() if m}
    notes = {note.replace("{}", spans.get(note, "{}")): count for note, count in said.items()}
    names = Counter((clip.subject, clip.name.lower()) for clip in clips)
    if twice := [name for (_, name), count in names.items() if count > 1]:
        again = f"the same trial more than once, in two conversions or folders, and counted as often: {_few(twice)}"
        notes[again] = sum(count for count in names.values() if count > 1)
    return notes


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _sentences(clips: Sequence[Clip], left_out: Sequence[str], dropped: Sequence[str]) -> tuple[str, ...]:
    """All that was found and left out, one sentence each; files passed over are counted and the first is named."""
    few = f" ({{}} of {len(clips)} clips)" if len(clips) > 1 else ""
    notes = [note + few.format(count) for note, count in found_in(clips).items()]
    if left_out:
        passed = f"{len(left_out)} of {len(left_out) + len(clips)} motion files cannot be used and are passed over"
        notes.append(f"{passed}; the first: {left_out[0]}")
    return (*notes, *dropped)


def _generator(seed: int) -> np.random.Generator:
    if seed < 0:
        raise UserError(f"The seed is {seed}, it must be 0 or more.")
    return np.random.default_rng(seed)


def _share(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Progress of one part of the work, told as progress of the whole."""
    return progress and (lambda share, text: progress(start + (stop - start) * share, text))
