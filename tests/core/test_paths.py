"""What can be no file or folder, named to every command: one sentence, at once, and never a wait."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from poseaug_core.errors import UserError
from poseaug_core.paths import usable
from poseaug_core.readers.arrays import read_arrays, write_arrays
from poseaug_core.storage import replacing
from tests.core.bvh_people import write_bvh
from tests.core.command_line import FLAGS, poseaug, refused
from tests.core.small import small_poses

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and links are made as Linux has them")

#: SOURCE: poses that can be read. BAD: what is named instead of a file or folder.
COMMANDS = [
    "convert poses SOURCE --out BAD",
    "convert poses BAD --out out.h5",
    "convert mocap SOURCE --out BAD",
    "convert mocap BAD --out out.h5",
    "demo-data --out BAD",
    "lift SOURCE --out BAD",
    "lift BAD --out out.h5",
    "lift SOURCE --with BAD --out out.h5",
    "info BAD",
    "train --source BAD --out run",
    "train --source SOURCE --out BAD",
    "train --source SOURCE --cross BAD --out run",
    "train --config BAD --out run",
    "train --resume BAD",
    "evaluate BAD --on SOURCE",
    "evaluate asset:demo_estimator.safetensors --on BAD",
    "export pairs BAD --out out.h5",
    "export figure BAD --figure curves --out out.pdf",
    "export estimator BAD --out out.safetensors",
    "table 5 --source BAD --runs runs --out table",
]
BAD = {
    "pipe": ("pipe.h5", "is a named pipe"),
    "device": ("/dev/zero", "is a device"),
    "zero": ("a\0b.h5", "has a zero byte"),
    "long": ("x" * 300 + ".h5", "is too long"),
    "deep": ("d" * 200 + "/" + "/".join(["d" * 200] * 24) + "/a.h5", "is too long"),
    "loop": ("loop.h5", ""),
    "inside": ("loop.h5/a.h5", ""),
    "below": ("source.npz/a.h5", ""),
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder to work in, where waiting for ever ends the test."""
    write_arrays(small_poses(60), tmp_path / "source.npz")
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    monkeypatch.chdir(tmp_path)

    def waited(*_):
        raise AssertionError("the command waits")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(120)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", BAD)
def test_a_sentence_from_every_command(place, kind):
    bad, says = BAD[kind]
    before = sorted(place.iterdir())
    for command in COMMANDS:
        sentence = refused(
            poseaug(*(word.replace("BAD", bad).replace("SOURCE", "source.npz") for word in command.split()))
        )
        assert says in sentence and len(sentence) < 900, (command, sentence)
        assert sorted(place.iterdir()) == before, command


def test_pipes_in_options_of_specs_and_in_files_are_seen_too(place):
    assert "is a named pipe" in refused(poseaug("convert", "poses", "pipe.h5?joints=h36m17", "--out", "out.h5"))
    (place / "run.toml").write_text('source = "pipe.h5"\n')
    assert "is a named pipe" in refused(poseaug("train", "--config", "run.toml", *FLAGS, "--out", "run"))
    with pytest.raises(UserError, match="is a named pipe"), replacing("pipe.h5"):
        raise AssertionError("it was opened")


def test_pipes_in_folders_are_passed_over(place):
    (place / "frames").mkdir()
    os.mkfifo(place / "frames" / "000.json")
    assert "holds 0 .json files" in refused(poseaug("lift", "frames", "--out", "out.h5"))
    (place / "takes").mkdir()
    os.mkfifo(place / "takes" / "06_01.bvh")
    write_bvh(place / "takes" / "07_01.bvh")
    assert poseaug("convert", "mocap", "takes", "--out", "out.h5").exit_code == 0


@pytest.mark.parametrize("suffix", ["h5", "npz"])
def test_names_that_are_no_text(place, suffix):
    """Files are read and written by such names; runs, whose files are text, say that they cannot keep them."""
    takes, out = os.fsdecode(b"take\xe9s"), os.fsdecode(b"out\xe9." + suffix.encode())
    os.mkdir(takes)
    write_bvh(Path(takes, os.fsdecode(b"07_\xe91.bvh")))
    done = poseaug("convert", "mocap", takes, "--out", out)
    assert done.exit_code == 0 and f"Written: out\\udce9.{suffix}" in done.stdout, done.output
    assert read_arrays(out).clips == ("07_\\udce91",)
    lifted = os.fsdecode(b"lifted\xe9")
    for kind in ("h5", "npz", "csv", "json", "pdf"):
        flag = "--figure" if kind == "pdf" else "--out"
        done = poseaug("lift", out, flag, f"{lifted}.{kind}")
        assert done.exit_code == 0, (kind, done.output, done.exception)
    assert poseaug("info", out, "--json").exit_code == 0
    for words in (("--source", out, "--out", "run"), ("--source", "source.npz", "--out", lifted)):
        assert "no UTF-8, which a run cannot keep" in refused(poseaug("train", *FLAGS, *words))
    assert not (place / "run").exists()


def test_a_link_to_an_empty_folder_is_the_place_of_a_run(place):
    (place / "disk").mkdir()
    for link, target in (("run", "disk"), ("later", "nothing-yet")):
        (place / link).symlink_to(target)
        words = ("--source", "source.npz", *FLAGS, "--pretrain-epochs", 0, "--epochs", 0, "--out", link)
        assert poseaug("train", *words).exit_code == 0
        assert (place / link).is_symlink() and (place / target / "config.toml").is_file()
        assert "a run already" in refused(poseaug("train", *words))
    assert not list(place.glob(".*"))


def test_names_and_paths_of_full_length_are_used(place):
    name = "n" * 252 + ".h5"
    write_arrays(small_poses(3), place / name)
    assert len(read_arrays(place / name)) == 3 and usable(place / name) == place / name
