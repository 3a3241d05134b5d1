"""Starting the studio: from the process to its first paint, its panels, and the demo's first poses on screen.

Each start is a process of its own that does what ``poseaug-studio --demo --train`` does; beside it, in turn, the least
that such a program can do: an empty Qt window, and a process that imports torch. A cold start comes after the
packages' files were put out of memory, as far as no other process holds them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median

PARTS = {
    "qt_s": "process start until Qt and the window's code are loaded, seconds",
    "first_paint_s": "until the window has painted itself for the first time",
    "panels_s": "until every panel is there",
    "torch_s": "until the training thread has loaded torch and the trainer",
    "poses_s": "until the demo's first poses are on screen",
    "training_s": "until the first iteration is done",
    "augmented_s": "until poses that a training iteration has changed are on screen",
}
MEANING = {
    **PARTS,
    "start.first_paint_over_empty_window": "first paint over that of an empty Qt window",
    "start.augmented_over_import_torch": "poses changed by training on screen, over a bare `import torch`",
}
EMPTY_WINDOW = """
import sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
app = QApplication([])
window = QMainWindow()
window.resize(1600, 1000)
window.show()
QTimer.singleShot(0, lambda: QTimer.singleShot(0, lambda: (print(time.time() - float(sys.argv[1])), app.exit())))
app.exec()
"""
IMPORT_TORCH = "import sys, time, torch\nprint(time.time() - float(sys.argv[1]))"
#: What a start reads from disk.
PACKAGES = ("PySide6", "shiboken6", "torch", "numpy", "pyqtgraph", "h5py")


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    warm, windows, torches = [], [], []
    for k in range(rounds):
        say(f"warm start {k + 1} of {rounds}")
        windows.append(float(_run("-c", EMPTY_WINDOW)))
        torches.append(float(_run("-c", IMPORT_TORCH)))
        warm.append(json.loads(_run("-m", "benchmarks.start_window")))
    say("cold start")
    _forget()
    cold = json.loads(_run("-m", "benchmarks.start_window"))
    return {
        **{f"start.warm.{key}": median(start[key] for start in warm) for key in PARTS},
        **{f"start.cold.{key}": cold[key] for key in PARTS},
        "start.first_paint_over_empty_window": _over(warm, "first_paint_s", windows),
        "start.augmented_over_import_torch": _over(warm, "augmented_s", torches),
    }


def _over(starts: list[dict[str, float]], key: str, least: list[float]) -> float:
    return median(start[key] / other for start, other in zip(starts, least, strict=True))


def _run(*command: str) -> str:
    """The last line that a Python process prints, which is told when it was started."""
    done = subprocess.run([sys.executable, *command, str(time.time())], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"A start of the start-up benchmark failed:\n{done.stderr}")
    return done.stdout.splitlines()[-1]


def _forget() -> None:
    """Put the packages' files out of memory; does nothing where the system has no way to."""
    for name in PACKAGES if hasattr(os, "posix_fadvise") else ():
        for path in Path(find_spec(name).origin).parent.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
