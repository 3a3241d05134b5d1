"""The command line: what it writes and prints, and that bad input ends in one sentence, exit code 2 and no file."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from poseaug_core.config import SETTINGS
from poseaug_core.controls import KNOBS
from poseaug_core.readers.arrays import read_arrays, write_arrays
from poseaug_core.runs import Run
from tests.core.command_line import FLAGS, poseaug, refused
from tests.core.small import SMALL, small_poses
from tests.core.superseded import supersede

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """source.npz, wild.npz and the finished run 'a' on them."""
    folder = tmp_path_factory.mktemp("cli")
    write_arrays(small_poses(40, 1), folder / "source.npz")
    write_arrays(small_poses(20, 2), folder / "wild.npz")
    done = poseaug("train", *data(folder), *FLAGS, "--tolerance-ba", "1.5", "--out", folder / "a", "--json")
    assert done.exit_code == 0, done.output
    (folder / "result.json").write_text(done.stdout)
    return folder


def data(folder) -> list[str]:
    return ["--source", str(folder / "source.npz"), "--cross", str(folder / "wild.npz")]


def test_training_gives_a_run_and_json(folder):
    result = json.loads((folder / "result.json").read_text())
    run = Run.open(folder / "a")
    assert result["run"] == str(folder / "a") and result["state"] == "finished"
    assert result["steps"] == run.load_checkpoint()[1]["step"] > 0
    assert {"source_test/poseaug16/mpjpe", "wild/3dhp14/auc"} <= set(result["evaluation"])
    assert run.config.batch_size == 16 and run.config.controls.tolerance_ba == 1.5
    assert run.config.cross == (str(folder / "wild.npz"),)


def test_evaluating_agrees_with_training(folder):
    done = poseaug("evaluate", folder / "a", "--on", folder / "wild.npz", "--json")
    (found,) = json.loads(done.stdout)["sets"]
    trained = json.loads((folder / "result.json").read_text())["evaluation"]
    assert found["poses"] == 20 and len(found["metrics"]) > 5
    for name, value in found["metrics"].items():
        assert value == pytest.approx(trained[f"wild/{name}"], abs=1e-3)
    plain = poseaug(
        "evaluate", folder / "a", "--on", folder / "wild.npz", "--json", "--no-flip", "--protocol", "3dhp14"
    )
    metrics = json.loads(plain.stdout)["sets"][0]["metrics"]
    assert all(name.startswith("3dhp14/") for name in metrics)
    assert metrics["3dhp14/mpjpe"] != found["metrics"]["3dhp14/mpjpe"]
    table = poseaug("evaluate", folder / "a", "--on", folder / "wild.npz", "--on", folder / "source.npz")
    assert "poseaug16/mpjpe (mm)" in table.stdout and f"{found['metrics']['poseaug16/mpjpe']:.2f}" in table.stdout
    assert re.search(r"metric +wild +source\n", table.stdout)
    assert f"\nwild: {folder / 'wild.npz'}, 20 poses\n" in table.stdout


def test_breakdowns_name_their_mean_and_leave_it_out_of_one_row(folder):
    words = ["evaluate", folder / "a", "--on", folder / "wild.npz", "--by", "view", "--by", "action"]
    by = json.loads(poseaug(*words, "--json").stdout)["sets"][0]["by"]
    assert list(by["view"]) == ["0"] and by["view"]["0"]["poses"] == 20
    assert list(by["action"]) == ["clip0", "clip1", "mean of the rows"]
    assert "poses" not in by["action"]["mean of the rows"]
    printed = poseaug(*words).stdout
    assert printed.count("By view on wild") == 1 and printed.count("By action on wild") == 2
    assert re.search(r"mean of the rows +\d+\.\d\d ", printed)


def test_tables_in_a_pipe(folder, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    wide = poseaug("info", "settings").stdout.splitlines()
    assert max(map(len, wide)) > 100 and not any(line.endswith(" ") for line in wide)
    assert poseaug("info", folder / "a").stdout.startswith("run ")
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, poseaug("info", "settings").stdout.splitlines())) <= 60


def test_progress_in_a_pipe_is_a_line_now_and_then(capsys, monkeypatch):
    from poseaug_core.commands import terminal

    with terminal.progress_bar() as progress:
        assert progress(0.1, "soon done")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(terminal, "EVERY", 0.0)
    with terminal.progress_bar() as progress:
        progress(0.25, "evaluating wild")
    assert capsys.readouterr().err == "evaluating wild  25%\n"


def test_an_estimator_is_not_written_over_the_checkpoint_it_is_read_from(folder, tmp_path):
    latest = folder / "a" / "checkpoints" / "latest.safetensors"
    (tmp_path / "link.safetensors").symlink_to(latest)
    before = latest.read_bytes()
    for run, out in ((latest, latest), (folder / "a", latest), (latest, tmp_path / "link.safetensors")):
        result = poseaug("export", "estimator", run, "--out", out)
        assert result.exit_code == 2 and "is the file that is read; name another to write" in result.output
    assert latest.read_bytes() == before


def test_exported_estimator_is_the_same_one(folder, tmp_path):
    out = tmp_path / "estimator.safetensors"
    assert poseaug("export", "estimator", folder / "a", "--out", out).exit_code == 0
    one, two = (poseaug("evaluate", it, "--on", folder / "wild.npz", "--json").stdout for it in (folder / "a", out))
    assert json.loads(one)["sets"] == json.loads(two)["sets"]
    again = poseaug(
        "train", *data(folder), *FLAGS, "--estimator-weights", out, "--epochs", "1", "--out", tmp_path / "b"
    )
    assert again.exit_code == 0, again.output
    assert "pretrain" not in {Run.open(tmp_path / "b").read(k).phase for k in (0, -1)}


def test_exported_pairs_train_again(folder, tmp_path):
    out = tmp_path / "pairs.h5"
    done = poseaug("export", "pairs", folder / "a", "--out", out, "--json")
    result = json.loads(done.stdout)
    pairs = read_arrays(out)
    assert result["of"] == 30 and 0 < result["pairs"] == len(pairs) <= 30
    assert float(pairs.uv.max()) <= 1.0
    source = read_arrays(folder / "source.npz")
    assert not any(np.allclose(p, s, atol=1e-3) for p in pairs.xyz.numpy() for s in source.xyz.numpy())
    told = poseaug("export", "pairs", folder / "a", "--out", tmp_path / "other.h5").stdout
    assert f"{len(pairs)} of 30 pairs" in told
    assert ("dropped_because" in result) == ("keep_rule released" in told) == (len(pairs) < 30)
    assert np.array_equal(read_arrays(tmp_path / "other.h5").xyz, pairs.xyz)


def test_exporting_figures(folder, tmp_path):
    from poseaug_core.commands.export import FIGURES
    from poseaug_core.export import FIGURES as DRAWN

    assert FIGURES.split("|") == list(DRAWN)
    for name, suffix, magic in (
        ("augmentation", "pdf", b"%PDF"),
        ("curves", "svg", b"<?xml"),
        ("kcs", "png", b"\x89PNG"),
    ):
        out = tmp_path / f"{name}.{suffix}"
        done = poseaug(
            "export", "figure", folder / "a", "--figure", name, "--out", out, "--dpi", "50", "--theme", "dark"
        )
        assert done.exit_code == 0, done.output
        assert out.read_bytes().startswith(magic)
    steps = [int(step) for step in Run.open(folder / "a").steps()]
    asked, drawn = next((a + 1, a) for a, b in zip(steps, steps[1:], strict=False) if b > a + 1)
    words = ["export", "figure", folder / "a", "--figure", "kcs", "--snapshot", asked, "--out", tmp_path / "kcs.svg"]
    assert poseaug(*words).stdout.endswith(f"kcs.svg, of step {drawn}\n")
    assert json.loads(poseaug(*words, "--json").stdout)["step"] == drawn
    before = sorted(tmp_path.iterdir())
    words = ["export", "figure", folder / "a", "--out", tmp_path / "bad.pdf"]
    assert f"after step {steps[-1]}" in refused(poseaug(*words, "--figure", "kcs", "--snapshot", "999999"))
    assert "no figure 'cats'" in refused(poseaug(*words, "--figure", "cats"))
    assert "Row 99" in refused(poseaug(*words, "--figure", "kcs", "--row", "99"))
    assert "'soon' names no snapshot" in refused(poseaug(*words, "--figure", "kcs", "--snapshot", "soon"))
    assert "width" in refused(poseaug(*words, "--figure", "kcs", "--width-mm", "wide"))
    assert "theme 'pink'" in refused(poseaug(*words, "--figure", "kcs", "--theme", "pink"))
    assert sorted(tmp_path.iterdir()) == before


def test_resume_and_replay_say_what_they_keep(folder, tmp_path):
    done = poseaug("train", "--replay", folder / "a", "--out", tmp_path / "again", "--json")
    assert done.exit_code == 0, done.output
    first, second = Run.open(folder / "a"), Run.open(tmp_path / "again")
    assert second.config == first.config and second.metrics()[0] == first.metrics()[0]
    assert poseaug("train", "--resume", tmp_path / "again").exit_code == 0
    assert "--seed" in refused(poseaug("train", "--resume", folder / "a", "--seed", "3"))
    assert "--preset" in refused(poseaug("train", "--replay", folder / "a", "--out", tmp_path / "c", "--preset", "x"))


def test_toml_under_flags(folder, tmp_path):
    (tmp_path / "my.toml").write_text("epochs = 0\npretrain_epochs = 0\nseed = 5\n[controls]\nbeta_ba = 4.0\n")
    words = ["--config", tmp_path / "my.toml", "--seed", "6", "--no-swap-bone-lengths", "--threads", "1"]
    assert poseaug("train", *data(folder), *words, "--out", tmp_path / "run").exit_code == 0
    config = Run.open(tmp_path / "run").config
    assert (config.seed, config.epochs, config.controls.beta_ba, config.swap_bone_lengths) == (6, 0, 4.0, False)
    (tmp_path / "bad.toml").write_text("epochs = [")
    assert "cannot be read as a TOML" in refused(
        poseaug("train", "--config", tmp_path / "bad.toml", "--out", tmp_path / "x")
    )


def test_ctrl_c_stops_with_a_checkpoint_and_says_how_to_resume(folder, tmp_path):
    out = tmp_path / "run"
    words = ["train", *data(folder), *FLAGS, "--epochs", "5000", "--evaluate-epochs", "0", "--out", out, "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "poseaug_core.cli", *map(str, words)],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and not (out.exists() and Run.open(out).snapshot_count > 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert json.loads(stdout)["state"] == "stopped"
    assert f"poseaug train --resume {out}" in stderr and "Traceback" not in stderr
    run = Run.open(out)
    told = json.loads(poseaug("info", out, "--json").stdout)
    assert told["state"] == "stopped" and re.search(r"^(pretrain|poseaug), \d+ of \d+$", told["epoch"])
    shutil.copytree(out, tmp_path / "copy")
    writer, *_ = Run.resume(tmp_path / "copy")
    assert json.loads(poseaug("info", tmp_path / "copy", "--json").stdout)["state"] == "training now"
    writer.close()
    (tmp_path / "copy" / "failure.txt").write_text("Traceback\nRuntimeError: no")
    assert json.loads(poseaug("info", tmp_path / "copy", "--json").stdout)["state"] == "failed"
    step = run.load_checkpoint()[1]["step"]
    assert step == json.loads(stdout)["steps"] >= run.steps()[-1]


def test_going_on_with_ones_own_estimator_names_it(folder, tmp_path, capsys):
    from poseaug_core.commands.train import _outcome
    from poseaug_core.live import Status

    shutil.copytree(folder / "a", tmp_path / "run a")
    config = tmp_path / "run a" / "config.toml"
    config.write_text(config.read_text().replace('"simple_baseline"', '"/my nets/mine.py:Mine"'))
    _outcome(Status(state="stopped", step=4, run=str(tmp_path / "run a")), as_json=True)
    said = capsys.readouterr().err
    assert said.endswith(f"poseaug train --resume '{tmp_path / 'run a'}' --estimator '/my nets/mine.py:Mine'\n")


def test_help_lists_every_setting_and_needs_no_torch():
    done = poseaug("train", "--help")
    for name in {*SETTINGS, *KNOBS}:
        assert f"--{name.replace('_', '-')} " in done.stdout, name
    for group in {s.group for s in (*SETTINGS.values(), *KNOBS.values())} - {"Learning rates"}:
        assert f"\n{group}:" in done.stdout
    code = "import sys, poseaug_core.cli; print({'torch', 'PySide6', 'h5py', 'matplotlib', 'rich'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert loaded.stdout.strip() == "set()", loaded.stderr


def test_info(folder, tmp_path):
    assert "torch" in json.loads(poseaug("info", "--json").stdout)
    names = [entry["name"] for entry in json.loads(poseaug("info", "settings", "--json").stdout)]
    assert names == [*SETTINGS, *KNOBS]
    assert "--" not in poseaug("info", "settings").stdout.split("\n")[0]
    run = json.loads(poseaug("info", folder / "a", "--json").stdout)
    assert run["snapshots"] == Run.open(folder / "a").snapshot_count and run["failure"] == "none"
    assert run["step"] == Run.open(folder / "a").load_checkpoint()[1]["step"]
    assert (run["state"], run["epoch"]) == ("finished", f"all {SMALL['epochs']}")
    poses = json.loads(poseaug("info", folder / "wild.npz", "--json").stdout)
    assert poses["poses"] == 20 and poses["clips"] == 2
    checkpoint = json.loads(poseaug("info", folder / "a" / "checkpoints" / "latest.safetensors", "--json").stdout)
    assert checkpoint["estimator"] == "simple_baseline, 16 wide"
    assert poseaug("--version").stdout.startswith("poseaug")


def test_a_run_of_an_earlier_version_is_used_without_its_snapshots(folder, tmp_path):
    run = shutil.copytree(folder / "a", tmp_path / "old")
    supersede(run / "history.h5")
    found = json.loads(poseaug("info", run, "--json").stdout)
    assert found["snapshots"] == 0 and found["state"] == "finished" and found["evaluation"]
    assert [note for note in found["notes"] if "was recorded by an earlier version" in note] == [found["notes"][-1]]
    for words in (
        ["evaluate", run, "--on", folder / "wild.npz"],
        ["export", "estimator", run, "--out", tmp_path / "estimator.safetensors"],
        ["lift", folder / "wild.npz", "--with", run, "--out", tmp_path / "lifted.npz"],
    ):
        done = poseaug(*words)
        assert done.exit_code == 0, done.output
    assert "it cannot go on" in refused(poseaug("train", "--resume", run))


def make_bad(path: Path) -> dict[str, Path]:
    good = small_poses(20, 3)
    columns = {"pose3d": good.xyz.numpy(), "pose2d": good.uv.numpy(), "cam": good.camera.numpy()}

    def save(name, **changed):
        np.savez(path / f"{name}.npz", **{**columns, **changed})
        return path / f"{name}.npz"

    spoiled = columns["pose3d"].copy()
    spoiled[3, 2, 1] = np.nan
    (path / "text.npz").write_text("hello")
    (path / "cut.npz").write_bytes((save("whole")).read_bytes()[:2000])
    (path / "notes.txt").write_text("hello")
    return {
        "missing": path / "nothing.npz",
        "wrong kind": path / "notes.txt",
        "not npz": path / "text.npz",
        "cut short": path / "cut.npz",
        "17 joints": save("17", pose3d=np.zeros((20, 17, 3)), pose2d=np.zeros((20, 17, 2))),
        "NaN": save("nan", pose3d=spoiled),
        "pixels": save("pixels", pose2d=500 * (columns["pose2d"] + 1)),
        "millimetres": save("mm", pose3d=1000 * columns["pose3d"]),
        "empty": save("empty", **{name: column[:0] for name, column in columns.items()}),
        "no camera": save("nocam", cam=np.zeros((20, 4))),
        "pickled": save("pickled", pose3d=np.array([{"a": 1}], dtype=object)),
    }


SENTENCES = {
    "missing": r"nothing.npz does not exist; check",
    "wrong kind": r"notes.txt: '.txt' files cannot be read; give",
    "not npz": r"text.npz is neither NPZ nor HDF5",
    "cut short": r"cut.npz cannot be read: it is damaged or cut short; copy",
    "17 joints": r"17 joints, PoseAug uses 16; drop",
    "NaN": r"1 of 20 poses have NaN",
    "pixels": r"it looks like pixels: use",
    "millimetres": r"looks like millimetres, divide by 1000",
    "empty": r"0 poses in it, at least 1 is needed; check",
    "no camera": r"cameras have shape \(20, 4\), expected \(20, 9\)",
    "pickled": r"pickled",
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_bad_poses_are_refused(folder, tmp_path, kind):
    bad = make_bad(tmp_path)[kind]
    before = sorted(tmp_path.rglob("*"))
    for words in (
        ["train", "--source", bad, *FLAGS, "--out", tmp_path / "run"],
        ["evaluate", folder / "a", "--on", bad],
    ):
        sentence = refused(poseaug(*words))
        assert re.search(SENTENCES[kind], sentence), sentence
    assert sorted(tmp_path.rglob("*")) == before, "nothing may be left of it"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--batch-size", "1"], "batch_size is 1; choose a value from 2 to"),
        (["--batch-size", "many"], "batch_size is 'many'; it must be a whole number"),
        (["--tolerance-ba", "-1"], "tolerance_ba is -1"),
        (["--augmentation", "some"], "augmentation is 'some'; choose one of poseaug, evolution, random, none"),
        (["--preset", "best"], "no preset 'best'; choose one of released"),
        (["--estimator", "resnet"], "no estimator 'resnet'; choose one of"),
        (["--device", "tpu"], "'tpu'"),
        (["--rig", "studio"], "rig is 'studio'"),
        (["--estimator-weights", "nothing.safetensors"], "nothing.safetensors"),
    ],
)
def test_bad_settings_are_refused(folder, tmp_path, words, sentence):
    assert sentence in refused(poseaug("train", *data(folder), *FLAGS, *words, "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_other_refusals(folder, tmp_path):
    assert "name a new one with --out" in refused(poseaug("train"))
    assert "has a run already in it" in refused(poseaug("train", *data(folder), "--out", folder / "a"))
    assert "is no folder" in refused(poseaug("train", "--resume", tmp_path / "none"))
    assert "is no run" in refused(poseaug("train", "--resume", tmp_path))
    assert "no checkpoint yet" in refused(poseaug("evaluate", tmp_path, "--on", folder / "wild.npz"))
    assert "end the name in" in refused(poseaug("export", "pairs", folder / "a", "--out", tmp_path / "pairs.txt"))
    assert "end the name in .safetensors" in refused(
        poseaug("export", "estimator", folder / "a", "--out", tmp_path / "x")
    )
    assert "no demo set 'nothing'" in refused(poseaug("info", "demo:nothing"))
    assert "the folder of a run, a checkpoint, or demo:source" in refused(poseaug("info", tmp_path / "nope"))
    assert "--fps is -3; give" in refused(
        poseaug("convert", "mocap", folder, "--fps", "-3", "--out", tmp_path / "a.h5")
    )
    unknown = poseaug("train", "--batch-siz", "3", "--out", tmp_path / "run")
    assert unknown.exit_code == 2 and "--batch-size" in unknown.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(folder, tmp_path, monkeypatch):
    from poseaug_core import storage

    monkeypatch.setattr(storage, "free_bytes", lambda path: 4096)
    assert "4,096 bytes free" in refused(poseaug("train", *data(folder), *FLAGS, "--out", tmp_path / "run"))
    out = tmp_path / "e.safetensors"
    assert "4,096 bytes free" in refused(poseaug("export", "estimator", folder / "a", "--out", out))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cross = 5", "cross is 5; it must be a list of texts"),
        ("cross = [1]", "cross is [1]; it must be a list of texts"),
        ("controls = 5", "controls is no table; it must be one"),
        ('preset = ["a"]', "no preset ['a']; choose one of"),
        ("source = [1]", "source is [1]; it must be text"),
        ("seed = []", "seed is []"),
    ],
)
def test_wrong_kinds_in_toml_are_refused(tmp_path, text, sentence):
    (tmp_path / "my.toml").write_text(text)
    assert sentence in refused(poseaug("train", "--config", tmp_path / "my.toml", "--out", tmp_path / "run"))


def test_a_preset_beside_a_file_that_names_another_is_refused(folder, tmp_path):
    words = ["train", "--config", folder / "a" / "config.toml", "--out", tmp_path / "run", "--preset"]
    assert "names the preset 'released' and --preset 'small_data'" in refused(poseaug(*words, "small_data"))
    assert poseaug(*words, "released", "--epochs", "0").exit_code == 0


def test_paths_are_kept_from_the_root(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    words = ["--source", "source.npz", "--cross", "wild.npz", "--cross", "demo:cross?size=0.1", "--epochs", "0"]
    assert poseaug("train", *FLAGS, *words, "--out", tmp_path / "run").exit_code == 0
    config = Run.open(tmp_path / "run").config
    assert config.source == str(folder / "source.npz") and config.source_test == ""
    assert config.cross == (str(folder / "wild.npz"), "demo:cross?size=0.1")
    monkeypatch.chdir(tmp_path)
    assert poseaug("train", "--resume", "run").exit_code == 0


def test_evaluating_a_run_takes_its_own_data_seed(folder, tmp_path):
    words = ["--cross", "demo:cross?size=0.1", "--data-seed", "3", "--pretrain-epochs", "0", "--epochs", "0"]
    done = poseaug("train", *data(folder), *FLAGS, *words, "--out", tmp_path / "run", "--json")
    trained = json.loads(done.stdout)["evaluation"]["demo cross/poseaug16/mpjpe"]
    own, other = (
        json.loads(poseaug("evaluate", tmp_path / "run", "--on", "demo:cross?size=0.1", "--json", *more).stdout)
        for more in ([], ["--data-seed", "0"])
    )
    own, other = (found["sets"][0]["metrics"]["poseaug16/mpjpe"] for found in (own, other))
    assert own == pytest.approx(trained, abs=1e-3) and other != pytest.approx(trained, abs=1e-3)
