"""How diverse view points and positions are: entropy of a histogram with fixed cells, and spread.

The cells never depend on the data, so that the numbers of two snapshots, runs or sets may be compared.
The entropy of n poses cannot exceed log2 n: compare sets of one size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Edges of the view-point cells, degrees: azimuth in steps of 15, elevation in steps of 10.
VIEW_EDGES = (np.arange(-180.0, 181.0, 15.0), np.arange(-90.0, 91.0, 10.0))
#: Side of a position cell, metres; cells start at the camera.
POSITION_CELL = 0.25


@dataclass(frozen=True)
class Views:
    """How m poses stand before their cameras. view_point: (m, 2) degrees, azimuth and elevation as in
    Snapshot.view_point. position: (m, 3) metres, the pelvis in the camera's frame."""

    view_point: np.ndarray
    position: np.ndarray


@dataclass(frozen=True)
class Diversity:
    """entropy in bits. spread: along the two axes, in degrees (view points) or metres (positions)."""

    entropy: float
    spread: tuple[float, float]


def entropy(share: np.ndarray) -> float:
    """Shannon entropy in bits of shares or counts of any shape; 0 for none at all."""
    share = np.asarray(share, dtype=np.float64).ravel()
    share = share[share > 0] / max(share.sum(), 1e-300)
    return float(-(share * np.log2(share)).sum()) + 0.0


def angular_deviation(degrees: np.ndarray) -> float:
    """Spread of directions on a circle in degrees, ``sqrt(2 (1 - R))`` with R the mean resultant length.

    Close to the standard deviation for small angles, 81 degrees at most, and blind to the cut at 180 degrees.
    """
    radians = np.radians(np.asarray(degrees, dtype=np.float64))
    resultant = np.hypot(np.cos(radians).mean(), np.sin(radians).mean())
    return float(np.degrees(np.sqrt(2 * max(1 - resultant, 0.0))))


def density(points: np.ndarray, edges: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(len(edges[0]) - 1, len(edges[1]) - 1) share of the (n, 2) points in each cell.

    Finite points beyond the outer edges are left out of the cells but counted in n.
    """
    points = np.asarray(points, dtype=np.float64)
    points = points[np.isfinite(points).all(-1)]
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=edges)
    return counts / max(len(points), 1)


def position_edges(low: float, high: float, cell: float = POSITION_CELL) -> np.ndarray:
    """Edges of the fixed cells that cover [low, high] metres."""
    return np.arange(np.floor(low / cell), np.ceil(high / cell) + 1.5) * cell


def view_diversity(view_point: np.ndarray) -> Diversity:
    """Of (n, 2) azimuths and elevations in degrees."""
    view_point = np.asarray(view_point, dtype=np.float64)
    view_point = view_point[np.isfinite(view_point).all(-1)]
    if not len(view_point):
        return Diversity(0.0, (0.0, 0.0))
    spread = angular_deviation(view_point[:, 0]), float(view_point[:, 1].std())
    return Diversity(entropy(density(view_point, VIEW_EDGES)), spread)


def position_diversity(position: np.ndarray, axes: tuple[int, int] = (0, 2)) -> Diversity:
    """Of (n, 3) positions in metres, seen along two of x, y, z (numbers 0, 1, 2)."""
    seen = np.asarray(position, dtype=np.float64)[:, list(axes)]
    seen = seen[np.isfinite(seen).all(-1)]
    if not len(seen):
        return Diversity(0.0, (0.0, 0.0))
    _, counts = np.unique(np.floor(seen / POSITION_CELL), axis=0, return_counts=True)
    return Diversity(entropy(counts), (float(seen[:, 0].std()), float(seen[:, 1].std())))
