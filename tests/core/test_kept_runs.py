"""Runs of other versions: one that an earlier version made, kept as it was, and runs as a later one may make them.

runs_kept/0.1.0-hdf5.tar.xz: source.npz, 20 standing people, and run, random views at width 8, stopped at step 6 of 8.
Version 0.1.0, its history in HDF5, made it; left alone it ended with the errors in LAST.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from poseaug_core import launch
from poseaug_core.cli import main
from poseaug_core.config import SETTINGS, Config, load_toml, make_config
from poseaug_core.errors import UserError
from poseaug_core.live import Live
from poseaug_core.run_config import read_run_config
from poseaug_core.runs import Run

KEPT = Path(__file__).parent / "runs_kept"
LAST = {"source_test/poseaug16/mpjpe": 932.8077, "source_test/3dhp14/mpjpe": 966.5447}


@pytest.fixture
def kept(tmp_path) -> Path:
    with tarfile.open(KEPT / "0.1.0-hdf5.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    file = tmp_path / "run" / "config.toml"
    file.write_text(file.read_text().replace("/data/source.npz", str(tmp_path / "source.npz")))
    return tmp_path / "run"


def poseaug(*words: str):
    return CliRunner().invoke(main, list(words), catch_exceptions=False)


def test_a_run_of_0_1_0_opens_with_all_that_is_in_it(kept):
    run = Run.open(kept)
    assert run.damage == [] and run.superseded == "" and run.failure() is None and not run.being_written()
    changed = {"augmentation": "random", "estimator_width": 8, "epochs": 2, "probe_size": 2}
    assert all(getattr(run.config, name) == value for name, value in changed.items())
    # What came after 0.1.0 holds its declared value.
    assert run.config.history_limit == SETTINGS["history_limit"].high, "of its snapshots none goes unasked"
    assert run.steps().tolist() == [0, 2, 4, 6] and run.read(-1).step == 6
    assert all(np.isfinite(getattr(run.read(k), name)).any() for k in range(4) for name in ("xyz", "camera"))
    assert run.control_log() == [
        {"step": 1, "field": "apply_ba", "old": True, "new": False},
        {"step": 2, "field": "lr_estimator", "old": None, "new": 3e-4},
    ]
    assert sorted(run.checkpoints()) == ["best_source", "latest", "pretrained"]
    assert [row["step"] for row in run.metrics(kind="evaluation")[0]] == [0, 2]
    assert run.data["sets"]["source"]["poses"] == 10


def test_a_run_of_0_1_0_is_shown_and_evaluated(kept):
    told = json.loads(poseaug("info", str(kept), "--json").stdout)
    assert told["step"] == 6 and told["snapshots"] == 4
    answer = poseaug("evaluate", str(kept), "--on", str(kept.parent / "source.npz"), "--json", "--device", "cpu")
    assert answer.exit_code == 0 and answer.stderr == ""
    assert json.loads(answer.stdout)["sets"][0]["poses"] == 20


def test_a_run_of_0_1_0_goes_on_to_where_it_would_have_ended(kept):
    run = launch.train(None, kept, Live(), resume=True)
    assert run.finished and run.steps().tolist() == [0, 2, 4, 6, 8]
    values = run.metrics(kind="evaluation")[0][-1]["values"]
    assert {name: values[name] for name in LAST} == pytest.approx(LAST, rel=1e-4)
    assert run.controls() == replace(run.config.controls, apply_ba=False, lr_estimator=3e-4)


def of_later(folder: Path, settings: str = "", controls: str = "") -> None:
    """Make a run one of a later version, by lines of its config.toml."""
    file = folder / "config.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("format")]
    at = lines.index("[controls]")
    file.write_text("\n".join(["format = 3", settings, *lines[: at + 1], controls, *lines[at + 1 :]]) + "\n")


def test_what_a_later_version_set_is_passed_over_and_told(kept):
    before = Run.open(kept).config
    of_later(kept, 'warp = 3\nshape = "round"', "weight_warp = 2.5")
    run = Run.open(kept)
    assert run.config == before and run.snapshot_count == 4
    (told,) = run.damage
    assert "warp, shape, weight_warp" in told and "later version" in told
    with pytest.raises(UserError, match=r"settings that this one does not know \(warp, shape, weight_warp\)"):
        launch.train(None, kept, Live(), resume=True)
    assert poseaug("info", str(kept), "--json").exit_code == 0


def test_a_value_that_only_a_later_version_takes_is_told(kept):
    file = kept / "config.toml"
    file.write_text(file.read_text().replace('augmentation = "random"', 'augmentation = "dreamt"'))
    with pytest.raises(UserError, match="augmentation is 'dreamt'"):
        Run.open(kept)
    of_later(kept)
    assert "sets augmentation" in Run.open(kept).damage[0]


def test_a_later_run_that_sets_nothing_new_goes_on(kept):
    of_later(kept)
    data = json.loads((kept / "data.json").read_text())
    (kept / "data.json").write_text(json.dumps({**data, "format": 3, "weather": "fine"}))
    assert "is of format 3" in Run.open(kept).damage[0]
    live = Live()
    assert launch.train(None, kept, live, resume=True).finished
    assert "is of format 3" in live.notes[0]


def test_users_own_settings_of_any_format_are_refused_where_they_are_unknown(tmp_path):
    (tmp_path / "own.toml").write_text("format = 3\nbatch_sise = 16\n")
    with pytest.raises(UserError, match="did you mean 'batch_size'"):
        load_toml(tmp_path / "own.toml")
    (tmp_path / "own.toml").write_text("format = 3\nbatch_size = 16\n")
    assert load_toml(tmp_path / "own.toml") == make_config(batch_size=16)


def test_settings_that_a_run_is_older_than_are_not_its_presets(tmp_path):
    """A preset may be given a setting after the run was made, which then was not trained so."""
    (tmp_path / "config.toml").write_text('preset = "small_data"\nseed = 5\nbatch_size = 256\n')
    config = read_run_config(tmp_path / "config.toml").config
    assert config == replace(Config(), preset="small_data", seed=5, batch_size=256, data_seed=5, history_limit=1 << 24)


def test_new_runs_say_their_format(tmp_path):
    run = Run.create(tmp_path / "run", make_config(), {"sets": {}})
    run.close()
    assert (tmp_path / "run" / "config.toml").read_text().startswith("format = 2\n")
    assert json.loads((tmp_path / "run" / "data.json").read_text())["format"] == 2


def test_every_command_tells_what_is_damaged(kept):
    with open(kept / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 6, "kind": "scalars", "values": {"loss/a": "1"}}\n')
    said = f"{kept / 'metrics.jsonl'} is damaged: 1 line was passed over (line 7)"
    assert any(said in note for note in json.loads(poseaug("info", str(kept), "--json").stdout)["notes"])
    source = str(kept.parent / "source.npz")
    assert poseaug("evaluate", str(kept), "--on", source, "--device", "cpu").stderr.count(said) == 1
    resumed = poseaug("train", "--resume", str(kept))
    assert resumed.exit_code == 0
    assert resumed.stderr.count(said) == 1 and "What was damaged is dropped." in resumed.stderr
    assert json.loads(poseaug("info", str(kept), "--json").stdout)["notes"] == [
        "1 of 2 clips of source are held out as its test set"
    ]
