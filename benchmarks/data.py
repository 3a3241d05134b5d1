"""Reading and converting: time, memory, and how both grow from a 64th of Human3.6M to all of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.data_made import arrays, bvh_files, human36m, packed
from poseaug_core.processes import cores
from poseaug_core.readers import convert_motion
from poseaug_core.readers.asfamc import read_asfamc
from poseaug_core.readers.bvh import read_bvh
from tests.core.acclaim_people import write_person

#: Of Human3.6M's size. Frames of a motion file, and files that are converted.
FULL, SMALL = 1.0, 1 / 64
FRAMES, FILES = 2400, 64
MEANING = {
    "seconds": "processor time of reading 1.56 million poses (config: 2.18 million and their detected 2D)",
    "over_plain": "that time over the time of reading as many bytes as the poses take from a file",
    "memory": "memory at the peak over that of the poses",
    "growth_seconds": "time for all over time for a 64th; 64 is in proportion",
    "growth_memory": "memory beyond the poses for all over that for a 64th",
    "mb_a_second": "text read, a core, every frame kept",
    "of_raw": "that rate over the rate of numpy telling apart the same number of bytes of plain numbers",
    "one_over_all": "wall time of converting a folder by one process over that by one a core",
    "convert.memory": "memory at the peak of converting 64 files over that of converting one",
}


def measure(
    rounds: int, say: Callable[[str], None], full: float = FULL, frames: int = FRAMES, files: int = FILES
) -> dict[str, float]:
    """full: share of Human3.6M's size that is read, and a 64th of it; the other two are of motion capture."""
    with tempfile.TemporaryDirectory(prefix="poseaug-bench-") as folder:
        found = _reading(Path(folder), rounds, say, full)
    with tempfile.TemporaryDirectory(prefix="poseaug-bench-") as folder:
        say("motion files")
        return found | _parsing(Path(folder), rounds, frames) | _converting(Path(folder), rounds, frames, files)


def _reading(folder: Path, rounds: int, say: Callable[[str], None], full: float) -> dict[str, float]:
    found: dict[str, float] = {}
    specs: dict[str, list[tuple[str, str]]] = {}
    for share in (full * SMALL, full):
        say(f"making files of {share:.3g} times Human3.6M's size")
        plain = arrays(folder, share)
        solid = human36m(folder, share)
        for name, kind, spec in (
            ("h5", "poses", plain), ("npz64", "poses", packed(plain)), ("h36m", "poses", solid),
            ("config", "config", f"{solid}?keypoints=cpn"),
        ):  # fmt: skip
            specs.setdefault(name, []).append((kind, str(spec)))
    for name, (small, large) in specs.items():
        say(f"reading {name}")
        little, much = _apart(*small, rounds), _apart(*large, rounds)
        seconds = median(much["seconds"])
        found |= {
            f"{name}.seconds": seconds,
            f"{name}.over_plain": median(np.divide(much["seconds"], much["plain"])),
            f"{name}.memory": much["peak"] / much["bytes"],
            f"{name}.growth_seconds": seconds / median(little["seconds"]),
            f"{name}.growth_memory": (much["peak"] - much["bytes"]) / max(little["peak"] - little["bytes"], 1),
        }
    return found


def _apart(kind: str, spec: str, rounds: int) -> dict:
    """What reading spec takes in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.data_read", kind, spec, str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    return json.loads(done.stdout)


def _parsing(folder: Path, rounds: int, frames: int) -> dict[str, float]:
    found = {}
    bvh = bvh_files(folder, 1, frames) / "01_0001.bvh"
    amc = write_person(folder, frames=frames)[0]
    for name, file, read in (("bvh", bvh, read_bvh), ("amc", amc, read_asfamc)):
        size = file.stat().st_size
        numbers = (b"-12.345678 " * (size // 11 + 1))[:size]
        times = [(_time(lambda: read(file, None)), _time(lambda: np.array(numbers.split()[:-1], float)))  # noqa: B023
                 for _ in range(rounds)]  # fmt: skip
        found[f"{name}.mb_a_second"] = size / 1e6 / median(ours for ours, _ in times)
        found[f"{name}.of_raw"] = median(raw / ours for ours, raw in times)
    return found


def _converting(folder: Path, rounds: int, frames: int, files: int) -> dict[str, float]:
    home, out = bvh_files(folder, files, frames), folder / "out.h5"
    ratios = []
    for _ in range(rounds):
        began = time.perf_counter()
        convert_motion(home, "lab", out, jobs=1)
        between = time.perf_counter()
        convert_motion(home, "lab", out, jobs=cores())
        ratios.append((between - began) / (time.perf_counter() - between))
    one, all_ = (_apart("convert", str(spec), 1)["peak"] for spec in (home / "01_0001.bvh", home))
    return {"convert.one_over_all": median(ratios), "convert.memory": all_ / one}


def _time(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
