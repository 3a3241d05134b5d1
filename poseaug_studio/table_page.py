"""The paper's tables on one's own data: what to run, the grid that fills, pause, and the finished table in files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.config import PRESETS
from poseaug_core.errors import UserError
from poseaug_core.estimators import ESTIMATORS
from poseaug_core.plain_text import NAME, plain
from poseaug_studio import library
from poseaug_studio.labels import Label
from poseaug_studio.runbar import clock
from poseaug_studio.table_grid import TableGrid
from poseaug_studio.table_grid_run import TableRun
from poseaug_studio.table_grid_work import (
    SEVERAL,
    TITLES,
    Asked,
    experiment_of,
    in_window,
    read_grid,
    seeds_of,
    settings_of,
)
from poseaug_studio.table_lines import SetLine, SettingsLine
from poseaug_studio.theme import Theme

if TYPE_CHECKING:
    from poseaug_studio.session import Session

#: Milliseconds from the last edit to reading the table; seconds between two readings while it is trained.
SETTLED, READ_EVERY = 500, 2.0
#: Sets beside the source: their names on the page, and what they are for.
SETS = {
    "cross": ("Cross", "A set of other people and cameras, never trained on, as MPI-INF-3DHP in the paper"),
    "wild": ("Wild", "A set from outside the laboratory, never trained on, as 3DPW in the paper"),
    "extra_2d": ("Extra 2D", "2D poses without 3D, as MPII's: the rows of table 2 that train on more 2D poses"),
}
DEMO = {"source": "demo:source", "source_test": "demo:source_test", "cross": "demo:cross"}
FOLDER, OTHER = "folder", "other"


class TablesPage(QWidget):
    """opened: a run folder to show. run: the training, which goes on while the page is away."""

    opened = Signal(str)

    def __init__(self, session: Session, run: TableRun, settings: QSettings, theme: Theme):
        super().__init__()
        self.session, self.run, self.settings, self.theme = session, run, settings, theme
        self.experiment = None
        self._known: Asked | None = None
        self._job = None
        self._read_at, self._took = 0.0, 0.0
        self._make_fields()
        self._arrange()
        self._soon = QTimer(self, singleShot=True, interval=SETTLED)
        self._soon.timeout.connect(self.read)
        self._clock = QTimer(self, interval=500)
        self._clock.timeout.connect(self._watch)
        self.run.ended.connect(self._ended)
        if run.running:
            self._take(run.asked)
        self._changed()
        self._clock.start()

    def _make_fields(self) -> None:
        self.number, self.data, self.preset, self.estimator = (QComboBox() for _ in range(4))
        for number, title in TITLES.items():
            self.number.addItem(f"Table {number}: {title}", number)
        self.number.setCurrentIndex(4)
        for box in (self.number, self.data):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(22)
        self._fill_data()
        for preset in PRESETS:
            self.preset.addItem(preset, preset)
        self.preset.setCurrentText("small_data")
        self.seeds = QLineEdit("0")
        self.changes = SettingsLine(self.preset.currentData)
        self.sets = {role: SetLine() for role in SETS}
        self.runs = QLineEdit(str(library.runs_folder() / "tables"))
        self._fill_estimators()
        self.number.currentIndexChanged.connect(self._fill_estimators)
        self.number.currentIndexChanged.connect(self._return_to_training)
        self.data.activated.connect(self._choose_data)
        for box in (self.number, self.data, self.preset, self.estimator):
            box.currentIndexChanged.connect(self._changed)
        for line in (self.seeds, self.changes, self.runs, *self.sets.values()):
            line.textChanged.connect(self._changed)

    def _fill_data(self) -> None:
        """Folders used before, the sets of recent runs, the demo's people, and a dialog."""
        for folder in library.texts(self.settings, "table folders"):
            if Path(folder).is_dir():
                self.data.addItem(f"Folder {plain(Path(folder).name, NAME)}", (FOLDER, folder))
        for entry in library.recent(self.settings):
            sets = library.sets_of(entry.folder)
            if sets and not sets["source"].startswith("demo:"):
                self.data.addItem(f"Sets of {plain(entry.folder.name, NAME)}", ("sets", sets))
        self.data.addItem("The demo's people", ("sets", DEMO))
        self.data.addItem("Choose a folder\u2026", (OTHER, ""))

    def _fill_estimators(self) -> None:
        several, kept = self.number.currentData() in SEVERAL, self.estimator.currentData()
        if several and self.estimator.findData("") < 0:
            kept = ""
        self.estimator.blockSignals(True)
        self.estimator.clear()
        if several:
            self.estimator.addItem("All four", "")
        for name, entry in ESTIMATORS.items():
            self.estimator.addItem(entry.title, name)
        self.estimator.setCurrentIndex(max(self.estimator.findData(kept if several else kept or "vpose"), 0))
        self.estimator.blockSignals(False)

    def _choose_data(self) -> None:
        if self.data.currentData()[0] == OTHER:
            name = QFileDialog.getExistingDirectory(self, "Folder of data sets")
            if name:
                self.add_folder(Path(name))
            else:
                self.data.setCurrentIndex(0)

    def add_folder(self, folder: Path) -> None:
        """Take the data sets in a folder, and remember it."""
        known = [str(folder), *(f for f in library.texts(self.settings, "table folders") if f != str(folder))]
        self.settings.setValue("table folders", known[:6])
        self.data.insertItem(0, f"Folder {folder.name}", (FOLDER, str(folder)))
        self.data.setCurrentIndex(0)

    def _arrange(self) -> None:
        form = QFormLayout(horizontalSpacing=12, verticalSpacing=8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        tips = {
            "Data": "A folder with source_train, source_test, cross and wild sets, or the sets of a run",
            "Seeds": "One run for each seed and row; several give mean \u00b1 standard deviation",
            "Settings": "Any settings, for all runs: epochs=8, estimator_width=256",
            "Runs in": "Finished runs in this folder are read, others resumed",
        }
        tips |= {title: tip for title, tip in SETS.values()}
        sets = ((SETS[role][0], line) for role, line in self.sets.items())
        rows = (("Table", self.number), ("Data", self.data), *sets, ("Preset", self.preset),
                ("Estimator", self.estimator), ("Seeds", self.seeds), ("Settings", self.changes),
                ("Runs in", self.runs))  # fmt: skip
        for title, box in rows:
            form.addRow(Label(title, objectName="muted", toolTip=tips.get(title, "")), box)
        self.train = QPushButton("Run", objectName="primary", autoDefault=False)
        self.train.clicked.connect(self._toggle)
        self.export = QPushButton("Export\u2026", autoDefault=False)
        self.export.clicked.connect(self._export)
        self.message = Label(wordWrap=True)
        buttons = QHBoxLayout(spacing=8)
        buttons.addWidget(self.train, 1)
        buttons.addWidget(self.export)
        self.words = Label(objectName="muted", wordWrap=True)
        self.progress = QProgressBar(textVisible=False, maximum=1000)
        side = QVBoxLayout(spacing=10)
        side.addLayout(form)
        side.addSpacing(4)
        side.addLayout(buttons)
        for part in (self.progress, self.words, self.message):
            side.addWidget(part)
        side.addStretch(1)
        left = QWidget()
        left.setLayout(side)
        left.setFixedWidth(330)
        side.setContentsMargins(0, 0, 0, 0)
        self.title = Label()
        self.title.setStyleSheet("font-size: 15px; font-weight: 600;")
        self.grid = TableGrid(self.theme)
        self.grid.opened.connect(self.open_run)
        self.notes = Label(objectName="muted", wordWrap=True, lines=True)
        self.notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        told = QScrollArea(widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        told.setWidget(self.notes)
        told.setMaximumHeight(88)
        right = QVBoxLayout(spacing=8)
        right.addWidget(self.title)
        right.addWidget(self.grid, 1)
        right.addWidget(told)
        across = QHBoxLayout(self, spacing=20)
        across.setContentsMargins(4, 12, 16, 12)
        across.addWidget(left)
        across.addLayout(right, 1)

    # what is asked

    def asked(self) -> Asked:
        """Raises UserError."""
        kind, data = self.data.currentData()
        if kind == OTHER:
            raise UserError("No data is chosen; choose a folder of data sets, or the sets of a run.")
        runs = self.runs.text().strip()
        if not runs:
            raise UserError("No folder is named for the runs; name one.")
        named = {role: line.text().strip() for role, line in self.sets.items() if line.text().strip()}
        return Asked(
            number=self.number.currentData(),
            data=data if kind == FOLDER else "",
            sets=named if kind == FOLDER else data | named,
            preset=self.preset.currentData(),
            estimator=self.estimator.currentData(),
            seeds=seeds_of(self.seeds.text()),
            settings=settings_of(self.changes.text()),
            runs=str(Path(runs).absolute()),
        )

    def _take(self, asked: Asked) -> None:
        """Show what is asked already: the table in training."""
        self.number.setCurrentIndex(self.number.findData(asked.number))
        wanted = (FOLDER, asked.data) if asked.data else ("sets", dict(asked.sets))
        found = next((i for i in range(self.data.count()) if self.data.itemData(i) == wanted), -1)
        if found < 0:
            self.data.insertItem(0, "Sets of the table in training", wanted)
            found = 0
        self.data.setCurrentIndex(found)
        for role, line in self.sets.items():
            line.setText(asked.sets.get(role, "") if asked.data else "")
        self.preset.setCurrentText(asked.preset)
        self.estimator.setCurrentIndex(self.estimator.findData(asked.estimator))
        self.seeds.setText(", ".join(map(str, asked.seeds)))
        self.changes.setText(", ".join(asked.settings))
        self.runs.setText(asked.runs)

    def _return_to_training(self) -> None:
        """Other tables can be looked at meanwhile; that in training is shown as it is trained."""
        if self.run.running and self.number.currentData() == self.run.asked.number:
            self._take(self.run.asked)

    def _changed(self) -> None:
        self._say("")
        self._soon.start()
        self._show_buttons()

    # reading

    def read(self) -> None:
        """Read the grid anew, beside the window."""
        if self._job is not None and self._job.running:
            self._soon.start()
            return
        try:
            asked = self.asked()
        except UserError as error:
            self._refuse(str(error))
            return
        known, experiment = self._known, self.experiment
        began = time.monotonic()

        def work(progress):
            from poseaug_core.sweep.engines import program

            made = experiment if asked == known and experiment is not None else experiment_of(asked)
            return asked, made, read_grid(made, asked.runs, program()), time.monotonic() - began

        if self.grid.grid is None:
            self.words.setText("Reading the table\u2026")
        self._job = self.session.background("Reading the table", work, quiet=True)
        self._job.done.connect(self._show)
        self._job.failed.connect(self._refuse)

    def _show(self, found) -> None:
        asked, experiment, grid, self._took = found
        self._known, self.experiment, self._read_at = asked, experiment, time.monotonic()
        self.title.setText(grid.title)
        self.grid.show_grid(grid, self._trains_this())
        self.notes.setText("\n".join(plain(in_window(note)) for note in grid.notes))
        share = sum(c.progress for _, _, cells in grid.rows for c in cells if c.runs)
        count = sum(bool(c.runs) for _, _, cells in grid.rows for c in cells)
        self.progress.setValue(round(1000 * share / max(count, 1)))
        left = "" if grid.complete or grid.seconds is None else f", about {clock(grid.seconds)} left"
        self.words.setText(f"{grid.done} of {grid.jobs} runs are finished{left}.")
        self._show_buttons()

    def _refuse(self, sentence: str) -> None:
        self._known, self.experiment = None, None
        self.title.setText(self.number.currentText())
        self.grid.show_grid(None, False)
        self.notes.setText("")
        self.words.setText("")
        self.progress.setValue(0)
        self._say(in_window(sentence))
        self._show_buttons()

    def _say(self, sentence: str, good: bool = False) -> None:
        self.message.setStyleSheet(f"color: {self.theme.muted if good else self.theme.bad};")
        self.message.setText(sentence)

    def _watch(self) -> None:
        """While it trains, read again and again, the seldomer the longer reading takes."""
        if self.isVisible() and self.run.running:
            if time.monotonic() - self._read_at > max(READ_EVERY, 4 * self._took):
                self._read_at = time.monotonic()
                self.read()

    # training

    def _trains_this(self) -> bool:
        return self.run.running and self.run.asked == self._known

    def _show_buttons(self) -> None:
        run, grid = self.run, self.grid.grid
        this = self._trains_this()
        if run.running:
            text = "Pausing\u2026" if run.stopping else "Pause" if this else f"Pause table {run.asked.number}"
        else:
            begun = grid is not None and any(c.progress for _, _, cells in grid.rows for c in cells)
            text = "Go on" if begun else "Run"
        self.train.setText(text)
        done = grid is not None and grid.complete
        self.train.setVisible(run.running or not done)
        self.train.setEnabled((run.running and not run.stopping) or (not run.running and grid is not None and not done))
        self.export.setEnabled(grid is not None)
        lines = (self.data, self.preset, self.estimator, self.seeds, self.changes, self.runs, *self.sets.values())
        for part in lines:
            part.setEnabled(not run.running)

    def _toggle(self) -> None:
        if self.run.running:
            self.run.stop()
        elif self._known is not None:
            self._say("")
            self.run.start(self._known)
            self.grid.show_grid(self.grid.grid, True)
        self._show_buttons()

    def _ended(self, failure: str) -> None:
        if failure:
            self._say(failure)
        elif self.run.stopping:
            self._say("Paused: everything that was trained is kept, and goes on from there.", good=True)
        self.grid.show_grid(self.grid.grid, False)
        self._show_buttons()
        kept = self.message.text()
        self.read()
        if kept:
            self.message.setText(kept)

    def open_run(self, folder: str) -> None:
        if (Path(folder) / "config.toml").is_file():
            self.opened.emit(folder)
        else:
            self._say("This run has not begun yet.", good=True)

    # files

    def _export(self) -> None:
        start = str(Path.home() / f"table{self.number.currentData()}.md")
        name, _ = QFileDialog.getSaveFileName(
            self, "Export the table", start, "Markdown, CSV, LaTeX and PDF beside each other (*.md *.csv *.tex *.pdf)"
        )
        if name:
            self.export_to(Path(name))

    def export_to(self, path: Path) -> None:
        """Write PATH.md, .csv, .tex and .pdf."""
        result = self.grid.grid.result

        def work(progress):
            from poseaug_core.tables.files import write_table

            return write_table(result, path)

        job = self.session.background(f"Writing {path.name}", work)
        job.done.connect(lambda paths: self._say("Written: " + ", ".join(map(str, paths)), good=True))
        job.failed.connect(self._say)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.grid.set_theme(theme)
