"""What each panel of the window costs, for the studio benchmark: its paintEvent is timed from outside."""

from __future__ import annotations

import time
from collections import defaultdict

import pyqtgraph

from poseaug_studio.distribution_columns import Columns
from poseaug_studio.kcs import KcsPanel
from poseaug_studio.legend import Legend
from poseaug_studio.projection import ProjectionStrip, StageTitles
from poseaug_studio.samples import ThumbnailStrip
from poseaug_studio.timeline import Track
from poseaug_studio.views_painter import PainterViews

PANELS = {
    "views": PainterViews, "projections": ProjectionStrip, "titles": StageTitles, "samples": ThumbnailStrip,
    "kcs": KcsPanel, "curves": pyqtgraph.GraphicsView, "legend": Legend, "distributions": Columns,
    "timeline": Track,
}  # fmt: skip


class PaintCosts:
    """Processor seconds of the GUI thread in each panel's paintEvent, and when each was done; to be made first."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)
        self.ends: dict[str, list[float]] = defaultdict(list)
        for name, panel in PANELS.items():
            panel.paintEvent = self._timed(name, panel.paintEvent)

    def _timed(self, name: str, paint):
        def painted(panel, event) -> None:
            began = time.thread_time()
            paint(panel, event)
            self.seconds[name] += time.thread_time() - began
            self.ends[name].append(time.perf_counter())

        return painted

    def clear(self) -> None:
        self.seconds.clear()
        self.ends.clear()
