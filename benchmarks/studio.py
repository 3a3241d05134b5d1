"""Training watched over training headless, and how soon the window answers a click meanwhile.

Both sides train the demo through the same iterations in a process of their own, in turn; the watched side is
the real window with every panel open at 1600 x 1000.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median

MEANING = {
    "studio.watched_over_headless": "demo training rate with the window open, over headless (1 is no loss)",
    "studio.headless_rate": "iterations a second, headless",
    "studio.watched_rate": "iterations a second, watched",
    "studio.click_p50_ms": "a click until its handler has run, median, milliseconds",
    "studio.click_p95_ms": "a click until its handler has run, 95th percentile, milliseconds",
    "studio.redraw_p95_ms": "a click until the 3D views show what it did, 95th percentile, milliseconds",
}


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    pairs = []
    for k in range(rounds):
        say(f"pair {k + 1} of {rounds}, headless")
        headless = _side("headless")
        say(f"pair {k + 1} of {rounds}, watched")
        pairs.append((headless, _side("watched")))
    clicks = {key: median(w[key] for _, w in pairs) for key in ("click_p50_ms", "click_p95_ms", "redraw_p95_ms")}
    return {
        "studio.watched_over_headless": median(w["rate"] / h["rate"] for h, w in pairs),
        "studio.headless_rate": median(h["rate"] for h, _ in pairs),
        "studio.watched_rate": median(w["rate"] for _, w in pairs),
        **{f"studio.{key}": value for key, value in clicks.items()},
    }


def _side(name: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", f"benchmarks.studio_{name}"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The {name} side of the studio benchmark failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
