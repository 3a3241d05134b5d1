"""Where Ray listens that a sweep starts: on this machine's loopback and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTENING = """
import os, socket
from pathlib import Path
from poseaug_core.sweep.on_ray import started

ray = started("", 1)
assert ray.get(ray.remote(lambda: 7).remote()) == 7
places = {}
for table in ("tcp", "tcp6"):
    for line in Path("/proc/net", table).read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":  # listening
            places[f"socket:[{fields[9]}]"] = fields[1].rpartition(":")[0]
parents = {}
for folder in Path("/proc").glob("[0-9]*"):
    try:
        parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        continue
def ours(process):
    while process not in (os.getpid(), 0, None):
        process = parents.get(process)
    return process == os.getpid()
for process in filter(ours, parents):
    for handle in Path("/proc", str(process), "fd").glob("*"):
        try:
            print(places.get(os.readlink(handle), ""))
        except OSError:
            continue
ray.shutdown()
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of sockets")
def test_ray_that_is_started_here_listens_on_the_loopback():
    pytest.importorskip("ray")
    done = subprocess.run([sys.executable, "-c", LISTENING], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    places = set(done.stdout.split())
    # 127.0.0.1 and ::ffff:127.0.0.1, as the kernel writes them; ::1.
    assert places <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}, places
    assert places, "something listens"
