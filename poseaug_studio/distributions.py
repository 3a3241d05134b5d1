"""The distributions panel: view points and positions, original beside augmented and pinned ones (Fig. 7)."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, QSize, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QScrollArea, QVBoxLayout, QWidget

from poseaug_core.diversity import Views
from poseaug_core.snapshot import Snapshot
from poseaug_studio.distribution_columns import Columns, Distribution
from poseaug_studio.plotting import PlotPanel, colour
from poseaug_studio.segments import Push, Segments
from poseaug_studio.selection import Selection
from poseaug_studio.theme import Theme

KINDS = ("View points", "Positions")
#: The names of KINDS in a panel under ROOMY pixels, where of two views only the second is named, as a switch.
SHORT, ROOMY = ("Views", "Positions"), 400
#: The heading of what was pinned of the run that is shown.
PINNED = "Pinned"
VIEWS = {"View points": ("Map", "Sphere"), "Positions": ("Top", "Front")}
#: What poseaug_core.baselines can make of a run's source (not asked there, it loads torch), with its column's heading.
BASELINES = {"evolution": "Li et al.", "random": "Random views"}


def columns_of(snapshot: Snapshot) -> tuple[Distribution, ...]:
    """Original and, once the augmentor works, augmented."""
    step = f"step {snapshot.step:,}"
    names = (("Original", "", "original"), ("Augmented", step, "rt"))
    count = 1 if snapshot.phase == "pretrain" else 2
    return tuple(
        Distribution(title, note, stage, snapshot.view_point[i], snapshot.position[i])
        for i, (title, note, stage) in enumerate(names[:count])
    )


class DistributionsPanel(PlotPanel):
    """Columns of densities on shared scales, with a bar to choose what is shown and to pin.

    baseline_wanted: the name of a baseline that is to be made of the run's source and handed to pin_baseline.
    """

    baseline_wanted = Signal(str)

    def __init__(self, theme: Theme, selection: Selection, parent: QWidget | None = None):
        super().__init__(theme, selection, parent)
        self.kind = Segments(theme, KINDS)
        self.view = Segments(theme, VIEWS[KINDS[0]])
        self.pin_button = Push(theme, "Pin")
        self.pin_button.setToolTip(
            "Keep the augmented distribution of this step as a column, to compare with later ones"
        )
        self.baselines_button = Push(theme, "\u25be")
        self.baselines_button.setToolTip("Pin what another augmentation makes of the same poses")
        self.baselines = QMenu(self)
        for name, title in BASELINES.items():
            action = self.baselines.addAction(f"Pin baseline: {title}")
            action.triggered.connect(lambda _=False, name=name: self.baseline_wanted.emit(name))
        self.columns = Columns(theme)
        self.scroll = QScrollArea(frameShape=QFrame.Shape.NoFrame, widgetResizable=True)
        self.scroll.setWidget(self.columns)
        bar = QHBoxLayout()
        bar.setContentsMargins(4, 6, 4, 0)
        bar.setSpacing(4)
        for item in (self.kind, self.view):
            bar.addWidget(item)
        bar.addStretch(1)
        pins = QHBoxLayout(spacing=2)
        pins.addWidget(self.pin_button)
        pins.addWidget(self.baselines_button)
        bar.addLayout(pins)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(2)
        page.addLayout(bar)
        page.addWidget(self.scroll, 1)
        self.pins: list[Distribution] = []
        self.kind.changed.connect(self._choose_kind)
        self.view.changed.connect(self._show)
        self.pin_button.pressed.connect(self.pin)
        self.baselines_button.pressed.connect(self._open_baselines)
        self.columns.removed.connect(self.unpin)
        self._theme_changed()
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(500, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(280, 180)

    def pin(self) -> None:
        """Keep the augmented distribution that is shown, with its step."""
        if self.snapshot is None or self.snapshot.phase == "pretrain":
            return
        now = columns_of(self.snapshot)[1]
        self.add_pin(Distribution(PINNED, now.note, now.stage, now.view_point, now.position))

    def pin_baseline(self, name: str, views: Views) -> None:
        """Add the column of a baseline; one of the same name goes."""
        title = BASELINES[name]
        self.pins = [pin for pin in self.pins if pin.title != title]
        self.add_pin(Distribution(title, "baseline", "bl", views.view_point, views.position))

    def _open_baselines(self) -> None:
        self.baselines.popup(self.baselines_button.mapToGlobal(QPoint(0, self.baselines_button.height() + 2)))

    def add_pin(self, distribution: Distribution) -> None:
        """Add a column of another origin: a recorded snapshot, another run, a baseline."""
        self.pins.append(distribution)
        self._show()

    def leave_run(self, name: str) -> None:
        """Another run than this one is shown from here on: its pinned moments stay under its name, its baselines go,
        since they say what another augmentation makes of the shown run's source."""
        kept = [pin for pin in self.pins if pin.title not in BASELINES.values()]
        self.pins = [replace(pin, title=name) if pin.title == PINNED else pin for pin in kept]
        self._show()

    def unpin(self, index: int) -> None:
        del self.pins[index]
        self._show()

    def _choose_kind(self) -> None:
        self._fit()
        self._show()

    def _fit(self) -> None:
        narrow, views = self.width() < ROOMY, VIEWS[KINDS[self.kind.value]]
        self.kind.set_names(SHORT if narrow else KINDS)
        self.view.set_names(views[1:] if narrow else views)

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self._fit()

    def present(self, snapshot: Snapshot | None, row: int) -> None:
        if snapshot is not self.snapshot or row != self.row:
            self.snapshot, self.row = snapshot, row
            self._show()

    def _show(self) -> None:
        kind = KINDS[self.kind.value]
        now = columns_of(self.snapshot) if self.snapshot is not None else ()
        self.pin_button.setEnabled(len(now) > 1)
        self.baselines_button.setEnabled(bool(now))
        self.columns.show_columns(now, tuple(self.pins), VIEWS[kind][self.view.value], self.row)

    def _theme_changed(self) -> None:
        self.scroll.setStyleSheet(f"QScrollArea, QScrollArea > QWidget {{ background: {self.theme.surface}; }}")
        for part in (self.kind, self.view, self.pin_button, self.baselines_button, self.columns):
            part.set_theme(self.theme)

    def paintEvent(self, event) -> None:
        QPainter(self).fillRect(self.rect(), colour(self.theme.surface))
