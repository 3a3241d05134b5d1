"""Streams that break, signals that end, and foreign text on a terminal: a training outlives them or ends in order."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from poseaug_core.cli import UNTOLD
from poseaug_core.plain_text import SENTENCE, named_error, of_library, plain, plain_lines
from poseaug_core.readers.arrays import write_arrays
from poseaug_core.runs import Run
from poseaug_core.streams import Steady
from tests.core.command_line import FLAGS, poseaug, refused
from tests.core.small import small_poses

ROOT = Path(__file__).parents[2]
POSEAUG = f"{sys.executable} -m poseaug_core.cli"
#: What names of files and notes may hold: a terminal's title, colour, markup, HTML, a turned line, a line of its own.
HOSTILE = "\x1b]0;owned\x07\x1b[31m[/bold][red]<img src=x><h1>\u202eevil\x9b2J\nError: no"


@pytest.fixture(autouse=True)
def _hangups_count():
    """What the tests start would inherit it, where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def source(tmp_path):
    write_arrays(small_poses(40, 1), tmp_path / "source.npz")
    return tmp_path / "source.npz"


def words(source, out, *more) -> str:
    return " ".join(["train", "--source", str(source), "--cross", str(source), *FLAGS, *more, "--out", str(out)])


def shell(line: str, **more) -> subprocess.CompletedProcess:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=120, **more,
    )  # fmt: skip


def finished(folder: Path) -> bool:
    return Run.open(folder).finished


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("| head -0", UNTOLD),
        ("> /dev/full", UNTOLD),
        (">&-", UNTOLD),
        ("2> /dev/full", 0),
        ("2>&-", 0),
        ("<&- >&- 2>&-", UNTOLD),
        ("2> >(head -0)", 0),
    ],
)
def test_a_training_ends_whole_wherever_its_streams_lead(source, tmp_path, where, code):
    done = shell(f"{POSEAUG} {words(source, tmp_path / 'run')} {where}")
    assert done.returncode == code, done.stderr
    assert finished(tmp_path / "run")
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", ["info settings", "presets list", "info settings --json", "train --help"])
@pytest.mark.parametrize("where", ["> /dev/full", ">&-", "| head -0"])
def test_a_result_that_cannot_be_written_is_told_by_the_exit_code(command, where):
    done = shell(f"{POSEAUG} {command} {where}")
    assert (done.returncode, done.stderr) == (UNTOLD, "")


def test_a_closed_stderr_puts_no_words_into_files(source, tmp_path):
    """Whatever is opened first gets the number 2 where that is free."""
    shell(f"{POSEAUG} {words(source, tmp_path / 'run', '--epochs', '0')} 2>&-")
    run = Run.open(tmp_path / "run")
    assert run.finished and not run.damage
    wrong = shell(f"{POSEAUG} train --source {source} --out {tmp_path / 'run'} 2>&-")
    assert wrong.returncode == 2 and (wrong.stdout, wrong.stderr) == ("", "")


class Broken:
    """A stream that fails, and whose descriptor is a pipe of the test's own."""

    def __init__(self, error: Exception, number: int):
        self.error, self.number = error, number

    def write(self, text: str) -> int:
        raise self.error

    flush = isatty = lambda self: self.write("")

    def fileno(self) -> int:
        return self.number


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "full"), OSError(5, "hung up"), ValueError("closed")])
def test_what_cannot_be_written_is_remembered_and_raises_nothing(error):
    ours, theirs = os.pipe()
    stream = Steady(Broken(error, theirs))
    assert not stream.lost and not stream.isatty()
    assert stream.write("abc") == 3 and stream.lost
    stream.flush()
    assert os.path.samestat(os.fstat(theirs), os.stat(os.devnull))  # so that nobody else fails
    for number in (ours, theirs):
        os.close(number)


def test_a_reader_that_is_slow_keeps_the_stream():
    ours, theirs = os.pipe()
    stream = Steady(Broken(BlockingIOError(), theirs))
    stream.write("abc")
    assert stream.lost and not os.path.samestat(os.fstat(theirs), os.stat(os.devnull))
    for number in (ours, theirs):
        os.close(number)


