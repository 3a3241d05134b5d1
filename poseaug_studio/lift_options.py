"""How keypoints are read: joints, person, image size and images, where what was found by itself is not right."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from poseaug_core.keypoint_maps import LAYOUTS
from poseaug_core.plain_text import NAME
from poseaug_studio.labels import Label, MarkedLabel, caption, marked, tip
from poseaug_studio.lift_work import holds_poses

PEOPLE = {"0": "The best of each image", "1": "The second best", "2": "The third best", "all": "Everyone"}
#: Of arrays of 3D poses, whose 2D has the same joints.
POSE_JOINTS = {"": "PoseAug's 16", "h36m17": "Human3.6M's 17", "h36m32": "Human3.6M's 32"}
UNITS = {
    "": "Found by themselves",
    "pixels": "Pixels",
    "fractions": "Fractions of the image",
    "normalised": "Normalised",
}


def parted(spec: str) -> tuple[str, dict[str, str]]:
    """(path, options) of ``path?key=value&...``; a path that exists as it stands has no options."""
    if Path(spec).exists():
        return spec, {}
    path, _, query = spec.partition("?")
    return path, dict(parse_qsl(query))


def joined(path: str, options: dict[str, str]) -> str:
    """The spec of a path and options; empty options are left out."""
    query = urlencode({name: value for name, value in options.items() if value})
    return f"{path}?{query}" if query else path


def question(sentence: str, path: str) -> str:
    """A reader's refusal without what to write after the file's name: the dialog has fields for that."""
    told = re.split(r"; (?=[^;]*add \?)", sentence)[0].rstrip(".")
    name, _, rest = told.partition(": ")
    told = rest if rest and Path(parted(name)[0]).stem == Path(path).stem else told
    return f"{told[:1].upper()}{told[1:]}. Choose below what is right."


class LiftOptions(QDialog):
    """``chosen`` carries the spec to read instead. message: why it is asked, '' where the user wanted it.

    Of arrays of 3D poses only the joints can be said; the other fields are for keypoints.
    """

    chosen = Signal(str)

    def __init__(self, spec: str, message: str = "", parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("How to read the keypoints")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.path, options = parted(spec)
        self.options = options
        self.poses = holds_poses(Path(self.path))
        self.layouts, self.person, self.units = QComboBox(), QComboBox(), QComboBox()
        titles = {"": "Found by themselves"} | {key: layout.title for key, layout in LAYOUTS.items()}
        for key, title in (POSE_JOINTS if self.poses else titles).items():
            self.layouts.addItem(title, key)
        for box, entries in ((self.person, PEOPLE), (self.units, UNITS)):
            for key, title in entries.items():
                box.addItem(title, key)
        for box, name in (
            (self.layouts, "joints" if self.poses else "layout"),
            (self.person, "person"),
            (self.units, "units"),
        ):
            box.setCurrentIndex(max(box.findData(options.get(name, box.itemData(0))), 0))
        self.sides = [QSpinBox(minimum=0, maximum=100_000, specialValueText="as found") for _ in range(2)]
        for box, name in zip(self.sides, ("width", "height"), strict=True):
            box.setValue(int(options[name]) if options.get(name, "").isdecimal() else 0)
        self.images = options.get("images", "")
        self.folder = QPushButton()
        self.folder.clicked.connect(self._choose_folder)
        self._show_folder()
        self.read = QPushButton("Read", objectName="primary")
        self.read.setDefault(True)
        self.read.clicked.connect(self._read)
        self._arrange(message)

    def _arrange(self, message: str) -> None:
        form = QFormLayout(horizontalSpacing=20, verticalSpacing=10)
        size = QHBoxLayout(spacing=8)
        for part in (
            self.sides[0],
            Label("by", objectName="muted"),
            self.sides[1],
            Label("pixels", objectName="muted"),
        ):
            size.addWidget(part)
        rows = (("Joints", self.layouts), ("Person", self.person), ("Image size", size), ("Coordinates", self.units),
                ("Images", self.folder))  # fmt: skip
        for title, box in rows[:1] if self.poses else rows:
            form.addRow(Label(title, objectName="muted"), box)
        cancel = QPushButton("Cancel", autoDefault=False)
        cancel.clicked.connect(self.close)
        self.folder.setAutoDefault(False)
        buttons = QHBoxLayout(spacing=8)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.read)
        outer = QVBoxLayout(self, spacing=16)
        outer.setContentsMargins(24, 20, 24, 16)
        outer.addWidget(MarkedLabel(f"<b>{marked(Path(self.path).name, NAME)}</b>", wordWrap=True))
        if message:
            told = question(message, self.path)
            outer.addWidget(Label(told, wordWrap=True, lines=True))
        outer.addLayout(form)
        outer.addLayout(buttons)
        self.setMinimumWidth(460)

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(
            self, "The folder of the images", self.images or str(Path(self.path).parent)
        )
        if name:
            self.images = name
            self._show_folder()

    def _show_folder(self) -> None:
        self.folder.setText(caption(Path(self.images).name) if self.images else "Beside the file\u2026")
        self.folder.setToolTip(tip(self.images))

    def spec(self) -> str:
        """What is asked for, as it stands."""
        if self.poses:
            return joined(self.path, self.options | {"joints": self.layouts.currentData()})
        person = self.person.currentData()
        width, height = (str(box.value() or "") for box in self.sides)
        options = {"layout": self.layouts.currentData(), "person": "" if person == "0" else person, "width": width}
        return joined(self.path, options | {"height": height, "images": self.images, "units": self.units.currentData()})

    def _read(self) -> None:
        self.chosen.emit(self.spec())
        self.close()
