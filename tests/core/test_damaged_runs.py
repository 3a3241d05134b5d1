"""A run folder with anything in it: what is damaged is told and left out, the rest opens, and no traceback comes."""

from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from poseaug_core.config import make_config
from poseaug_core.controls import Controls
from poseaug_core.errors import UserError
from poseaug_core.journal_rows import out_of_order
from poseaug_core.runs import Run
from poseaug_studio.history import History, change
from poseaug_studio.library import last_errors, state_of
from tests.studio.fakes import make_snapshot

SET = {"name": "s", "poses": 40, "subjects": 2, "clips": 4, "views": 1, "mean_depth": 4.5, "fingerprint": "ab"}
DATA = {"sets": {"source": SET, "source_test": SET}, "templates": 3, "notes": ["one clip is held out"]}
FILES = ("controls.jsonl", "metrics.jsonl", "replay.jsonl", "data.json", "config.toml")


@pytest.fixture
def whole(tmp_path) -> Path:
    """A stopped run with something in every file."""
    run = Run.create(tmp_path / "run", make_config(seed=7, pretrain_epochs=2, epochs=2), DATA)
    for step in range(6):
        run.append(make_snapshot(step, probe=2, crowd=4))
        run.log_metrics(step, {"loss/a": float(step), "loss/b": 1.0}, "scalars")
    run.log_metrics(5, {"source_test/poseaug16/mpjpe": 61.5, "wild/poseaug16/mpjpe": float("nan")}, "evaluation")
    run.log_controls(1, [("beta_ba", None, 4.0), ("apply_rt", True, False)])
    run.log_controls(3, [("lr_estimator", None, 1e-3)])
    run.plan([{"step": 7, "field": "beta_ba", "old": 4.0, "new": 5.0}])
    run.save_checkpoint("latest", {"w": torch.ones(1)}, {"step": 4})
    run.close()
    return run.path


def use(folder: Path) -> None:
    """All that a window, a table and the command line do with a run; UserError is the only thing that may come."""
    last_errors(folder / "metrics.jsonl")
    state_of(folder)
    try:
        run = Run.open(folder)
        shown = History.read(run)
        [mark.text for mark in shown.marks()]
        shown.status(run)
        assert isinstance(run.controls(), Controls)
        for row in run.control_log():
            change(row)
        for sentence in run.damage:
            assert sentence.endswith(".") and len(sentence) < 2000 and sentence.isprintable()
        Run.resume(folder)[0].close()
        resumed = Run.open(folder)
        assert not [sentence for sentence in resumed.damage if ".jsonl is damaged" in sentence]
    except UserError as error:
        assert len(str(error)) < 6000


def lines(folder: Path, name: str) -> list[bytes]:
    return (folder / name).read_bytes().splitlines(keepends=True)


BAD = {
    "no JSON": b"{]\n",
    "no object": b"[1, 2]\n",
    "nothing known": b"{}\n",
    "no values": b'{"step": 3, "kind": "scalars"}\n',
    "values of another kind": b'{"step": 3, "kind": "scalars", "values": [1]}\n',
    "a text for a number": b'{"step": 3, "kind": "scalars", "values": {"loss/a": "1"}}\n',
    "no number": b'{"step": 3, "kind": "scalars", "values": {"loss/a": NaN}}\n',
    "an infinite number": b'{"step": 3, "kind": "scalars", "values": {"loss/a": 1e999}}\n',
    "half a step": b'{"step": 3.5, "kind": "scalars", "values": {}}\n',
    "a step below 0": b'{"step": -3, "kind": "scalars", "values": {}}\n',
    "a truth for a step": b'{"step": true, "kind": "scalars", "values": {}}\n',
    "a step of 400 digits": b'{"step": 1' + b"0" * 400 + b', "kind": "scalars", "values": {}}\n',
    "a number of 100,000 digits": b'{"step": 3, "kind": "scalars", "values": {"loss/a": ' + b"7" * 100_000 + b"}}\n",
    "lists in lists": b'{"step": 3, "kind": "scalars", "values": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "a line of 20 MB": b'{"step": 3, "kind": "scalars", "values": {"loss/a' + b"a" * 20_000_000 + b'": 1}}\n',
    "a name that writes to the terminal": b'{"step": 3, "kind": "scalars", "values": {"loss/\\u001b[2J": 1.0}}\n',
    "half a pair of surrogates": b'{"step": 3, "kind": "scalars", "values": {"loss/\\ud800": 1.0}}\n',
    "zeros": b"\x00" * 4096 + b"\n",
}


