"""Commands in processes that may write no file larger than so many bytes: wherever a write fails, it is seen how."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """limit: bytes. code: the exit code, or minus the signal that ended it. told: all that it said."""

    limit: int
    code: int
    told: str


class Limited:
    """A process that has loaded all modules once, and forks for every command; to be used in a with block."""

    def __enter__(self) -> Limited:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.core.limited"],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait(60)

    def run(self, words: Sequence[object], limits: Sequence[int]) -> list[Ended]:
        """The command once for each limit."""
        self.process.stdin.write(json.dumps([[str(word) for word in words], list(limits)]) + "\n")
        self.process.stdin.flush()
        return [Ended(*one) for one in json.loads(self.process.stdout.readline())]


def _run(words: list[str], limit: int) -> tuple[int, int, str]:
    """In a process of its own, which finds all modules there and so takes a moment."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        from poseaug_core.cli import main

        for stream in (1, 2):
            os.dup2(writing, stream)
        os.close(reading)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        main(words)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as said:
        told = said.read()
    return limit, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


if __name__ == "__main__":
    import h5py  # noqa: F401
    import rich.progress  # noqa: F401
    import torch  # noqa: F401

    import poseaug_core.augmenting
    import poseaug_core.cli
    import poseaug_core.lifting
    import poseaug_core.readers  # noqa: F401

    for line in sys.stdin:
        words, limits = json.loads(line)
        print(json.dumps([_run(words, limit) for limit in limits]), flush=True)
