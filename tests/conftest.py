"""What every test gets: seeds, the reference arrays, and a check that nothing is left running."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

import tests.typechecking  # noqa: F401  the hook finds it by name, and only when it is loaded

# Before torch loads: sums are taken in one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).parents[1]

#: Where signatures give the shapes of arrays; they are checked at each call. Must precede the first import of these.
CHECKED = (
    "geometry viewpoint diversity augmentor augmenting discriminators estimators losses metrics evaluation breakdown "
    "baselines"
)
install_import_hook([f"poseaug_core.{module}" for module in CHECKED.split()], "tests.typechecking.check")


def pytest_configure(config: pytest.Config) -> None:
    """Settings, recent runs and saved layouts go to a scratch home; must precede the QApplication."""
    from hypothesis import settings
    from PySide6.QtCore import QCoreApplication, Qt

    config.scratch_home = tempfile.TemporaryDirectory(prefix="poseaug-home-")
    for name in ("CONFIG", "DATA", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(Path(config.scratch_home.name) / name.lower())
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    settings.register_profile("poseaug", deadline=None, derandomize=True, database=None)
    settings.load_profile("poseaug")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.scratch_home.cleanup()


def shared_folder(variable: str, name: str) -> Path:
    """The folder that ``variable`` names, else ../shared/name; the test is skipped where there is none."""
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / name)
    if not folder.is_dir():
        pytest.skip(f"{folder} is not a folder; name one in {variable} to run this test")
    return folder


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of arrays recorded from the released code (operations.npz, losses.npz, ...)."""
    return shared_folder("POSEAUG_REFERENCE", "reference")


@pytest.fixture(scope="session")
def mocap() -> Path:
    """The folder of motion capture and benchmark arrays (bench/, cmu_bvh/, ...)."""
    return shared_folder("POSEAUG_DATA", "data")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Draws that name no generator repeat as well."""
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_thread_survives():
    """Fails a test that leaves a thread behind, daemon or not; one that is stopping has two seconds."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 2
    while left := _threads_since(before):
        if time.monotonic() > deadline:
            pytest.fail(f"the test left threads running: {', '.join(t.name for t in left)}")
        time.sleep(0.01)


def _threads_since(before: set[threading.Thread]) -> list[threading.Thread]:
    """New threads that Python started; a _DummyThread only means that a library's thread called Python once."""
    return [t for t in set(threading.enumerate()) - before if not isinstance(t, threading._DummyThread)]
