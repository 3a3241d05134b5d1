"""Application: Qt, the typeface, the theme and the window, in the order that puts it on screen soonest."""

from __future__ import annotations

import argparse
import signal

from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

from poseaug_studio import library, style
from poseaug_studio.session import Session
from poseaug_studio.theme import DARK, LIGHT
from poseaug_studio.window import StudioWindow


def make_application() -> QApplication:
    """The one QApplication; OpenGL contexts are shared, so that docks with views can float."""
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    app = QApplication.instance() or QApplication(["poseaug-studio"])
    app.setApplicationName("poseaug-studio")
    app.setApplicationDisplayName("")
    app.setOrganizationName("poseaug-studio")
    style.load_fonts()
    return app


def run(options: argparse.Namespace) -> int:
    app = make_application()
    if options.tour is not None:
        from poseaug_studio.tour import tour

        return tour(options.tour)
    settings = QSettings()
    choice = options.theme or settings.value("theme") or "system"
    style.apply(app, {"dark": DARK, "light": LIGHT}.get(choice) or style.system_theme())
    window = StudioWindow(Session(), settings, choice)
    window.start.show_recent(library.recent(settings))
    window.show()
    _follow_interrupts(window)
    if options.open is not None:
        QTimer.singleShot(0, lambda: window.open_path(options.open, options.train))
    elif options.demo:
        window.show_workspace()
        if options.train:
            QTimer.singleShot(0, window.new_demo)
    return app.exec()


def _follow_interrupts(window: StudioWindow) -> None:
    """Ctrl+C in the terminal closes the window as its close button does, without asking."""

    def close(*_) -> None:
        window.scripted = True
        window.close()

    signal.signal(signal.SIGINT, close)
    signal.signal(signal.SIGTERM, close)
    # Python sees a signal only when it runs: the timer lets it, once in a while.
    window.heartbeat = QTimer(window, interval=300)
    window.heartbeat.timeout.connect(lambda: None)
    window.heartbeat.start()
