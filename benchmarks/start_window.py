"""One start of benchmarks.start: the studio trains the demo until it is seen; prints when each part was there.

python -m benchmarks.start_window SECONDS, the time (since the epoch) at which the process was started.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QSettings, QTimer

from poseaug_core.demo import demo_config
from poseaug_core.live import ENDED
from poseaug_studio.application import make_application
from poseaug_studio.session import Session
from poseaug_studio.window import StudioWindow

#: Seconds after which the start is given up.
PATIENCE = 120


class Start(QObject):
    """Watches a window come up and notes the seconds since ``began``."""

    def __init__(self, window: StudioWindow, session: Session, began: float):
        super().__init__()
        self.window, self.session, self.began = window, session, began
        self.times: dict[str, float] = {}
        window.centralWidget().installEventFilter(self)
        window.workspace.built.connect(lambda: self.note("panels_s"))
        session.snapshot_changed.connect(self._snapshot)

    def note(self, part: str) -> None:
        self.times.setdefault(part, time.time() - self.began)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and "first_paint_s" not in self.times:
            QTimer.singleShot(0, lambda: self.note("first_paint_s"))
        return False

    def _snapshot(self, snapshot) -> None:
        """Two turns of the event loop later what it asked to be painted is."""
        part = "augmented_s" if snapshot.step else "poses_s"
        QTimer.singleShot(0, lambda: QTimer.singleShot(0, lambda: self._shown(part)))

    def _shown(self, part: str) -> None:
        if "scene" in self.window.workspace.panels and self.window.workspace.panels["scene"].figures:
            self.note("poses_s")
            self.note(part)

    def look(self) -> bool:
        """Whether all has been seen."""
        if hasattr(sys.modules.get("poseaug_core.trainer"), "Trainer"):
            self.note("torch_s")
        if self.session.live is not None and self.session.live.status.step:
            self.note("training_s")
        if self.session.status.state in ENDED:
            raise SystemExit(f"the demo ended: {self.session.status.message}")
        return "augmented_s" in self.times and "panels_s" in self.times


def main() -> None:
    began = float(sys.argv[1])
    application = make_application()
    with tempfile.TemporaryDirectory() as folder:
        session = Session()
        settings = QSettings(str(Path(folder) / "studio.ini"), QSettings.Format.IniFormat)
        window = StudioWindow(session, settings, scripted=True)
        start = Start(window, session, began)
        start.note("qt_s")
        window.resize(1600, 1000)
        window.show_workspace()
        window.show()
        QTimer.singleShot(0, lambda: window.begin(demo_config(), "benchmark", Path(folder) / "run"))
        QTimer.singleShot(1000 * PATIENCE, lambda: application.exit(1))
        timer = QTimer(interval=5)
        timer.timeout.connect(lambda: start.look() and application.exit(0))
        timer.start()
        late = application.exec()
        timer.stop()
        session.close()
        window.close()
    if late:
        raise SystemExit(f"gave up after {PATIENCE} s at {start.times}")
    print(json.dumps(start.times))


if __name__ == "__main__":
    main()
