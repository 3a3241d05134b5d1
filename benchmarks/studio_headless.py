"""One side of benchmarks.studio: the demo trained with nobody watching; prints its rate as JSON."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import json
import tempfile
import threading
import time
from pathlib import Path

from poseaug_core.demo import demo_config
from poseaug_core.live import ENDED, Live

#: Iterations between which time is taken: past the first allocations, warm-up and estimator passes among them.
BEGIN, END = 60, 700


def main() -> None:
    from poseaug_core.launch import train

    live = Live()
    with tempfile.TemporaryDirectory() as folder:
        work = threading.Thread(target=train, args=(demo_config(), Path(folder) / "run", live))
        work.start()
        times = {}
        while not {BEGIN, END} <= times.keys():
            status = live.status
            if status.state in ENDED:
                raise SystemExit(f"the demo ended at step {status.step}: {status.message}")
            for mark in (BEGIN, END):
                if status.step >= mark:
                    times.setdefault(mark, (time.perf_counter(), status.step))
            time.sleep(0.02)
        live.stop()
        work.join()
    (t0, s0), (t1, s1) = times[BEGIN], times[END]
    print(json.dumps({"rate": (s1 - s0) / (t1 - t0)}))


if __name__ == "__main__":
    main()
