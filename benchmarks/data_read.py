"""python -m benchmarks.data_read poses|config|convert SPEC ROUNDS: what reading takes, in a process of its own."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path

from poseaug_core.config import make_config
from poseaug_core.datasets import TrainingData, load_data
from poseaug_core.poses import Poses
from poseaug_core.readers import convert_motion, read_poses


def status(key: str) -> int:
    """Bytes of VmHWM, the peak, or VmRSS, what is taken now."""
    return int(re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def size(poses: Poses) -> int:
    return sum(column.nbytes for column in (poses.xyz, poses.uv, poses.camera, poses.tag))


def loaded_size(data: TrainingData) -> int:
    extra = 0 if data.extra is None else data.extra.nbytes
    return sum(map(size, (data.source, data.source_test, *data.cross.values()))) + extra


def main() -> None:
    kind, spec, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    read_poses("demo:source?size=0.01")  # what torch does once, at its first use
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    seconds, plain = [], []
    for _ in range(rounds):
        began = time.process_time()
        taken = _take(kind, spec)
        seconds.append(time.process_time() - began)
        if len(seconds) == 1:
            peak = status("VmHWM") - before
        plain.append(_plain(taken))
    print(json.dumps({"seconds": seconds, "plain": plain, "peak": peak, "bytes": taken}))


def _take(kind: str, spec: str) -> int:
    """Read or convert; the bytes of the poses that came of it, which are gone by then."""
    if kind == "poses":
        return size(read_poses(spec))
    if kind == "config":
        return loaded_size(load_data(make_config(source=spec)))
    with tempfile.TemporaryDirectory() as folder:
        return 372 * convert_motion(spec, "lab", Path(folder, "out.h5"))["poses"]


def _plain(count: int) -> float:
    """Seconds for reading so many bytes from a file, of which the system has some in memory."""
    with tempfile.TemporaryFile() as file:
        piece = bytes(1 << 20)
        for _ in range(count // len(piece) + 1):
            file.write(piece)
        file.seek(0)
        began = time.process_time()
        while file.read(len(piece)):
            pass
        return time.process_time() - began


if __name__ == "__main__":
    main()
