"""Setting fields: a form of declared settings, each row with its own check; what a run does not read is not shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.config import SETTINGS, Config
from poseaug_core.errors import UserError
from poseaug_core.estimators import ESTIMATORS
from poseaug_core.estimators.own import is_own, name_own
from poseaug_core.plain_text import plain
from poseaug_core.settings import Setting
from poseaug_studio import labels
from poseaug_studio.labels import Label, caption
from poseaug_studio.theme import Theme

#: What choices are called where their names alone say too little.
TITLES = {
    "augmentation": {"poseaug": "PoseAug, learned", "evolution": "Evolution (Li et al.)",
                     "random": "Random, within fixed ranges", "none": "None: real pairs alone"},
    "discriminator3d": {"parts": "Five overlapping parts (released)", "paper_parts": "Five disjoint parts (paper)",
                        "whole_body": "Whole body", "none": "None"},
    "feedback_form": {"ratio": "Ratio kept in a band (released)", "exponential": "Exponential (paper)"},
    "regulariser": {"range": "Free ranges (released)", "rectified": "Rectified (paper)"},
    "gan_scale": {"halved": "Halved (released)", "unscaled": "Unscaled (paper)"},
    "keep_rule": {"released": "Drop any uv > 1 (released)", "inside": "Only what is inside the image"},
    "feedback_statistics": {"updated": "Updated (released)", "kept": "Kept"},
    "estimator_batches": {"separate": "Separate passes (released)", "mixed": "Mixed (paper)"},
}  # fmt: skip
OWN = "own"


def tip(setting: Setting) -> str:
    rest = " \u00b7 ".join(text for text in (setting.equation, f"--{setting.name.replace('_', '-')}") if text)
    return f"<b>{setting.label}</b><br>{setting.help}<br><span style='font-size:11px'>{rest}</span>"


class Field(QWidget):
    """A setting's widget with room for a sentence under it. value(): as entered, checked by whoever asks."""

    changed = Signal()

    def __init__(self, setting: Setting, theme: Theme):
        super().__init__()
        self.setting = setting
        self.setToolTip(tip(setting))
        self.message = Label(wordWrap=True)
        self.message.setStyleSheet(f"color: {theme.bad}; font-size: 12px;")
        self.message.hide()
        self.column = QVBoxLayout(self, spacing=2)
        self.column.setContentsMargins(0, 0, 0, 0)

    def _finish(self, part: QWidget | QHBoxLayout) -> None:
        self.column.addWidget(part) if isinstance(part, QWidget) else self.column.addLayout(part)
        self.column.addWidget(self.message)

    def value(self) -> Any:
        raise NotImplementedError

    def take(self, value: Any) -> None:
        raise NotImplementedError

    def checked(self) -> Any:
        """The value in its right type; a bad one is said under the field. Raises UserError."""
        try:
            value = self.setting.check(self.value())
        except UserError as error:
            self.message.setText(str(error))
            self.message.show()
            raise
        self.message.hide()
        return value


class ChoiceField(Field):
    def __init__(self, setting: Setting, theme: Theme):
        super().__init__(setting, theme)
        self.box = QComboBox()
        titles = TITLES.get(setting.name, {})
        for choice in setting.choices:
            self.box.addItem(titles.get(choice, choice), choice)
        self.box.currentIndexChanged.connect(self.changed)
        self._finish(self.box)

    def value(self) -> str:
        return self.box.currentData()

    def take(self, value: str) -> None:
        self.box.setCurrentIndex(self.box.findData(value))


class SwitchField(Field):
    def __init__(self, setting: Setting, theme: Theme):
        super().__init__(setting, theme)
        self.box = QCheckBox()
        self.box.toggled.connect(self.changed)
        self._finish(self.box)

    def value(self) -> bool:
        return self.box.isChecked()

    def take(self, value: bool) -> None:
        self.box.setChecked(value)


class NumberField(Field):
    def __init__(self, setting: Setting, theme: Theme):
        super().__init__(setting, theme)
        self.box = QLineEdit()
        self.box.textEdited.connect(lambda _: self.changed.emit())
        self._finish(self.box)

    def value(self) -> str:
        return self.box.text().strip().replace(",", ".")

    def take(self, value: float) -> None:
        self.box.setText(f"{value:g}" if isinstance(value, float) else str(value))


