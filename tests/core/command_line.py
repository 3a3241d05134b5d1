"""Commands as users give them, within this process."""

from __future__ import annotations

from click.testing import CliRunner

from poseaug_core.cli import main
from tests.core.small import SMALL

#: A training of seconds.
FLAGS = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def poseaug(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(done) -> str:
    """The sentence of a command that refused what it was given."""
    assert done.exit_code == 2, (done.exit_code, done.output, done.exception)
    assert done.stdout == "" and "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return sentence
