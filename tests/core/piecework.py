"""Work for processes of their own, in a module that they load quickly."""

from __future__ import annotations

import os
import signal

from poseaug_core.errors import UserError


def square(number: int) -> int:
    if number < 0:
        raise UserError(f"{number} is less than 0.")
    return number * number


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
