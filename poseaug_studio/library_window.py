"""The library: the runs on this machine, and the paper's tables made of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QTabWidget, QVBoxLayout

from poseaug_studio import library
from poseaug_studio.history import History
from poseaug_studio.library import Known
from poseaug_studio.metric_series import MetricSeries
from poseaug_studio.runs_page import RunsPage
from poseaug_studio.table_page import TablesPage
from poseaug_studio.theme import Theme

if TYPE_CHECKING:
    from poseaug_studio.window import StudioWindow


class LibraryWindow(QDialog):
    """Beside the studio's window, which shows what is opened here. Closed, it is only hidden, and a table goes on."""

    def __init__(self, window: StudioWindow):
        super().__init__(window, Qt.WindowType.Window)
        self.setWindowTitle("Library")
        self.window_ = window
        self.runs = RunsPage(window.session, window.settings, window.theme)
        self.tables = TablesPage(window.session, window.table_run, window.settings, window.theme)
        self.tabs = QTabWidget(documentMode=True)
        self.tabs.addTab(self.runs, "Runs")
        self.tabs.addTab(self.tables, "Tables")
        self.tabs.currentChanged.connect(lambda at: self.runs.read() if at == 0 else self.tables.read())
        for page in (self.runs, self.tables):
            page.opened.connect(self._open)
        self.runs.compared.connect(self._compare)
        self.runs.again.connect(self._again)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 0, 0)
        layout.addWidget(self.tabs)
        self.resize(min(1320, window.width() - 40), min(700, window.height() - 40))

    def show_page(self, name: str) -> None:
        """'runs' or 'tables'."""
        page = self.tables if name == "tables" else self.runs
        self.tabs.setCurrentWidget(page)
        page.read()
        self.show()
        self.raise_()
        self.activateWindow()

    def set_theme(self, theme: Theme) -> None:
        for page in (self.runs, self.tables):
            page.set_theme(theme)

    def _open(self, folder: str) -> None:
        self.close()
        self.window_.open_path(Path(folder))

    def _compare(self, folder: str) -> None:
        """Draw a run's curves under those of the window's run, out of whose way this window goes."""
        session, curves = self.window_.session, self.window_.workspace.panels.get("curves")
        opener = session.opener
        job = session.background(f"Reading {Path(folder).name}", lambda _: History.read(opener()(Path(folder))).series)
        name, shown = Path(folder).name, session.folder

        def draw(series: MetricSeries) -> None:
            if session.folder != shown:  # another run is shown by now
                return
            curves.compare(name, series)
            words = f"{name} is drawn in the curves, dotted; its cross in their legend removes it."
            self.window_.banner.tell(words, "note")

        if curves is not None:
            job.done.connect(draw)
            self.close()

    def _again(self, run: Known) -> None:
        from poseaug_studio.new_run import NewRunDialog

        window = self.window_
        name = library.name_of(run.folder)
        dialog = NewRunDialog([Path(run.config.source)], window.session, window.theme, self, run.config, name)
        dialog.begun.connect(window.begin)
        dialog.open()
