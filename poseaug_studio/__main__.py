"""poseaug-studio: the desktop studio. Loads as little as it can before its window is on screen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="poseaug-studio",
        description="Train a 3D pose augmentor and watch what it does to every pose.",
        epilog="Ctrl+C, SIGTERM and a closed terminal (SIGHUP) stop what trains, save it and close the window; the "
        "same signal again ends at once.",
    )
    parser.add_argument("--demo", action="store_true", help="open the demo instead of the start page")
    parser.add_argument("--train", action="store_true", help="start training what is opened at once")
    parser.add_argument("--open", metavar="RUN_OR_FILE", type=Path, help="a run folder, BVH files or poses to open")
    parser.add_argument(
        "--tour", metavar="DIR", type=Path, help="show everything once by itself, keep pictures in DIR, end"
    )
    parser.add_argument("--theme", choices=("dark", "light", "system"), help="dark, light, or what the system uses")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Runs the studio; the exit code. 2: it cannot run here, and a sentence says why. 130, 143, 129: ended by Ctrl+C,
    SIGTERM or SIGHUP, what trained was saved."""
    options = arguments(sys.argv[1:] if argv is None else argv)
    from poseaug_core.streams import steady_streams

    with steady_streams():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    from poseaug_studio.display import missing_display

    problem = missing_display()
    if problem:
        print(problem, file=sys.stderr)
        return 2
    from poseaug_studio.application import run

    return run(options)


if __name__ == "__main__":
    sys.exit(main())
