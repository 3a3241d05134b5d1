"""The benchmarks: each can be loaded."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("[!_]*.py")))
def test_every_benchmark_can_be_loaded(name):
    assert importlib.import_module(f"benchmarks.{name}").__doc__
