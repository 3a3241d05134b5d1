"""Diversity numbers: laws that entropy and spread obey."""

from __future__ import annotations

import numpy as np
import pytest

from poseaug_core.diversity import (
    VIEW_EDGES,
    angular_deviation,
    density,
    entropy,
    position_diversity,
    position_edges,
    view_diversity,
)


def test_entropy_of_equal_shares_is_the_logarithm_of_their_number():
    assert entropy(np.ones((4, 8))) == pytest.approx(5)
    assert entropy(np.array([7, 0, 0])) == 0
    assert entropy(np.zeros(0)) == 0


def test_angles_do_not_know_the_cut_at_180_degrees():
    around_zero = np.array([-5.0, -2, 3, 8])
    turned = (around_zero + 180 + 180) % 360 - 180
    assert angular_deviation(turned) == pytest.approx(angular_deviation(around_zero))
    assert angular_deviation(around_zero) == pytest.approx(around_zero.std(), rel=0.01)
    assert angular_deviation(np.arange(0, 360, 10)) == pytest.approx(np.degrees(np.sqrt(2)))


def test_wider_views_are_more_diverse():
    rng = np.random.default_rng(0)
    narrow = np.c_[rng.uniform(-180, 180, 500), rng.normal(0, 4, 500)]
    wide = narrow * (1, 5)
    assert view_diversity(wide).entropy > view_diversity(narrow).entropy + 1
    assert view_diversity(wide).spread[1] == pytest.approx(5 * view_diversity(narrow).spread[1])


def test_position_entropy_does_not_depend_on_who_else_is_shown():
    position = np.random.default_rng(0).normal(size=(300, 3)) + (0, 0, 5)
    found = position_diversity(position)
    edges = position_edges(-9, 9), position_edges(-9, 19)
    assert found.entropy == pytest.approx(entropy(density(position[:, [0, 2]], edges)))
    assert found.spread == pytest.approx(position[:, [0, 2]].std(0))


def test_density_sums_to_the_share_inside_and_ignores_what_is_not_finite():
    points = np.array([[0.0, 0], [10, 20], [np.nan, 0], [0, np.inf]])
    assert density(points, VIEW_EDGES).sum() == pytest.approx(1)
    assert density(points, (np.array([-1.0, 1]), np.array([-1.0, 1]))).sum() == pytest.approx(0.5)
    assert view_diversity(points[2:]).entropy == 0
