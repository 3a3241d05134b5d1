"""Human3.6M as the common preparation scripts leave it: data_3d_h36m.npz, and 2D detections in files beside it.

``positions_3d`` holds subject -> action -> (frames, 32, 17 or 16, 3) metres in the world; the four cameras of each
subject are the data set's own calibration (assets/human36m.json). ``positions_2d`` of a 2D file holds subject ->
action -> for each camera (frames, 17 or 16, 2) pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from poseaug_core.checks import bands
from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.poses import Poses, make_poses
from poseaug_core.readers.h36m_takes import Bands, Plan
from poseaug_core.readers.joints import BY_COUNT
from poseaug_core.readers.limits import require_room
from poseaug_core.readers.npz_file import open_npz
from poseaug_core.readers.safe_pickle import Stored, numeric
from poseaug_core.readers.spec import Spec, closest

KEY, FLAT = "positions_3d", "positions_2d"
#: Bytes from which on arrays are left in the file until they are needed.
LEAVE = 1 << 16
SPLITS = {
    "train": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
    "s1": ("S1",),
    "s1s5": ("S1", "S5"),
    "all": ("S1", "S5", "S6", "S7", "S8", "S9", "S11"),
}
#: Short names of 2D files; 'gt' is projected from the 3D.
KEYPOINTS = {
    "cpn": "data_2d_h36m_cpn_ft_h36m_dbb.npz",
    "det": "data_2d_h36m_detectron_ft_h36m.npz",
    "hr": "data_2d_h36m_hr.npz",
}
OPTIONS = ("split", "subjects", "actions", "keypoints", "stride")
#: Sequences of a table, one an action of a subject; Human3.6M has 210.
MOST_SEQUENCES = 5000
#: Joints on the left in COCO's order; files of that order have no pelvis, thorax or head.
COCO_LEFT = (1, 3, 5, 7, 9, 11, 13, 15)


def read_h36m(spec: Spec, split: str = "train", progress: Progress | None = None) -> Poses:
    """Poses of every frame through every camera of the chosen subjects.

    Options: split (train S1 S5 S6 S7 S8, test S9 S11, s1, s1s5, all; ``split`` where not given), or subjects;
    actions; keypoints (gt, cpn, det, hr or a file); stride. Tags: subject number, clip the action, frame, view the
    camera. Raises UserError for options that name nothing and files of another layout.
    """
    spec.only(*OPTIONS)
    solid = _read(spec.path, KEY)
    world = _table(solid.found[KEY], spec.path, KEY)
    subjects, title, notes = _subjects(spec, split, world)
    wanted = _actions(spec, {action for subject in subjects for action in world[subject]})
    keypoints = spec.options.get("keypoints", "gt")
    flat, detected = (None, None) if keypoints == "gt" else _detected(spec, keypoints)
    stride = spec.number("stride", 1, 1, 10_000)
    chosen = [(s, a) for s in subjects for a in world[s] if a in wanted]
    # One array may be named many times.
    require_room(spec.path, sum(getattr(world[s][a], "nbytes", 0) for s, a in chosen), spec.path.stat().st_size)
    plan = Plan(stride, notes)
    for subject, action in chosen:
        views = None if detected is None else detected.get(subject, {}).get(action)
        if detected is not None and views is None:
            notes.append(f"{subject} {action} has no 2D in the 2D file and is left out")
        else:
            plan.add(subject, action, _positions(world[subject][action], subject, action, spec.path), views)
    if not plan.rows:
        raise UserError(f"{spec.text}: there are 0 poses left; check subjects, actions and the 2D file.")
    plan.end()
    # What the poses will take, beside the file.
    require_room(spec.path, plan.nbytes, plan.nbytes)
    filled = plan.filled(solid.arrays(KEY), flat and flat.arrays(FLAT), progress)
    name = f"Human3.6M {title}" + ("" if detected is None else f" {Path(keypoints).stem}")
    return make_poses(*filled, plan.clips, name, notes)


def _positions(found: Any, subject: str, action: str, path: Path) -> np.ndarray | Stored:
    """One action of one subject: (frames, 32, 17 or 16, 3), metres in the world."""
    if not numeric(found, 3) or found.shape[1] not in BY_COUNT or found.shape[2] != 3:
        has = (
            f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray | Stored) else type(found).__name__
        )
        raise UserError(f"{path}: {subject} {action} is {has}; expected numbers (frames, 32, 17 or 16, 3), metres.")
    return found


def has_test_people(path: Path, progress: Progress | None = None) -> bool:
    """Whether the file has S9 or S11. Raises UserError for files of another layout, Cancelled."""
    tell(progress, 0.0, f"looking for test people in {path.name}")
    world = _table(_read(path, KEY).found[KEY], path, KEY)
    return any(subject in world for subject in SPLITS["test"])


@contextmanager
def read_once() -> Iterator[None]:
    """Within it each file is read and unpickled once, however many sets are taken of it."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


@dataclass(frozen=True)
class Tables:
    """What an NPZ file holds by name, large arrays left in it. stamp: of the file, when it was read."""

    path: Path
    stamp: tuple[int, int]
    found: dict[str, Any]

    def arrays(self, name: str) -> Bands:
        """Gives bands (the array, first row, rows) of arrays that are in the table of this name, in any order."""
        return lambda arrays: self._bands(name, arrays)

    def _bands(self, name: str, arrays: Iterable[np.ndarray | Stored]) -> Iterator[tuple[Any, int, np.ndarray]]:
        stored = []
        for array in arrays:
            if isinstance(array, Stored):
                stored.append(array)
            else:
                yield from ((array, rows.start, array[rows]) for rows in bands(len(array)))
        if stored:
            with open_npz(self.path, LEAVE) as file:
                if _stamp(self.path) != self.stamp:
                    raise UserError(f"{self.path} was changed while it was read; read it again when it is complete.")
                yield from file.stored(name, stored)