@pytest.mark.parametrize("what", BAD)
def test_a_damaged_line_of_metrics_is_passed_over_and_told(whole, what):
    good = Run.open(whole).metrics()[0]
    rows = lines(whole, "metrics.jsonl")
    (whole / "metrics.jsonl").write_bytes(b"".join([*rows[:3], BAD[what], *rows[3:]]))
    run = Run.open(whole)
    assert run.metrics()[0] == good
    (told,) = run.damage
    assert (
        told == f"{whole / 'metrics.jsonl'} is damaged: 1 line was passed over (line 4), so their numbers are missing."
    )
    resumed, *_ = Run.resume(whole)
    assert resumed.notes == [f"{told} What was damaged is dropped."]
    assert [row["step"] for row in resumed.metrics()[0]] == [0, 1, 2, 3, 4]
    resumed.close()
    assert Run.open(whole).damage == []


CHANGES = {
    "a rate of 1e30": {"step": 2, "field": "lr_estimator", "old": None, "new": 1e30},
    "an interval of 0": {"step": 2, "field": "discriminator_interval", "old": 2, "new": 0},
    "a text": {"step": 2, "field": "lr_estimator", "old": None, "new": "fast"},
    "nothing": {"step": 2, "field": "apply_rt", "old": True, "new": None},
    "an old value that none was": {"step": 2, "field": "apply_rt", "old": [1], "new": True},
    "no new value": {"step": 2, "field": "apply_rt", "old": True},
    "no field": {"step": 2, "old": True, "new": False},
    "a list of fields": {"step": 2, "field": ["apply_rt"], "old": True, "new": False},
}


@pytest.mark.parametrize("name", ["controls.jsonl", "replay.jsonl"])
@pytest.mark.parametrize("what", CHANGES)
def test_no_control_is_turned_to_what_it_cannot_be(whole, name, what):
    rows = lines(whole, name)
    (whole / name).write_bytes(json.dumps(CHANGES[what]).encode() + b"\n" + b"".join(rows))
    run = Run.open(whole)
    assert run.controls() == Controls(beta_ba=4.0, apply_rt=False, lr_estimator=1e-3)
    assert [row["new"] for row in run.pending()] == [5.0]
    assert f"{name} is damaged: 1 line was passed over (line 1)" in run.damage[0]
    resumed, *_ = Run.resume(whole)
    assert [row["field"] for row in resumed.control_log()] == ["beta_ba", "apply_rt", "lr_estimator"]
    assert [(row["step"], row["new"]) for row in resumed.pending()] == [(7, 5.0)]
    resumed.close()


def test_a_control_of_a_later_version_is_told_and_stays(whole):
    later = b'{"step": 2, "field": "lr_of_tomorrow", "old": null, "new": {"a": 1}}\n'
    rows = lines(whole, "controls.jsonl")
    (whole / "controls.jsonl").write_bytes(b"".join([*rows[:2], later, *rows[2:]]))
    run = Run.open(whole)
    assert run.controls() == Controls(beta_ba=4.0, apply_rt=False, lr_estimator=1e-3)
    assert "is of a later version" in run.damage[0] and "(line 3)" in run.damage[0]
    Run.resume(whole)[0].close()
    assert later in lines(whole, "controls.jsonl")


def test_steps_out_of_order_are_those_that_fit_least():
    assert out_of_order([0, 1, 1, 2, 2, 5]) == set()
    assert out_of_order([0, 2, 900, 4, 4, 6]) == {2}
    assert out_of_order([0, 2, 4, 1, 6, 8]) == {3}
    assert out_of_order([]) == set()
    assert out_of_order([5, 4]) in ({0}, {1})