class SetsField(Field):
    """A list of data sets: files are added by a dialog."""

    def __init__(self, setting: Setting, theme: Theme, filters: str):
        super().__init__(setting, theme)
        self.paths: list[str] = []
        self.add = QPushButton("Add\u2026", autoDefault=False)
        self.clear = QPushButton("Clear", autoDefault=False)
        self.add.clicked.connect(lambda: self._choose(filters))
        self.clear.clicked.connect(lambda: self._set([]))
        row = QHBoxLayout(spacing=8)
        row.addWidget(self.add, 1)
        row.addWidget(self.clear)
        self._finish(row)
        self.take(())

    def _choose(self, filters: str) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, self.setting.label.capitalize(), "", filters)
        if names:
            self._set([*self.paths, *(name for name in names if name not in self.paths)])

    def _set(self, paths: list[str]) -> None:
        self.take(paths)
        self.changed.emit()

    def value(self) -> tuple[str, ...]:
        return tuple(self.paths)

    def take(self, value) -> None:
        self.paths = list(value)
        self.clear.setVisible(bool(self.paths))
        self.add.setText(caption(", ".join(Path(path).name for path in self.paths)) or "Add\u2026")
        self.setToolTip(labels.tip("\n".join(map(plain, self.paths))) if self.paths else tip(self.setting))


class EstimatorField(Field):
    """One of the four of the paper, or a class of the user's own in a Python file."""

    def __init__(self, theme: Theme):
        super().__init__(SETTINGS["estimator"], theme)
        self.box = QComboBox()
        for name, entry in ESTIMATORS.items():
            self.box.addItem(entry.title, name)
        self.box.addItem("Your own, FILE.py:CLASS", OWN)
        self.own = QLineEdit(placeholderText="FILE.py:CLASS")
        self.browse = QToolButton(text="\u2026", toolTip="Choose a Python file")
        self.browse.clicked.connect(self._choose)
        row = QHBoxLayout(spacing=6)
        for part, stretch in ((self.box, 0), (self.own, 1), (self.browse, 0)):
            row.addWidget(part, stretch)
        self.box.currentIndexChanged.connect(self._show_own)
        self.box.currentIndexChanged.connect(self.changed)
        self.own.textEdited.connect(lambda _: self.changed.emit())
        self._finish(row)
        self._show_own()

    def _show_own(self) -> None:
        own = self.box.currentData() == OWN
        self.own.setVisible(own)
        self.browse.setVisible(own)

    def _choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Your estimator", "", "Python (*.py)")
        if name:
            self.own.setText(f"{name}:")
            self.own.setFocus()
            self.changed.emit()

    def value(self) -> str:
        own = self.box.currentData() == OWN
        return self.own.text().strip() if own else self.box.currentData()

    def take(self, value: str) -> None:
        own = self.box.findData(value) < 0
        self.box.setCurrentIndex(self.box.findData(OWN if own else value))
        if own:
            self.own.setText(value)

    def checked(self) -> str:
        value = super().checked()
        path, _, name = value.rpartition(":")
        if self.box.currentData() == OWN and not (is_own(value) and name.isidentifier() and Path(path).is_file()):
            sentence = f"{value or 'Nothing'} is no estimator; name a Python file and a class in it as FILE.py:CLASS."
            self.message.setText(sentence)
            self.message.show()
            raise UserError(sentence)
        return name_own(value)


class SettingsForm(QWidget):
    """Rows of settings by name. ``changed`` after every edit."""

    changed = Signal()

    def __init__(self, names: tuple[str, ...], theme: Theme, own: dict[str, Field] | None = None):
        super().__init__()
        self.fields: dict[str, Field] = {}
        self.form = QFormLayout(self, horizontalSpacing=16, verticalSpacing=8)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in names:
            setting = SETTINGS[name]
            kinds = {"choice": ChoiceField, "bool": SwitchField}
            field = (own or {}).get(name) or kinds.get(setting.kind, NumberField)(setting, theme)
            field.changed.connect(self.changed)
            label = setting.label[:1].upper() + setting.label[1:] + (f", {setting.unit}" if setting.unit else "")
            self.form.addRow(Label(label, objectName="muted", toolTip=tip(setting)), field)
            self.fields[name] = field

    def take(self, config: Config) -> None:
        """Show a config's values, telling nobody."""
        for name, field in self.fields.items():
            field.blockSignals(True)
            field.take(getattr(config, name))
            field.message.hide()
            field.blockSignals(False)

    def values(self) -> dict[str, Any]:
        """Raises UserError for the first bad value, once each has been said in its place."""
        found, failed = {}, None
        for name, field in self.fields.items():
            try:
                found[name] = field.checked()
            except UserError as error:
                if not field.isHidden():
                    failed = failed or error
        if failed is not None:
            raise failed
        return found

    def show_read(self, config: Config) -> bool:
        """Only the rows that a run of this config reads; whether there are any."""
        read = {name: field.setting.in_use(config) for name, field in self.fields.items()}
        for name, field in self.fields.items():
            self.form.setRowVisible(field, read[name])
        return any(read.values())
