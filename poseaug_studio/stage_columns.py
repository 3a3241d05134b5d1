"""The four columns that the title row, the 3D views and the 2D projections of the scene share."""

from __future__ import annotations

#: Pixels of the hairline between two columns.
GAP = 1


def columns(width: int) -> list[tuple[int, int]]:
    """(x, width) in pixels of the four stage cards in a widget of that width."""
    edges = [round(i * (width + GAP) / 4) for i in range(5)]
    return [(left, max(1, right - GAP - left)) for left, right in zip(edges, edges[1:], strict=False)]


def column_at(x: float, width: int) -> int | None:
    """The column under a pixel, None in a gap."""
    return next((i for i, (left, wide) in enumerate(columns(width)) if left <= x < left + wide), None)
