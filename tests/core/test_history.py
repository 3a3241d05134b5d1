"""The history of a long run: several chunks of records, opened more than once, and what it refuses."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from poseaug_core.errors import UserError
from poseaug_core.history import History, same
from poseaug_core.snapshot import ARRAYS
from tests.studio.fakes import make_snapshot

GROWTH = 64
COUNT = 5 * GROWTH + 3


def write(path, count: int = COUNT) -> History:
    history, one = History(path), make_snapshot(0, probe=2, crowd=4)
    for k in range(count):
        history.append(replace(one, step=10 * k, scalars={"loss/a": float(k), **({"loss/b": 1.0} if k > 70 else {})}))
    return history


def test_steps_are_told_from_a_record_on(tmp_path):
    history = write(tmp_path / "h.db")
    assert history.steps().tolist() == [10 * k for k in range(COUNT)]
    assert history.steps(COUNT - 2).tolist() == [10 * (COUNT - 2), 10 * (COUNT - 1)]
    assert history.steps(COUNT).tolist() == []


def test_several_watchers_of_one_process_read_while_it_is_written(tmp_path):
    writer = write(tmp_path / "h.db")
    first, second = History(writer.path), History(writer.path)
    for watcher in (first, second, first):
        writer.append(replace(writer.read(0), step=10 * len(writer), scalars={"loss/a": float(len(writer))}))
        for column in (watcher.series("scalars"), writer.series("scalars")):
            assert column["loss/a"].tolist() == list(range(len(writer)))
            assert np.isnan(column["loss/b"][:71]).all() and (column["loss/b"][71:COUNT] == 1).all()
    writer.close()
    assert first.read(COUNT).step == 10 * COUNT


def test_a_long_history_is_continued_from_a_step_while_others_watch(tmp_path):
    write(tmp_path / "h.db").close()
    watcher, history = History(tmp_path / "h.db"), History(tmp_path / "h.db")
    whole = watcher.series("scalars")["loss/a"]
    history.keep(10 * (3 * GROWTH))
    assert len(history) == 3 * GROWTH + 1 == len(watcher)
    history.append(replace(history.read(-1), step=9999))
    assert watcher.steps()[-2:].tolist() == [10 * 3 * GROWTH, 9999]
    assert np.array_equal(watcher.series("scalars")["loss/a"][:-1], whole[: 3 * GROWTH + 1])


def test_arrays_of_a_record_are_views_that_cannot_be_written(tmp_path):
    history = write(tmp_path / "h.db", 2)
    snapshot = history.read(1)
    assert snapshot.xyz.base is snapshot.uv.base is not None
    with pytest.raises(ValueError, match="read-only"):
        snapshot.xyz[0] = 0


@pytest.mark.parametrize("fields", ["[", "3", "{}", '{"xyz": [4, 2, 16, 3]}', '{"xyz": "abc"}', "null"])
def test_a_file_whose_records_are_something_else_is_refused_in_a_sentence(tmp_path, fields):
    write(tmp_path / "h.db", 2).close()
    with sqlite3.connect(tmp_path / "h.db") as base:
        base.execute("UPDATE about SET value = ? WHERE key = 'fields'", (fields,))
    base.close()
    history = History(tmp_path / "h.db")
    for _ in range(2):
        with pytest.raises(UserError, match="cannot be read as a history of snapshots"):
            history.read(0)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_a_file_that_was_cut_is_mended_by_a_resume(tmp_path, share):
    path = tmp_path / "history.db"
    write(path).close()
    os.truncate(path, int(share * path.stat().st_size))
    try:
        watcher = History(path)
        for k in range(len(watcher)):
            assert watcher.read(k).step == 10 * k
    except UserError as error:
        assert "damaged" in str(error)
    history = History(path)
    assert "was damaged" in history.keep(10 * COUNT)[0]
    history.append(make_snapshot(99999, probe=2, crowd=4))
    assert [history.read(k).step for k in range(len(history))] == history.steps().tolist()
    assert (tmp_path / "history.damaged.db").exists()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("writing", [False, True])
def test_a_run_opened_again_and_again_reads_every_record_right(tmp_path, order, writing):
    """HDF5 in single-writer mode read record 0 for all of them, in the objects of before too."""
    writer = write(tmp_path / "h.db")
    whole = [writer.read(k) for k in range(COUNT)]
    if not writing:
        writer.close()
    opened = []
    for _ in range(3):
        opened.append(History(writer.path))
        for history in opened:
            assert all(same(history.read(k), one) for k, one in enumerate(whole))
        if writing:
            writer.append(replace(whole[0], step=10 * len(whole), scalars={"loss/a": float(len(whole))}))
            whole.append(writer.read(-1))
    for k in order:
        opened[k].close()
        for history in opened:
            assert all(same(history.read(k), one) for k, one in enumerate(whole))


def test_another_process_writes_while_this_one_has_it_open_twice(tmp_path):
    path = tmp_path / "history.db"
    code = (
        "import sys, os; from tests.core.test_history import write; "
        "from pathlib import Path; write(Path(sys.argv[1]), 150); os._exit(9)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as writer:
        watchers = [History(path), History(path)]
        seen = 0
        while writer.poll() is None or seen < len(watchers[0]):
            for watcher in watchers:
                for k in range(seen, len(watcher)):
                    found = watcher.read(k)
                    assert (found.step, found.scalars["loss/a"]) == (10 * k, float(k))
            seen = min(map(len, watchers))
    assert seen == 150, "all that was told as written outlives the writer's end without a close"


def test_a_changed_byte_of_a_record_is_noticed_and_takes_no_other_with_it(tmp_path):
    history = write(tmp_path / "h.db", 30)
    history.close()
    with sqlite3.connect(history.path) as base:
        data = bytearray(base.execute("SELECT data FROM arrays WHERE k = 8").fetchone()[0])
        data[100] ^= 4
        base.execute("UPDATE arrays SET data = ? WHERE k = 8", (bytes(data),))
        base.execute("UPDATE records SET scalars = (SELECT scalars FROM records WHERE k = 3) WHERE k = 4")
        base.execute("UPDATE records SET step = 41 WHERE k = 5")
    base.close()
    watcher = History(history.path)
    for k in range(30):
        if k in (3, 4, 7):
            said = refusal(lambda k=k: watcher.read(k))
            assert f"step {41 if k == 4 else 10 * k}" in said and "checksum" in said
        else:
            assert watcher.read(k).step == 10 * k


def refusal(ask) -> str:
    with pytest.raises(UserError) as refused:
        ask()
    return str(refused.value)


def test_flipped_bits_never_show_a_wrong_record(tmp_path):
    history = write(tmp_path / "h.db", 40)
    history.close()
    good, whole = [history.read(k) for k in range(40)], history.path.read_bytes()
    history.close()
    rng, path = np.random.default_rng(3), tmp_path / "flipped.db"
    for place in rng.integers(0, len(whole) * 8, 150).tolist():
        spoiled = bytearray(whole)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        watcher = History(path)
        try:
            for k in range(len(watcher)):
                try:
                    found = watcher.read(k)
                except UserError:
                    continue
                assert same(found, good[found.step // 10])
        except UserError:
            pass
        watcher.close()


def test_a_file_with_more_than_its_tables_is_not_used(tmp_path):
    write(tmp_path / "h.db", 2).close()
    with sqlite3.connect(tmp_path / "h.db") as base:
        base.execute("CREATE TRIGGER bad AFTER DELETE ON records BEGIN DELETE FROM arrays; END")
    base.close()
    assert "cannot be read as a history" in refusal(lambda: len(History(tmp_path / "h.db")))


def test_a_history_of_a_later_version_says_so(tmp_path):
    write(tmp_path / "history.db", 2).close()
    with sqlite3.connect(tmp_path / "history.db") as base:
        base.execute("UPDATE about SET value = '99' WHERE key = 'format'")
        base.execute("ALTER TABLE records ADD COLUMN more")
    base.close()
    before = (tmp_path / "history.db").read_bytes()
    for ask in (lambda: len(History(tmp_path / "history.db")), lambda: History(tmp_path / "history.db").keep(1)):
        assert "later version" in refusal(ask)
    assert (tmp_path / "history.db").read_bytes() == before


def test_a_field_more_or_less_is_no_damage(tmp_path, monkeypatch):
    from poseaug_core import history, history_records

    write(tmp_path / "h.db", 3).close()
    with sqlite3.connect(tmp_path / "h.db") as base:
        shapes = json.loads(base.execute("SELECT value FROM about WHERE key = 'fields'").fetchone()[0])
    base.close()
    for module in (history, history_records):
        monkeypatch.setattr(module, "ARRAYS", tuple(name for name in ARRAYS if name != "hardness"))
    watcher = History(tmp_path / "h.db")
    assert "hardness" in watcher.notes[0] and "later version" in watcher.notes[0]
    monkeypatch.undo()
    monkeypatch.setattr(history_records, "ARRAYS", (*ARRAYS, "depth"))
    assert "cannot be read" in refusal(lambda: len(History(tmp_path / "h.db"))), "it has no default"
    monkeypatch.setattr(history_records, "OPTIONAL", {"depth"})
    assert len(History(tmp_path / "h.db")) == 3 and "hardness" in shapes


def test_a_limit_thins_the_records_evenly(tmp_path):
    one = make_snapshot(0, probe=2, crowd=4)
    size = sum(getattr(one, name).nbytes for name in ARRAYS) + 1024
    history, watcher = History(tmp_path / "h.db", 200 * size), History(tmp_path / "h.db", 200 * size)
    sizes = []
    for step in range(2000):
        history.append(replace(one, step=step))
        sizes.append(len(watcher))
    assert max(sizes) <= 200 + 64 and watcher.steps()[0] == 0 and watcher.steps()[-1] == 1999
    assert [watcher.read(k).step for k in range(len(watcher))] == watcher.steps().tolist()
    assert np.diff(watcher.steps()).max() < 4 * 2000 / 200
    assert "older snapshots were dropped" in watcher.notes[0]
    history.close()
    assert history.path.stat().st_size < 300 * size + (1 << 20)


def test_a_folder_that_may_not_be_written_is_read(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write(folder / "history.db", 20).close()
    (folder / "history.db").chmod(0o444)
    folder.chmod(0o555)
    code = (
        "import os, sys; from pathlib import Path; from poseaug_core.history import History; os.setuid(65534); "
        "h = History(Path(sys.argv[1])); print([h.read(k).step for k in range(len(h))])"
    )
    tmp_path.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code, str(folder / "history.db")], capture_output=True, text=True)
    folder.chmod(0o755)
    if done.returncode and ("Permission" in done.stderr or "not permitted" in done.stderr):
        pytest.skip("another user may not come here")
    assert done.stdout.strip() == str([10 * k for k in range(20)]), done.stderr
