"""Measure speed, print each part's table as soon as it is there, keep the figures. A part takes one to five minutes a
round; docs/speed.md says what their figures mean.

step: training iterations, what they go into, whole epochs, a busy core. loop: ours beside a loop built as the released
one. gpu: CUDA graphs. studio: training watched, clicks, frames. start: until first paint, first training. history:
snapshots written, read, scrubbed. data: reading and converting. lift, export: 2D to 3D, augmented pairs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from importlib.metadata import version

from rich.console import Console
from rich.table import Table

#: Each is a module with ``measure(rounds, say) -> dict[str, float]`` and ``MEANING``, what its keys are.
PARTS = ("step", "studio", "start", "history", "lift", "export", "loop", "data", "gpu")


def main() -> int:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=kind)
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, separated by commas: {', '.join(PARTS)}")
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON")
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="how often each pair is measured, at least 1 (default 3); medians are kept",
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; measure at least 1 round.")
    parts = [part.strip() for part in options.only.split(",")]
    if unknown := [part for part in parts if part not in PARTS]:
        print(f"There is no benchmark {unknown[0]!r}; choose from {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    console, failed = Console(), False
    machine = {"machine": _processor(), "cores": os.cpu_count(), "torch": version("torch"), "rounds": options.rounds}
    found: dict[str, float] = {}
    for part in parts:
        module = importlib.import_module(f"benchmarks.{part}")
        try:
            with console.status(part) as status:
                measured = module.measure(options.rounds, lambda text, part=part: status.update(f"{part}: {text}"))
        except SystemExit as reason:  # a part that cannot be measured here takes no other with it
            print(f"{part}: {reason}", file=sys.stderr)
            failed = True
            continue
        found |= measured
        if measured:
            console.print(_table(measured, module.MEANING))
        if options.json:
            with open(options.json, "w") as file:
                json.dump({**machine, **found}, file, indent=2)
    return int(failed)


def _table(found: dict[str, float], meanings: dict[str, str]) -> Table:
    table = Table()
    table.add_column("figure", overflow="fold", min_width=min(max(map(len, found)), 56))
    table.add_column("value", justify="right")
    table.add_column("what it is")
    for name, value in found.items():
        table.add_row(name, f"{value:.3g}", meanings.get(name, meanings.get(name.rsplit(".", 1)[-1], "")))
    return table


def _processor() -> str:
    """The processor's name as its maker writes it, where the system tells."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
