"""A process that reads spoiled files, one after another, in limited memory; it may crash, hang or be ended.

It says on its standard output, a JSON line each: {"at": i} before input i is read, and what came of it after.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np

#: Bytes of address space beyond those of the imports. A reading may take TIMES the bytes of its file, and SPARE.
BEYOND, SPARE, TIMES = 4 << 30, 200 << 20, 4
CORE = f"{os.sep}poseaug_core{os.sep}"


def main() -> None:
    """name, seed, first, last, folder to save in or '-'."""
    name, seed, first, last, save = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
    answers, sys.stdout = sys.stdout, sys.stderr
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    from benchmarks.fuzz.targets import TARGETS

    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        made = target.make(Path(folder))
        for document in made:  # good files are read, and whatever is imported for them
            absurd = target.read(f"{document.named}{document.options}")
            assert not absurd, (document.named, absurd)
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + BEYOND,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        say = lambda **what: print(json.dumps(what), file=answers, flush=True)  # noqa: E731
        for number in range(first, last):
            # Of its own name, so that the same input comes again whatever else was run.
            rng = np.random.default_rng((zlib.crc32(name.encode()), seed, number))
            document = made[int(rng.integers(len(made)))]
            part = document.parts[int(rng.integers(len(document.parts)))]
            data = part.spoiled(rng)
            part.path.write_bytes(data)
            if save != "-":
                shutil.copy(part.path, Path(save, f"{name}-{seed}-{number}-{part.path.name}"))
            say(at=number)
            verdict = _read(target.read, f"{document.named}{document.options}", len(data))
            say(done=number, file=part.path.name, **verdict)
            part.path.write_bytes(part.data)


def _read(read, name: str, size: int) -> dict:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = _status("VmRSS")
    from poseaug_core.errors import UserError

    try:
        absurd = read(name)
        verdict = {"kind": "absurd", "what": ", ".join(absurd)} if absurd else {"kind": "accepted"}
    except UserError as error:
        text = str(error)  # lines in it are of names in the file, and written out where they are shown
        good = text.strip() and len(text) < 2000
        verdict = {"kind": "refused"} if good else {"kind": "bare", "what": f"no sentence: {text[:200]!r}"}
    except BaseException as error:
        verdict = {"kind": "bare", "what": f"{type(error).__name__} at {_place(error)}: {str(error)[:100]}"}
    taken = _status("VmHWM") - before
    return {**verdict, "memory": taken, "greedy": taken > TIMES * size + SPARE}


def _place(error: BaseException) -> str:
    """The last line of the core that it came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if CORE in frame.filename]
    if not frames:
        frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"


def _status(key: str) -> int:
    """Bytes of VmHWM, VmRSS or VmSize."""
    return int(re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


if __name__ == "__main__":
    main()
