"""Get CMU mocap: choose people of the database, have their motion fetched beside the window, go on to a new run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.errors import UserError
from poseaug_core.fetch.catalog import (
    ACKNOWLEDGEMENT,
    SUBJECTS,
    cache_folder,
    estimate,
    subject_numbers,
    trial_numbers,
)
from poseaug_studio.labels import Label, MarkedLabel
from poseaug_studio.style import font
from poseaug_studio.theme import Theme

if TYPE_CHECKING:
    from poseaug_core.fetch.cmu import Fetched
    from poseaug_studio.jobs import Progress
    from poseaug_studio.session import Session
    from poseaug_studio.window import StudioWindow


def get_cmu(window: StudioWindow) -> None:
    """Ask what to fetch; when it has come, go on to a new run on it, or say so where a training is being watched.

    What could not be fetched is still chosen when it is asked for again.
    """
    kept = window.findChild(FetchDialog)
    if kept is not None and kept.failure:
        kept.open()
        return
    dialog = FetchDialog(window.session, window.theme, window)
    dialog.fetched.connect(lambda found, name: _go_on(window, found, name))
    dialog.open()


def _go_on(window: StudioWindow, found: Fetched, name: str) -> None:
    from poseaug_studio.new_run import NewRunDialog

    several = len(found.files) > 1
    count = f"{len(found.files)} trial{'s' if several else ''} of CMU's motion capture"
    if window.session.running:
        window.banner.tell(f"{count} {'are' if several else 'is'} there: open {found.folder} to train on it.", "note")
        return
    if found.notes:
        window.banner.tell(f"{count} came. {' '.join(found.notes[:2])}", "note")
    dialog = NewRunDialog(list(found.files), window.session, window.theme, window)
    dialog.name.setText(name)
    dialog.begun.connect(window.begin)
    dialog.open()


class FetchDialog(QDialog):
    """``fetched`` carries (Fetched, a name for what was chosen) once everything is there."""

    fetched = Signal(object, str)

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Get CMU mocap")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.session = session
        self.folder = cache_folder()
        self.failure = ""  # of the last attempt
        self.boxes: dict[int, QCheckBox] = {}
        self.others = QLineEdit(placeholderText="Numbers up to 144, as in 17, 49-51")
        self.trials = QLineEdit(placeholderText="All, or numbers as in 1-5")
        self.where, self.change = Label(objectName="muted", wordWrap=True), QPushButton("Change\u2026")
        self.size, self.message = Label(), Label(wordWrap=True)
        self.message.setStyleSheet(f"color: {theme.bad};")
        self.message.hide()
        self.fetch = QPushButton("Fetch", objectName="primary")
        self.size.setFont(font(13, tabular=True))
        for line in (self.others, self.trials):
            line.textChanged.connect(self._changed)
        self.change.clicked.connect(self._choose_folder)
        self.fetch.clicked.connect(self._begin)
        self._arrange(theme)
        self._show_folder(self.folder)
        self._changed()

    def _arrange(self, theme: Theme) -> None:
        head = MarkedLabel(
            "<b>CMU Graphics Lab Motion Capture Database</b><br>People walking, dancing, at sports and everyday tasks, "
            "from mocap.cs.cmu.edu. Free for research and products; it may not be resold."
        )
        head.setWordWrap(True)
        form = QFormLayout(horizontalSpacing=20, verticalSpacing=10)
        place = QHBoxLayout(spacing=8)
        place.addWidget(self.where, 1)
        place.addWidget(self.change)
        for title, box in (("Other subjects", self.others), ("Trials of each", self.trials), ("Kept in", place)):
            form.addRow(Label(title, objectName="muted"), box)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.close)
        foot = QHBoxLayout(spacing=8)
        foot.addWidget(self.size, 1)
        foot.addWidget(cancel)
        foot.addWidget(self.fetch)
        thanks = Label(f"Please acknowledge in publications: {ACKNOWLEDGEMENT}", objectName="muted", wordWrap=True)
        thanks.setFont(font(11))
        thanks.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        outer = QVBoxLayout(self, spacing=16)
        outer.setContentsMargins(24, 20, 24, 16)
        outer.addWidget(head)
        outer.addWidget(self._people(), 1)
        outer.addLayout(form)
        outer.addWidget(thanks)
        outer.addWidget(self.message)
        outer.addLayout(foot)
        self.setMinimumWidth(540)
        for button in (cancel, self.change):
            button.setAutoDefault(False)
        self.fetch.setDefault(True)

    def _people(self) -> QScrollArea:
        """The subjects to begin with, each with a box, what they do and how many trials there are."""
        rows = QWidget(objectName="scrolled")
        grid = QGridLayout(rows, horizontalSpacing=16, verticalSpacing=6)
        grid.setContentsMargins(12, 8, 12, 8)
        grid.setColumnStretch(1, 1)
        for row, (number, (does, count)) in enumerate(SUBJECTS.items()):
            box = QCheckBox(f"{number:02d}")
            box.setFont(font(13, tabular=True))
            box.toggled.connect(self._changed)
            trials = Label(f"{count} trials", objectName="muted", alignment=Qt.AlignmentFlag.AlignRight)
            trials.setFont(font(12, tabular=True))
            for column, part in enumerate((box, _Words(does, box), trials)):
                grid.addWidget(part, row, column)
            self.boxes[number] = box
        area = QScrollArea(objectName="panel", widgetResizable=True)
        area.setWidget(rows)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumHeight(220)
        return area

    def chosen(self) -> list[int]:
        """Subjects by their boxes, then by the line of others. Raises UserError."""
        boxed = [number for number, box in self.boxes.items() if box.isChecked()]
        others = subject_numbers(self.others.text()) if self.others.text().strip(", ") else []
        return list(dict.fromkeys([*boxed, *others]))

    def takes(self) -> list[int] | None:
        """Trials of each, None for all. Raises UserError."""
        return trial_numbers(self.trials.text()) if self.trials.text().strip(", ") else None

    def _changed(self) -> None:
        self._tell("")
        try:
            people, takes = self.chosen(), self.takes()
        except UserError:
            self.size.setText("")
            self.fetch.setEnabled(True)  # which then says what is wrong
            return
        self.fetch.setEnabled(bool(people))
        self.size.setText(_size(people, takes))

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Keep CMU mocap in", str(self.folder))
        if name:
            self._show_folder(Path(name))

    def _show_folder(self, folder: Path) -> None:
        self.folder = folder
        self.where.setText(str(folder))

    def _tell(self, sentence: str) -> None:
        self.message.setText(sentence)
        self.message.setVisible(bool(sentence))

    def _begin(self) -> None:
        try:
            people, takes = self.chosen(), self.takes()
        except UserError as error:
            self._tell(str(error))
            return
        if not people:
            return
        names = "-".join(f"{number:02d}" for number in people[:4]) + ("-and-more" if len(people) > 4 else "")
        folder, self.failure = self.folder, ""

        def work(progress: Progress) -> Fetched:
            from poseaug_core.fetch.cmu import fetch_cmu
            from poseaug_core.fetch.download import MIRROR

            try:
                return fetch_cmu(people, takes, folder, progress=progress)
            except UserError as error:
                # The window has no field for a mirror.
                raise UserError(str(error).replace(f", or {MIRROR}", ", then fetch again")) from error

        job = self.session.background("Fetching CMU mocap", work)
        self.hide()
        job.done.connect(lambda found: self.fetched.emit(found, f"cmu-{names}"))
        job.failed.connect(self._failed)
        job.ended.connect(self._ended)

    def _failed(self, sentence: str) -> None:
        self.failure = sentence
        self._tell(sentence)

    def _ended(self) -> None:
        """What failed is asked again at once, or, where a training is being watched, when the user wants it."""
        if not self.failure:
            self.close()
        elif not self.session.running:
            self.open()


class _Words(Label):
    """Words that belong to a box: a click on them ticks it."""

    def __init__(self, text: str, box: QCheckBox):
        super().__init__(text)
        self.box = box

    def mouseReleaseEvent(self, event) -> None:
        self.box.toggle()


def _size(people: list[int], takes: list[int] | None) -> str:
    """About how much it is, as far as that is known."""
    if not people:
        return "Choose who is to be fetched."
    known = estimate(people, takes)
    who = f"{len(people)} subject{'s' if len(people) > 1 else ''}"
    if known is None:
        return f"{who}; the site says how many trials"
    trials, size = known
    return f"{who}, {trials} trial{'s' if trials > 1 else ''}, about {max(size / 1e6, 1):.0f} MB"
