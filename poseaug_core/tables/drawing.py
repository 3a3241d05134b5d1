"""A table drawn on a page, for PDF: rules of a printed table, ours beside the paper's."""

from __future__ import annotations

import textwrap

import matplotlib
from matplotlib.figure import Figure as Sheet

from poseaug_core.export.page import NORMAL, SMALL, TITLE, WIDTHS, Page, drawing, text_width
from poseaug_core.palette import LIGHT
from poseaug_core.tables.result import Result
from poseaug_core.tables.texts import ours, published

EDGE, LINE, PAD, GAP = 4.0, 4.6, 1.2, 3.0  # millimetres: margin, a table line, around a cell, between cells


def draw(result: Result) -> Sheet:
    """The page, as wide as its table needs and no narrower than two columns of a paper."""
    # A '$' in the name of a set is no formula.
    with drawing(), matplotlib.rc_context({"text.parse_math": False}):
        cells = _cells(result)
        widths = [max(text_width(line[k] or "-", NORMAL) for line in cells) + GAP for k in range(len(cells[0]))]
        width = max(sum(widths) + 2 * EDGE, WIDTHS["double"])
        told = [f"{name}: {text}" for name, text in result.facts]
        below = _wrapped([*result.order, *result.notes], width)
        above = _wrapped(told, width)
        height = 2 * EDGE + 8 + LINE * (len(cells) + 1) + 3.2 * (len(above) + len(below)) + 8
        page = Page(width, height, LIGHT)
        page.text(EDGE, EDGE, result.title, TITLE, weight="semibold")
        top = EDGE + 6
        for line in above:
            page.text(EDGE, top, line, SMALL, page.theme.muted)
            top += 3.2
        top = _draw_table(page, result, cells, widths, top + 2)
        for line in below:
            page.text(EDGE, top, line, SMALL, page.theme.muted)
            top += 3.2
    return page.figure


def _wrapped(sentences: list[str], width: float) -> list[str]:
    """Lines that fit the page; a line of small type has about 0.95 characters a millimetre."""
    return [line for sentence in sentences for line in textwrap.wrap(sentence, int((width - 2 * EDGE) * 0.95))]


def _cells(result: Result) -> list[list[str]]:
    """Texts, the heading first."""
    marks = result.table.marks
    heading = ["Method", *marks]
    for head, _ in result.heads:
        heading += [head, "paper"]
    lines = [heading]
    for row, figures in zip(result.table.rows, result.figures, strict=True):
        line = [row.label, *("✓" if mark in row.marks else "" for mark in marks)]
        for figure in figures:
            line += [ours(figure), published(figure)]
        lines.append(line)
    return lines


def _draw_table(page: Page, result: Result, cells: list[list[str]], widths: list[float], top: float) -> float:
    """Rules and texts; the first column to the left, marks centred, figures to the right. Gives the end."""
    inner = page.width - 2 * EDGE
    stretch = inner / sum(widths)
    widths = [width * stretch for width in widths]
    marks = len(result.table.marks)

    def rule(at: float, thick: float) -> None:
        page.swatch(EDGE, at, inner, thick, page.theme.text)

    rule(top, 0.3)
    for number, line in enumerate(cells):
        left = EDGE
        for k, (text, width) in enumerate(zip(line, widths, strict=True)):
            where, how = (
                (left, "left") if k == 0 else (left + width / 2, "center") if k <= marks else (left + width, "right")
            )
            paper = k > marks and (k - marks) % 2 == 0
            colour = page.theme.muted if paper else page.theme.text
            weight = "semibold" if number == 0 or _is_best(result, number - 1, k - 1 - marks) else "regular"
            page.text(where, top + PAD, text, NORMAL, colour, ha=how, weight=weight)
            left += width
        top += LINE
        if number == 0:
            rule(top, 0.15)
    rule(top, 0.3)
    return top + 3


def _is_best(result: Result, row: int, k: int) -> bool:
    if k < 0:
        return False
    figure = result.figures[row][k // 2]
    return figure.best_published if k % 2 else figure.best
