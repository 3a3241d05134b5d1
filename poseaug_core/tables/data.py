"""Finding a table's data sets: from specs, or in a folder by the names they usually have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.readers.h36m import KEYPOINTS as H36M_2D
from poseaug_core.readers.spec import parse_spec
from poseaug_core.tables.definitions import KEYPOINTS
from poseaug_core.tables.experiment import DataSets

H36M = "data_3d_h36m.npz"


def data_sets(
    folder: str = "",
    source: Iterable[str] = (),
    source_test: Iterable[str] = (),
    cross: str = "",
    wild: str = "",
    extra_2d: Iterable[str] = (),
) -> DataSets:
    """The sets named, and for each that is not named what the folder has.

    source, source_test: specs, each with what made its 2D poses before it where that is no ground truth:
    'hr=SPEC'. Raises UserError for a folder or source that is not there.
    """
    found = found_in(Path(folder)) if folder else DataSets({})
    sources, tests = _by_keypoints(source, "--source"), _by_keypoints(source_test, "--source-test")
    sources = sources or dict(found.source)
    tests = tests or (dict(found.source_test) if sources == dict(found.source) else {})
    if not sources:
        raise UserError("There is no source to train on; name it with --source, or a folder that has it with --data.")
    for name in tests:
        if name not in sources:
            raise UserError(f"--source-test has 2D poses from {name!r}, --source has none; name both.")
    return DataSets(sources, tests, cross or found.cross, wild or found.wild, tuple(extra_2d) or found.extra_2d)


def _by_keypoints(specs: Iterable[str], flag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in specs:
        name, equals, spec = text.partition("=")
        if not (equals and name in KEYPOINTS):
            own = parse_spec(text).options.get("keypoints", "gt")
            name, spec = own if own in KEYPOINTS else "gt", text
        if name in found:
            raise UserError(f"{flag} is given twice for 2D poses from {name!r}; write {flag} hr={spec} for other ones.")
        found[name] = spec
    return found


def found_in(folder: Path) -> DataSets:
    """Sets in a folder by their names: arrays, or the benchmarks as their preparation scripts leave them.

    Raises UserError where the folder has no source.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name the folder of the data sets.")

    def first(*names: str) -> str:
        return next((str(folder / name) for name in names if (folder / name).exists()), "")

    sources, tests = _human36m(folder)
    if not sources:
        plain = first("source_train.npz", "source_train.h5", "source.npz", "source.h5")
        test = first("source_test.npz", "source_test.h5")
        sources, tests = {"gt": plain} if plain else {}, {"gt": test} if test else {}
    if not sources:
        raise UserError(
            f"{folder} has no source_train.npz, source.npz or {H36M}; name the sets with --source, --source-test and "
            "--cross."
        )
    extra = first("extra_2d.npz", "extra_2d.h5", "mpii_human_pose_v1_u12_1.mat")
    return DataSets(
        sources,
        tests,
        first(
            "cross_dev.npz", "cross.npz", "cross.h5", "test_3dhp.npz", "mpi_inf_3dhp_valid.npz", "mpi_inf_3dhp_test_set"
        ),
        first("wild.npz", "wild.h5", "3dpw_test.npz", "3DPW"),
        (extra,) if extra else (),
    )


def _human36m(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Specs of training and test people of Human3.6M for each file of 2D poses that is there."""
    if not (folder / H36M).is_file():
        return {}, {}
    there = ["gt", *(name for name, file in H36M_2D.items() if (folder / file).is_file())]
    whole = {name: f"{folder / H36M}?keypoints={name}" for name in there}
    return whole, {name: f"{spec}&split=test" for name, spec in whole.items()}
