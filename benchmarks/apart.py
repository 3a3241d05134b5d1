"""A benchmark's command in a process of its own, whose processor time and peak memory are nothing else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import importlib, sys, time
run = importlib.import_module(sys.argv[1]).run
began = time.process_time()
run(*sys.argv[2:])
spent = time.process_time() - began
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(spent, int(peak.split()[1]) * 1024)
"""


def apart(module: str, *arguments: object) -> tuple[float, int]:
    """Processor seconds of ``module.run(*arguments)``, arguments as texts, and the process's peak memory in bytes."""
    command = [sys.executable, "-c", SCRIPT, module, *map(str, arguments)]
    root = Path(__file__).parents[1]
    spent, peak = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()
    return float(spent), int(peak)
