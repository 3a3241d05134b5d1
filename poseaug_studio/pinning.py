"""Pinning: the column of a baseline beside the run's distributions, computed beside the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poseaug_studio.distributions import BASELINES, DistributionsPanel
from poseaug_studio.jobs import Job, Progress

if TYPE_CHECKING:
    from poseaug_studio.session import Session


def pin_baseline(session: Session, panel: DistributionsPanel, name: str) -> Job | None:
    """Make one of BASELINES of the shown run's source, and its column once it is there; None where there is no run."""
    run = session.run
    if run is None:
        session.failed.emit("There is no recorded run yet whose poses a baseline could augment; train for a moment.")
        return None

    def work(progress: Progress):
        from poseaug_core.export.baseline_columns import baseline_columns

        (views,) = baseline_columns(run, (name,), progress).values()
        return views

    job = session.background(f"Augmenting by {BASELINES[name]}", work)
    folder = session.folder

    def pin(views) -> None:
        if session.folder == folder:  # else another run, of another source, is shown by now
            panel.pin_baseline(name, views)

    job.done.connect(pin)
    return job
