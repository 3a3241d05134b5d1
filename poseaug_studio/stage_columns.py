"""The columns that the title row, the 3D views and the 2D projections of the scene share: four, one a stage."""

from __future__ import annotations

#: Pixels of the hairline between two columns.
GAP = 1


def columns(width: int, count: int = 4) -> list[tuple[int, int]]:
    """(x, width) in pixels of the cards side by side in a widget of that width."""
    edges = [round(i * (width + GAP) / count) for i in range(count + 1)]
    return [(left, max(1, right - GAP - left)) for left, right in zip(edges, edges[1:], strict=False)]


def column_at(x: float, width: int) -> int | None:
    """The column under a pixel, None in a gap."""
    return next((i for i, (left, wide) in enumerate(columns(width)) if left <= x < left + wide), None)
