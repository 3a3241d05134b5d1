"""Workers watched from outside: one that crashes, or reads one file for too long, is replaced; all is counted."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: Seconds for one input, and for a worker to load and read its good files.
PATIENCE, BEGINNING = 2.0, 300.0


@dataclass
class Verdicts:
    """What came of the inputs of one reader. found: texts of what should not be, with how often and the first input."""

    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    absurd: int = 0
    bare: int = 0
    crashes: int = 0
    hangs: int = 0
    greedy: int = 0
    seconds: float = 0.0
    found: dict[str, list[int]] = field(default_factory=dict)

    def note(self, what: str, number: int) -> None:
        known = self.found.setdefault(what, [0, number])
        known[0] += 1

    @property
    def clean(self) -> bool:
        return not (self.absurd or self.bare or self.crashes or self.hangs or self.greedy)


def run(name: str, inputs: int, seed: int, first: int = 0, save: str = "-") -> Verdicts:
    """Read ``inputs`` spoiled files, from number ``first`` on, with the reader of this name."""
    verdicts, began, last = Verdicts(), time.monotonic(), first + inputs
    while first < last:
        first = _one_worker(name, seed, first, last, save, verdicts)
    verdicts.seconds = round(time.monotonic() - began, 1)
    return verdicts


def _one_worker(name: str, seed: int, first: int, last: int, save: str, verdicts: Verdicts) -> int:
    """Until all is read or a worker ends: the number to go on from."""
    command = [sys.executable, "-m", "benchmarks.fuzz.worker", name, str(seed), str(first), str(last), save]
    env = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root, env=env) as worker:
        os.set_blocking(worker.stderr.fileno(), False)
        lines, at, reading, said = _Lines(worker.stdout.fileno()), first, False, b""
        while True:
            line = lines.next(PATIENCE if reading else BEGINNING)
            said = (said + (worker.stderr.read() or b""))[-2000:]
            if line is None:  # it takes too long
                worker.kill()
                if not reading:
                    raise RuntimeError(f"the worker of {name} did not begin")
                verdicts.inputs += 1
                verdicts.hangs += 1
                verdicts.note(f"hang over {PATIENCE:g} s", at)
                return at + 1
            if not line:
                break
            told = json.loads(line)
            if "at" in told:
                at, reading = told["at"], True
                continue
            reading = False
            _count(verdicts, told)
        worker.wait()
        if reading:
            verdicts.inputs += 1
            verdicts.crashes += 1
            verdicts.note(f"crash by signal {-worker.returncode}" if worker.returncode < 0 else "ended", at)
            return at + 1
        if worker.returncode:
            raise RuntimeError(f"the worker of {name} failed: {said.decode(errors='replace')}")
        return last


def _count(verdicts: Verdicts, told: dict) -> None:
    verdicts.inputs += 1
    setattr(verdicts, told["kind"], getattr(verdicts, told["kind"]) + 1)
    if "what" in told:
        verdicts.note(f"{told['kind']}: {told['what']} ({told['file']})", told["done"])
    if told["greedy"]:
        verdicts.greedy += 1
        verdicts.note(f"memory of {told['memory'] >> 20} MB ({told['file']})", told["done"])


class _Lines:
    """Lines of a pipe as they come."""

    def __init__(self, pipe: int):
        self.pipe, self.buffer = pipe, b""

    def next(self, seconds: float) -> bytes | None:
        """A line, b'' at the end, None where none came in time."""
        until = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.pipe], [], [], left)[0]:
                return None
            some = os.read(self.pipe, 1 << 16)
            if not some:
                return b""
            self.buffer += some
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line


def summary(found: dict[str, Verdicts]) -> dict:
    """JSON-able, each reader and all of them."""
    total = Counter()
    for verdicts in found.values():
        total.update({key: value for key, value in asdict(verdicts).items() if key != "found"})
    return {"all": dict(total), **{name: asdict(verdicts) for name, verdicts in found.items()}}
