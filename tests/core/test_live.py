"""Live: how often a watcher may have a snapshot made for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from poseaug_core import live as live_module
from poseaug_core.live import WATCHING, Live


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    at = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(live_module.time, "monotonic", lambda: at.now)
    return at


def watched(live: Live, clock, seconds: float) -> None:
    """A trainer makes the snapshot that is wanted, which takes so long, and the watcher asks for another."""
    assert live.wanted
    clock.now += seconds
    live.publish("snapshot")
    assert live.take() == "snapshot"


def test_nobody_watches_nothing_is_wanted(clock):
    assert not Live().wanted


def test_snapshots_for_a_watcher_take_a_share_of_the_trainers_time_at_most(clock):
    live = Live()
    live.take()
    watched(live, clock, 0.1)
    clock.now += 0.1 / WATCHING - 0.1
    assert not live.wanted
    clock.now += 0.2
    watched(live, clock, 0.02)  # a cheaper one: the next is due sooner
    clock.now += 0.02 / WATCHING + 0.01
    assert live.wanted


def test_one_that_the_trainer_records_anyway_takes_the_place_of_one_made_for_the_watcher(clock):
    live = Live()
    live.take()
    watched(live, clock, 0.1)
    for _ in range(5):
        clock.now += 0.08 / WATCHING
        live.publish("recorded")
        assert live.take() == "recorded" and not live.wanted
