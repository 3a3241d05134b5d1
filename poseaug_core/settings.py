"""One declaration per setting: default, range, unit, help and equation, read by every front end.

The command line makes its flags, TOML its validation, the studio its sliders and tooltips from the
same ``Setting``, which lives in the metadata of the dataclass field that holds the value.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from poseaug_core.errors import UserError


@dataclass(frozen=True)
class Setting:
    """What is known of one field of Config or Controls.

    kind: 'float', 'int', 'bool', 'choice', 'text' or 'list' (of texts).
    low, high: inclusive range of numbers. choices: allowed values of a choice.
    scheduled: None is allowed and means that the value follows its schedule.
    log: a slider is best logarithmic. group: heading under which it is shown.
    where: the settings of Config, each with the values, with which alone this one is read; see in_use.
    """

    name: str
    label: str
    kind: str
    default: Any
    help: str
    group: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    equation: str = ""
    choices: tuple[str, ...] = ()
    scheduled: bool = False
    log: bool = False
    where: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def in_use(self, config: Any) -> bool:
        """Whether a run of this Config reads the setting at all."""
        return all(getattr(config, name) in values for name, values in self.where)

    def check(self, value: Any) -> Any:
        """The value in its right type, or UserError naming value, limit and remedy."""
        if value is None and (self.scheduled or self.default is None):
            return None
        if self.kind in ("float", "int"):
            return self._check_number(value)
        if self.kind == "bool":
            if isinstance(value, str) and value.lower() in ("true", "false", "on", "off", "yes", "no", "1", "0"):
                return value.lower() in ("true", "on", "yes", "1")
            if not isinstance(value, bool):
                raise UserError(f"{self.name} is {value!r}; it must be true or false.")
            return value
        if self.kind == "choice" and value not in self.choices:
            raise UserError(f"{self.name} is {value!r}; choose one of {', '.join(self.choices)}.")
        if self.kind == "list":
            return self._check_list(value)
        if not isinstance(value, str):
            raise UserError(f"{self.name} is {value!r}; it must be text, in quotes.")
        return value

    def _check_list(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return tuple(v.strip() for v in value.split(",") if v.strip())
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise UserError(f'{self.name} is {value!r}; it must be a list of texts, such as ["a.h5", "b.h5"].')
        return tuple(value)

    def _check_number(self, value: Any) -> float | int:
        try:
            if isinstance(value, bool):
                raise ValueError
            number = float(value)
            if self.kind == "int":
                if number != int(number):
                    raise ValueError
                number = int(number)
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"{self.name} is {value!r}; it must be {'a whole' if self.kind == 'int' else 'a'} number.")
        low, high = self.low, self.high
        if not (low is None or number >= low) or not (high is None or number <= high) or number != number:
            unit = f" {self.unit}" if self.unit else ""
            upper = f"to {_plain(high)}" if high is not None else "or more"
            raise UserError(f"{self.name} is {_plain(number)}{unit}; choose a value from {_plain(low)} {upper}{unit}.")
        return number


def _plain(number: float) -> str:
    """A number as people write it: 1,048,576 and 0.0001 rather than 1.04858e+06 and 1e-04."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def setting(default: Any, label: str, help: str, *, group: str, kind: str | None = None, **rest) -> Any:
    """A dataclass field that carries its Setting; the kind is that of the default unless named."""
    kinds = {bool: "bool", int: "int", float: "float", str: "text", tuple: "list"}
    kind = "choice" if rest.get("choices") else kind or kinds[type(default)]
    return field(default=default, metadata={"setting": dict(label=label, help=help, group=group, kind=kind, **rest)})


def settings_of(cls) -> dict[str, Setting]:
    """Every Setting declared in a dataclass, by field name, in order; those it inherits come last."""
    own = lambda field: field.name in cls.__dict__["__annotations__"]  # noqa: E731
    return {
        f.name: Setting(name=f.name, default=f.default, **f.metadata["setting"])
        for f in sorted(dataclasses.fields(cls), key=lambda field: not own(field))
        if "setting" in f.metadata
    }


def checked(cls, values: dict[str, Any]):
    """An instance of a settings dataclass from loose values; unknown names get a suggestion."""
    known = settings_of(cls)
    out = {}
    for name, value in values.items():
        if name not in known:
            raise UserError(f"There is no setting {name!r}{did_you_mean(name, known)}")
        out[name] = known[name].check(value)
    return cls(**out)


def did_you_mean(name: str, known) -> str:
    """'; did you mean X?' for names that begin so or one that is close, else where the known ones are listed."""
    import difflib

    begun = [other for other in known if name and other.startswith(f"{name}_")][:3]
    close = begun or difflib.get_close_matches(name, known, 1)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else "; 'poseaug info settings' lists them all."
