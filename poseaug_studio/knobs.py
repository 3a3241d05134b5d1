"""Knobs: the live controls of the training, built from their declarations."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from poseaug_core.config import Config
from poseaug_core.config import scheduled as resolved
from poseaug_core.controls import KNOBS, RATES, WEIGHTS, Controls
from poseaug_core.errors import UserError
from poseaug_core.settings import Setting
from poseaug_studio import icons
from poseaug_studio.labels import Label, MarkedLabel
from poseaug_studio.sliders import NumberField, RangeSlider, Scale, Slider, Switch
from poseaug_studio.style import mix
from poseaug_studio.theme import Theme

CLOSED = (WEIGHTS, RATES)
#: The free range of angle change is one knob with two handles.
RANGE = ("range_mean", "range_width")
#: Words and signs that read better than the plain text of the declarations.
UNITS = {"x": "\u00d7", "1 - cos": "1 \u2212 cos", "iterations": "it."}


def color_of(name: str, theme: Theme) -> str:
    """The colour of the stage that a knob belongs to; the accent for those of all."""
    for stage, words in (("ba", ("_ba", "range")), ("bl", ("_bl", "length", "limit")), ("rt", ("_rt",))):
        if any(word in name for word in words):
            return theme.stage(stage)
    return theme.accent


def tooltip(setting: Setting) -> str:
    limits = f"{setting.low:g} to {setting.high:g} {setting.unit}" if setting.low is not None else "on or off"
    rest = " \u00b7 ".join(text for text in (setting.equation, limits, f"--{setting.name.replace('_', '-')}") if text)
    follows = "<br>The curve button follows the schedule; moving the slider holds a value." if setting.scheduled else ""
    return f"<b>{setting.label}</b><br>{setting.help}{follows}<br><span style='font-size:11px'>{rest}</span>"


class Dot(QWidget):
    """Shown from turning a knob until the trainer has used it."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme, self.lit = theme, False
        self.setFixedSize(8, 18)

    def light(self, lit: bool) -> None:
        if lit != self.lit:
            self.lit = lit
            self.setToolTip("Waiting for the next step of the training" if lit else "")
            self.update()

    def paintEvent(self, event) -> None:
        if self.lit:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.theme.warning))
            painter.drawEllipse(0, 7, 5, 5)


class Knob(QWidget):
    """A row for the fields ``names`` of Controls; ``turned`` carries {field: value}."""

    turned = Signal(dict)
    refused = Signal(str)
    held = Signal(bool)  # dragged from here on, and no more
    resettable = True

    def __init__(self, names: tuple[str, ...], label: str, theme: Theme, unit: str | None = None):
        super().__init__()
        self.names, self.theme = names, theme
        self.setting = KNOBS[names[0]]
        self.setToolTip(tooltip(self.setting))
        self.dot = Dot(theme)
        unit = UNITS.get(self.setting.unit, self.setting.unit) if unit is None else unit
        self.label = MarkedLabel(
            label + (f"&nbsp; <span style='color:{theme.muted};font-size:11px'>{unit}</span>" if unit else "")
        )
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reset = self._button("reset", "Back to the default", self._reset)
        self.head = QHBoxLayout(spacing=2)
        self.head.setContentsMargins(0, 0, 0, 0)
        self.head.addWidget(self.dot)
        self.head.addWidget(self.label, 1)
        self.head.addWidget(self.reset)
        self.rows = QVBoxLayout(self, spacing=0)
        self.rows.setContentsMargins(4, 2, 10, 2)
        self.rows.addLayout(self.head)

    def _button(self, name: str, tip: str, act) -> QToolButton:
        button = QToolButton(toolTip=tip, icon=icons.icon(name, self.theme.muted), iconSize=QSize(12, 12))
        button.setObjectName("quiet")
        button.setFixedSize(20, 20)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        policy = button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        button.setSizePolicy(policy)
        button.clicked.connect(act)
        return button

    def _reset(self) -> None:
        self.turned.emit({name: KNOBS[name].default for name in self.names})

    def show_controls(self, controls: Controls, scheduled: dict[str, float]) -> None:
        values = [getattr(controls, name) for name in self.names]
        self.reset.setVisible(self.resettable and values != [KNOBS[name].default for name in self.names])
        self._show(values, [scheduled.get(name) for name in self.names])

    def _show(self, values: list, scheduled: list) -> None:
        raise NotImplementedError

    def _enter(self, name: str, text: str) -> None:
        try:
            self.turned.emit({name: KNOBS[name].check(text.replace(",", "."))})
        except UserError as error:
            self.refused.emit(str(error))


