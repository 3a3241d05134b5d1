"""Columns of Fig. 7 that a run has not recorded: what baselines make of its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from poseaug_core.baselines.views import TITLES, baseline_views
from poseaug_core.datasets import load_data, require_same_data
from poseaug_core.diversity import Views
from poseaug_core.export import read_snapshot


def baseline_columns(
    run: Any, names: Sequence[str], progress: Callable[[float, str], bool] | None = None
) -> dict[str, Views]:
    """Title -> views, of as many poses of the run's source as its snapshots follow, so that entropies may be compared.

    names: of baselines.views.TITLES. Reads the run's data; progress(share, text) may return False to cancel (raises
    Cancelled). Raises UserError for unknown names, for data that cannot be read and for data that have changed.
    """
    count = len(read_snapshot(run, "last").translation)
    data = load_data(run.config, progress)
    require_same_data(data.summary(), run.data, str(run.path))
    return {TITLES.get(name, name): baseline_views(name, data.source, count, progress=progress) for name in names}
