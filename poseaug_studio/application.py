"""Application: Qt, the typeface, the theme and the window, in the order that puts it on screen soonest."""

from __future__ import annotations

import argparse
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QSettings, QSocketNotifier, Qt, QTimer
from PySide6.QtWidgets import QApplication

from poseaug_core.signals import Asked, stopping
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
    if options.open is not None:
        QTimer.singleShot(0, lambda: window.open_path(options.open, options.train))
    elif options.demo:
        window.show_workspace()
        if options.train:
            QTimer.singleShot(0, window.new_demo)
    with following_signals(window) as asked:
        code = app.exec()
    return asked.code or code


#: Said on the terminal when a signal asks for the end.
STOPPING = "\nStopping; what trains is saved. The same signal again ends at once.\n"


@contextmanager
def following_signals(window: StudioWindow) -> Iterator[Asked]:
    """Within it Ctrl+C, SIGTERM and SIGHUP close the window without asking: what trains ends after its step, with a
    checkpoint. The same signal again ends at once.

    Python sees a signal only when it runs, and the event loop is not Python: a byte in a socket wakes it.
    """
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    notifier = QSocketNotifier(ours.fileno(), QSocketNotifier.Type.Read, window)
    notifier.activated.connect(lambda *_: ours.recv(64))
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        # Closed by the event loop, not within whatever runs at this moment.
        with stopping(lambda: QTimer.singleShot(0, lambda: _close(window)), words=STOPPING) as asked:
            yield asked
    finally:
        signal.set_wakeup_fd(before)
        notifier.setEnabled(False)
        ours.close()
        theirs.close()


def _close(window: StudioWindow) -> None:
    """Close menus and dialogs over the window, then the window as its close button does, without asking."""
    for find in (QApplication.activePopupWidget, QApplication.activeModalWidget):
        while (over := find()) is not None and over is not window and over.close():
            pass
    window.scripted = True
    window.close()
