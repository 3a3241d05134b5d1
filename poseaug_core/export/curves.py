"""Training curves: losses, discriminator accuracies, hardness in its beta band, and MPJPE."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from poseaug_core.controls import KNOBS
from poseaug_core.export.page import SMALL, TITLE, Page, panel_colour, style_axes, text_width
from poseaug_core.export.shown import Shown
from poseaug_core.palette import STAGE_TITLES, Theme, mix

EDGE, GAP, HEAD, TALL, FOOT, LEGEND = 1.5, 7.0, 6.5, 34.0, 10.5, 3.6  # millimetres
LEFT, RIGHT = 8.0, 2.0  # room for the numbers of the upright axis, and for half the last of the other
LOSSES = {
    "augmentor": "augmentor", "adversarial3d": "3D adv.", "adversarial2d": "2D adv.",
    "feedback": "feedback", "feedback_ba": "feedback BA", "feedback_rt": "feedback RT", "range_ba": "BA range",
    "limit_bl": "BL limit", "d3d": "D 3D", "d2d": "D 2D",
}  # fmt: skip
ACCURACIES = {"d3d_real": "3D, real", "d3d_fake": "3D, augmented", "d2d_real": "2D, real", "d2d_fake": "2D, augmented"}

Series = tuple[np.ndarray, np.ndarray]


def _across(width: float) -> int:
    return 2 if width > 120 else 1


def height(width: float, shown: Shown) -> float:
    return 2 * EDGE + (4 // _across(width)) * (HEAD + 2 * LEGEND + TALL + FOOT) - 2


def draw(page: Page, shown: Shown) -> None:
    across = _across(page.width)
    panel = (page.width - 2 * EDGE - RIGHT - (across - 1) * GAP) / across - LEFT
    series = series_of(shown.metrics)
    iterations = _iterations(series, shown.snapshot.step)
    for number, (title, unit, plot) in enumerate(
        (
            ("Losses", "", _losses),
            ("Discriminator accuracy", "share judged rightly", _accuracies),
            ("Hardness", "augmented / original error, with the band beta ± tolerance", _hardness),
            ("MPJPE", "mm", _errors),
        )
    ):
        left = EDGE + LEFT + number % across * (panel + LEFT + GAP)
        top = EDGE + number // across * (HEAD + 2 * LEGEND + TALL + FOOT)
        page.text(left, top, title, TITLE, weight="semibold")
        if panel > 60:
            page.text(left + panel, top + 0.4, unit, SMALL, page.theme.muted, ha="right")
        axes = page.axes(left, top + HEAD + 2 * LEGEND, panel, TALL, filled=True)
        style_axes(axes, page.theme)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
        handles = plot(axes, series, shown, page.theme)
        _finish(axes, shown, page.theme, iterations)
        if not handles:
            axes.text(0.5, 0.5, "nothing recorded yet", transform=axes.transAxes, ha="center", va="center",
                      color=page.theme.muted, fontsize=SMALL)  # fmt: skip
        _legend(page, handles, left, top + HEAD - 1.2, panel)


def series_of(metrics) -> dict[str, Series]:
    """name -> (steps, values) of rows {step, kind, values}; numbers that were not finite are left out."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in metrics:
        for name, value in row["values"].items():
            if value is not None and np.isfinite(value):
                points.setdefault(name, []).append((row["step"], value))
    return {name: tuple(np.array(found, float).T) for name, found in points.items()}


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving average without the bias of its start: ``weight`` is the share of the past, 0 for none."""
    out, mean, total = np.empty(len(values)), 0.0, 0.0
    for i, value in enumerate(values):
        mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        out[i] = mean / total
    return out


def _plot(axes: Axes, series: Series, smoothing: float, theme: Theme, colour: str, dashed: bool = False, **style):
    """A curve; smoothed ones keep their raw values as a pale line behind them."""
    steps, values = series
    if smoothing and len(values) > 1:
        axes.plot(steps, values, color=mix(colour, panel_colour(theme), 0.72), linewidth=0.5, zorder=2)
        values = smoothed(values, smoothing)
    line = (0, (2.5, 1.2)) if dashed else "-"
    axes.plot(steps, values, color=colour, linewidth=0.9, linestyle=line, zorder=3, solid_capstyle="round", **style)


def _losses(axes: Axes, series: Mapping[str, Series], shown: Shown, theme: Theme) -> list:
    stage = theme.stage
    colours = {
        "augmentor": theme.text, "adversarial3d": theme.accent, "adversarial2d": theme.good, "feedback_ba": stage("ba"),
        "feedback": stage("rt"), "feedback_rt": stage("rt"), "range_ba": stage("ba"), "limit_bl": stage("bl"),
        "d3d": theme.bad, "d2d": theme.bad,
    }  # fmt: skip
    handles, positive = [], False
    for name, label in LOSSES.items():
        found = series.get(f"loss/{name}")
        if found is not None and len(found[0]):
            dashed = name in ("range_ba", "adversarial2d", "d2d")
            _plot(axes, found, shown.smoothing, theme, colours[name], dashed)
            handles.append((label, colours[name], dashed))
            positive = positive or bool((found[1] > 0).any())
    if positive:
        axes.set_yscale("log")
        axes.minorticks_off()
    return handles


def _accuracies(axes: Axes, series: Mapping[str, Series], shown: Shown, theme: Theme) -> list:
    handles = []
    for name, label in ACCURACIES.items():
        if f"accuracy/{name}" in series:
            colour, dashed = (theme.real, theme.stage("rt"))[name.endswith("fake")], name.startswith("d2d")
            _plot(axes, series[f"accuracy/{name}"], shown.smoothing, theme, colour, dashed)
            handles.append((label, colour, dashed))
    axes.axhline(0.5, color=theme.muted, linewidth=0.5, linestyle=(0, (1, 2)), zorder=1)
    axes.set_ylim(0, 1.02)
    return handles


def _hardness(axes: Axes, series: Mapping[str, Series], shown: Shown, theme: Theme) -> list:
    handles = []
    for stage in ("rt", "ba"):  # the wider band behind
        if f"hardness/{stage}" not in series:
            continue
        steps, colour = series[f"hardness/{stage}"][0], theme.stage(stage)
        beta, tolerance = (_control(shown, f"{name}_{stage}", steps) for name in ("beta", "tolerance"))
        if beta is not None and tolerance is not None:
            band = mix(panel_colour(theme), colour, 0.14)
            low, high = np.maximum(beta - tolerance, 0), beta + tolerance
            axes.fill_between(steps, low, high, color=band, linewidth=0, zorder=1)
            axes.plot(steps, beta, color=mix(panel_colour(theme), colour, 0.55), linewidth=0.6,
                      linestyle=(0, (1, 1.6)), zorder=1.5)  # fmt: skip
        elif stage == "rt" and (beta := _control(shown, "beta", steps)) is not None:
            # Eq. 9 as printed: a loss beta times the original's is an error about sqrt(beta) times as large.
            axes.plot(steps, np.sqrt(beta), color=mix(panel_colour(theme), colour, 0.55), linewidth=0.6,
                      linestyle=(0, (1, 1.6)), zorder=1.5)  # fmt: skip
        _plot(axes, series[f"hardness/{stage}"], shown.smoothing, theme, colour)
        handles.append((STAGE_TITLES[stage], colour, False))
    axes.set_ylim(bottom=0)
    return handles[::-1]


def _control(shown: Shown, name: str, steps: np.ndarray) -> np.ndarray | None:
    """A control at each of the steps: as recorded, else the snapshot's throughout; None where the run reads none."""
    if not KNOBS[name].in_use(shown.config):
        return None
    if name in shown.controls and len(shown.controls["step"]):
        return np.interp(steps, shown.controls["step"], np.asarray(shown.controls[name], float))
    value = shown.snapshot.controls.get(name)
    return None if value is None else np.full(len(steps), float(value))