def test_a_step_that_jumped_is_passed_over_alone(whole):
    rows = lines(whole, "metrics.jsonl")
    rows[2] = rows[2].replace(b'"step": 2', b'"step": 2000000')
    (whole / "metrics.jsonl").write_bytes(b"".join(rows))
    run = Run.open(whole)
    assert [row["step"] for row in run.metrics()[0]] == [0, 1, 3, 4, 5, 5]
    assert "(line 3)" in run.damage[0]


def test_many_damaged_lines_are_one_sentence(whole):
    rows = lines(whole, "metrics.jsonl")
    (whole / "metrics.jsonl").write_bytes(b"".join([rows[0], b"?\n" * 5000, *rows[1:]]))
    run = Run.open(whole)
    assert len(run.metrics()[0]) == 7 and len(run.damage) == 1
    assert "at least 1,000 lines were passed over (the first is line 2)" in run.damage[0]


def test_lines_that_are_not_asked_for_are_looked_at_too(whole):
    with open(whole / "metrics.jsonl", "ab") as file:
        file.write(b"\x00\x00\n")
    run = Run.open(whole)
    rows, following = run.metrics(kind="evaluation")
    assert len(rows) == 1 and following == (whole / "metrics.jsonl").stat().st_size
    assert len(run.damage) == 1


