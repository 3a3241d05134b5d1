"""What the commands share: telling, JSON results, tables, progress bars and the flags that settings declare.

All that a command says goes through ``tell`` and ``bars``: what came from files is made harmless there, and what cannot
be written ends nothing (streams.py).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own, name_own
from poseaug_core.plain_text import plain, plain_lines
from poseaug_core.settings import Setting

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, and only that, on stdout."
)
own_estimator_option = click.option(
    "--estimator", "own", default="", metavar="FILE.py:CLASS", callback=lambda *given: _own_estimator(given[-1]),
    help="Your own estimator's code, where the weights are of one: it runs only when named.",
)  # fmt: skip
#: Seconds between two lines of progress where stderr is no terminal.
EVERY = 10.0
#: Characters of what is being done, beside a bar.
BESIDE_BAR = 100
#: Said when the end of what trains is asked for.
STOPPING = "\nStopping after this step; Ctrl+C again ends at once.\n"
#: Columns of a table that is not folded.
UNFOLDED = 100_000
out_option = click.option("--out", required=True, type=click.Path(), help="File to write.")


def tell(sentence: object = "", err: bool = False) -> None:
    """A sentence on a line of its own, on stdout or stderr."""
    tell_lines(plain(sentence), err)


def tell_lines(text: str, err: bool = False) -> None:
    """Text in lines of the program's own making, such as a table."""
    _write(plain_lines(text), err)


def _write(text: str, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def print_json(value: Any) -> None:
    """JSON is ASCII, in which nothing commands a terminal but DEL."""
    tell_lines(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))


def print_table(headings: list[str], rows: list[list[str]], title: str = "") -> None:
    """A table on stdout; numbers to the right. Without any heading the line of headings is left out."""
    from rich.console import Console
    from rich.table import Table

    if title:
        tell_lines(title)
    table = Table(header_style="bold", box=None, pad_edge=False, show_header=any(headings))
    for column, heading in enumerate(headings):
        filled = [row[column] for row in rows if row[column]]
        numeric = bool(filled) and all(map(_is_number, filled))
        table.add_column(plain_lines(heading), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(plain_lines, row))
    # A table in a file or pipe is not folded to a width that nobody sees, unless COLUMNS asks for one.
    asked = os.environ.get("COLUMNS", "")
    width = None if sys.stdout.isatty() else int(asked) if asked.isdecimal() and int(asked) else UNFOLDED
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        _write(line.rstrip())  # rich's own bold letters among it


def print_errors(values: dict[str, float | None], title: str = "") -> None:
    """A table of 'set/protocol/metric' values, one column a set."""
    sets = list(dict.fromkeys(name.split("/", 1)[0] for name in values))
    metrics = list(dict.fromkeys(name.split("/", 1)[1] for name in values))
    cell = lambda value: "-" if value is None else f"{value:.2f}"  # noqa: E731
    rows = [[with_unit(metric), *(cell(values.get(f"{name}/{metric}")) for name in sets)] for metric in metrics]
    print_table(["metric", *sets], rows, title)


def with_unit(metric: str) -> str:
    """'poseaug16/mpjpe' as 'poseaug16/mpjpe (mm)'; other names as they are."""
    from poseaug_core.metrics import METRICS

    known = METRICS.get(metric.rpartition("/")[2])
    return f"{metric} ({known[0]})" if known else metric


def counted(number: int, plural: str) -> str:
    """'1 clip', '2 clips'."""
    return f"{number:,} {plural[:-1] if number == 1 else plural}"


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").isdigit()


@contextmanager
def progress_bar() -> Iterator[Callable[[float, str], bool]]:
    """progress(share, text) for long work: a bar on stderr, or a line now and then where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.progress import TaskProgressColumn, TimeRemainingColumn

    with bars(TaskProgressColumn(), TimeRemainingColumn()) as shown:
        task = shown.add_task("", total=1.0)

        def progress(share: float, text: str) -> bool:
            shown.update(task, completed=share, description=plain(text, BESIDE_BAR))
            return True

        yield progress


@contextmanager
def bars(*columns: Any) -> Iterator[Any]:
    """rich's Progress on stderr: description, bar and columns. Texts in it are shown as they are, without markup."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    description = TextColumn("{task.description}", markup=False)
    with Progress(description, BarColumn(), *columns, console=console, transient=True) as shown:
        yield shown


def _lines() -> Callable[[float, str], bool]:
    """progress that writes a line on stderr every EVERY seconds; work that is done sooner writes none."""
    told = time.monotonic()

    def progress(share: float, text: str) -> bool:
        nonlocal told
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            tell(f"{text}  {share:.0%}", err=True)
        return True

    return progress


def _own_estimator(name: str) -> str:
    """What --estimator names beside a checkpoint."""
    if name and not is_own(name):
        raise UserError(f"--estimator is {name!r}; leave it out, or name a class of your own as FILE.py:CLASS.")
    return name and name_own(name)


def setting_options(settings: dict[str, Setting]) -> Callable:
    """A decorator that adds a flag for each setting; one that is not given comes as None (a list as ())."""

    def decorate(command: Callable) -> Callable:
        for setting in reversed(settings.values()):
            command = setting_option(setting)(command)
        return command

    return decorate


def setting_option(setting: Setting) -> Callable:
    """The flag of a setting. Values are checked by the setting itself, so that every front end says the same."""
    flag = "--" + setting.name.replace("_", "-")
    if setting.kind == "bool":
        return click.option(f"{flag}/--no-{flag[2:]}", setting.name, default=None, cls=_Grouped, setting=setting)
    kinds = {"float": "NUMBER", "int": "INTEGER", "text": "TEXT", "list": "TEXT"}
    metavar = "|".join(setting.choices) if setting.choices else kinds[setting.kind]
    many = {"multiple": True} if setting.kind == "list" else {"default": None}
    return click.option(flag, setting.name, metavar=metavar, cls=_Grouped, setting=setting, **many)


class _Grouped(click.Option):
    """An option that is listed under its setting's group."""

    def __init__(self, *args, setting: Setting, **rest):
        super().__init__(*args, help=describe(setting), **rest)
        self.group = setting.group


def describe(setting: Setting) -> str:
    """Help, unit, range and default of a setting in a line."""
    facts = [setting.unit and f"in {setting.unit}", setting.equation]
    if setting.low is not None:
        high = f"to {_number(setting.high)}" if setting.high is not None else "or more"
        facts.append(f"{_number(setting.low)} {high}")
    if setting.kind == "bool":
        facts.append("default: on" if setting.default else "default: off")
    elif setting.default not in (None, "", ()):
        facts.append(f"default: {_number(setting.default)}")
    elif setting.scheduled:
        facts.append("default: follows its schedule")
    if setting.kind == "list":
        facts.append("may be repeated")
    told = "; ".join(fact for fact in facts if fact)
    return f"{setting.help} [{told}]" if told else setting.help


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e5 else str(value)


class GroupedCommand(click.Command):
    """A command whose help lists options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)
