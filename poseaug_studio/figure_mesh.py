"""Triangles of tubes and balls, all at once: vertices are products of templates and the solids' arrays."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from poseaug_studio.figure import Solid

SIDES = 20
VERTEX = np.dtype([("a_position", np.float32, 3), ("a_normal", np.float32, 3), ("a_colour", np.float32, 4)])


@lru_cache(maxsize=2)
def sphere(divisions: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit sphere: vertices (v, 3) and triangles (t, 3), an octahedron divided that many times."""
    points = [np.array(p, float) for p in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))]
    faces = [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    for _ in range(divisions):
        middle: dict[tuple[int, int], int] = {}

        def between(i: int, j: int, known: dict[tuple[int, int], int] = middle) -> int:
            key = (min(i, j), max(i, j))
            if key not in known:
                point = points[i] + points[j]
                known[key] = len(points)
                points.append(point / np.linalg.norm(point))
            return known[key]

        divided = []
        for i, j, k in faces:
            ij, jk, ki = between(i, j), between(j, k), between(k, i)
            divided += [(i, ij, ki), (j, jk, ij), (k, ki, jk), (ij, jk, ki)]
        faces = divided
    return np.stack(points), np.array(faces, dtype=np.uint32)


@lru_cache(maxsize=32)
def triangles(tubes: int, balls: int, divisions: int) -> np.ndarray:
    """(t, 3) uint32 triangles of that many tubes (first) and balls."""
    ring = np.arange(SIDES, dtype=np.uint32)
    after = (ring + 1) % SIDES
    side = np.concatenate((np.stack((ring, after, ring + SIDES), 1), np.stack((after, after + SIDES, ring + SIDES), 1)))
    tube = side[None] + (2 * SIDES * np.arange(tubes, dtype=np.uint32))[:, None, None]
    points, faces = sphere(divisions)
    first = 2 * SIDES * tubes
    ball = faces[None] + (first + len(points) * np.arange(balls, dtype=np.uint32))[:, None, None]
    return np.concatenate((tube.reshape(-1, 3), ball.reshape(-1, 3))).astype(np.uint32)


def vertices(solid: Solid, divisions: int) -> np.ndarray:
    """(v,) VERTEX records of a solid, in the order that ``triangles`` expects."""
    angle = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    axis = solid.end - solid.start
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True).clip(1e-9)
    helper = np.where(np.abs(axis[:, 2:]) < 0.9, (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    u = np.cross(axis, helper)
    u /= np.linalg.norm(u, axis=1, keepdims=True).clip(1e-9)
    v = np.cross(axis, u)
    normal = np.cos(angle)[:, None] * u[:, None] + np.sin(angle)[:, None] * v[:, None]
    unit, _ = sphere(divisions)
    tubes, balls = len(solid.start), len(solid.centre)
    out = np.empty(tubes * 2 * SIDES + balls * len(unit), VERTEX)
    tube, ball = out[: tubes * 2 * SIDES].reshape(tubes, 2, SIDES), out[tubes * 2 * SIDES :].reshape(balls, len(unit))
    tube["a_position"][:, 0] = solid.start[:, None] + solid.radii[:, 0, None, None] * normal
    tube["a_position"][:, 1] = solid.end[:, None] + solid.radii[:, 1, None, None] * normal
    tube["a_normal"] = normal[:, None]
    tube["a_colour"][..., :3] = solid.colour[:, None, None]
    ball["a_position"] = solid.centre[:, None] + solid.ball_radius[:, None, None] * unit
    ball["a_normal"] = unit
    ball["a_colour"][..., :3] = solid.ball_colour[:, None]
    out["a_colour"][:, 3] = solid.alpha
    return out
