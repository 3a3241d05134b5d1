"""Lifting: a page of the window where one's own 2D keypoints are seen in 3D, beside a baseline, and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from poseaug_core.plain_text import NAME, plain
from poseaug_studio import icons, lift_work
from poseaug_studio.jobs import Job
from poseaug_studio.labels import Label
from poseaug_studio.library import Entry
from poseaug_studio.lift_bodies import Bodies
from poseaug_studio.lift_image import InputView
from poseaug_studio.lift_options import LiftOptions, parted
from poseaug_studio.lift_side import LiftSide
from poseaug_studio.lift_track import FrameTrack
from poseaug_studio.segments import Segments
from poseaug_studio.style import font
from poseaug_studio.theme import Theme

KEYPOINT_FILES = "Keypoints and poses (*.json *.npz *.npy *.h5 *.hdf5)"
ESTIMATOR_FILES = "Estimators (*.safetensors *.tar *.pth *.pt *.bin *.onnx)"
POSE_FILES = {"npz": "NumPy arrays", "h5": "HDF5 arrays", "csv": "CSV table", "json": "JSON", "bvh": "BVH motion"}
FIGURE_FILES = {"pdf": "PDF, vectors", "svg": "SVG, vectors", "png": "PNG, pixels"}
NONE, FILE = "", "file"
#: Examples of a figure: the shown frame, and with it others spread over the file.
SPREAD = 4
#: Extent of a person, in half image widths, below which they are shown close up.
SMALL = 0.9


class LiftPage(QWidget):
    """background(title, work) runs work(progress) beside the window and gives its Job (Session.background).

    told(sentence, kind) is for the banner, closed for the way back. asks: a dialog says what a job has failed with.
    """

    told = Signal(str, str)
    closed = Signal()
    asks = Signal()

    def __init__(self, theme: Theme, background: Callable[..., Job], opengl: bool | None = None):
        super().__init__(objectName="page")
        self.theme, self.background = theme, background
        self.source: lift_work.Source | None = None
        self.answers: dict[str, np.ndarray] = {}  # of the shown source, by estimator
        self.jobs: dict[str, Job] = {}  # lifting now, by estimator
        self.row, self.asked = 0, ""
        self.choose_path = self._ask_path
        self.input, self.bodies = InputView(theme), Bodies(theme, opengl=opengl)
        self.side, self.track = LiftSide(theme), FrameTrack(theme)
        self.track.chosen.connect(self.show_row)
        self._make_bar()
        self._arrange()
        space = QShortcut(QKeySequence(Qt.Key.Key_Space), self, activated=self.track.play.click)
        space.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.offer_runs([])
        self.set_theme(theme)
        self._show()

    def _make_bar(self) -> None:
        self.back, self.open = (
            QToolButton(text="Back", toolTip="Back to the start page"),
            QPushButton("Open keypoints…"),
        )
        self.back.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.back.clicked.connect(self.closed)
        self.open.clicked.connect(self.choose_keypoints)
        self.title = Label("Lift keypoints")
        self.title.setFont(font(14, 600))
        self.about = Label(objectName="muted")
        self.with_, self.beside = QComboBox(), QComboBox()
        for box, tip in ((self.with_, "The estimator that lifts"), (self.beside, "Whose answer stands beside")):
            box.setToolTip(tip)
            box.setMinimumWidth(150)
            box.setMaximumWidth(240)
            box.activated.connect(lambda _=0, box=box: self._chosen(box))
        self.export = QToolButton(text="Export", popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.export)
        self.exports = {}
        for key, text, act in (
            ("poses", "Poses of all frames…", self.export_poses),
            ("figure", "Figure of this frame…", lambda: self.export_figure(False)),
            ("figures", "Figure of frames spread over the file…", lambda: self.export_figure(True)),
        ):
            self.exports[key] = menu.addAction(text)
            self.exports[key].triggered.connect(lambda _=False, act=act: act())
        self.export.setMenu(menu)
        self.export.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)

    def _arrange(self) -> None:
        bar = QFrame(objectName="bar")
        row = QHBoxLayout(bar, spacing=10)
        row.setContentsMargins(12, 8, 12, 8)
        words = QVBoxLayout(spacing=0)
        words.addWidget(self.title)
        words.addWidget(self.about)
        row.addWidget(self.back)
        row.addSpacing(4)
        row.addLayout(words)
        row.addStretch(1)
        for label, box in (("Lift with", self.with_), ("beside", self.beside)):
            row.addWidget(Label(label, objectName="muted"))
            row.addWidget(box)
        row.addWidget(self.open)
        row.addWidget(self.export)
        left = QWidget()
        column = QVBoxLayout(left, spacing=0)
        column.setContentsMargins(0, 0, 0, 0)
        tools = QHBoxLayout(spacing=6)
        tools.setContentsMargins(12, 8, 10, 8)
        self.close_up = Segments(self.theme, ("Whole image", "Close-up"), self)
        self.close_up.changed.connect(lambda i: self.input.set_whole(i == 0))
        self.how = QPushButton("How it was read…", objectName="quiet", enabled=False)
        self.how.setToolTip("Joints, person, image size and images, where what was found is not right")
        self.how.clicked.connect(lambda: self.ask_how())
        heading = Label("2D input", objectName="title")
        for part in (heading, self.close_up, self.how):
            tools.addWidget(part)
        tools.insertStretch(1, 1)
        column.addLayout(tools)
        column.addWidget(self.input, 1)
        split = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        for part, share in ((_panel(left), 5), (_panel(self.bodies), 8)):
            split.addWidget(part)
            split.setStretchFactor(split.count() - 1, share)
        middle = QHBoxLayout(spacing=6)
        middle.setContentsMargins(6, 6, 6, 6)
        middle.addWidget(split, 1)
        middle.addWidget(_panel(self.side))
        outer = QVBoxLayout(self, spacing=0)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(bar)
        outer.addLayout(middle, 1)
        outer.addWidget(self.track)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        for part in (self.input, self.bodies, self.side, self.track, self.close_up):
            part.set_theme(theme)
        self.back.setIcon(icons.icon("previous", theme.text))
        self.export.setIcon(icons.icon("export", theme.text))

    # estimators

    def offer_runs(self, runs: list[Entry]) -> None:
        """The demo's estimator, the runs' latest and other checkpoints, and any file, keeping what is chosen."""
        listed = [("Demo estimator", lift_work.DEMO)]
        for run in runs:
            files = sorted((run.folder / "checkpoints").glob("[!.]*.safetensors"), key=lambda f: f.stat().st_mtime)
            if any(file.stem == "latest" for file in files):
                listed.append((run.folder.name, str(run.folder)))
            listed += [(f"{run.folder.name}, {file.stem}", str(file)) for file in files if file.stem != "latest"]
        for box, first in ((self.with_, []), (self.beside, [("Nothing", NONE)])):
            chosen = box.currentData()
            box.clear()
            for title, source in [*first, *listed, ("A file…", FILE)]:
                box.addItem(plain(title, NAME), source)
            if chosen not in (None, FILE):
                self._select(box, chosen)

    def _select(self, box: QComboBox, source: str) -> None:
        """Choose a source, put into the list before 'A file…' where it is not in it."""
        at = box.findData(source)
        if at < 0:
            at = box.count() - 1
            box.insertItem(at, Path(source).name, source)
        box.setCurrentIndex(at)

    def use(self, source: str, beside: str = NONE) -> None:
        """Lift with this estimator, and the other beside; a run folder, a checkpoint or an ONNX file each."""
        self._select(self.with_, source)
        self._select(self.beside, beside)
        self._lift()

    def _chosen(self, box: QComboBox) -> None:
        if box.currentData() == FILE:
            name, _ = QFileDialog.getOpenFileName(self, "An estimator", "", f"{ESTIMATOR_FILES};;All files (*)")
            self._select(box, name) if name else box.setCurrentIndex(0)
        self._lift()

    @property
    def estimators(self) -> tuple[str, str]:
        """What lifts, and what stands beside ('' for nothing)."""
        return self.with_.currentData(), self.beside.currentData()

    # what is lifted

    def choose_keypoints(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open 2D keypoints", "", f"{KEYPOINT_FILES};;All files (*)")
        if name:
            self.open_spec(name)

    def ask_how(self, message: str = "") -> None:
        """Let the user say how the keypoints are read, and read them anew."""
        dialog = LiftOptions(self.asked, message, self)
        dialog.chosen.connect(self.open_spec)
        dialog.open()

    def open_spec(self, spec: str) -> Job:
        """Read keypoints (see readers.keypoint_json for what may follow the name) and lift them."""
        self.asked = spec
        self.how.setEnabled(True)
        name = Path(parted(spec)[0]).name
        job = self.background(f"Reading {name}", lambda progress: lift_work.read(spec, progress))
        job.done.connect(self._opened)
        job.failed.connect(self._refused)
        return job

    def _refused(self, sentence: str) -> None:
        """What the file leaves open the user can say at once."""
        if "add ?" in sentence:
            self.asks.emit()
            self.ask_how(sentence)

    def _opened(self, source: lift_work.Source) -> None:
        for job in self.jobs.values():
            job.cancel()
        self.source, self.answers, self.jobs, self.row = source, {}, {}, 0
        self.input.clear()
        # People who are small in their images are seen close up at first.
        small = np.median(np.ptp(source.uv, axis=1).max(-1)) < SMALL
        self.close_up.choose(int(small))
        self.title.setText(source.name)
        self.track.set_frames(source.names, source.confidence)
        self.bodies.set_truth_known(source.truth is not None)
        self.how.setVisible(source.truth is None)
        self.input.wants_image = source.truth is None
        self._lift()

    def _lift(self) -> None:
        """Have the answers of the chosen estimators made that are not there yet; show those that are."""
        for estimator in (
            {*self.estimators} - {NONE, FILE, *self.answers, *self.jobs} if self.source is not None else ()
        ):
            source = self.source
            job = self.background(
                f"Lifting {source.name}",
                lambda progress, source=source, name=estimator: lift_work.lift(source, name, progress),
            )
            self.jobs[estimator] = job
            job.done.connect(lambda found, job=job, name=estimator: self._lifted(job, name, found))
            job.ended.connect(lambda job=job, name=estimator: self._lift_ended(job, name))
        self._show()

    def _lifted(self, job: Job, estimator: str, found: np.ndarray) -> None:
        if self.jobs.get(estimator) is job:
            self.answers[estimator] = found
            self._show()

    def _lift_ended(self, job: Job, estimator: str) -> None:
        if self.jobs.get(estimator) is job:
            del self.jobs[estimator]

    # showing

    def show_row(self, row: int) -> None:
        self.row = row
        self._show()

    def _show(self) -> None:
        source, row = self.source, self.row
        ours, other = (self.answers.get(name) for name in self.estimators)
        ready = source is not None and ours is not None
        self.export.setEnabled(ready)
        notes = source.notes if source is not None else ()
        if self.estimators[0] == lift_work.DEMO:
            notes += ("Demo estimator: trained on parametric motion alone; choose a run of your own for real use.",)
        self.side.set_notes(notes)
        if source is None:
            self.about.setText("COCO, OpenPose, AlphaPose or MMPose JSON, or arrays; drop them here")
            self.bodies.titles.set_words([(self.with_.currentText(), ""), ("", "")])
            self.side.present(None)
            return
        kind = "people in images" if source.several else "frames"
        self.about.setText(f"{len(source):,} {kind if len(source) > 1 else 'pose'}")
        path = self._image(row)
        self.input.present(source.uv[row], source.confidence[row], source.size[row], path)
        self.side.present(source.confidence[row])
        truth = None if source.truth is None else source.truth[row]
        poses = [None if answers is None else answers[row] for answers in (ours, other)]
        self.bodies.present(*poses, truth)
        titles = [self.with_.currentText(), self.beside.currentText() if self.estimators[1] else "No baseline"]
        self.bodies.titles.set_words(list(zip(titles, self._numbers(poses, truth), strict=True)))

    def _numbers(self, poses: list[np.ndarray | None], truth: np.ndarray | None) -> list[str]:
        """Of each answer: its error where the truth is known, else how far the baseline's is from ours."""
        if truth is not None:
            return ["" if pose is None else f"{_mean_mm(pose, truth):.0f} mm MPJPE" for pose in poses]
        words = ["lifting…" if name in self.jobs else "" for name in self.estimators]
        if all(pose is not None for pose in poses):
            words[1] = f"{_mean_mm(*poses):.0f} mm apart"
        return words

    def _image(self, row: int) -> Path | None:
        from poseaug_core.readers.keypoint_images import find_image

        return find_image(self.source.folder, self.source.names[row]) if self.source.folder else None

    # exports

    def _ask_path(self, title: str, stem: str, kinds: dict[str, str]) -> Path | None:
        filters = {f"{words} (*.{ending})": ending for ending, words in kinds.items()}
        name, chosen = QFileDialog.getSaveFileName(self, title, str(Path.home() / stem), ";;".join(filters))
        if not name:
            return None
        path = Path(name)
        return path if path.suffix.lower()[1:] in kinds else path.with_name(f"{path.name}.{filters[chosen]}")

    def export_poses(self) -> None:
        """All frames to a file that the user names; the baseline's answers go with them where there are some."""
        path = self.choose_path("Export poses", f"{self.source.name}-3d", POSE_FILES)
        if path is not None:
            source, fps = self.source, self.track.fps
            ours, other = (self.answers.get(name) for name in self.estimators)
            name = self.estimators[0]
            work = lambda progress: lift_work.write_poses(source, ours, other, name, fps, path)  # noqa: E731
            self.background(f"Writing {path.name}", work).done.connect(self._written)

    def export_figure(self, spread: bool) -> None:
        """The shown frame, or frames spread over the file, as a figure in print colours."""
        path = self.choose_path("Export figure", f"{self.source.name}-lifted", FIGURE_FILES)
        if path is not None:
            count = len(self.source)
            rows = np.linspace(0, count - 1, min(SPREAD, count)).round().astype(int).tolist() if spread else [self.row]
            source, titles = self.source, (self.with_.currentText(), self.beside.currentText())
            ours, other = (self.answers.get(name) for name in self.estimators)
            work = lambda progress: (lift_work.write_figure(source, rows, ours, other, titles, "light", path), [])  # noqa: E731
            self.background(f"Writing {path.name}", work).done.connect(self._written)

    def _written(self, found: tuple[Path, list[str]]) -> None:
        path, said = found
        self.told.emit(" ".join([f"Written: {path}.", *said]), "note")

    def hideEvent(self, event) -> None:
        self.track.stop()
        super().hideEvent(event)


def _panel(inside: QWidget) -> QFrame:
    frame = QFrame(objectName="panel")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(1, 1, 1, 1)
    layout.addWidget(inside)
    return frame


def _mean_mm(a: np.ndarray, b: np.ndarray) -> float:
    return 1000 * float(np.linalg.norm(a - b, axis=-1).mean())
