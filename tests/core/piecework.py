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


def leave(number: int) -> None:
    os._exit(3)


def unsendable(number: int) -> object:
    return (lambda: number) if number else number


class Particular(Exception):
    """With a constructor of its own, which what pickle keeps of it does not fit."""

    def __init__(self, number: int, count: int):
        super().__init__(f"{number} of {count}")


def particular(number: int) -> None:
    raise Particular(7, 9)


def deep(number: int) -> float:
    return _deeper()


def _deeper() -> float:
    return 1 / 0
