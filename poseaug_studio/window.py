"""Window: start page or workspace, menus, banner and job bar; connects the session with what shows it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from poseaug_core.config import Config
from poseaug_core.demo import demo_config
from poseaug_core.live import ENDED, Status
from poseaug_studio import library, style
from poseaug_studio.about import show_about
from poseaug_studio.actions import add_commands
from poseaug_studio.closing import may_close
from poseaug_studio.commands import CommandPalette, Commands, ShortcutList
from poseaug_studio.history import change
from poseaug_studio.labels import Label, caption, title
from poseaug_studio.notices import Banner, JobBar
from poseaug_studio.selection import Selection
from poseaug_studio.session import Session
from poseaug_studio.start_page import StartPage
from poseaug_studio.table_grid_run import TableRun
from poseaug_studio.theme import DARK, LIGHT, Theme
from poseaug_studio.workspace import Workspace

#: Layouts saved by another version are not restored.
LAYOUT = 2


class StudioWindow(QMainWindow):
    """scripted: nothing is asked when it closes (tours and tests)."""

    def __init__(self, session: Session, settings: QSettings, theme: str = "system", scripted: bool = False):
        super().__init__()
        self.session, self.settings, self.scripted = session, settings, scripted
        self.theme_choice = theme
        self.theme = self._chosen_theme()
        self.selection = Selection(self)
        self.table_run = TableRun(self)
        self.library = None
        self.demo = demo_config()
        self.demo_folder: Path | None = None  # where the next demo goes, None for a new folder among the runs
        self.closing = False
        self._marked = 0
        self._remembered: Path | None = None
        self.setWindowTitle("PoseAug Studio")
        self.setAcceptDrops(True)
        self.setMinimumSize(960, 600)
        self.banner, self.jobs = Banner(self.theme), JobBar(session)
        self.start = StartPage(self.theme)
        self.workspace = Workspace(self.theme, self.selection)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start)
        self.pages.addWidget(self.workspace)
        page = QWidget(objectName="page")
        layout = QVBoxLayout(page, spacing=0)
        layout.setContentsMargins(0, 0, 0, 0)
        for part, stretch in ((self.banner, 0), (self.pages, 1), (self.jobs, 0)):
            layout.addWidget(part, stretch)
        self.setCentralWidget(page)
        self.drop_frame = Label("Drop to open", page, objectName="drop", alignment=Qt.AlignmentFlag.AlignCenter)
        self.drop_frame.hide()
        self.commands = Commands(self)
        add_commands(self)
        self._connect()
        self._show_undo()
        self._restore()
        QTimer.singleShot(0, self.workspace.build)

    # wiring

    def _connect(self) -> None:
        s, w = self.session, self.workspace
        s.snapshot_changed.connect(self._show_snapshot)
        s.status_changed.connect(self._show_status)
        for part in (w, w.runbar, w.timeline):
            s.config_changed.connect(part.show_config)
        s.controls_changed.connect(w.knobs.show_controls)
        s.controls_changed.connect(self._show_undo)
        s.history_changed.connect(self._show_history)
        s.shown_changed.connect(self._show_position)
        s.metrics_changed.connect(w.show_series)
        s.cleared.connect(self._clear)
        s.stopping.connect(w.runbar.show_stopping)
        s.stopping.connect(self._tell_stopped)
        s.ended.connect(self._ended)
        s.failed.connect(self.banner.tell)
        s.noted.connect(self.banner.tell)
        w.knobs.held.connect(s.hold)
        w.knobs.turned.connect(s.steer)
        w.knobs.refused.connect(self.banner.tell)
        w.runbar.toggled.connect(self.toggle)
        w.runbar.stepped.connect(lambda only: s.step(1, only))
        w.runbar.stopped.connect(s.stop)
        w.timeline.scrubbed.connect(s.scrub)
        w.timeline.followed.connect(s.follow)
        w.undone.connect(s.undo)
        w.redone.connect(s.redo)
        w.built.connect(self._panels_built)
        self.start.demo.connect(self.new_demo)
        self.start.files.connect(self.choose_files)
        self.start.folder.connect(self.choose_motion_folder)
        self.start.cmu.connect(lambda: self.commands["cmu"].trigger())
        self.start.run.connect(self.choose_run)
        self.start.lift.connect(lambda: self.commands["lift"].trigger())
        self.start.recent.connect(lambda folder: self.open_path(folder))
        QGuiApplication.styleHints().colorSchemeChanged.connect(lambda _: self.set_theme(self.theme_choice))

    def _panels_built(self) -> None:
        from poseaug_studio.pinning import pin_baseline

        curves = self.workspace.panels["curves"]
        curves.step_chosen.connect(self._scrub_near)
        distributions = self.workspace.panels["distributions"]
        self.session.left.connect(distributions.leave_run)
        self.session.left.connect(lambda _: curves.compare("", None))
        distributions.baseline_wanted.connect(lambda name: pin_baseline(self.session, distributions, name))
        self.workspace.show_series(self.session.history.series)
        self._mark_curves()

    def _to_curves(self, method: str, *given) -> None:
        if "curves" in self.workspace.panels:
            getattr(self.workspace.panels["curves"], method)(*given)

    def _mark_curves(self) -> None:
        """Control changes that the curves do not show yet."""
        if "curves" in self.workspace.panels:
            for entry in self.session.history.log[self._marked :]:
                self._to_curves("mark", int(entry["step"]), change(entry))
            self._marked = len(self.session.history.log)

    def _scrub_near(self, step: int) -> None:
        history = self.session.history
        if (k := history.nearest(step)) is not None:
            self.session.scrub(history.steps[k])

    # what the session tells

    def _show_snapshot(self, snapshot) -> None:
        self.workspace.present(snapshot, live=self.session.following, past=not self.session.following)

    def _show_position(self) -> None:
        self.workspace.timeline.show_position(self.session.shown, self.session.followed)
        if self.session.following:
            self.workspace.knobs.show_past(0, None)

    def _show_status(self, status: Status) -> None:
        self.session.history.fit(status.steps)
        self.workspace.runbar.show_status(status, self.session.resumable)
        self.workspace.show_waiting(self._waiting(status))
        self.workspace.timeline.show_position(self.session.shown, self.session.followed)
        self._show_used()
        folder = self.session.folder
        self.setWindowTitle(f"{title(folder.name)} \u2014 PoseAug Studio" if folder else "PoseAug Studio")
        if folder and status.state in (*ENDED, "running", "elsewhere") and folder != self._remembered:
            self._remembered = folder
            library.remember(folder, self.settings)

    def _waiting(self, status: Status) -> str:
        """What happens before the first poses are there; '' afterwards."""
        if status.state != "preparing" or self.session.snapshot is not None:
            return ""
        what = "demo" if self.session.config.source.startswith("demo:") else "poses"
        loading = not status.message or status.message == "loading"
        return f"Loading the {what}\u2026" if loading else f"{status.message[:1].upper()}{status.message[1:]}\u2026"

    def _tell_stopped(self) -> None:
        """Of a training that ends because another run begins or is opened."""
        if not self.closing:
            name, step = self.session.folder.name, self.session.status.step
            self.banner.tell(f"{name} was stopped at step {step:,}; it can be resumed from the library.", "note")

    def _ended(self) -> None:
        if self.closing:
            QTimer.singleShot(0, self.close)

    def _show_undo(self, _=None) -> None:
        buttons = self.workspace.titles["knobs"].buttons
        for name, able in (("undo", self.session.can_undo()), ("redo", self.session.can_redo())):
            buttons[name].setEnabled(able)
            self.commands[name].setEnabled(able)
        self._show_used()

    def _show_used(self) -> None:
        status = self.session.status
        self.workspace.knobs.show_used(status.controls if status.state in ("running", "paused") else None)

    def _show_history(self) -> None:
        session = self.session
        self.workspace.timeline.show_history(session.history, session.status.steps)
        self._mark_curves()

    def _clear(self) -> None:
        self._to_curves("clear")
        self._marked = 0
        self.workspace.present(None)
        self._show_history()

    # what the user asks

    def new_demo(self) -> None:
        self.begin(self.demo, "demo", self.demo_folder)

    def begin(self, config: Config, name: str, folder: Path | None = None) -> None:
        """Train a config in a new run folder and show it."""
        self.banner.clear_error()
        self.show_workspace()
        self.session.start(config, folder or library.new_folder(name))

    def toggle(self) -> None:
        """Train, pause, go on or resume, whichever the state asks for."""
        session, state = self.session, self.session.status.state
        if state in ("running", "preparing"):
            session.go_on() if self.workspace.runbar.asked == "" else session.pause()
        elif state == "paused":
            session.go_on()
        elif session.resumable:
            self.banner.clear_error()
            session.resume(session.folder)
        elif state != "elsewhere":
            self._train_again()

    def _train_again(self) -> None:
        """The shown run anew, with the controls it began with and its own name; the demo where none is shown."""
        folder = self.session.folder
        if folder is None:
            self.new_demo()
        else:
            self.begin(self.session.begun_with, library.name_of(folder))

    def show_workspace(self) -> None:
        self.pages.setCurrentWidget(self.workspace)

    def show_start(self) -> None:
        self.start.show_recent(library.recent(self.settings))
        self.pages.setCurrentWidget(self.start)

    def choose_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, "Open motion capture", "", "Motion and poses (*.bvh *.amc *.asf *.npz *.h5 *.hdf5);;All files (*)"
        )
        self.open_paths([Path(name) for name in names])

    def choose_motion_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a folder of motion capture")
        self.open_paths([Path(name)] if name else [])

    def choose_run(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a run", str(library.runs_folder()))
        self.open_paths([Path(name)] if name else [])

    def open_path(self, path: Path, train: bool = False) -> None:
        self.open_paths([Path(path)], train)

    def open_paths(self, paths: list[Path], train: bool = False) -> None:
        """A run is shown (train: and goes on), keypoints lifted, poses lead to a new run, others to a sentence why."""
        from poseaug_studio.lift_opening import lifts
        from poseaug_studio.new_run import NewRunDialog
        from poseaug_studio.opening import kind_of

        if not paths or lifts(self, paths):
            return
        kind, sentence = kind_of(paths)
        if kind == "run":
            self.banner.hide()
            self.session.open(paths[0], resume=train).done.connect(lambda _: self.show_workspace())
        elif kind == "poses":
            self.banner.hide()
            dialog = NewRunDialog(paths, self.session, self.theme, self)
            dialog.begun.connect(self.begin)
            dialog.open()
        else:
            self.banner.tell(sentence)

    def open_library(self, page: str = "runs") -> None:
        """'runs' or 'tables'."""
        from poseaug_studio.library_window import LibraryWindow

        self.library = self.library or LibraryWindow(self)
        self.library.show_page(page)

    def export_figure(self) -> None:
        from poseaug_studio.saving import ExportDialog

        if self.session.run is None:
            self.banner.tell("There is no run to export from yet; train the demo or open a run first.")
            return
        ExportDialog(self.session, self.theme, self.selection, self).open()

    def copy_view(self) -> None:
        """The scene as it is on screen, to the clipboard."""
        QApplication.clipboard().setImage(self.view_image())
        self.banner.tell("The view is on the clipboard.", "note")

    def view_image(self):
        return self.workspace.panels["scene"].grab()

    # appearance

    def _chosen_theme(self) -> Theme:
        return {"dark": DARK, "light": LIGHT}.get(self.theme_choice) or style.system_theme()

    def set_theme(self, choice: str) -> None:
        """'dark', 'light' or 'system'."""
        self.theme_choice = choice
        self.settings.setValue("theme", choice)
        theme = self._chosen_theme()
        if theme is not self.theme:
            self.theme = theme
            style.apply(QApplication.instance(), theme)
            for part in (*map(self.pages.widget, range(self.pages.count())), self.banner):
                part.set_theme(theme)
            if self.library is not None:
                self.library.set_theme(theme)
            self.workspace.knobs.show_controls(self.session.controls)

    def open_palette(self) -> None:
        self.palette_box = CommandPalette(self.commands)
        self.palette_box.open()

    def open_shortcuts(self) -> None:
        self.shortcut_list = ShortcutList(self.commands)
        self.shortcut_list.open()

    def fill_recent(self, menu: QMenu) -> None:
        menu.clear()
        for entry in library.recent(self.settings):
            menu.addAction(f"{caption(entry.folder.name)}    {caption(entry.words)}").triggered.connect(
                lambda _=False, folder=entry.folder: self.open_path(folder)
            )
        if menu.isEmpty():
            menu.addAction("No runs yet").setEnabled(False)

    def about(self) -> None:
        show_about(self)

    # layout and closing

    def _restore(self) -> None:
        screen = self.screen().availableGeometry()
        geometry = self.settings.value("geometry")
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(min(1600, screen.width()), min(1000, screen.height()))
        docks, split = self.settings.value("docks"), self.settings.value("split")
        if (
            docks is None
            or self.settings.value("layout", type=int) != LAYOUT
            or not self.workspace.restore(docks, split)
        ):
            self.workspace.default_layout()

    def reset_layout(self) -> None:
        self.workspace.default_layout()

    def save_layout(self) -> None:
        docks, split = self.workspace.state()
        for key, value in (("geometry", self.saveGeometry()), ("docks", docks), ("split", split), ("layout", LAYOUT)):
            self.settings.setValue(key, value)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self.drop_frame.setGeometry(self.centralWidget().rect())
            self.drop_frame.raise_()
            self.drop_frame.show()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_frame.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        self.drop_frame.hide()
        event.acceptProposedAction()
        QTimer.singleShot(0, lambda: self.open_paths(paths))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask before a training is ended; then stop it, wait for its checkpoint, and leave no thread."""
        if not may_close(self):
            event.ignore()
            return
        self.save_layout()
        self.session.close()
        super().closeEvent(event)
