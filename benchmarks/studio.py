"""Training watched over training headless, and how smooth the window is meanwhile.

All sides train the demo through the same iterations in processes of their own, in turn: with nobody watching; in a
window with every panel open at 1600 x 1000; and beside such a window, which follows the run by its folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median

MEANING = {
    "studio.watched_over_headless": "demo training rate in the open window, over headless (1 is no loss)",
    "studio.followed_over_headless": "the same in a process of its own that a window follows by its run folder",
    "studio.turned_over_headless": "the same in the window while its 3D views are turned by the mouse",
    "studio.headless_rate": "iterations a second, headless",
    "watched_over_asleep": "the same between stretches of one training, watched and with the window asleep in turn",
    "gui_share": "of a core, what the window's own thread takes while a training is watched",
    "click_p50_ms": "a click until its handler has run, median, milliseconds",
    "click_p95_ms": "a click until its handler has run, 95th percentile, milliseconds",
    "redraw_p95_ms": "a click until the 3D views show what it did, 95th percentile, milliseconds",
    "fps": "frames a second of the four 3D views, turned by a mouse that moves 60 times a second",
    "p50_ms": "from one such frame to the next, median, milliseconds",
    "p95_ms": "from one such frame to the next, 95th percentile, milliseconds",
    "p99_ms": "from one such frame to the next, 99th percentile, milliseconds",
}
PANEL = "of this panel: processor milliseconds of one painting (paint_ms), share of a core (paint_share)"


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    sides: dict[str, list[dict[str, float]]] = {"headless": [], "thread": [], "follower": [], "one": []}
    for k in range(rounds):
        for name, command in (
            ("headless", ["studio_headless"]),
            ("thread", ["studio_window", "thread"]),
            ("follower", ["studio_window", "follower"]),
            ("one", ["studio_window", "thread", "--threads", "1"]),
        ):
            if name != "one" or k == 0:
                say(f"round {k + 1} of {rounds}, {name}")
                sides[name].append(_side(*command))
    MEANING.update({f"studio.{key}": PANEL for side in sides["thread"] for key in side if key.startswith("paint")})
    headless = [side["rate"] for side in sides["headless"]]

    def over(name: str, key: str) -> float:
        return median(side[key] / rate for side, rate in zip(sides[name], headless, strict=True))

    found = {
        "studio.watched_over_headless": over("thread", "rate"),
        "studio.followed_over_headless": over("follower", "rate"),
        "studio.turned_over_headless": over("thread", "rate_turned"),
        "studio.headless_rate": median(headless),
    }
    for name, prefix in (("thread", "studio"), ("one", "studio.one_thread"), ("follower", "studio.follower")):
        keys = [key for key in sides[name][0] if not key.startswith("rate")]
        if name != "thread":  # the panels cost the same
            keys = [key for key in keys if not key.startswith("paint")]
        found |= {f"{prefix}.{key}": median(side[key] for side in sides[name]) for key in keys}
    return found


def _side(*command: str) -> dict[str, float]:
    module, *options = command
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *options], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The side {' '.join(command)} of the studio benchmark failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
