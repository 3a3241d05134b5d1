"""The demo's data: people with their own proportions acting, filmed in a laboratory and in the wild.

Nothing is read from a file; the seed alone decides, and the same seed gives the same arrays.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.actions import SOURCE_ACTIONS, Action
from poseaug_core.motion.body import ANGLES, grounded, pose, seeded_lengths
from poseaug_core.motion.clip import Clip, Progress, tell
from poseaug_core.motion.filming import film
from poseaug_core.motion.hard_actions import CROSS_ACTIONS
from poseaug_core.motion.tracks import Curves
from poseaug_core.poses import Poses

FPS = 30.0
FRAMES = 75
STRIDE = 3

#: Of each set: its actions, its people, takes of each action by each person, and the rig that films them.
#: With 25 poses kept of a take: 12,000, 3,200 and 3,000 pairs.
SETS: dict[str, tuple[dict[str, Action], tuple[int, ...], int, str]] = {
    "source": (SOURCE_ACTIONS, (1, 2, 3, 4, 5), 3, "lab"),
    "source_test": (SOURCE_ACTIONS, (6, 7), 2, "lab"),
    "cross": (CROSS_ACTIONS, (8, 9, 10), 4, "wild"),
}


def perform(
    actions: Mapping[str, Action], subjects: tuple[int, ...], takes: int, seed: int, frames: int = FRAMES
) -> list[Clip]:
    """Clips of every subject doing every action ``takes`` times, each take drawn anew.

    A subject's proportions follow from seed and number alone, whatever they do.
    """
    names, people, angles, lifts = [], [], [], []
    lengths = {subject: seeded_lengths(np.random.default_rng((seed, subject))) for subject in subjects}
    for subject in subjects:
        for number, (action, draw) in enumerate(actions.items()):
            for take in range(takes):
                rng = np.random.default_rng((seed, subject, number, take))
                tracks = draw(Curves(frames, FPS, rng))
                lifts.append(np.broadcast_to(tracks.pop("lift", 0.0), frames))
                tracks["yaw"] = tracks.get("yaw", 0.0) + rng.uniform(0, 360)
                angles.append(np.stack([np.broadcast_to(tracks.pop(name, 0.0), frames) for name in ANGLES], axis=1))
                assert not tracks, f"{action} draws angles the body has not: {sorted(tracks)}"
                names.append(f"S{subject} {action} {take + 1}")
                people.append(subject)
    bodies = np.repeat([lengths[subject] for subject in people], frames, axis=0)
    xyz = pose(np.concatenate(angles), bodies).reshape(len(names), frames, 16, 3)
    return [
        Clip(name, subject, FPS, grounded(take, lift).astype(np.float32))
        for name, subject, take, lift in zip(names, people, xyz, lifts, strict=True)
    ]


def demo_set(which: str, seed: int = 0, size: float = 1.0, progress: Progress | None = None) -> Poses:
    """One of the demo's sets: 'source', 'source_test' or 'cross'.

    size multiplies the takes (at least one of each action by each person). Raises UserError for
    another name or a size or seed that is not positive.
    """
    if which not in SETS:
        raise UserError(f"There is no demo set '{which}', choose one of: {', '.join(SETS)}.")
    if not 0 < size <= 100:
        raise UserError(f"The demo's size is {size}, it must lie above 0 and be at most 100; 1 is the usual.")
    if seed < 0:
        raise UserError(f"The seed is {seed}, it must be 0 or more.")
    actions, subjects, takes, rig = SETS[which]
    tell(progress, 0.0, f"making the demo's {which} poses")
    clips = perform(actions, subjects, max(1, round(takes * size)), seed)
    rng = np.random.default_rng((seed, list(SETS).index(which)))
    return film(clips, rig, rng, stride=STRIDE, name=f"demo {which.replace('_', ' ')}").poses


def demo_sets(seed: int = 0, size: float = 1.0) -> dict[str, Poses]:
    """All three: training pairs, pairs of other people, and pairs of other actions through wild cameras."""
    return {which: demo_set(which, seed, size) for which in SETS}
