"""Readers: one file a format. ``read_poses`` gives Poses and ``read_keypoints`` Keypoints of whatever is named.

These are loaded when they are first asked for: processes that only read motion files have no need of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Where each public name is.
_PLACES = {
    "convert_motion": "mocap",
    **dict.fromkeys(("FOLDERS", "READERS", "data_set", "is_flat", "read_keypoints", "read_poses"), "reading"),
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
