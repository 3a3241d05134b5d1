"""Saving: the paper's figures of the shown run, previewed and written as PNG, SVG or PDF."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_studio.jobs import Job, Progress
from poseaug_studio.labels import Label
from poseaug_studio.selection import Selection
from poseaug_studio.session import Session
from poseaug_studio.theme import Theme

FIGURES = {
    "augmentation": "Augmentation: a pose through its stages",
    "distributions": "Distributions of view points and positions",
    "kcs": "KCS: plausibility by part",
    "curves": "Curves over the training",
    "qualitative": "Estimates beside the truth",
}
FORMATS = {"pdf": "PDF, vectors", "svg": "SVG, vectors", "png": "PNG, pixels"}
WIDTHS = {"One column, 85 mm": 85.0, "Text width, 175 mm": 175.0, "Slide, 254 mm": 254.0, "Other\u2026": 0.0}
PREVIEW_DPI = 110


class ExportDialog(QDialog):
    """``written`` carries the path of a saved figure."""

    written = Signal(object)

    def __init__(self, session: Session, theme: Theme, selection: Selection, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Export figure")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.session, self.row = session, selection.row
        self.choose_path = self._ask_path
        self._preview_job: Job | None = None
        self._make_fields(theme)
        self.picture = Label(alignment=Qt.AlignmentFlag.AlignCenter, objectName="panel")
        self.picture.setMinimumSize(560, 380)
        self.message = Label(objectName="muted", wordWrap=True)
        self.save = QPushButton("Save\u2026", objectName="primary")
        self.copy = QPushButton("Copy figure")
        shut = QPushButton("Close")
        self.save.clicked.connect(self._save)
        self.copy.clicked.connect(self._copy)
        shut.clicked.connect(self.close)
        self._arrange(shut)
        self._soon = QTimer(self, singleShot=True, interval=250)
        self._soon.timeout.connect(self._preview)
        self._changed()

    def _make_fields(self, theme: Theme) -> None:
        self.figure, self.format, self.preset, self.look = (QComboBox() for _ in range(4))
        for name, title in FIGURES.items():
            self.figure.addItem(title, name)
        for name, title in FORMATS.items():
            self.format.addItem(title, name)
        for title, width in WIDTHS.items():
            self.preset.addItem(title, width)
        self.preset.setCurrentIndex(1)
        for name in ("light", "dark"):
            self.look.addItem(name.capitalize(), name)
        self.width_mm = QDoubleSpinBox(minimum=60, maximum=400, value=175, suffix=" mm", decimals=1)
        self.dpi = QSpinBox(minimum=50, maximum=1200, value=300, suffix=" dpi")
        for box in (self.figure, self.look):
            box.currentIndexChanged.connect(self._changed)
        self.format.currentIndexChanged.connect(self._changed)
        self.preset.currentIndexChanged.connect(self._take_preset)
        self.width_mm.valueChanged.connect(self._changed)

    def _arrange(self, shut: QPushButton) -> None:
        form = QFormLayout(horizontalSpacing=16, verticalSpacing=10)
        rows = (("Figure", self.figure), ("Format", self.format), ("Width", self.preset), ("", self.width_mm),
                ("Resolution", self.dpi), ("Theme", self.look))  # fmt: skip
        for title, box in rows:
            form.addRow(Label(title, objectName="muted"), box)
        side = QVBoxLayout()
        side.addLayout(form)
        side.addSpacing(8)
        side.addWidget(self.message)
        side.addStretch(1)
        across = QHBoxLayout(spacing=20)
        across.addLayout(side)
        across.addWidget(self.picture, 1)
        buttons = QHBoxLayout(spacing=8)
        buttons.addStretch(1)
        for button in (shut, self.copy, self.save):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        self.save.setDefault(True)
        outer = QVBoxLayout(self, spacing=16)
        outer.setContentsMargins(20, 20, 20, 16)
        outer.addLayout(across, 1)
        outer.addLayout(buttons)

    def _take_preset(self) -> None:
        width = self.preset.currentData()
        self.width_mm.setEnabled(not width)
        if width:
            self.width_mm.setValue(width)

    def _changed(self) -> None:
        self.width_mm.setEnabled(not self.preset.currentData())
        self.dpi.setEnabled(self.format.currentData() == "png")
        self.message.setText("Drawing the preview\u2026")
        self._soon.start()

    def draw(self, out: Path, dpi: int):
        """The work of drawing the chosen figure to a file; captures everything it needs now."""
        run, name = self.session.run, self.figure.currentData()
        given = {
            "snapshot": self.session.snapshot or "last",  # what is on screen
            "row": self.row,
            "width_mm": self.width_mm.value(),
            "dpi": dpi,
            "theme": self.look.currentData(),
        }

        def work(progress: Progress) -> Path:
            from poseaug_core.export import figure

            return Path(figure(run, name, out, **given))

        return work

    def _preview(self) -> None:
        if self._preview_job is not None and self._preview_job.running:
            self._soon.start()
            return
        out = self.session.scratch("-preview.png")
        self._preview_job = self.session.background("Drawing a preview", self.draw(out, PREVIEW_DPI), quiet=True)
        self._preview_job.done.connect(self._show_preview)
        self._preview_job.failed.connect(self.message.setText)

    def _show_preview(self, path: Path) -> None:
        picture = QPixmap(str(path))
        path.unlink()
        room, ratio = self.picture.contentsRect().adjusted(12, 12, -12, -12).size(), self.devicePixelRatioF()
        fitted = picture.scaled(
            room * ratio, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        fitted.setDevicePixelRatio(ratio)
        self.picture.setPixmap(fitted)
        height = self.width_mm.value() * picture.height() / max(picture.width(), 1)
        self.message.setText(f"{self.width_mm.value():.0f} \u00d7 {height:.0f} mm")

    def _ask_path(self) -> Path | None:
        ending = self.format.currentData()
        start = str(Path.home() / f"{self.session.folder.name}-{self.figure.currentData()}.{ending}")
        name, _ = QFileDialog.getSaveFileName(self, "Save the figure", start, f"{ending.upper()} (*.{ending})")
        return Path(name) if name else None

    def _save(self) -> None:
        path = self.choose_path()
        if path is None:
            return
        path = path if path.suffix else path.with_suffix(f".{self.format.currentData()}")
        self.save.setEnabled(False)
        job = self.session.background(f"Writing {path.name}", self.draw(path, self.dpi.value()))
        job.done.connect(self._saved)
        job.failed.connect(self.message.setText)
        job.ended.connect(self._free)

    def _free(self) -> None:
        self.save.setEnabled(True)

    def _saved(self, path: Path) -> None:
        self.message.setText(f"Written: {path}")
        self.written.emit(path)

    def _copy(self) -> None:
        out = self.session.scratch("-copy.png")
        job = self.session.background("Copying the figure", self.draw(out, self.dpi.value()))
        job.done.connect(self._copied)

    def _copied(self, path: Path) -> None:
        QApplication.clipboard().setImage(QImage(str(path)))
        path.unlink()
        self.message.setText("The figure is on the clipboard.")
