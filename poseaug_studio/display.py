"""Display: whether a window can be opened here. Asked before Qt, which would abort the process instead."""

from __future__ import annotations

import ctypes
import os
import sys

REMEDY = "run it on a desktop, under 'xvfb-run -a', or train without a window by 'poseaug train'"


def missing_display(environment=os.environ, platform: str = sys.platform) -> str | None:
    """A sentence with the remedy where no window can be opened, None where one can."""
    if not platform.startswith("linux"):
        return None
    wanted = environment.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    if wanted not in ("", "xcb"):
        return None
    if not wanted and environment.get("WAYLAND_DISPLAY"):
        return None
    display = environment.get("DISPLAY")
    if not display:
        return f"There is no display (DISPLAY and WAYLAND_DISPLAY are empty) for the studio's window: {REMEDY}."
    if not _x_answers(display):
        return f"The display {display!r} does not answer, so the studio cannot open its window: {REMEDY}."
    if not _loads("libxcb-cursor.so.0"):
        return "The system library libxcb-cursor0 is missing, so Qt opens no window: 'apt install libxcb-cursor0'."
    return None


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _x_answers(display: str) -> bool:
    """Whether an X server takes the connection; True where that cannot be asked."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    broken = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not broken
