"""The commands that make data: the demo's arrays, and motion capture converted."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from poseaug_core.readers.arrays import read_arrays
from tests.core.acclaim_people import write_person
from tests.core.bvh_people import write_bvh
from tests.core.command_line import FLAGS, poseaug, refused

ROOT = Path(__file__).parents[2]


def test_demo_data_is_reproducible(tmp_path):
    done = poseaug("demo-data", "--out", tmp_path / "demo", "--json")
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)
    assert [Path(one["written"]).name for one in written] == ["source.h5", "source_test.h5", "cross.h5"]
    assert all(len(read_arrays(one["written"])) == one["poses"] for one in written)


def test_converting_bvh_files(mocap, tmp_path):
    """A folder of motion capture with one damaged file among them."""
    first, second, *_ = sorted((mocap / "cmu_bvh").rglob("*.bvh"), key=lambda file: file.stat().st_size)
    (tmp_path / "takes").mkdir()
    for file in (first, second):
        shutil.copy(file, tmp_path / "takes")
    (tmp_path / "takes" / "damaged.bvh").write_text("HIERARCHY ROOT")
    out = tmp_path / "source.h5"
    done = poseaug("convert", "bvh", tmp_path / "takes", "--rig", "lab", "--out", out, "--fps", "5", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["clips"] == 2 and found["poses"] == len(read_arrays(out)) > 0
    assert any("damaged.bvh" in line for line in found["left_out"])
    told = poseaug("convert", "bvh", tmp_path / "takes", "--rig", "wild", "--out", tmp_path / "wild.npz", "--fps", "5")
    assert "damaged.bvh" in told.stderr and "Written:" in told.stdout
    assert "end the name in" in refused(poseaug("convert", "bvh", tmp_path / "takes", "--out", tmp_path / "a.txt"))
    assert "does not exist" in refused(poseaug("convert", "bvh", tmp_path / "none", "--out", tmp_path / "a.h5"))
    assert not (tmp_path / "a.h5").exists()


def test_what_was_decided_about_motion_capture_is_told(tmp_path):
    """The same trial in two conversions and a damaged file, looked at, converted, looked at again and trained on."""
    write_person(tmp_path / "takes", "07", trials=2, frames=60)
    write_bvh(tmp_path / "takes" / "07_01.bvh")
    (tmp_path / "takes" / "07_03.bvh").write_text("HIERARCHY ROOT")
    notes = json.loads(poseaug("info", tmp_path / "takes", "--json").stdout)["notes"]
    told = " | ".join(notes)
    alone = poseaug("convert", "bvh", tmp_path / "takes" / "07_01.bvh", "--out", tmp_path / "one.h5")
    assert alone.stdout.endswith(" of 1 clip, 1 subject\n") and "of 1 clip" not in alone.stderr
    assert "no frame rate in it, 120 assumed (2 of 3 clips)" in notes
    assert re.search(r"unit: .*, stature [0-9.]+ m", told) and "counted as often: 07_01 (2 of 3 clips)" in told
    assert re.search(r"1 of 4 motion files .* passed over; the first: .*07_03.bvh", told)
    out = tmp_path / "takes.npz"
    assert poseaug("convert", "mocap", tmp_path / "takes", "--out", out).exit_code == 0
    assert json.loads(poseaug("info", out, "--json").stdout)["notes"] == notes
    done = poseaug("train", "--source", out, *FLAGS, "--pretrain-epochs", 0, "--epochs", 0, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert all(done.stderr.count(f"takes: {note}") == 1 for note in notes)


def test_ctrl_c_while_converting_leaves_nothing(tmp_path, monkeypatch):
    import poseaug_core.readers

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(poseaug_core.readers, "convert_motion", interrupted)
    done = poseaug("convert", "bvh", tmp_path, "--out", tmp_path / "a.h5")
    assert done.exit_code == 130 and done.stderr == "Stopped.\n" and list(tmp_path.iterdir()) == []
