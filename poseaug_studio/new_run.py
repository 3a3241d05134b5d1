"""New run: what to train on and how, asked once after data was opened or dropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.config import PRESETS, SETTINGS, Config, make_config
from poseaug_core.demo import LAPTOP
from poseaug_core.errors import UserError
from poseaug_studio import library
from poseaug_studio.opening import ARRAYS, MOTION, convert, is_motion, poses_in
from poseaug_studio.session import Session
from poseaug_studio.theme import Theme

ESTIMATORS = {"simple_baseline": "SimpleBaseline", "vpose": "VPose, one frame"}
SIZES = {"laptop": "Laptop: 256 wide, batches of 256", "released": "Released: 1024 wide"}
#: Below so many poses the released schedule does badly (see PRESETS).
SMALL = 100_000
#: Epochs of pre-training and of PoseAug where the preset has none of its own.
LENGTHS = (10, 25)


class NewRunDialog(QDialog):
    """``begun`` carries (Config, name of the run) once the data is ready."""

    begun = Signal(object, str)

    def __init__(self, paths: list[Path], session: Session, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("New run")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.paths, self.session = paths, session
        self.motion = is_motion(paths[0])
        self.cross: list[Path] = []
        self._make_fields()
        self._arrange(theme)

    def _make_fields(self) -> None:
        first = self.paths[0]
        self.name = QLineEdit(first.name if first.is_dir() else first.stem)
        self.rig, self.estimator, self.size, self.preset = (QComboBox() for _ in range(4))
        for rig, title in (
            ("lab", "Laboratory: four cameras around"),
            ("wild", "Wild: heights, distances, lenses vary"),
        ):
            self.rig.addItem(title, rig)
        self.fps = QDoubleSpinBox(minimum=1, maximum=240, value=30, suffix=" frames/s", decimals=0)
        for key, title in ESTIMATORS.items():
            self.estimator.addItem(title, key)
        for key, title in SIZES.items():
            self.size.addItem(title, key)
        for preset in PRESETS:
            self.preset.addItem(preset, preset)
        self.preset.currentIndexChanged.connect(self._take_lengths)
        self.pretraining = QSpinBox(minimum=0, maximum=10_000, value=LENGTHS[0], suffix=" epochs")
        self.epochs = QSpinBox(minimum=0, maximum=10_000, value=LENGTHS[1], suffix=" epochs")
        self.others = QPushButton("Add\u2026")
        self.others.clicked.connect(self._add_cross)
        self.clear = QPushButton("Clear")
        self.clear.clicked.connect(lambda: self._set_cross([]))
        self.clear.hide()
        self.where = QLabel(objectName="muted", wordWrap=True)
        self.name.textChanged.connect(self._say_where)
        self._say_where()
        known = None if self.motion else poses_in(first)
        small = self.motion or known is not None and known < SMALL
        self.preset.setCurrentText("small_data" if small else "released")
        boxes = {"rig": self.rig, "estimator": self.estimator, "preset": self.preset, "epochs": self.epochs}
        boxes |= {"pretrain_epochs": self.pretraining, "cross": self.others}
        for name, box in boxes.items():
            box.setToolTip(SETTINGS[name].help)

    def _take_lengths(self) -> None:
        """The preset's own numbers of epochs, where it has any."""
        own = PRESETS[self.preset.currentData()]
        self.pretraining.setValue(own.get("pretrain_epochs", LENGTHS[0]))
        self.epochs.setValue(own.get("epochs", LENGTHS[1]))

    def _say_where(self) -> None:
        self.where.setText(f"{library.runs_folder() / self.name.text().strip()}-month-day-time")

    def _arrange(self, theme: Theme) -> None:
        head = QLabel(self._words())
        head.setWordWrap(True)
        form = QFormLayout(horizontalSpacing=20, verticalSpacing=10)
        cross = QHBoxLayout(spacing=8)
        cross.addWidget(self.others, 1)
        cross.addWidget(self.clear)
        rows = [("Name", self.name)]
        if self.motion:
            rows += [("Filmed by", self.rig), ("Frame rate", self.fps)]
        rows += [("Preset", self.preset), ("Estimator", self.estimator), ("Size", self.size)]
        rows += [("Pre-training", self.pretraining), ("PoseAug", self.epochs), ("Also evaluate on", cross)]
        rows += [("Written to", self.where)]
        for title, box in rows:
            form.addRow(QLabel(title, objectName="muted"), box)
        self.message = QLabel(wordWrap=True)
        self.message.setStyleSheet(f"color: {theme.bad};")
        self.train = QPushButton("Convert and train" if self.motion else "Train", objectName="primary")
        self.train.clicked.connect(self._begin)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.close)
        buttons = QHBoxLayout(spacing=8)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.train)
        outer = QVBoxLayout(self, spacing=16)
        outer.setContentsMargins(24, 20, 24, 16)
        outer.addWidget(head)
        outer.addLayout(form)
        outer.addWidget(self.message)
        outer.addLayout(buttons)
        self.setMinimumWidth(460)
        for button in (cancel, self.others, self.clear):
            button.setAutoDefault(False)
        self.train.setDefault(True)

    def _words(self) -> str:
        first = self.paths[0]
        kind = "Motion capture" if self.motion else "Poses"
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"<b>{kind}: {first.name}{more}</b><br>{first.parent}"

    def _add_cross(self) -> None:
        kinds = " ".join(f"*{ending}" for ending in (*ARRAYS, *MOTION))
        names, _ = QFileDialog.getOpenFileNames(self, "Also evaluate on", "", f"Poses and motion capture ({kinds})")
        if names:
            self._set_cross([*self.cross, *(Path(name) for name in names if Path(name) not in self.cross)])

    def _set_cross(self, paths: list[Path]) -> None:
        self.cross = paths
        self.clear.setVisible(bool(paths))
        self.others.setToolTip("\n".join(map(str, paths)) or SETTINGS["cross"].help)
        self.others.setText(", ".join(path.name for path in self.cross) or "Add\u2026")

    def config(self) -> Config:
        """The settings as they stand, the source still to be named. Raises UserError."""
        preset = self.preset.currentData()
        laptop = LAPTOP if self.size.currentData() == "laptop" else {}
        overrides = {name: value for name, value in laptop.items() if name not in PRESETS[preset]}
        overrides |= {
            "estimator": self.estimator.currentData(), "rig": self.rig.currentData(), "epochs": self.epochs.value(),
            "pretrain_epochs": self.pretraining.value(), "cross": tuple(map(str, self.cross)),
        }  # fmt: skip
        return make_config(preset, **overrides)

    def _begin(self) -> None:
        name = self.name.text().strip()
        if not name or "/" in name or "\\" in name:
            self.message.setText(f"The name {name!r} cannot be a folder's; use letters, digits and dashes.")
            return
        if not self.motion and len(self.paths) > 1:
            self.message.setText(
                f"{len(self.paths)} array files were chosen, one can be the source; add the others below."
            )
            return
        try:
            config = self.config()
        except UserError as error:
            self.message.setText(str(error))
            return
        if not self.motion:
            self._begun(config, self.paths[0], name)
            return
        out = library.runs_folder() / "data" / f"{name}-{config.rig}.h5"
        paths, fps, seed = self.paths, self.fps.value(), config.data_seed
        job = self.session.background(
            f"Converting {name}", lambda progress: convert(paths, config.rig, fps, seed, out, progress)
        )
        self.train.setEnabled(False)
        self.hide()
        job.done.connect(lambda path: self._begun(config, path, name))
        job.ended.connect(self.close)

    def _begun(self, config: Config, source: Path, name: str) -> None:
        self.begun.emit(replace(config, source=str(source)), name)
        self.close()
