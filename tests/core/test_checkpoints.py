"""Checkpoints: several are kept, damage is noticed, and what a run goes back from stays."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from poseaug_core import checkpoints
from poseaug_core.checkpoints import read_checkpoint, read_meta, write_checkpoint
from poseaug_core.config import make_config
from poseaug_core.errors import UserError
from poseaug_core.runs import Run


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run.create(tmp_path / "run", make_config(checkpoints_kept=3), {"sets": {}})
    for step in range(0, 110, 10):
        meta = {"step": step, "position": {"step": step}, "alarms": ["exploding"] if step == 100 else []}
        run.save_checkpoint("latest", {"w": torch.full((4,), float(step))}, meta)
    run.save_checkpoint("best_source", {"w": torch.ones(4)}, {"step": 80, "position": {}})
    run.save_checkpoint("pretrained", {"w": torch.ones(4)}, {"step": 20, "position": {}})
    run.close()
    return run


def test_some_lie_spread_over_the_run(run):
    steps = checkpoints.spread(run.saved)
    assert len(steps) == 3 and steps[-1] == 90 and max(np.diff([0, *steps])) <= 50
    assert checkpoints.step_of(run.saved, "latest") == 100 and checkpoints.step_of(run.saved, "previous") == 90
    assert run.load_checkpoint("previous")[0]["w"].tolist() == [90.0] * 4


def test_the_good_ones_are_those_that_no_alarm_is_noted_in(run):
    assert list(checkpoints.good(run.saved, 1000))[0] == "previous" and "latest" not in checkpoints.good(
        run.saved, 1000
    )
    assert max(checkpoints.good(run.saved, 40).values()) <= 40


def test_every_flipped_bit_is_noticed(tmp_path):
    path = write_checkpoint(tmp_path / "c.safetensors", {"w": torch.randn(50), "n": torch.arange(3)}, {"step": 3})
    whole, tensors = path.read_bytes(), read_checkpoint(path)[0]
    for place in range(0, len(whole) * 8, 7):
        spoiled = bytearray(whole)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        try:
            found, meta = read_checkpoint(path)
        except UserError:
            continue
        assert meta == {"step": 3} and all(torch.equal(found[name], tensors[name]) for name in tensors), place


def test_a_damaged_one_names_the_others(run):
    path = checkpoints.place_of(run.saved, "latest")
    spoiled = bytearray(path.read_bytes())
    spoiled[-1] ^= 1
    path.unlink()  # other names of the same file stay
    path.write_bytes(spoiled)
    with pytest.raises(UserError, match=r"its checksum is another.*--from.*previous"):
        Run.resume(run.path)
    resumed, tensors, _ = Run.resume(run.path, "previous")
    assert tensors["w"].tolist() == [90.0] * 4
    resumed.close()


@pytest.mark.parametrize(
    "meta", ["[]", "3", '{"step": -1}', '{"step": "x"}', '{"step": 1e300}', '{"position": 5}', "{"]
)
def test_a_made_up_header_is_refused(tmp_path, meta):
    save_file({"w": torch.ones(1)}, tmp_path / "c.safetensors", metadata={"meta": meta})
    for ask in (read_checkpoint, read_meta):
        with pytest.raises(UserError, match="is not a checkpoint of this program"):
            ask(tmp_path / "c.safetensors")


def test_one_without_checksums_is_one_of_an_earlier_version(tmp_path):
    save_file({"w": torch.ones(1)}, tmp_path / "c.safetensors", metadata={"meta": json.dumps({"step": 1})})
    assert read_checkpoint(tmp_path / "c.safetensors")[1] == {"step": 1}


def test_what_does_not_fit_refuses_a_resume_in_a_sentence(run):
    before = {file.name: file.read_bytes() for file in run.saved.iterdir()}

    def load(tensors, meta):
        return tensors["another"]

    with pytest.raises(UserError, match="does not fit this run .KeyError.*--from"):
        Run.resume(run.path, load=load)
    assert {file.name: file.read_bytes() for file in run.saved.iterdir()} == before


def test_going_back_leaves_the_last_and_the_best_of_the_way_that_is_left(run):
    back = checkpoints.spread(run.saved)[0]
    resumed, *_ = Run.resume(run.path, f"step-{back:09}")
    (said,) = resumed.notes
    assert "left_latest" in said and "left_best_source" in said and f"step {back}" in said
    assert checkpoints.step_of(run.saved, "latest") == back
    assert checkpoints.step_of(run.saved, "left_latest") == 100
    assert checkpoints.step_of(run.saved, "left_best_source") == 80
    others = {name: checkpoints.step_of(run.saved, name) for name in resumed.checkpoints() if "left_" not in name}
    assert max(others.values()) == back
    assert not any(name.startswith("left_") for name in checkpoints.good(run.saved, 1000))
    resumed.close()
    again, *_ = Run.resume(run.path)
    assert again.notes == [], "nothing is left this time"
    again.close()
