"""Files that come with the program: the demo's pre-trained estimator and its like."""

from __future__ import annotations

from pathlib import Path

#: Where a wheel puts them, then where a checkout has them.
FOLDERS = (Path(__file__).with_name("_assets"), Path(__file__).parent.with_name("assets"))


def asset(name: str) -> Path:
    """The path of a file or folder of ``assets/``, in a checkout as well as after ``pip install``.

    Raises FileNotFoundError, which means a broken installation and not something the user gave.
    """
    for folder in FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, FOLDERS))}; install poseaug-studio again.")
