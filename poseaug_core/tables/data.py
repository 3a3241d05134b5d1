"""Finding a table's data sets: from specs, or in a folder by the names they usually have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.tables.definitions import KEYPOINTS
from poseaug_core.tables.experiment import DataSets


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
            name, spec = "gt", text
        if name in found:
            raise UserError(f"{flag} is given twice for 2D poses from {name!r}; write {flag} hr={spec} for other ones.")
        found[name] = spec
    return found


def found_in(folder: Path) -> DataSets:
    """Sets in a folder by their names. Raises UserError where the folder has no source."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name the folder of the data sets.")

    def first(*names: str) -> str:
        return next((str(folder / name) for name in names if (folder / name).exists()), "")

    plain = first("source_train.npz", "source_train.h5", "source.npz", "source.h5")
    if not plain:
        raise UserError(
            f"{folder} has no source_train.npz or source.npz; name the sets with --source, --source-test and --cross."
        )
    test = first("source_test.npz", "source_test.h5")
    return DataSets(
        {"gt": plain},
        {"gt": test} if test else {},
        first("cross_dev.npz", "cross.npz", "cross.h5", "test_3dhp.npz"),
        first("wild.npz", "wild.h5", "test_3dpw.npz"),
        tuple(filter(None, [first("extra_2d.npz", "extra_2d.h5")])),
    )
