"""One side of benchmarks.studio: the demo trained with nobody watching; prints its rate as JSON.

python -m benchmarks.studio_headless [--folder RUN] [--threads N]; with a folder it trains on until its input ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from poseaug_core.config import Config
from poseaug_core.demo import demo_config
from poseaug_core.live import ENDED, Live, Status

#: Iterations between which time is taken: past the first allocations, all alike as the warm-up is long.
BEGIN, END, WARMUP = 40, 240, 100_000


class Pace:
    """The rate between iterations BEGIN and END, of a status looked at now and then."""

    def __init__(self):
        self.times: dict[int, tuple[float, int]] = {}

    def look(self, status: Status) -> None:
        if status.state in ENDED:
            raise SystemExit(f"the demo ended at step {status.step}: {status.message}")
        for mark in (BEGIN, END):
            if status.step >= mark:
                self.times.setdefault(mark, (time.perf_counter(), status.step))

    @property
    def began(self) -> bool:
        return BEGIN in self.times

    @property
    def done(self) -> bool:
        return END in self.times

    @property
    def rate(self) -> float:
        (t0, s0), (t1, s1) = self.times[BEGIN], self.times[END]
        return (s1 - s0) / (t1 - t0)


def measured_config(threads: int) -> Config:
    """The demo in an endless warm-up. threads: of torch, 0 for one a core."""
    return demo_config(threads=threads, warmup_iterations=WARMUP)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    from poseaug_core.launch import train

    live, pace = Live(), Pace()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "run"
        work = threading.Thread(target=train, args=(measured_config(options.threads), folder, live))
        work.start()
        while not pace.done:
            pace.look(live.status)
            work.join(0.02)
            if not work.is_alive():
                raise SystemExit("the demo ended before it was measured")
        print(json.dumps({"rate": pace.rate}), flush=True)
        if options.folder:
            sys.stdin.read()
        live.stop()
        work.join()


if __name__ == "__main__":
    main()
