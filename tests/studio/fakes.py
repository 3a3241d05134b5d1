"""Snapshots that need no training: a standing person whose stages drift with the step."""

from __future__ import annotations

import numpy as np

from poseaug_core.snapshot import Snapshot
from poseaug_studio.metric_series import MetricSeries

STANDING = np.array(
    [
        [0, 0, 0], [-0.13, 0, 0], [-0.14, 0.44, 0.02], [-0.14, 0.88, 0.06],
        [0.13, 0, 0], [0.14, 0.44, -0.02], [0.14, 0.88, 0.03],
        [0, -0.23, 0.0], [0, -0.48, 0.02], [0, -0.66, -0.02],
        [0.15, -0.46, 0.02], [0.30, -0.24, 0.05], [0.34, -0.02, -0.08],
        [-0.15, -0.46, 0.02], [-0.32, -0.25, 0.04], [-0.36, -0.05, -0.12],
    ],
    dtype=np.float32,
)  # fmt: skip


def turn(axis: str, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    matrix = [[c, 0, s], [0, 1, 0], [-s, 0, c]] if axis == "y" else [[1, 0, 0], [0, c, -s], [0, s, c]]
    return np.array(matrix, np.float32)


def make_snapshot(
    step: int = 100, probe: int = 12, crowd: int = 64, seed: int = 0, phase: str = "poseaug", parts: int = 5,
    judged_2d: bool = True,
) -> Snapshot:  # fmt: skip
    """A deterministic, plausible Snapshot; the same seed gives the same poses at every step.

    parts, judged_2d: of a run whose 3D discriminator judges so many parts, and which has a 2D one or not.
    """
    rng = np.random.default_rng(seed)
    drift = min(step / 400, 1.0)
    xyz = np.zeros((4, probe, 16, 3), np.float32)
    for i in range(probe):
        facing = turn("y", rng.uniform(-np.pi, np.pi))
        pose = (STANDING + rng.normal(0, 0.03, (16, 3))) @ facing.T
        root = np.array([rng.uniform(-0.6, 0.6), 0.1, rng.uniform(4, 6)], np.float32)
        bent = pose + drift * rng.normal(0, 0.09, (16, 3))
        long = bent * (1 + 0.1 * drift)
        moved = long @ turn("y", drift * 2 * rng.uniform(-1, 1)).T @ turn("x", drift * rng.uniform(-0.5, 0.2)).T
        moved_root = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.3, 0.3), rng.uniform(3, 7)], np.float32)
        xyz[:, i] = pose - pose[0] + root, bent - bent[0] + root, long - long[0] + root, moved - moved[0] + moved_root
    uv = 2.29 * xyz[..., :2] / xyz[..., 2:]
    relative = xyz - xyz[:, :, :1]
    noise = lambda *s, scale=1.0: rng.normal(0, scale, s)  # noqa: E731
    fake = 0.75 - 0.5 * drift
    losses = ["adversarial2d", "adversarial3d", "range_ba", "limit_bl", "feedback_ba", "feedback_rt", "augmentor"]
    losses += ["d3d", "d2d"]
    return Snapshot(
        step=step, phase=phase, epoch=step // 50, xyz=xyz, uv=uv,
        camera=np.tile(np.array([2.29, 2.29, 0, 0, 0, 0, 0, 0, 0], np.float32), (probe, 1)),
        prediction=relative[[0, 3]] + noise(2, probe, 16, 3, scale=0.03),
        angle_change=np.abs(noise(crowd, 15, scale=0.2 * drift + 0.01)),
        length_ratio=noise(crowd, 9, scale=0.06).clip(-0.2, 0.2),
        axis_angle=noise(crowd, 3, scale=0.6), translation=noise(crowd, 3) + [0, 0, 5],
        view_point=np.stack((np.c_[rng.uniform(-180, 180, crowd), noise(crowd, scale=6)],
                             np.c_[rng.uniform(-180, 180, crowd), noise(crowd, scale=6 + 20 * drift)])),
        position=np.stack((noise(crowd, 3, scale=0.4) + [0, 0, 5], noise(crowd, 3, scale=0.4 + drift) + [0, 0, 5])),
        scores3d=np.stack((0.8 + noise(crowd, 5, scale=0.15), fake + noise(crowd, 5, scale=0.2)))[..., :parts],
        scores2d=np.stack((0.7 + noise(crowd, scale=0.2), fake + noise(crowd, scale=0.2)))
        + (0 if judged_2d else np.nan),
        error=np.abs(noise(3, crowd, scale=15)) + np.array([[40], [90], [140]]),
        hardness=np.abs(noise(2, crowd, 3, scale=0.8)) + np.array([3.5, 8.0])[:, None, None] * (0.3 + 0.7 * drift),
        scalars={f"loss/{name}": float(np.exp(-drift) + 0.1 * rng.random()) for name in losses}
        | {f"accuracy/{d}_{side}": 0.6 + 0.3 * rng.random() for d in ("d3d", "d2d") for side in ("real", "fake")},
        controls={"beta_ba": 3 + 2 * drift, "tolerance_ba": 2.0, "beta_rt": 17.0, "tolerance_rt": 15.0,
                  "range_mean": 0.205, "range_width": 0.165, "length_limit": 0.1},
    )  # fmt: skip


def series_of(rows: list[dict]) -> MetricSeries:
    series = MetricSeries()
    series.extend(rows)
    return series


def feed(panel, rows: list[dict]) -> None:
    """Further rows for the curves panel, as the session brings them."""
    panel.series.extend(rows)
    panel.show_series(panel.series)


def same_series(a: MetricSeries, b: MetricSeries) -> bool:
    same = all(np.array_equal(p, q) for name in b.names() for p, q in zip(a.get(name), b.get(name), strict=True))
    return same and set(a.names()) == set(b.names())
