"""Starting up: without a display, with a broken one, and what is loaded before the window shows."""

from __future__ import annotations

import os
import subprocess
import sys

from poseaug_studio.display import missing_display


def start(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess:
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    return subprocess.run(
        [sys.executable, "-m", "poseaug_studio", *arguments],
        env=kept | environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_without_a_display_one_sentence_and_exit_code_2():
    done = start({})
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "no display" in done.stderr and "xvfb-run" in done.stderr and "poseaug train" in done.stderr


def test_a_display_that_does_not_answer_is_named():
    done = start({"DISPLAY": ":987"})
    assert done.returncode == 2
    assert "':987' does not answer" in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_offscreen_and_wayland_need_no_x():
    assert missing_display({"QT_QPA_PLATFORM": "offscreen"}, "linux") is None
    assert missing_display({"WAYLAND_DISPLAY": "wayland-0"}, "linux") is None
    assert missing_display({}, "darwin") is None


def test_the_window_is_there_before_torch_and_the_drawing_libraries():
    code = (
        "import sys, poseaug_studio.window\n"
        "print([m for m in ('torch', 'vispy', 'pyqtgraph', 'matplotlib', 'h5py', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_demo_begins_without_torchs_compiler():
    code = (
        "import sys\n"
        "from poseaug_core.weights import recognise, shapes_of\n"
        "print(recognise(shapes_of('simple_baseline', 256), 'it')['width'])\n"
        "print([m for m in ('torch._dynamo', 'sympy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["256", "[]"], done.stderr
