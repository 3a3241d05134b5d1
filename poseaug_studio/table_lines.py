"""Lines of the tables page with a button that helps to fill them: a file of poses, and settings by name."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QMenu, QToolButton, QWidget

from poseaug_core.config import PRESETS, SETTINGS
from poseaug_core.settings import Setting

SET_FILES = "Sets of poses (*.npz *.h5 *.hdf5 *.json *.mat);;All files (*)"
#: Settings that are the table's own, or of which the page has a field.
FIXED = ("source", "source_test", "cross", "extra_2d", "seed", "preset", "estimator", "estimator_weights")


class HelpedLine(QWidget):
    """A line of text with a button at its end."""

    textChanged = Signal(str)

    def __init__(self, placeholder: str, tip: str):
        super().__init__()
        self.line = QLineEdit(placeholderText=placeholder)
        self.line.textChanged.connect(self.textChanged)
        self.button = QToolButton(text="\u2026", toolTip=tip)
        self.button.clicked.connect(self.help)
        row = QHBoxLayout(self, spacing=4)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        row.addWidget(self.button)

    def text(self) -> str:
        return self.line.text()

    def setText(self, text: str) -> None:
        self.line.setText(text)

    def help(self) -> None:
        raise NotImplementedError


class SetLine(HelpedLine):
    """A set of poses; the button chooses its file."""

    def __init__(self):
        super().__init__("That of the data, if any", "Choose a file")

    def help(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "A set of poses", self.text(), SET_FILES)
        if name:
            self.setText(name)


class SettingsLine(HelpedLine):
    """'name=value, ...'; the button lists every setting that a table leaves open, by group, with its help.

    preset: the name of the preset whose values are offered.
    """

    def __init__(self, preset: Callable[[], str]):
        super().__init__("epochs=8, pretrain_epochs=6", "All settings")
        self._preset = preset

    def help(self) -> None:
        self.menu = self.listed()
        self.menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def listed(self) -> QMenu:
        """A menu of menus; an action writes its setting into the line."""
        menu, groups = QMenu(self), {}
        for setting in SETTINGS.values():
            if setting.name in FIXED:
                continue
            if setting.group not in groups:
                groups[setting.group] = QMenu(setting.group.capitalize(), menu)
                menu.addMenu(groups[setting.group])
                groups[setting.group].setToolTipsVisible(True)
            action = groups[setting.group].addAction(f"{setting.label}\t{setting.name}")
            action.setToolTip(setting.help)
            action.triggered.connect(lambda _=False, setting=setting: self.add(setting))
        return menu

    def add(self, setting: Setting) -> None:
        """Write 'name=its value in the preset' at the end of the line, the value selected to be typed over."""
        value = str(PRESETS[self._preset()].get(setting.name, setting.default))
        kept = self.text().strip().rstrip(",")
        self.setText(f"{kept}, {setting.name}={value}" if kept else f"{setting.name}={value}")
        self.line.setFocus()
        self.line.setSelection(len(self.text()) - len(value), len(value))