def test_what_is_appended_does_not_join_a_cut_line(whole):
    with open(whole / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 6, "kind": "sca')
    run = Run.open(whole)
    run._open_to_write()
    run.log_metrics(6, {"loss/a": 6.0}, "scalars")
    run.close()
    assert [row["step"] for row in Run.open(whole).metrics()[0]] == [0, 1, 2, 3, 4, 5, 5, 6]
    assert "(line 8)" in Run.open(whole).damage[0]


def test_a_file_that_was_replaced_is_read_from_its_beginning(whole):
    run = Run.open(whole)
    _, following = run.metrics()
    size = (whole / "metrics.jsonl").stat().st_size
    other = [json.dumps({"step": step, "kind": "scalars", "values": {"loss/c": 1.0}}) for step in range(40)]
    text = "\n".join(other)[: size - 1] + "\n"  # a line ends where one ended before
    (whole / "new").write_text(text + "\n".join(other[-2:]) + "\n")
    os.replace(whole / "new", whole / "metrics.jsonl")
    rows, again = run.metrics(following)
    assert [row["step"] for row in rows[:3]] == [0, 1, 2] and "loss/c" in rows[0]["values"]
    (whole / "metrics.jsonl").write_text(other[0] + "\n")
    assert [row["step"] for row in run.metrics(again)[0]] == [0]
    os.unlink(whole / "metrics.jsonl")
    assert run.metrics(again) == ([], 0)


def test_the_studio_forgets_changes_that_a_resume_dropped(whole):
    run = Run.open(whole)
    shown = History.read(run)
    assert len(shown.log) == 3
    (whole / "controls.jsonl").write_text("")
    shown.update(run)
    assert shown.log == [] and not [mark for mark in shown.marks() if mark.kind == "control"]


@pytest.mark.parametrize("name", ["controls.jsonl", "metrics.jsonl", "replay.jsonl", "failure.txt", "data.json"])
@pytest.mark.parametrize("what", ["folder", "pipe", "endless"])
def test_what_is_no_file_is_never_waited_for(whole, name, what):
    (whole / name).unlink(missing_ok=True)
    if what == "folder":
        (whole / name).mkdir()
    elif what == "pipe":
        os.mkfifo(whole / name)
    else:
        (whole / name).symlink_to("/dev/zero")
    use(whole)


DATA_OF_OTHERS = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "sets that are a list": json.dumps({**DATA, "sets": [1]}).encode(),
    "a set that is a text": json.dumps({**DATA, "sets": {"source": "s"}}).encode(),
    "poses that are a text": json.dumps({**DATA, "sets": {"source": {**SET, "poses": "40"}}}).encode(),
    "poses below 0": json.dumps({**DATA, "sets": {"source": {**SET, "poses": -1}}}).encode(),
    "notes that are numbers": json.dumps({**DATA, "notes": [1, 2]}).encode(),
    "a note that writes to the terminal": json.dumps({**DATA, "notes": ["\x1b[2J"]}).encode(),
    "lists in lists": b'{"sets": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number of 100,000 digits": b'{"templates": ' + b"9" * 100_000 + b"}",
    "20 MB": b'{"notes": ["' + b"a" * 20_000_000 + b'"]}',
    "zeros": b"\x00" * 700,
}


@pytest.mark.parametrize("what", DATA_OF_OTHERS)
def test_damaged_data_are_told_and_the_rest_opens(whole, what):
    (whole / "data.json").write_bytes(DATA_OF_OTHERS[what])
    use(whole)
    run = Run.open(whole)
    assert len([told for told in run.damage if "data.json is damaged" in told]) == 1
    assert run.snapshot_count and run.metrics()[0]


CONFIGS = {
    "zeros": b"\x00" * 100,
    "a table for a text": b"source = {a = 1}\n",
    "tables in tables": b"source." + b"a." * 50_000 + b"a = 1\n",
    "tables of texts in tables": b"source." + b'"a".' * 50_000 + b"a = 1\n",
    "a number of 100,000 digits": b"seed = " + b"9" * 100_000 + b"\n",
    "a hexadecimal number of 100,000 digits": b"seed = 0x" + b"f" * 100_000 + b"\n",
    "a text of 100,000 letters": b'source = "' + b"a" * 100_000 + b'"\n',
    "a date": b"source = 2026-01-01\n",
    "an unknown setting": b"batch_sise = 16\n",
    "a rate of 1e30": b"lr_estimator = 1e30\n",
    "no number": b"lr_estimator = nan\n",
    "an infinite number": b"lr_estimator = inf\n",
    "controls that are none": b"controls = 3\n",
    "a control of 0": b"[controls]\ndiscriminator_interval = 0\n",
    "a format that is a text": b'format = "two"\n',
}


@pytest.mark.parametrize("what", CONFIGS)
def test_damaged_settings_are_refused_in_a_sentence(whole, what):
    (whole / "config.toml").write_bytes(CONFIGS[what])
    with pytest.raises(UserError, match="config.toml") as raised:
        Run.open(whole)
    assert len(str(raised.value)) < 1000
    use(whole)


@pytest.mark.parametrize("name", FILES)
def test_files_garbled_at_random(whole, tmp_path, name):
    """A byte turned, cut, doubled, or a value put in another's place, at many places."""
    random.seed(name)
    data = (whole / name).read_bytes()
    values = [b"null", b"-1", b"0", b"1e30", b'"x"', b"[]", b"{}", b"true", b"NaN"]
    for turn in range(60):
        at, kind = random.randrange(len(data)), turn % 4
        if kind == 0:
            spoiled = data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            spoiled = data[:at]
        elif kind == 2:
            spoiled = data[:at] + data[max(at - 30, 0) :]
        else:
            colon = max(data.rfind(b":", 0, at), data.rfind(b"=", 0, at)) + 1
            ends = [end for end in (data.find(mark, colon) for mark in (b",", b"}", b"\n")) if end >= 0]
            spoiled = data[:colon] + b" " + random.choice(values) + data[min(ends, default=len(data)) :]
        folder = tmp_path / f"copy{turn}"
        shutil.copytree(whole, folder)
        (folder / name).write_bytes(spoiled)
        use(folder)
        shutil.rmtree(folder)


def test_a_whole_run_has_nothing_to_tell(whole):
    run = Run.open(whole)
    assert run.damage == [] and run.data["sets"]["source"] == SET
    assert asdict(run.config) == asdict(make_config(seed=7, pretrain_epochs=2, epochs=2))
    use(whole)
