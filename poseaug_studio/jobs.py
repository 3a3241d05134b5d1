"""Jobs: long work beside the window (converting, exporting, opening), with progress, ETA and cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from poseaug_core.errors import Cancelled, UserError
from poseaug_core.plain_text import named_error

#: Told the fraction done and what is being done; answers False once the user cancelled.
Progress = Callable[[float, str], bool]


class Job(QObject):
    """One piece of work on a thread of its own; its signals come from ``poll``, so in the GUI thread.

    work(progress) returns the result. quiet: not worth a place in the job bar.
    A UserError's sentence is told as it is; any other exception means a bug and is told with its name.
    """

    done = Signal(object)
    failed = Signal(str)
    ended = Signal()

    def __init__(self, title: str, work: Callable[[Progress], Any], parent: QObject | None = None):
        super().__init__(parent)
        self.title, self.share, self.text = title, 0.0, ""
        self.cancelled = self.quiet = False
        self._work, self._started = work, time.monotonic()
        self._outcome: tuple[str, Any] | None = None
        self._thread = threading.Thread(target=self._run, name=f"job {title}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = "done", self._work(self._progress)
        except Cancelled:
            self._outcome = "cancelled", None
        except UserError as error:
            self._outcome = "failed", str(error)
        except Exception as error:
            self._outcome = "failed", f"{self.title} failed: {named_error(error)}."

    def _progress(self, share: float, text: str = "") -> bool:
        self.share, self.text = min(max(share, 0.0), 1.0), text
        return not self.cancelled

    @property
    def running(self) -> bool:
        return self._outcome is None

    @property
    def eta(self) -> float | None:
        """Seconds left, None while unknown."""
        if self.share < 0.02:
            return None
        return (time.monotonic() - self._started) * (1 - self.share) / self.share

    def cancel(self) -> None:
        self.cancelled = True

    def poll(self) -> bool:
        """Tell the outcome once there is one; True when the job is over."""
        if self._outcome is None:
            return False
        self._thread.join()
        kind, result = self._outcome
        if kind == "done" and not self.cancelled:
            self.done.emit(result)
        elif kind == "failed":
            self.failed.emit(result)
        self.ended.emit()
        return True

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)
