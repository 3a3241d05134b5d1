"""python -m benchmarks.data_read poses|config SPEC ROUNDS: time and memory of reading, in a process of its own."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from poseaug_core.config import make_config
from poseaug_core.datasets import TrainingData, load_data
from poseaug_core.poses import Poses
from poseaug_core.readers import read_poses


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
    file = Path(spec.partition("?")[0])
    small = read_poses("demo:source?size=0.01")  # what torch does once, at its first use
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    seconds, plain, bytes_ = [], [], 0
    for number in range(rounds):
        began = time.process_time()
        if kind == "poses":
            found = read_poses(spec)
            bytes_ = size(found)
        else:
            found = load_data(make_config(source=spec))
            bytes_ = loaded_size(found)
        seconds.append(time.process_time() - began)
        if number == 0:
            peak = status("VmHWM") - before
        del found
        began = time.process_time()
        with open(file, "rb") as stream:
            while stream.read(1 << 20):
                pass
        plain.append(time.process_time() - began)
    print(json.dumps({"seconds": seconds, "plain": plain, "peak": peak, "bytes": bytes_, "torch": len(small)}))


if __name__ == "__main__":
    main()
