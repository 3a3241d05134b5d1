"""poseaug presets: the named settings, one of them, or what two of them do differently."""

from __future__ import annotations

from typing import Any

import click

from poseaug_core.commands.terminal import json_option, print_json, print_table
from poseaug_core.config import make_config
from poseaug_core.presets import PRESETS


@click.group(short_help="Named settings, and how they differ.", invoke_without_command=True)
@click.pass_context
def presets(context) -> None:
    """List the presets; show one; or tell what two of them do differently, with the equations.

    \b
    poseaug presets
    poseaug presets show small_data
    poseaug presets diff paper released
    """
    if context.invoked_subcommand is None:
        context.invoke(listed)


@presets.command("list")
@json_option
def listed(as_json: bool = False) -> None:
    """The presets and how many settings each names."""
    if as_json:
        print_json(PRESETS)
        return
    rows = [[name, str(len(values)), ", ".join(values) or "the defaults"] for name, values in PRESETS.items()]
    print_table(["preset", "settings", "named"], rows)


@presets.command()
@click.argument("name")
@json_option
def show(name, as_json) -> None:
    """Every setting and control of a preset that a run with it reads."""
    from poseaug_core.preset_differences import ALL, preset_value

    config = make_config(name)
    found = [
        {"name": key, "value": preset_value(config, key), "named": key in PRESETS[name], "unit": setting.unit,
         "group": setting.group, "equation": setting.equation, "help": setting.help}
        for key, setting in ALL.items()
        if setting.in_use(config)
    ]  # fmt: skip
    if as_json:
        print_json(found)
        return
    rows = [[f["name"] + (" *" if f["named"] else ""), _text(f["value"], f["unit"]), f["equation"], f["help"]]
            for f in found]  # fmt: skip
    print_table(["setting", "value", "equation", "meaning"], rows, f"{name} (*: named by the preset)")


@presets.command()
@click.argument("first")
@click.argument("second")
@json_option
def diff(first, second, as_json) -> None:
    """Every setting and control in which two presets differ: both values, equation and meaning."""
    from poseaug_core.preset_differences import preset_differences

    found = preset_differences(first, second)
    if as_json:
        print_json([difference.plain() for difference in found])
        return
    rows = [
        [d.setting.name, _value(d.first, d.read_first, d.setting.unit), _value(d.second, d.read_second, d.setting.unit),
         d.setting.equation, d.setting.help]
        for d in found
    ]  # fmt: skip
    print_table(["setting", first, second, "equation", "meaning"], rows, f"{len(found)} settings differ")


def _value(value: Any, read: bool, unit: str) -> str:
    return _text(value, unit) if read else "not read"


def _text(value: Any, unit: str) -> str:
    if value is None:
        return "its schedule"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (tuple, list)):
        return ", ".join(value) or "-"
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{number} [{unit}]" if unit else number or "-"
