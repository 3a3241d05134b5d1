"""The command ``poseaug``: train, evaluate, export, info, demo-data and convert, without a display.

Exit codes: 0 done; 2 what was given cannot be used (one sentence on stderr); 130 stopped by Ctrl+C, 143 by SIGTERM, 129
by SIGHUP, the signal of a terminal that was closed; 74 done, but its result could not be written on stdout.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from poseaug_core.commands.convert import convert, demo_data
from poseaug_core.commands.evaluate import evaluate
from poseaug_core.commands.export import export
from poseaug_core.commands.fetch import fetch
from poseaug_core.commands.figure import figure
from poseaug_core.commands.info import info, program_version
from poseaug_core.commands.lift import lift
from poseaug_core.commands.presets import presets
from poseaug_core.commands.table import table
from poseaug_core.commands.terminal import tell
from poseaug_core.commands.train import train
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.paths import refused, require_no_pipe
from poseaug_core.plain_text import plain, plain_lines
from poseaug_core.signals import Ended, exit_code, interrupted
from poseaug_core.streams import steady_streams

#: Exit code of a command that did its work, whose result could not be written.
UNTOLD = getattr(os, "EX_IOERR", 74)


class Refused(click.ClickException):
    """What the user gave cannot be used."""

    exit_code = 2


class Commands(click.Group):
    """A group whose commands may raise UserError and Cancelled, and whose streams and signals are looked after."""

    def main(self, *args, **more):
        with steady_streams() as told, interrupted():
            try:
                return super().main(*args, **more)
            except SystemExit as ended:
                told.flush()
                if told.lost and not ended.code:
                    raise SystemExit(UNTOLD)
                raise
            except Ended as ended:  # before the command began
                raise SystemExit(ended.code)

    def make_context(self, *args, **more) -> click.Context:
        with _plainly():
            return super().make_context(*args, **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            for word in args:
                require_no_pipe(word)
        except UserError as error:
            raise Refused(plain(error))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context):
        try:
            with _plainly():
                return super().invoke(ctx)
        except UserError as error:
            raise Refused(plain(error))
        except OSError as error:
            # What no command has explained: names that cannot be, folders that may not be looked at, a broken disk.
            if error.errno is None or error.errno == errno.EPIPE:
                raise
            raise Refused(plain(refused(error)))
        except (Cancelled, KeyboardInterrupt) as ended:
            tell("Stopped.", err=True)
            raise click.exceptions.Exit(ended.code if isinstance(ended, Ended) else exit_code(signal.SIGINT))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of their use


@contextmanager
def _plainly() -> Iterator[None]:
    """What click says of a command's words is text only: a shell puts names of files among them."""
    try:
        yield
    except click.ClickException as error:
        error.message = plain_lines(error.message)
        raise


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(program_version(), prog_name="poseaug")
def main() -> None:
    """PoseAug without a window: train a 3D pose augmentor with its estimator, evaluate, export and convert.

    'poseaug-studio' opens the same runs in a window.
    """


for command in (train, evaluate, lift, table, figure, presets, export, info, demo_data, fetch, convert):
    main.add_command(command)

if __name__ == "__main__":
    main()
