"""New run: what to train on and how, asked once after data was opened or dropped, or a run is made again."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.config import PRESETS, SETTINGS, Config, make_config
from poseaug_core.demo import LAPTOP
from poseaug_core.errors import UserError
from poseaug_core.plain_text import NAME
from poseaug_studio import library
from poseaug_studio.history import phase_names
from poseaug_studio.labels import Label, MarkedLabel, marked
from poseaug_studio.opening import ARRAYS, MOTION, convert, is_motion, poses_in
from poseaug_studio.presets_view import WORDS, show_presets
from poseaug_studio.session import Session
from poseaug_studio.setting_fields import EstimatorField, SetsField, SettingsForm
from poseaug_studio.theme import Theme

#: For which estimators the laptop's width is narrower than the published one.
NARROWED = ("simple_baseline", "vpose")
SIZES = {"laptop": "Laptop: narrow, batches of 256", "released": "As published"}
#: Below so many poses the released schedule does badly (see PRESETS).
SMALL = 100_000
#: Epochs of pre-training and of PoseAug where the preset has none of its own.
LENGTHS = (10, 25)
WARM_UP = ("warmup_epochs", "warmup_iterations")
METHOD = ("estimator", "augmentation", "discriminator3d", "discriminator2d", "extra_2d", "feedback_form", "regulariser",
          "evolution_size")  # fmt: skip
MORE = ("fix_trunk", "swap_bone_lengths", "gan_scale", "extra_share", "beta_ba_start", "beta_ba_end", "beta_rt",
        "beta_start", "beta_end", "keep_rule", "feedback_statistics", "estimator_batches", "augmented_share",
        "seed")  # fmt: skip


class NewRunDialog(QDialog):
    """``begun`` carries (Config, name of the run, its new folder) once the data is ready.

    base: the config of a run that is made again with changes; its source is then in ``paths``.
    """

    begun = Signal(object, str, object)

    def __init__(
        self, paths: list[Path], session: Session, theme: Theme, parent: QWidget | None = None,
        base: Config | None = None, name: str = "",
    ):  # fmt: skip
        super().__init__(parent)
        self.setWindowTitle("New run" if base is None else "New run from another one")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.paths, self.session, self.theme, self.base = paths, session, theme, base
        self.motion = base is None and is_motion(paths[0])
        self._make_fields(name)
        self._arrange()
        self._take(base or self._preset_config())
        self._changed()

    def _make_fields(self, name: str) -> None:
        first = self.paths[0]
        self.name = QLineEdit(name or (first.name if first.is_dir() else first.stem))
        self.rig, self.size, self.preset = (QComboBox() for _ in range(3))
        for rig, title in (
            ("lab", "Laboratory: four cameras around"),
            ("wild", "Wild: heights, distances, lenses vary"),
        ):
            self.rig.addItem(title, rig)
        self.fps = QDoubleSpinBox(minimum=1, maximum=240, value=30, suffix=" frames/s", decimals=0)
        for key, title in (SIZES if self.base is None else {"same": "As in that run"}).items():
            self.size.addItem(title, key)
        for preset in PRESETS:
            self.preset.addItem(preset, preset)
        self.pretraining = QSpinBox(minimum=0, maximum=10_000, value=LENGTHS[0], suffix=" epochs")
        self.epochs = QSpinBox(minimum=0, maximum=10_000, value=LENGTHS[1], suffix=" epochs")
        kinds = " ".join(f"*{ending}" for ending in (*ARRAYS, *MOTION))
        for box in (self.pretraining, self.epochs):
            box.valueChanged.connect(lambda n, box=box: box.setSuffix(" epoch" if n == 1 else " epochs"))
        self.cross = SetsField(SETTINGS["cross"], self.theme, f"Poses and motion capture ({kinds});;All files (*)")
        flat = "2D poses (*.npz *.h5 *.hdf5 *.mat *.json);;All files (*)"
        own = {"estimator": EstimatorField(self.theme), "extra_2d": SetsField(SETTINGS["extra_2d"], self.theme, flat)}
        self.method, self.more = SettingsForm(METHOD, self.theme, own), SettingsForm(MORE, self.theme)
        self.runs = library.runs_folder()
        self.where = Label(objectName="muted", wordWrap=True)
        self.change = QPushButton("Change\u2026", objectName="quiet", autoDefault=False)
        self.change.setToolTip("Choose the folder that the run goes into")
        self.change.setStyleSheet(f"color: {self.theme.accent}; text-align: left; padding: 0;")
        self.change.clicked.connect(self._choose_runs)
        self.name.textChanged.connect(self._say_where)
        self._say_where()
        known = None if self.motion else poses_in(first)
        small = self.motion or known is not None and known < SMALL
        start = self.base.preset if self.base is not None else "small_data" if small else "released"
        self.preset.setCurrentText(start)
        self.preset.currentIndexChanged.connect(self._take_preset)
        for part in (self.method, self.more, self.cross):
            part.changed.connect(self._changed)
        boxes = {"rig": self.rig, "preset": self.preset, "epochs": self.epochs, "pretrain_epochs": self.pretraining}
        for key, box in boxes.items():
            box.setToolTip(SETTINGS[key].help)

    def _preset_config(self) -> Config:
        return make_config(self.preset.currentData())

    def _take_preset(self) -> None:
        """All that the preset says; the estimator and the data stay."""
        kept = {name: self.method.fields[name].value() for name in ("estimator", "extra_2d")}
        self.base = None
        if self.size.count() == 1:
            self.size.clear()
            for key, title in SIZES.items():
                self.size.addItem(title, key)
        self._take(self._preset_config())
        for name, value in kept.items():
            self.method.fields[name].take(value)
        self._changed()

    def _take(self, config: Config) -> None:
        self.method.take(config)
        self.more.take(config)
        own = PRESETS[self.preset.currentData()]
        named = self.base is not None
        for box, key, usual in ((self.pretraining, "pretrain_epochs", LENGTHS[0]), (self.epochs, "epochs", LENGTHS[1])):
            box.setValue(getattr(config, key) if named else own.get(key, usual))
        if named:
            self.cross.take(config.cross)

    def _changed(self) -> None:
        """Only what such a run reads is asked; what is wrong is said where it is."""
        self.words.setText(WORDS[self.preset.currentData()])
        try:
            config = self.config()
        except UserError:
            return
        self.message.setText("")
        self.epochs_label.setText(phase_names(config)["poseaug"])
        self.method.show_read(config)
        self.more.show_read(config)

    def _say_where(self) -> None:
        self.folder = library.new_folder(self.name.text().strip(), self.runs)
        self.where.setText(str(self.folder))

    def _choose_runs(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Write the run into", str(self.runs))
        if name:
            self.runs = Path(name)
            self._say_where()

    def _say_running(self) -> None:
        """What this run would end."""
        session = self.session
        self.ending.setVisible(session.running)
        if session.running:
            at = f"{session.folder.name} is training at step {session.status.step:,}"
            self.ending.setText(f"{at}: it will be stopped, and can be resumed from the library.")

    def _arrange(self) -> None:
        head = MarkedLabel(self._words())
        head.setWordWrap(True)
        self.words = Label(objectName="muted", wordWrap=True)
        differences = QPushButton("What does this preset change?", objectName="quiet", autoDefault=False)
        differences.setStyleSheet(f"color: {self.theme.accent}; text-align: left; padding: 0;")
        differences.clicked.connect(self._show_differences)
        self.differences = differences
        preset = QVBoxLayout(spacing=2)
        for part in (self.preset, self.words, differences):
            preset.addWidget(part)
        form = QFormLayout(horizontalSpacing=16, verticalSpacing=8)
        rows = [("Name", self.name)]
        if self.motion:
            rows += [("Filmed by", self.rig), ("Frame rate", self.fps)]
        rows += [("Preset", preset), ("Estimator size", self.size)]
        rows += [("Pre-training", self.pretraining), ("PoseAug", self.epochs)]
        into = QVBoxLayout(spacing=2)
        into.addWidget(self.where)
        into.addWidget(self.change)
        rows += [("Also evaluate on", self.cross), ("Written to", into)]
        for title, box in rows:
            form.addRow(Label(title, objectName="muted"), box)
        self.epochs_label = form.labelForField(self.epochs)
        self.open_more = QToolButton(text="More settings", checkable=True, objectName="quiet")
        self.open_more.setStyleSheet(f"color: {self.theme.accent}; padding: 0;")
        self.open_more.toggled.connect(self.more.setVisible)
        self.more.hide()
        right = QVBoxLayout(spacing=8)
        for part in (self.method, self.open_more, self.more):
            right.addWidget(part)
        right.addStretch(1)
        left = QVBoxLayout()
        left.addLayout(form)
        left.addStretch(1)
        page = QWidget(objectName="scrolled")
        across = QHBoxLayout(page, spacing=28)
        across.setContentsMargins(0, 0, 8, 0)
        across.addLayout(left, 1)
        across.addLayout(right, 1)
        scroll = QScrollArea(widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        self.message = Label(wordWrap=True)
        self.message.setStyleSheet(f"color: {self.theme.bad};")
        self.train = QPushButton("Convert and train" if self.motion else "Train", objectName="primary")
        self.train.clicked.connect(self._begin)
        cancel = QPushButton("Cancel", autoDefault=False)
        cancel.clicked.connect(self.close)
        self.ending = Label(wordWrap=True)
        self.ending.setStyleSheet(f"color: {self.theme.warning};")
        self.session.status_changed.connect(self._say_running)
        self._say_running()
        buttons = QHBoxLayout(spacing=8)
        buttons.addWidget(self.message, 1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.train)
        outer = QVBoxLayout(self, spacing=14)
        outer.setContentsMargins(24, 20, 20, 16)
        outer.addWidget(head)
        outer.addWidget(scroll, 1)
        outer.addWidget(self.ending)
        outer.addLayout(buttons)
        self.resize(900, 560)
        self.train.setDefault(True)

    def _words(self) -> str:
        if self.base is not None:
            return f"<b>As {marked(self.name.text())} was made, with changes</b><br>Poses: {marked(self.base.source)}"
        first = self.paths[0]
        kind = "Motion capture" if self.motion else "Poses"
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"<b>{kind}: {marked(first.name, NAME)}{more}</b><br>{marked(first.parent)}"

    def _show_differences(self) -> None:
        """The preset beside the released one, or beside the paper's where it is that one itself."""
        preset = self.preset.currentData()
        self.presets = show_presets(self.theme, self, preset, "paper" if preset == "released" else "released")

    def config(self) -> Config:
        """The settings as they stand, the source still to be named. Raises UserError."""
        preset = self.preset.currentData()
        values = {**self.method.values(), **self.more.values()}
        plain = self._settings(preset, values["estimator"])
        read = make_config(preset, **{**plain, **values})
        values = {name: value for name, value in values.items() if SETTINGS[name].in_use(read)}
        values |= {"epochs": self.epochs.value(), "pretrain_epochs": self.pretraining.value()}
        config = make_config(preset, **{**plain, **values, "cross": self.cross.checked()})
        return config if self.base is None else replace(config, controls=self.base.controls)

    def _settings(self, preset: str, estimator: str) -> dict:
        """Those without a field here: of the run that is made again, or of the size."""
        if self.base is not None:
            fixed = dataclasses.asdict(self.base)
            return {name: fixed[name] for name in SETTINGS if name != "preset"}
        own = PRESETS[preset]
        laptop = LAPTOP if self.size.currentData() == "laptop" else {}
        # A preset's warm-up is one thing, in epochs or in iterations.
        warm_up = WARM_UP if any(name in own for name in WARM_UP) else ()
        found = {name: value for name, value in laptop.items() if name not in own and name not in warm_up}
        if estimator not in NARROWED:
            found.pop("estimator_width", None)
        return found | {"rig": self.rig.currentData()}

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
        out = self.runs / "data" / f"{name}-{config.rig}.h5"
        paths, fps, seed = self.paths, self.fps.value(), config.data_seed
        job = self.session.background(
            f"Converting {name}", lambda progress: convert(paths, config.rig, fps, seed, out, progress)
        )
        self.train.setEnabled(False)
        self.hide()
        job.done.connect(lambda path: self._begun(config, path, name))
        job.ended.connect(self.close)

    def _begun(self, config: Config, source: Path, name: str) -> None:
        named = self.base.source if self.base is not None else str(source)
        folder = library.new_folder(name, self.runs) if self.folder.exists() else self.folder
        self.begun.emit(replace(config, source=named), name, folder)
        self.close()
