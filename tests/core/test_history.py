"""The history of a long run: several chunks of records, opened more than once, and what it refuses."""

from __future__ import annotations

import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

from poseaug_core.errors import UserError
from poseaug_core.history import GROWTH, History
from tests.studio.fakes import make_snapshot

COUNT = 5 * GROWTH + 3


def write(path, count: int = COUNT) -> History:
    history, one = History(path), make_snapshot(0, probe=2, crowd=4)
    for k in range(count):
        history.append(replace(one, step=10 * k, scalars={"loss/a": float(k), **({"loss/b": 1.0} if k > 70 else {})}))
    return history


def test_steps_are_told_from_a_record_on(tmp_path):
    history = write(tmp_path / "h.h5")
    assert history.steps().tolist() == [10 * k for k in range(COUNT)]
    assert history.steps(COUNT - 2).tolist() == [10 * (COUNT - 2), 10 * (COUNT - 1)]
    assert history.steps(COUNT).tolist() == []


def test_several_watchers_of_one_process_read_while_it_is_written(tmp_path):
    """A table that was refreshed while the file was open twice could not be read: a fault of HDF5."""
    writer = write(tmp_path / "h.h5")
    first, second = History(writer.path), History(writer.path)
    for watcher in (first, second, first):
        writer.append(replace(writer.read(0), step=10 * len(writer), scalars={"loss/a": float(len(writer))}))
        for column in (watcher.series("scalars"), writer.series("scalars")):
            assert column["loss/a"].tolist() == list(range(len(writer)))
            assert np.isnan(column["loss/b"][:71]).all() and (column["loss/b"][71:COUNT] == 1).all()
    writer.close()
    assert first.read(COUNT).step == 10 * COUNT


def test_a_long_history_is_continued_from_a_step_while_others_watch(tmp_path):
    write(tmp_path / "h.h5").close()
    watcher, history = History(tmp_path / "h.h5"), History(tmp_path / "h.h5")
    whole = watcher.series("scalars")["loss/a"]
    history.keep(10 * (3 * GROWTH))
    assert len(history) == 3 * GROWTH + 1 == len(watcher)
    history.append(replace(history.read(-1), step=9999))
    assert watcher.steps()[-2:].tolist() == [10 * 3 * GROWTH, 9999]
    assert np.array_equal(watcher.series("scalars")["loss/a"][:-1], whole[: 3 * GROWTH + 1])


def test_arrays_of_a_record_are_views_that_cannot_be_written(tmp_path):
    history = write(tmp_path / "h.h5", 2)
    snapshot = history.read(1)
    assert snapshot.xyz.base is snapshot.uv.base is not None
    with pytest.raises(ValueError, match="read-only"):
        snapshot.xyz[0] = 0


@pytest.mark.parametrize("fields", ["[", "3", "{}", '{"xyz": [4, 2, 16, 3]}', '{"xyz": "abc"}', "null"])
def test_a_file_whose_records_are_something_else_is_refused_in_a_sentence(tmp_path, fields):
    write(tmp_path / "h.h5", 2).close()
    with h5py.File(tmp_path / "h.h5", "r+") as file:
        file["records"].attrs["fields"] = fields
    history = History(tmp_path / "h.h5")
    for _ in range(2):
        with pytest.raises(UserError, match="cannot be read as a history of snapshots"):
            history.read(0)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_file_that_was_cut_is_refused_and_not_waited_for(tmp_path, share):
    path = tmp_path / "history.h5"
    written = History(path)
    for k in range(3):
        written.append(make_snapshot(step=k, probe=2))
    written.close()
    os.truncate(path, int(share * path.stat().st_size))
    for ask in (lambda: len(History(path)), lambda: History(path).keep(1)):
        with pytest.raises(UserError, match="it is damaged"):
            ask()
