"""What two presets do differently, setting by setting."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from poseaug_core.config import SETTINGS, Config, make_config
from poseaug_core.controls import KNOBS
from poseaug_core.settings import Setting

#: Every setting and control; where Config and Controls share a name the Config's, the start of the schedule.
ALL = {name: s for name, s in {**SETTINGS, **KNOBS, **SETTINGS}.items() if name != "preset"}


@dataclass(frozen=True)
class Difference:
    """A setting whose values differ. first, second: in the two presets, None for a control that follows its schedule.
    read_first, read_second: whether a run of the preset reads the setting at all."""

    setting: Setting
    first: Any
    second: Any
    read_first: bool
    read_second: bool

    def plain(self) -> dict[str, Any]:
        """JSON-able, without the setting's own range."""
        about = {name: getattr(self.setting, name) for name in ("name", "label", "group", "unit", "equation", "help")}
        return about | {name: value for name, value in asdict(self).items() if name != "setting"}


def preset_differences(first: str, second: str) -> list[Difference]:
    """Every setting and control that two presets set differently, or that only one of them reads, in the order of
    their declaration. Raises UserError for unknown presets."""
    one, other = make_config(first), make_config(second)
    found = []
    for name, setting in ALL.items():
        values = preset_value(one, name), preset_value(other, name)
        read = setting.in_use(one), setting.in_use(other)
        if values[0] != values[1] or read[0] != read[1]:
            found.append(Difference(setting, *values, *read))
    return found


def preset_value(config: Config, name: str) -> Any:
    """Of one of ALL."""
    return getattr(config if name in SETTINGS else config.controls, name)