_kept: ContextVar[dict[Path, Tables] | None] = ContextVar("kept", default=None)


def _read(path: Path, *names: str) -> Tables:
    """These arrays of an NPZ file, from before where that is kept. What is returned must not be changed."""
    kept = _kept.get()
    if kept is not None and path in kept:
        return kept[path]
    with open_npz(path, LEAVE) as file:
        found = Tables(path, _stamp(path), file.read(*names))
    if kept is not None:
        kept[path] = found
    return found


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _subjects(spec: Spec, split: str, world: dict) -> tuple[tuple[str, ...], str, list[str]]:
    """The subjects wanted that are there, what to call them, and a note where some are not."""
    named = spec.names("subjects", [*SPLITS["all"], *(s[1:] for s in SPLITS["all"])])
    if named is not None:
        wanted = tuple(name if name.startswith("S") else f"S{name}" for name in named)
        title = ",".join(wanted)
    else:
        title = spec.choice("split", tuple(SPLITS), split)
        wanted = SPLITS[title]
    there = tuple(subject for subject in wanted if subject in world)
    if not there:
        has = ", ".join(map(str, list(world)[:12])) or "nobody"
        raise UserError(f"{spec.text}: {', '.join(wanted)} are wanted, but the file has {has}; choose among them.")
    missing = [subject for subject in wanted if subject not in there]
    return there, title, [f"{', '.join(missing)} are not in the file"] if missing else []


def _actions(spec: Spec, there: set[str]) -> set[str]:
    """The takes wanted: 'Walking' means 'Walking' and 'Walking 1'."""
    plain = sorted({action.split(" ")[0] for action in there})
    named = spec.names("actions", [*plain, *sorted(there)])
    return there if named is None else {action for action in there if action in named or action.split(" ")[0] in named}


def _detected(spec: Spec, keypoints: str) -> tuple[Tables, dict[str, dict[str, list[np.ndarray | Stored]]]]:
    """The 2D file that is named, and of it subject -> action -> four arrays (frames, 17 or 16, 2) of pixels."""
    path = spec.path.parent / KEYPOINTS.get(keypoints, keypoints)
    if not path.is_file():
        beside = sorted(file.name for file in spec.path.parent.glob("data_2d_*.npz"))
        if keypoints in KEYPOINTS:
            raise UserError(f"{spec.text}: {path} is not there; put the 2D file beside the 3D, or take keypoints=gt.")
        known = ("gt", *KEYPOINTS, *beside)
        has = f"choose gt, {', '.join(KEYPOINTS)} or the name of a file (there is {', '.join(beside) or 'none'})"
        raise UserError(
            f"{spec.text}: the 2D of keypoints={keypoints} is not at {path}; {closest(keypoints, known, has)}"
        )
    tables = _read(path, FLAT, "metadata")
    columns = tables.found
    if FLAT not in columns:
        raise UserError(f"{path} has no {FLAT}; name a 2D file in the layout of data_2d_h36m_cpn_ft_h36m_dbb.npz.")
    _refuse_coco(columns.get("metadata"), path)
    table = _table(columns[FLAT], path, FLAT)
    detected: dict[str, dict[str, list[np.ndarray | Stored]]] = {}
    promised = 0
    for subject, actions in table.items():
        detected[subject] = {}
        for action, views in actions.items():
            good = isinstance(views, list | tuple) or (isinstance(views, np.ndarray) and views.ndim > 0)
            good = good and len(views) == 4 and all(numeric(v, 3) and v.shape[1] in (16, 17) for v in views)
            if not good or any(v.shape[2] < 2 for v in views):
                raise UserError(
                    f"{path}: {subject} {action} is not four arrays of shape (frames, 17 or 16, 2); prepare the file "
                    "as data_2d_h36m_cpn_ft_h36m_dbb.npz is."
                )
            detected[subject][action] = list(views)
            promised += sum(v.nbytes for v in views)
    require_room(path, promised, path.stat().st_size)
    return tables, detected


def _refuse_coco(metadata, path: Path) -> None:
    symmetry = metadata.get("keypoints_symmetry") if isinstance(metadata, dict) else None
    left = symmetry[0] if isinstance(symmetry, list | tuple) and symmetry else ()
    left = left.tolist() if isinstance(left, np.ndarray) and numeric(left, 1) else left
    if isinstance(left, list | tuple) and all(isinstance(n, int) for n in left) and tuple(left) == COCO_LEFT:
        raise UserError(
            f"{path} has its joints in COCO's order, without pelvis, thorax and head; take detections in Human3.6M's "
            "order, such as data_2d_h36m_cpn_ft_h36m_dbb.npz."
        )


def _table(found: Any, path: Path, key: str) -> dict[str, dict[str, Any]]:
    """subject -> action -> content; UserError where it is anything else."""
    good = isinstance(found, dict) and found and all(isinstance(actions, dict) for actions in found.values())
    if not good or not all(isinstance(name, str) for actions in (found, *found.values()) for name in actions):
        raise UserError(f"{path}: {key} is not a table of subjects and their actions; prepare it as VideoPose3D does.")
    count = sum(map(len, found.values()))
    if count > MOST_SEQUENCES:
        raise UserError(
            f"{path}: {key} has {count:,} sequences, at most {MOST_SEQUENCES:,} are read and Human3.6M has 210; get it "
            "again from its source."
        )
    return found
