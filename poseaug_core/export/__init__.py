"""The paper's figures as true vectors: one file a figure, drawn on a page and written as PDF, SVG or PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from poseaug_core.diversity import Views
from poseaug_core.errors import UserError
from poseaug_core.export import augmentation, curves, distributions, kcs, qualitative
from poseaug_core.export.page import FORMATS, WIDTHS, Page, check_target, drawing, save
from poseaug_core.export.shown import Shown
from poseaug_core.judged import judged_skeleton
from poseaug_core.palette import LIGHT, THEMES, Theme
from poseaug_core.snapshot import Snapshot

__all__ = ["FIGURES", "FORMATS", "WIDTHS", "Shown", "draw", "figure", "save", "width_of"]


class Kind(NamedTuple):
    """title: for menus. draw: onto a page. height: millimetres at a width. width: the default, millimetres."""

    title: str
    draw: Callable[[Page, Shown], None]
    height: Callable[[float, Shown], float]
    width: float


FIGURES: dict[str, Kind] = {
    "augmentation": Kind("Augmentation strip", augmentation.draw, augmentation.height, WIDTHS["double"]),
    "distributions": Kind("View points and positions", distributions.draw, distributions.height, WIDTHS["double"]),
    "kcs": Kind("Part-aware KCS", kcs.draw, kcs.height, WIDTHS["double"]),
    "curves": Kind("Training curves", curves.draw, curves.height, WIDTHS["double"]),
    "qualitative": Kind("Estimates beside the truth", qualitative.draw, qualitative.height, WIDTHS["double"]),
}


def draw(name: str, shown: Shown, theme: Theme = LIGHT, width_mm: float | str | None = None) -> Figure:
    """The figure of that name, not yet written; width_mm in millimetres, 'single' or 'double' columns.

    Raises UserError for unknown names and for widths outside 60..400 mm. Safe in any thread.
    """
    if name not in FIGURES:
        raise UserError(f"There is no figure {name!r}; choose one of {', '.join(FIGURES)}.")
    kind = FIGURES[name]
    width = width_of(kind.width if width_mm is None else width_mm)
    with drawing():
        page = Page(width, kind.height(width, shown), theme)
        kind.draw(page, shown)
    return page.figure


def figure(
    run: Any,
    name: str,
    out: str | Path,
    *,
    snapshot: str | int | Snapshot = "last",
    row: int = 0,
    rows: Sequence[int] | None = None,
    columns: Mapping[str, str | int | Snapshot | Views] | None = None,
    smoothing: float = 0.0,
    width_mm: float | str | None = None,
    dpi: int = 300,
    theme: str | Theme = "light",
) -> Path:
    """Write one of FIGURES of a run (read, steps, metrics, config) to ``out``, whole or not at all; return its path.

    snapshot: 'last', 'first', a training step (the last one recorded up to it) or a Snapshot.
    rows: probe poses, in place of the single ``row``. columns: title -> snapshot (as above), or views of a baseline,
    for more columns of 'distributions'. dpi: of PNG only. Raises UserError for whatever of these cannot be used.
    """
    out = check_target(Path(out), dpi)
    if not isinstance(theme, Theme) and theme not in THEMES:
        raise UserError(f"There is no theme {theme!r}; choose one of {', '.join(THEMES)}.")
    if name not in FIGURES:
        raise UserError(f"There is no figure {name!r}; choose one of {', '.join(FIGURES)}.")
    curves_of = name == "curves"
    shown = Shown(
        snapshot=read_snapshot(run, snapshot),
        rows=(row,) if rows is None else tuple(rows),
        columns={
            title: which if isinstance(which, Views) else read_snapshot(run, which)
            for title, which in (columns or {}).items()
        },
        metrics=run.metrics(since=0)[0] if curves_of else (),
        controls=_controls(run) if curves_of else {},
        smoothing=smoothing,
        skeleton=judged_skeleton(run.config),
        config=run.config,
    )
    return save(draw(name, shown, theme if isinstance(theme, Theme) else THEMES[theme], width_mm), out, dpi)


def read_snapshot(run: Any, which: str | int | Snapshot) -> Snapshot:
    """'last', 'first' or a training step (the last one recorded up to it) of a run; a Snapshot is itself."""
    if isinstance(which, Snapshot):
        return which
    steps = [int(step) for step in run.steps()]
    if not steps:
        raise UserError(run.superseded or f"{run.path} holds no snapshots yet; train it for a moment first.")
    if which in ("first", "last"):
        return run.read(0 if which == "first" else len(steps) - 1)
    if not str(which).isdecimal():
        raise UserError(f"{which!r} names no snapshot; give first, last or a training step.")
    if int(which) < steps[0]:
        raise UserError(f"Nothing was recorded by step {which}; the first snapshot is of step {steps[0]}.")
    if int(which) > steps[-1]:
        raise UserError(f"Nothing was recorded after step {steps[-1]}; give that or an earlier one, not {which}.")
    if int(which) > steps[-1]:
        raise UserError(f"Nothing was recorded after step {steps[-1]}; give that or an earlier one, not {which}.")
    return run.read(sum(step <= int(which) for step in steps) - 1)


def _controls(run: Any) -> dict[str, np.ndarray]:
    """Controls by recorded step; a run that still trains may have recorded one more step in between."""
    controls = run.series("controls")
    count = min((len(values) for values in controls.values()), default=0)
    return {**controls, "step": np.asarray(run.steps())[:count]}


def width_of(width: float | str) -> float:
    """Millimetres of a width: a number, its text, 'single' or 'double' columns. UserError outside 60 to 400."""
    if isinstance(width, str) and width not in WIDTHS:
        try:
            width = float(width)
        except ValueError:
            raise UserError(f"{width!r} is no width; give millimetres, {' or '.join(WIDTHS)}.") from None
    width = WIDTHS.get(width, width) if isinstance(width, str) else width
    if not 60 <= width <= 400:
        raise UserError(f"A width of {width:g} mm is outside 60 to 400; give 85 (single) or 175 (double column).")
    return float(width)
