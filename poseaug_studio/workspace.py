"""Workspace: knobs, scene, KCS, curves, distributions and timeline around one run, in docks that can be moved."""

from __future__ import annotations

import importlib
import math
import time

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from poseaug_core.config import Config
from poseaug_core.judged import judged_skeleton, judges_2d
from poseaug_core.snapshot import Snapshot
from poseaug_studio import icons
from poseaug_studio.knobs import KnobsPanel
from poseaug_studio.labels import Label
from poseaug_studio.metric_series import MetricSeries
from poseaug_studio.runbar import RunBar
from poseaug_studio.selection import Selection
from poseaug_studio.style import mix
from poseaug_studio.theme import Theme
from poseaug_studio.timeline import Timeline

#: Where each panel's class is; imported after the window is on screen, because they load the drawing libraries.
PANELS = {
    "scene": ("poseaug_studio.scene", "ScenePanel"),
    "samples": ("poseaug_studio.samples", "SamplesPanel"),
    "kcs": ("poseaug_studio.kcs", "KcsPanel"),
    "curves": ("poseaug_studio.curves", "CurvesPanel"),
    "distributions": ("poseaug_studio.distributions", "DistributionsPanel"),
}
TITLES = {"knobs": "Knobs", "kcs": "KCS parts", "curves": "Curves", "distributions": "View points and positions"}
#: Below this height the lower docks stand beside the views, sharing the place of the KCS as tabs: bodies are tall.
TABS_BELOW = 860
#: Widths of the right dock: alone, in a narrow window, with the others as tabs.
ROOMY, NARROW, SHARED = 330, 264, 400
#: What the samples panel needs beside its thumbnails.
STRIP_HEAD = 24
#: Milliseconds between two panels taking a snapshot: the window answers clicks in between.
TURN_MS = 15


#: Seconds between two live snapshots in a panel, where that is longer than between snapshots: painting takes the
#: processor from the training.
PACE = {"kcs": 1.0, "distributions": 2.0, "curves": 2.0, "samples": 2.0}
#: The same while a timeline is dragged, whose poses are not to wait for the other panels.
SCRUBBED_PACE = 0.25


class DockTitle(QFrame):
    """A dock's head: its name, and quiet buttons to float and to close it."""

    def __init__(self, dock: QDockWidget, theme: Theme):
        super().__init__()
        self.setFixedHeight(28)
        self.label = Label(dock.windowTitle(), objectName="title")
        self.buttons: dict[str, QToolButton] = {}
        self.theme = theme
        self.row = QHBoxLayout(self, spacing=0)
        self.row.setContentsMargins(10, 2, 4, 0)
        self.row.addWidget(self.label, 1)
        self.add_button("close", "Close; the View menu brings it back", dock.close)
        self.add_button("float", "Float or dock", lambda: dock.setFloating(not dock.isFloating()))

    def add_button(self, sign: str, tip: str, act) -> None:
        """A quiet button to the left of those that are there."""
        button = QToolButton(
            objectName="quiet", toolTip=tip, iconSize=QSize(12, 12), focusPolicy=Qt.FocusPolicy.NoFocus
        )
        button.setFixedSize(22, 22)
        button.clicked.connect(lambda _=False: act())
        self.buttons[sign] = button
        self.row.insertWidget(1, button)
        self.set_theme(self.theme)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        for sign, button in self.buttons.items():
            button.setIcon(icons.icon(sign, theme.muted, mix(theme.muted, theme.surface, 0.7)))