class NumberKnob(Knob):
    """A slider and a number; a scheduled one also a button to follow its schedule, which is its default."""

    def __init__(self, name: str, theme: Theme):
        super().__init__((name,), KNOBS[name].label, theme)
        setting = self.setting
        self.scale = Scale(setting.low, setting.high, setting.log, setting.kind == "int")
        self.slider = Slider(self.scale, theme, color_of(name, theme))
        self.slider.default = setting.default
        self.field = NumberField(56)
        self.follow: QToolButton | None = None
        if setting.scheduled:
            self.resettable = False
            self.follow = self._button("schedule", "Follow the schedule", self._follow)
            self.follow.setCheckable(True)
            self.head.addWidget(self.follow)
        self.head.addWidget(self.field)
        self.rows.addWidget(self.slider)
        self.slider.held.connect(self.held)
        self.slider.moved.connect(lambda value: self.turned.emit({name: setting.check(value)}))
        self.field.entered.connect(lambda text: self._enter(name, text))
        self.field.nudged.connect(self.slider.nudge)

    def _follow(self) -> None:
        """Follow the schedule, or hold the value it has at this moment."""
        self.turned.emit({self.names[0]: None if self.follow.isChecked() else self.setting.check(self.slider.value)})

    def _show(self, values: list, scheduled: list) -> None:
        value, follows = values[0], values[0] is None
        if self.follow is not None:
            self.follow.setChecked(follows)
            color = color_of(self.names[0], self.theme) if follows else self.theme.muted
            self.follow.setIcon(icons.icon("schedule", color))
            self.follow.setToolTip(
                "Follows the schedule: click to hold" if follows else "Held: click to follow the schedule"
            )
        shown = scheduled[0] if follows else value
        inside = self.scale.low if shown is None else min(max(shown, self.scale.low), self.scale.high)
        self.slider.show_value(inside, hollow=follows)
        self.field.show_number(shown)


class RangeKnob(Knob):
    """Centre and half width of the free range of angle change, as two handles on one line."""

    def __init__(self, theme: Theme):
        super().__init__(RANGE, "BA range", theme, unit="")
        self.setToolTip(tooltip(KNOBS["range_mean"]) + "<br>" + tooltip(KNOBS["range_width"]))
        self.slider = RangeSlider(Scale(0.0, 1.0), theme, color_of("range_mean", theme))
        self.mean, self.width_field = NumberField(46), NumberField(46)
        between = Label("\u00b1", objectName="muted")
        for part in (self.mean, between, self.width_field):
            self.head.addWidget(part)
        self.rows.addWidget(self.slider)
        self.slider.held.connect(self.held)
        self.slider.moved.connect(self._move)
        for name, field in zip(RANGE, (self.mean, self.width_field), strict=True):
            field.entered.connect(lambda text, name=name: self._enter(name, text))
            field.nudged.connect(lambda shares, name=name: self._nudge(name, shares))

    def _move(self, low: float, high: float) -> None:
        width = min((high - low) / 2, KNOBS["range_width"].high)
        self.turned.emit({"range_mean": round((low + high) / 2, 4), "range_width": round(width, 4)})

    def _nudge(self, name: str, shares: float) -> None:
        setting = KNOBS[name]
        value = Scale(setting.low, setting.high).moved(self._values[RANGE.index(name)], shares)
        self.turned.emit({name: value})

    def _show(self, values: list, scheduled: list) -> None:
        self._values = values
        mean, width = values
        self.slider.show_range(max(mean - width, 0.0), min(mean + width, 1.0))
        self.mean.show_number(mean)
        self.width_field.show_number(width)


class SwitchKnob(Knob):
    """On or off; a click on the label switches too, and back."""

    resettable = False

    def __init__(self, name: str, theme: Theme):
        super().__init__((name,), KNOBS[name].label, theme)
        self.switch = Switch(theme, color_of(name, theme))
        self.switch.clicked.connect(lambda on: self.turned.emit({name: on}))
        self.head.addWidget(self.switch)
        self.head.removeWidget(self.reset)
        self.reset.hide()

    def mouseReleaseEvent(self, event) -> None:
        self.switch.click()

    def _show(self, values: list, scheduled: list) -> None:
        self.switch.setChecked(values[0])


class Section(QWidget):
    """A heading that opens and closes the knobs below it."""

    def __init__(self, title: str, theme: Theme, opened: bool):
        super().__init__()
        self.theme = theme
        self.head = QToolButton(text=" " + title, checkable=True, checked=opened, objectName="quiet")
        self.head.setProperty("section", True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.head.setStyleSheet(
            f"text-align: left; color: {mix(theme.muted, theme.text, 0.35)}; font-weight: 600; font-size: 12px;"
        )
        self.head.setIconSize(QSize(12, 12))
        self.body = QWidget()
        self.rows = QVBoxLayout(self.body, spacing=2)
        self.rows.setContentsMargins(0, 0, 0, 6)
        layout = QVBoxLayout(self, spacing=0)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.head)
        layout.addWidget(self.body)
        self.head.toggled.connect(self._open)
        self._open(opened)

    def _open(self, opened: bool) -> None:
        self.head.setIcon(icons.icon("down" if opened else "right", self.theme.muted))
        self.body.setVisible(opened)


