"""The command ``poseaug``: train, evaluate, export, info, demo-data and convert, without a display.

Exit codes: 0 done; 2 what was given cannot be used (one sentence on stderr); 130 stopped by Ctrl+C.
"""

from __future__ import annotations

import errno
import sys

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
from poseaug_core.commands.train import train
from poseaug_core.errors import Cancelled, UserError
from poseaug_core.paths import refused, require_no_pipe


class Refused(click.ClickException):
    """What the user gave cannot be used."""

    exit_code = 2


class Commands(click.Group):
    """A group whose commands may raise UserError and Cancelled."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            for word in args:
                require_no_pipe(word)
        except UserError as error:
            raise Refused(str(error))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise Refused(str(error))
        except OSError as error:
            # What no command has explained: names that cannot be, folders that may not be looked at, a broken disk.
            if error.errno is None or error.errno == errno.EPIPE:
                raise
            raise Refused(str(refused(error)))
        except (Cancelled, KeyboardInterrupt):
            click.echo("Stopped.", err=True)
            raise click.exceptions.Exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of their use


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(program_version(), prog_name="poseaug")
def main() -> None:
    """PoseAug without a window: train a 3D pose augmentor with its estimator, evaluate, export and convert.

    'poseaug-studio' opens the same runs in a window.
    """
    if hasattr(sys.stdout, "reconfigure"):  # names of files need not be text; sys.stderr is like this already
        sys.stdout.reconfigure(errors="backslashreplace")


for command in (train, evaluate, lift, table, figure, presets, export, info, demo_data, fetch, convert):
    main.add_command(command)

if __name__ == "__main__":
    main()