class Workspace(QWidget):
    """See the module. ``built`` tells that all panels are there."""

    built = Signal()
    undone = Signal()
    redone = Signal()

    def __init__(self, theme: Theme, selection: Selection):
        super().__init__(objectName="page")
        self.theme, self.selection = theme, selection
        self.runbar, self.knobs, self.timeline = RunBar(theme), KnobsPanel(theme), Timeline(theme)
        self.panels: dict[str, QWidget] = {}
        self.docks: dict[str, QDockWidget] = {}
        self.titles: dict[str, DockTitle] = {}
        self._hosts: dict[str, QVBoxLayout] = {}
        self._snapshot: Snapshot | None = None
        self._config = Config()
        self._stale: list[str] = []
        self._shown: dict[str, float] = {}  # when each panel last took a snapshot
        self._live = False
        self._turn = QTimer(self, singleShot=True)
        self._turn.timeout.connect(self._present_next)
        self.area = QMainWindow()
        self.area.setWindowFlags(Qt.WindowType.Widget)
        self.area.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.GroupedDragging
        )
        self.area.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.area.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        for side in (Qt.DockWidgetArea.BottomDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea):
            self.area.setTabPosition(side, QTabWidget.TabPosition.North)
        self._compose()
        layout = QVBoxLayout(self, spacing=0)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.runbar)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.timeline)
        selection.row_changed.connect(lambda _: self._chosen())
        selection.part_changed.connect(lambda _: self._chosen())

    # composition

    def _host(self, name: str) -> QFrame:
        frame = QFrame(objectName="panel")
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(1, 1, 1, 1)
        self._hosts[name] = layout
        return frame

    def _compose(self) -> None:
        self.split = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False, handleWidth=6)
        self.split.addWidget(self._host("scene"))
        self.split.addWidget(self._host("samples"))
        self.split.setStretchFactor(0, 1)
        self.waiting = Label(objectName="waiting", alignment=Qt.AlignmentFlag.AlignCenter)
        self.waiting.hide()
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addWidget(self.split)
        self.area.setCentralWidget(middle)
        self.waiting.setParent(middle)
        self._hosts_of_docks()
        self._hosts["knobs"].addWidget(self.knobs)
        self.default_layout()

    def _hosts_of_docks(self) -> None:
        margins = {"knobs": (6, 6, 0, 6), "kcs": (0, 6, 6, 6), "curves": (0, 0, 0, 6), "distributions": (0, 0, 0, 6)}
        for name, title in TITLES.items():
            dock = QDockWidget(title, self.area, objectName=name)
            outer = QWidget()
            around = QVBoxLayout(outer)
            around.setContentsMargins(*margins[name])
            frame = self._host(name)
            self.titles[name] = DockTitle(dock, self.theme)
            if name == "knobs":
                self.titles[name].add_button("redo", "Redo it (Ctrl+Shift+Z)", self.redone.emit)
                self.titles[name].add_button("undo", "Undo the last turn of a knob (Ctrl+Z)", self.undone.emit)
            self._hosts[name].setSpacing(0)
            self._hosts[name].addWidget(self.titles[name])
            around.addWidget(frame)
            dock.setWidget(outer)
            dock.setTitleBarWidget(QWidget())
            dock.visibilityChanged.connect(self._docks_moved)
            dock.topLevelChanged.connect(self._docks_moved)
            self.docks[name] = dock

    def default_layout(self) -> None:
        """Knobs left, KCS right, curves and distributions below; on a small screen as tabs with the KCS."""
        areas = {
            "knobs": Qt.DockWidgetArea.LeftDockWidgetArea, "kcs": Qt.DockWidgetArea.RightDockWidgetArea,
            "curves": Qt.DockWidgetArea.BottomDockWidgetArea, "distributions": Qt.DockWidgetArea.BottomDockWidgetArea,
        }  # fmt: skip
        for name, dock in self.docks.items():
            dock.setFloating(False)
            self.area.addDockWidget(areas[name], dock)
            dock.show()
        small, wide = self.window().height() < TABS_BELOW, self.window().width() >= 1500
        kcs, curves, distributions = (self.docks[name] for name in ("kcs", "curves", "distributions"))
        if small:
            self.area.tabifyDockWidget(kcs, curves)
            self.area.tabifyDockWidget(curves, distributions)
            kcs.raise_()
        else:
            self.area.splitDockWidget(curves, distributions, Qt.Orientation.Horizontal)
        right = SHARED if small else ROOMY if wide else NARROW
        sides = [280 if wide else 248, right]
        self.area.resizeDocks([self.docks["knobs"], kcs], sides, Qt.Orientation.Horizontal)
        self.split.setSizes([1000, (90 if small else 120) + STRIP_HEAD])
        if not small:
            self.area.resizeDocks([curves], [290], Qt.Orientation.Vertical)
            self.area.resizeDocks([curves, distributions], [560, 440], Qt.Orientation.Horizontal)

    def _docks_moved(self) -> None:
        """Panels that came into sight take the snapshot; a dock among tabs is named by its tab alone; without docks
        below them the views keep their distance from the timeline."""
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        below = any(self.area.dockWidgetArea(dock) == bottom and dock.isVisible() for dock in self.docks.values())
        self.area.centralWidget().layout().setContentsMargins(0, 6, 0, 0 if below else 6)
        if self.panels:
            self._turn.start(TURN_MS)
        for name, dock in self.docks.items():
            among_tabs = bool(self.area.tabifiedDockWidgets(dock)) and not dock.isFloating()
            self.titles[name].setVisible(not among_tabs)

    def state(self) -> tuple[QByteArray, QByteArray]:
        return self.area.saveState(), self.split.saveState()

    def restore(self, docks: QByteArray, split: QByteArray) -> bool:
        self.split.restoreState(split)
        return self.area.restoreState(docks)

    # panels

    def build(self) -> None:
        """Make the panels one by one, the window drawing itself in between."""
        missing = [name for name in PANELS if name not in self.panels]
        if not missing:
            self.built.emit()
            return
        name = missing[0]
        module, kind = PANELS[name]
        panel = getattr(importlib.import_module(module), kind)(self.theme, self.selection)
        self.panels[name] = panel
        self._fit_to_config(name)
        self._hosts[name].addWidget(panel, 1)
        if self._snapshot is not None:
            self._mark_stale()
        QTimer.singleShot(0, self.build)

    def show_waiting(self, sentence: str) -> None:
        """A quiet sentence over the views while there is nothing in them to see; '' takes it away."""
        if sentence != self.waiting.text():
            self.waiting.setText(sentence)
        if bool(sentence) == self.waiting.isHidden():
            self.waiting.setVisible(bool(sentence))
        if sentence:
            self.waiting.setGeometry(self.split.geometry())
            self.waiting.raise_()

    def showEvent(self, event) -> None:
        """What came while the window was away is shown now."""
        super().showEvent(event)
        self._turn.start(TURN_MS)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        for part in (self.runbar, self.knobs, self.timeline, *self.titles.values(), *self.panels.values()):
            part.set_theme(theme)

    def show_config(self, config: Config) -> None:
        """Another run: the views show what its discriminators judge, the knobs and bands what it reads."""
        self._config = config
        self.knobs.show_config(config)
        if self.selection.part and self.selection.part not in judged_skeleton(config).parts:
            self.selection.choose_part("")
        for name in self.panels:
            self._fit_to_config(name)

    def show_series(self, series: MetricSeries) -> None:
        """The metrics of the shown run, which have grown or are another's."""
        for name in ("curves", "kcs"):
            if name in self.panels:
                self.panels[name].show_series(series)

    def _fit_to_config(self, name: str) -> None:
        panel, skeleton = self.panels[name], judged_skeleton(self._config)
        if name in ("scene", "samples"):
            panel.set_skeleton(skeleton)
        elif name == "kcs":
            panel.set_judged(skeleton, judges_2d(self._config))
        elif name == "curves":
            panel.set_config(self._config)

    def present(self, snapshot: Snapshot | None, live: bool = False, past: bool = False) -> None:
        """Show a snapshot in every visible panel, the scene first; of a live run each panel at its own pace.

        past: it is one of history, whose controls are not those of now.
        """
        self._snapshot, self._live = snapshot, live
        if snapshot is not None:
            if not past:
                self.knobs.show_scheduled(snapshot.controls)
            self.knobs.show_past(snapshot.step, snapshot.controls if past else None)
        self._mark_stale()

    def _chosen(self) -> None:
        """Another pose or part is shown at once, whatever a panel's pace."""
        self._shown.clear()
        self._mark_stale()

    def _mark_stale(self) -> None:
        waiting = [name for name in self._stale if name in self.panels]
        fresh = [name for name in self.panels if name not in waiting]
        self._stale = waiting + fresh
        if not self._live:  # the poses follow a timeline that is dragged, the rest comes in turn
            self._stale.sort(key=lambda name: name != "scene")
        if self._stale and not 0 <= self._turn.remainingTime() <= TURN_MS:  # -1: no turn is to come
            self._present_next()

    def _pace(self, name: str) -> float:
        if self._live:
            return PACE.get(name, 0.0)
        return 0.0 if name == "scene" else SCRUBBED_PACE

    def _present_next(self) -> None:
        """One panel a turn; those out of sight wait until they are seen, and those whose time has not come for it."""
        seen = [name for name in self._stale if not self.panels[name].visibleRegion().isEmpty()]
        if not seen:
            return
        now = time.monotonic()
        waits = {name: self._shown.get(name, 0) + self._pace(name) - now for name in seen}
        name = next((name for name in seen if waits[name] <= 0), None)
        if name is not None:
            self._shown[name] = now
            self._stale.remove(name)
            row = min(self.selection.row, self._snapshot.probe_size - 1) if self._snapshot is not None else 0
            self.panels[name].present(self._snapshot, row)
        self._turn.start(TURN_MS if name is not None else math.ceil(1000 * min(waits.values())))