def _errors(axes: Axes, series: Mapping[str, Series], shown: Shown, theme: Theme) -> list:
    """Errors under the protocol of 16 joints: dashed on the source's test set, solid on each cross set."""
    end, handles = "/poseaug16/mpjpe", []
    names = sorted((name for name in series if name.endswith(end)), key=lambda name: not name.startswith("source"))
    others = [theme.stage("rt"), theme.stage("bl"), theme.stage("ba"), theme.bad]
    crossed = 0
    for name in names:
        source = name.startswith("source")
        colour = theme.real if source else others[crossed % len(others)]
        crossed += not source
        _plot(axes, series[name], 0.0, theme, colour, marker="o", markersize=1.6)
        steps, values = series[name]
        best = int(values.argmin())
        axes.plot(steps[best], values[best], "o", markersize=3.8, markerfacecolor="none", markeredgecolor=colour,
                  markeredgewidth=0.7, zorder=4)  # fmt: skip
        side = "center" if steps[best] < steps[0] + 0.93 * np.ptp(steps) else "right"
        axes.annotate(f"{values[best]:.1f}", (steps[best], values[best]), (0, -4.5), textcoords="offset points",
                      ha=side, va="top", fontsize=SMALL, color=colour)  # fmt: skip
        handles.append((name.removesuffix(end).replace("_", " "), colour, False))
    axes.margins(y=0.18)
    return handles


def _iterations(series: Mapping[str, Series], step: int) -> tuple[float, float]:
    """The range of iterations that every panel shows, so that a moment lies at one place in all."""
    ends = [end for steps, _ in series.values() for end in (steps[0], steps[-1])]
    low, high = min([step, *ends]), max([step, *ends])
    return low - 0.01 * (high - low or 1), high + 0.01 * (high - low or 1)


def _finish(axes: Axes, shown: Shown, theme: Theme, iterations: tuple[float, float]) -> None:
    axes.axvline(shown.snapshot.step, color=mix(theme.muted, panel_colour(theme), 0.45), linewidth=0.5, zorder=1)
    axes.set_xlim(iterations)
    axes.set_xlabel("iteration", labelpad=1)


def _legend(page: Page, handles: list, left: float, top: float, width: float) -> None:
    """Short strokes and names in two lines at most, above the axes."""
    x, y = left, top
    for label, colour, dashed in handles:
        wide = 3.5 + text_width(label, SMALL) + 2.2
        if x + wide > left + width + 1:
            x, y = left, y + LEGEND
        strokes = ((0, 1.1), (1.6, 1.1)) if dashed else ((0, 2.7),)
        for start, length in strokes:
            page.swatch(x + start, y + 1.25, length, 0.45, colour)
        page.text(x + 3.5, y, label, SMALL, page.theme.muted)
        x += wide
