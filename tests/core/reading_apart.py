"""A process that reads what may harm: limited memory, a time limit, and how much memory each file took at its peak.

Run as a program it reads one JSON request a line, {"read": name, "path": ..., "free": bytes or null}, and answers each
with {"kind", "text", "taken"}. Python's own tracing sees nothing of what HDF5, NumPy's files and torch allocate.
"""

from __future__ import annotations

import json
import re
import resource
import select
import subprocess
import sys
from pathlib import Path

#: Bytes of address space beyond those of the imports, and seconds for one file on a slow machine.
BEYOND, PATIENCE = 3 << 30, 30


class Apart:
    """The process, started when it is first asked and again after it was ended."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None

    def read(self, name: str, path: str, free: int | None = None) -> dict:
        """What came of reading path; AssertionError where the process ended or took too long."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                cwd=Path(__file__).parents[2],
            )  # fmt: skip
            assert self._line(300), "the reading process did not start"
        print(json.dumps({"read": name, "path": path, "free": free}), file=self.process.stdin, flush=True)
        line = self._line(PATIENCE)
        if not line:
            self.end()
            raise AssertionError(f"{path} was not read in {PATIENCE} s, or ended the process")
        return json.loads(line)

    def _line(self, seconds: float) -> str:
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        return self.process.stdout.readline() if ready else ""

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def _status(key: str) -> int:
    """Bytes of VmHWM, VmRSS or VmSize."""
    return int(re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def _serve() -> None:
    from poseaug_core.config import load_toml
    from poseaug_core.readers import limits, read_keypoints, read_poses
    from poseaug_core.weights import read_weights, recognise

    try:
        recognise({}, "nothing")  # torch imports what it needs for this only now
    except Exception:
        pass
    readers = {f.__name__: f for f in (load_toml, read_keypoints, read_poses, read_weights)}
    free_memory, answers = limits.free_memory, sys.stdout
    sys.stdout = sys.stderr
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + BEYOND,) * 2)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        limits.free_memory = free_memory if asked["free"] is None else (lambda asked=asked: asked["free"])
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before = _status("VmRSS")
        try:
            readers[asked["read"]](asked["path"])
            kind, text = "", ""
        except BaseException as error:
            kind, text = type(error).__name__, str(error)
        taken = _status("VmHWM") - before
        print(json.dumps({"kind": kind, "text": text, "taken": taken}), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