class KnobsPanel(QFrame):
    """All knobs. ``turned`` carries the new Controls, ``refused`` a sentence about a number out of range; ``held`` says
    when a drag begins and ends."""

    turned = Signal(object)
    refused = Signal(str)
    held = Signal(bool)

    def __init__(self, theme: Theme):
        super().__init__()
        self.controls, self.scheduled = Controls(), {}
        self.past: Controls | None = None
        self.past_words = Label(objectName="muted", wordWrap=True)
        self.past_words.setContentsMargins(16, 6, 8, 2)
        self.past_words.hide()
        self._used: Controls | None = None
        self._config = Config()
        self.opened: dict[str, bool] = {}
        self.area = QScrollArea(widgetResizable=True, horizontalScrollBarPolicy=Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.past_words)
        layout.addWidget(self.area)
        self.setMinimumWidth(232)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Build the rows in a theme, what was open stays open."""
        self.held.emit(False)  # a slider that is dragged goes
        self.theme = theme
        self.opened |= {title: section.head.isChecked() for title, section in getattr(self, "sections", {}).items()}
        self.knobs: dict[str, Knob] = {}
        self.sections: dict[str, Section] = {}
        page = QWidget(objectName="scrolled")
        rows = QVBoxLayout(page, spacing=2)
        rows.setContentsMargins(4, 4, 0, 8)
        for name, setting in KNOBS.items():
            if setting.group not in self.sections:
                opened = self.opened.get(setting.group, setting.group not in CLOSED)
                self.sections[setting.group] = section = Section(setting.group, theme, opened)
                rows.addWidget(section)
            if name == "range_width":
                continue
            knob = (
                RangeKnob(theme) if name in RANGE
                else SwitchKnob(name, theme) if setting.kind == "bool"
                else NumberKnob(name, theme)
            )  # fmt: skip
            knob.turned.connect(self._turn)
            knob.refused.connect(self.refused)
            knob.held.connect(self.held)
            self.sections[setting.group].rows.addWidget(knob)
            for field in knob.names:
                self.knobs[field] = knob
        rows.addStretch(1)
        self.area.setWidget(page)
        self._show_read()
        self._show()

    def show_config(self, config: Config) -> None:
        """Show the knobs that a run of this config reads; groups without any are left out."""
        self._config = config
        start = resolved(config, Controls(), "poseaug", 0)
        self.scheduled = {name: getattr(start, name) for name, setting in KNOBS.items() if setting.scheduled}
        self._show_read()
        self._show()

    def _show_read(self) -> None:
        read = {setting.group: False for setting in KNOBS.values()}
        for name, knob in self.knobs.items():
            if name == knob.names[0]:
                there = any(KNOBS[field].in_use(self._config) for field in knob.names)
                knob.setVisible(there)
                read[knob.setting.group] |= there
        for title, section in self.sections.items():
            section.setVisible(read[title])

    def show_controls(self, controls: Controls) -> None:
        self.controls = controls
        self._show()

    def show_scheduled(self, values: dict[str, float]) -> None:
        """The values in force at the shown step, for knobs that follow their schedule."""
        values = self.scheduled | values
        if values != self.scheduled:
            self.scheduled = values
            self._show()

    def show_past(self, step: int, values: dict[str, float] | None) -> None:
        """The values that were in force at a step of history, not to be turned; None for the live ones again."""
        past = None
        if values is not None:
            kinds = {"bool": bool, "int": round}
            known = {name: kinds.get(KNOBS[name].kind, float)(values[name]) for name in KNOBS if name in values}
            past = replace(self.controls, **known)
            self.past_words.setText(f"As they were at step {step:,}; go live to turn them.")
        self.past_words.setVisible(past is not None)
        if past != self.past:
            self.past = past
            self._show()

    def show_used(self, used: Controls | None) -> None:
        """Mark as pending what the trainer has not used yet; None marks nothing."""
        self._used = used
        told = used is not None and self.past is None
        for name, knob in self.knobs.items():
            if name == knob.names[0]:
                knob.dot.light(told and any(self._pending(field) for field in knob.names))

    def _pending(self, name: str) -> bool:
        return getattr(self.controls, name) != getattr(self._used, name)

    def _turn(self, values: dict) -> None:
        self.controls = replace(self.controls, **values)
        self._show()
        self.turned.emit(self.controls)

    def _show(self) -> None:
        for name, knob in self.knobs.items():
            if name == knob.names[0]:
                knob.setEnabled(self.past is None)
                knob.show_controls(self.past or self.controls, self.scheduled)
                if self.past is not None:
                    knob.reset.hide()
        self.show_used(self._used)
