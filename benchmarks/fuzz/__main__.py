"""Read spoiled files with every reader, print what came of it, and keep the figures. Ends with 1 where a reader took
what cannot be, failed without a sentence, crashed, hung for more than 2 s, or took far more memory than its file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.fuzz.watching import Verdicts, run, summary

COLUMNS = ("inputs", "refused", "accepted", "absurd", "bare", "crashes", "hangs", "greedy", "seconds")


def main() -> int:
    from benchmarks.fuzz.targets import TARGETS

    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__, formatter_class=kind)
    parser.add_argument("--reader", default="all", help=f"all, or some of {', '.join(TARGETS)}, separated by commas")
    parser.add_argument("--only", metavar="NAME", help="this reader alone, whatever --reader says")
    parser.add_argument("--inputs", type=int, default=1000, help="spoiled files for each reader (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default 0)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other files (default 0)")
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON, after each reader")
    parser.add_argument("--save", metavar="FOLDER", help="keep every spoiled file in this folder")
    options = parser.parse_args()
    names = list(TARGETS) if options.reader == "all" else options.reader.split(",")
    names = [options.only] if options.only else names
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"there is no reader {unknown[0]!r}; choose from {', '.join(TARGETS)}.")
    if options.inputs < 1 or options.first < 0 or options.seed < 0:
        parser.error("--inputs must be at least 1, --first and --seed at least 0.")
    if options.save:
        Path(options.save).mkdir(parents=True, exist_ok=True)
    console, found = Console(width=130), {}
    for name in names:
        with console.status(name):
            found[name] = run(name, options.inputs, options.seed, options.first, options.save or "-")
        if options.json:
            Path(options.json).write_text(json.dumps(summary(found), indent=2) + "\n")
    console.print(_table(found))
    for name, verdicts in found.items():
        for what, (count, first) in sorted(verdicts.found.items(), key=lambda item: -item[1][0]):
            console.print(f"{name}: {count} x {what}, first in input {first}", markup=False, soft_wrap=True)
    return 0 if all(verdicts.clean for verdicts in found.values()) else 1


def _table(found: dict[str, Verdicts]) -> Table:
    table = Table()
    table.add_column("reader")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for name, verdicts in found.items():
        table.add_row(name, *(f"{getattr(verdicts, column):,}" for column in COLUMNS))
    return table


if __name__ == "__main__":
    sys.exit(main())
