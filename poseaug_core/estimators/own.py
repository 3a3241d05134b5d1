"""The user's own estimator, FILE.py:CLASS: Python that runs only where the user named it in this process.

A checkpoint or a run's configuration may name such a file as well; that alone never makes it run.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from poseaug_core.errors import UserError
from poseaug_core.plain_text import named_error

if TYPE_CHECKING:
    from torch import nn

_named: set[str] = set()


def is_own(name: str) -> bool:
    """Whether an estimator's name is FILE.py:CLASS."""
    return ".py:" in name


def name_own(name: str) -> str:
    """Take an estimator's name from the user: FILE.py:CLASS may run from now on. The name, its file from the root.

    Names of other estimators come back as they are. Only front ends call this, with what was typed or clicked.
    """
    if not is_own(name):
        return name
    name = str(Path(name).absolute())
    _named.add(name)
    return name


def own_class(name: str) -> type[nn.Module]:
    """Run FILE.py and return its CLASS. Raises UserError, also where the user has not named it."""
    name = str(Path(name).absolute())
    if name not in _named:
        raise UserError(
            f"The estimator is Python code of yours, {name}, which runs only when you name it: add --estimator {name}."
        )
    path, _, attribute = name.rpartition(":")
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist; name the Python file with your estimator as FILE.py:CLASS.")
    module_name = f"poseaug_own_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and typing look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path} cannot be run ({named_error(error)}); mend the file.") from error
    found = getattr(module, attribute, None)
    from torch import nn

    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        there = [n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, nn.Module)]
        raise UserError(
            f"{path} has no torch.nn.Module called {attribute!r}; it has {', '.join(there) or 'none at all'}."
        )
    return found
