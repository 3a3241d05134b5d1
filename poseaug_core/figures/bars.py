"""Grouped bars with their spread over seeds and the published figures as marks, on a page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from poseaug_core.export.page import NORMAL, SMALL, TITLE, Page, drawing, style_axes, text_width
from poseaug_core.palette import Theme, mix

EDGE, HEAD, PLOT, GAP, LABELS = 3.0, 6.0, 48.0, 9.0, 8.0  # millimetres
VALUE = 5.3  # points: three numbers of five signs fit over a group of bars


@dataclass(frozen=True)
class Bar:
    """mean and sd over seeds (None where nothing is done, where there is one seed), published: a mark beside."""

    mean: float | None
    sd: float | None
    published: float | None


@dataclass(frozen=True)
class Panel:
    """bars: group -> arm -> Bar. mark: what the legend says of the published figures."""

    title: str
    mark: str
    bars: Mapping[str, Mapping[str, Bar]]


def draw_bars(panels: Sequence[Panel], arms: Mapping[str, str], note: str, theme: Theme, width_mm: float) -> Figure:
    """A figure of panels beside each other; arms: key -> text of the legend, in the order of the bars."""
    colours = (mix(theme.stage("original"), theme.background, 0.55), theme.stage("original"), theme.stage("rt"))
    ink = dict(zip(arms, colours, strict=True))
    with drawing():
        notes = textwrap.wrap(note, int((width_mm - 2 * EDGE) * 0.95))
        page = Page(width_mm, 2 * EDGE + HEAD + PLOT + LABELS + 5 + 3.2 * len(notes), theme)
        each = (width_mm - 2 * EDGE - LABELS - (len(panels) - 1) * (GAP + LABELS)) / len(panels)
        for number, panel in enumerate(panels):
            left = EDGE + LABELS + number * (each + GAP + LABELS)
            page.text(left, EDGE, panel.title, TITLE, weight="semibold")
            _panel(page, left, EDGE + HEAD, each, panel, arms, ink)
        top = EDGE + HEAD + PLOT + LABELS
        _legend(page, top, panels, arms, ink)
        for number, line in enumerate(notes):
            page.text(EDGE + LABELS, top + 5 + 3.2 * number, line, SMALL, theme.muted)
    return page.figure


def _panel(page: Page, left: float, top: float, width: float, panel: Panel, arms, ink: dict[str, str]) -> None:
    theme, each = page.theme, 0.8 / len(arms)
    axes = page.axes(left, top, width, PLOT)
    axes.set(xticks=range(len(panel.bars)), xlim=(-0.55, len(panel.bars) - 0.45))
    axes.set_xticklabels(panel.bars)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    style_axes(axes, theme, grid=False)
    axes.grid(True, axis="y", color=mix(theme.line, theme.surface, 0.35), linewidth=0.4)
    axes.tick_params(axis="x", length=0, labelcolor=theme.text, labelsize=NORMAL)
    tops = [0.0]
    for number, bars in enumerate(panel.bars.values()):
        for k, arm in enumerate(arms):
            bar, x = bars.get(arm, Bar(None, None, None)), number + (k - (len(arms) - 1) / 2) * each
            if bar.mean is not None:
                axes.bar(x, bar.mean, each * 0.86, color=ink[arm], linewidth=0)
                reach = bar.mean + (bar.sd or 0.0)
                if bar.sd is not None:
                    axes.plot([x, x], [bar.mean - bar.sd, reach], color=theme.text, linewidth=0.6)
                text = f"{bar.mean:.{1 if bar.mean < 1000 else 0}f}"
                axes.annotate(text, (x, reach), (0, 1.5), textcoords="offset points", ha="center",
                              fontsize=VALUE, color=theme.text)  # fmt: skip
                tops.append(reach)
            if bar.published is not None:
                axes.plot(x, bar.published, "D", markersize=3, markerfacecolor=theme.surface,
                          markeredgecolor=theme.text, markeredgewidth=0.6, zorder=5)  # fmt: skip
                tops.append(bar.published)
    axes.set_ylim(0, 1.12 * max(tops) or 1.0)


def _legend(page: Page, top: float, panels: Sequence[Panel], arms: Mapping[str, str], ink: dict[str, str]) -> None:
    left = EDGE + LABELS
    for arm, text in arms.items():
        page.swatch(left, top + 0.4, 2.4, 1.9, ink[arm])
        page.text(left + 3.2, top, text, SMALL, page.theme.text)
        left += 3.2 + text_width(text, SMALL) + 4
    marks = " and ".join(dict.fromkeys(panel.mark.removeprefix("published, on ") for panel in panels))
    if any(bar.published is not None for panel in panels for bars in panel.bars.values() for bar in bars.values()):
        page.text(left, top, f"◇ published, on {marks}", SMALL, page.theme.text)