def test_a_fault_in_telling_ends_no_training(source, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("no such\ncolour")

    monkeypatch.setattr("poseaug_core.commands.watching.headline", broken)
    done = poseaug(*words(source, tmp_path / "run").split())
    assert done.exit_code == 0 and finished(tmp_path / "run")
    assert "can no longer be told (RuntimeError: no such); the training goes on." in done.stderr


def begun(source, out, *more, **streams) -> subprocess.Popen:
    """A long training with a session of its own, some steps after its beginning."""
    process = subprocess.Popen(
        [*POSEAUG.split(), *words(source, out, "--epochs", "5000", "--evaluate-epochs", "0", *more).split()],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams,
    )  # fmt: skip
    while process.poll() is None and not (out.exists() and Run.open(out).snapshot_count > 3):
        time.sleep(0.05)
    return process


def resumes(out: Path) -> None:
    """The checkpoint is of the last step that was recorded, and a run that goes on from it is finished."""
    run = Run.open(out)
    assert not run.being_written()
    assert run.load_checkpoint()[1]["step"] >= run.steps()[-1] > 0
    writer, _, meta = Run.resume(out)
    writer.close()
    assert meta["step"] == run.load_checkpoint()[1]["step"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_stop_with_a_checkpoint_and_the_shells_exit_code(source, tmp_path, number):
    process = begun(source, tmp_path / "run")
    for _ in range(2):  # twice within a moment, as 'timeout' and shells do, is once
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "Stopping after this step" in said and "poseaug train --resume" in said and "Traceback" not in said
    resumes(tmp_path / "run")


def test_a_terminal_that_closes_leaves_a_checkpoint(source, tmp_path):
    ours, theirs = pty.openpty()
    process = begun(source, tmp_path / "run", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.close(ours)  # what it writes from here on goes nowhere
    process.send_signal(signal.SIGHUP)  # what the system sends to those whose terminal it was
    assert process.wait(60) == 128 + signal.SIGHUP
    resumes(tmp_path / "run")


def test_nohup_keeps_a_training_at_work(source, tmp_path):
    ignoring = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    process = begun(source, tmp_path / "run", preexec_fn=ignoring)
    before = Run.open(tmp_path / "run").snapshot_count
    process.send_signal(signal.SIGHUP)
    while process.poll() is None and Run.open(tmp_path / "run").snapshot_count < before + 3:
        time.sleep(0.05)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_table_stops_with_a_checkpoint(source, tmp_path, number):
    sets = ["--source", source, "--source-test", source, "--cross", source, "--runs", tmp_path / "runs"]
    small = {
        name.removeprefix("--").replace("-", "_"): value for name, value in zip(FLAGS[::2], FLAGS[1::2], strict=True)
    }
    small |= {"pretrain_epochs": "5000"}
    settings = [word for name, value in small.items() for word in ("--set", f"{name}={value}")]
    process = subprocess.Popen(
        [*POSEAUG.split(), "table", "5", *map(str, sets), "--estimator", "simple_baseline", *settings],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip

    def run() -> Path | None:
        return next((path.parent for path in (tmp_path / "runs").glob("*/config.toml")), None)

    while process.poll() is None and not (run() and Run.open(run()).metrics()[0]):
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said and "latest" in Run.open(run()).checkpoints()


def test_foreign_text_is_written_out():
    assert plain(HOSTILE) == (r"\x1b]0;owned\x07\x1b[31m[/bold][red]<img src=x><h1>\u202eevil\x9b2J\nError: no")
    assert plain("caf\u00e9 \u5b57 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f642") == (
        "caf\u00e9 \u5b57 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f642"
    )
    assert plain("\udce9\u2066\r\t\0\x7f") == r"\udce9\u2066\r\t\0\x7f"
    assert plain_lines("a\x1b\nb") == "a\\x1b\nb"


def test_long_text_keeps_its_beginning_and_its_end():
    told = plain("A" * 5000 + " is no file; name another one.")
    assert len(told) == SENTENCE and told.startswith("AAA") and told.endswith("\u2026" + told[-333:])
    assert told.endswith("is no file; name another one.")
    assert len(plain("\U000e0001" * 10**6, 80)) == 80


def test_of_other_libraries_the_first_line_is_told():
    assert of_library("\n  Error(s) in loading.\n\tMissing key\n") == "Error(s) in loading"
    assert named_error(RuntimeError("a\x1b[0m\nb")) == r"RuntimeError: a\x1b[0m"
    assert named_error(KeyError()) == "KeyError"


def hostile_file(folder: Path, name: str, like: Path) -> Path:
    folder = folder / "a [/bold] folder"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(like.read_bytes())
    return folder / name


def test_names_of_files_reach_the_terminal_as_text_and_end_no_training(source, tmp_path):
    """A file's name with codes in it, its folder's with markup, on a terminal with a bar."""
    path = hostile_file(tmp_path, "\x1b]0;owned\x07[red]\u202e<h1>.npz", source)
    ours, theirs = pty.openpty()
    out = path.parent / "run"
    process = subprocess.Popen(
        [*POSEAUG.split(), "train", "--source", path, "--cross", path, *FLAGS, "--out", out],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1", "TERM": "xterm"}, stdin=theirs, stdout=theirs,
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # its terminal ends with it
            break
        written += read
    os.close(ours)
    assert process.wait(60) == 0, written.decode()
    assert finished(out) and not Run.open(out).damage
    assert b"\x1b]0;owned" not in written and "\u202e".encode() not in written
    assert rb"\x1b]0;owned" in written


def test_refusals_and_results_hold_no_codes(source, tmp_path):
    path = hostile_file(tmp_path, "\x1b]0;owned\x07\u202e.npz", source)
    broken = path.with_name("broken\x1b[31m.npz")
    broken.write_bytes(b"no arrays")
    for done in (
        poseaug("info", path),
        poseaug("info", path, "--json"),
        poseaug("info", broken),
        poseaug("info", path.with_name(HOSTILE.replace("/", "|"))),
        poseaug("train", "--source", path, "--no-such-\x1b]0;owned\x07"),
        poseaug("\x1b]0;owned\x07"),
        poseaug("convert", "poses", path, "--out", tmp_path / "\x1b[31m.npz"),
    ):
        assert not set("\x1b\x07\x9b\u202e") & set(done.output), repr(done.output)
        assert done.output and "Traceback" not in done.output
    assert r"\x1b[31m" in refused(poseaug("info", broken))


def test_notes_of_a_run_folder_are_text(source, tmp_path):
    import json

    assert poseaug(*words(source, tmp_path / "run", "--epochs", "0").split()).exit_code == 0
    file = tmp_path / "run" / "data.json"
    notes = ["[/bold][red]<img>\nError: no", "x" * 9000, HOSTILE]
    file.write_text(json.dumps(json.loads(file.read_text()) | {"notes": notes}))
    told = poseaug("info", tmp_path / "run")
    assert told.exit_code == 0 and r"[/bold][red]<img>\nError: no" in told.stdout
    assert not set("\x1b\x07\x9b\u202e") & set(told.output) and "\nError: no" not in told.output
    assert "x" * 500 in told.output and "x" * 1000 not in told.output
    again = poseaug("train", "--resume", tmp_path / "run")
    assert again.exit_code == 0 and r"[/bold][red]" in again.stderr and not set("\x1b\x07") & set(again.output)


def test_words_of_motion_capture_are_text(tmp_path):
    from tests.core.bvh_people import write_bvh

    write_bvh(tmp_path / "walk.bvh")
    lines = (tmp_path / "walk.bvh").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("MOTION"))
    (tmp_path / "walk.bvh").write_text("\n".join([*lines[: at - 1], "\x1b]0;owned\x07 [/bold]", *lines[at:]]))
    done = poseaug("convert", "mocap", tmp_path / "walk.bvh", "--out", tmp_path / "out.h5")
    assert r"\x1b]0;owned" in refused(done) and not set("\x1b\x07") & set(done.output)
