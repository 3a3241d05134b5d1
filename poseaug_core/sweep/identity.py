"""What a run is, apart from where it lies: settings and the content of its files, as a few digits.

Only settings that differ from their declared defaults count, so that finished runs keep their names when a later
version has one setting more; a default that changed its value is found when the run is opened (see state.require_same).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from poseaug_core.config import Config
from poseaug_core.controls import Controls
from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own
from poseaug_core.readers import beside
from poseaug_core.readers.spec import exists, parse_spec

#: Settings that name files; their content counts and not their place.
FILES = ("source", "source_test", "cross", "extra_2d", "estimator_weights")
#: Settings by which nothing is trained otherwise: a preset's own values count, and what is kept is not what is learnt.
BESIDE = ("preset", "history_limit", "checkpoints_kept")


def identity(config: Config, after: str = "") -> str:
    """16 hexadecimal digits that change with any setting and any file of the run.

    after: the identity of the pre-training whose estimator the run starts from, in place of estimator_weights.
    Raises UserError for files that are not there.
    """
    told: dict[str, Any] = {"after": after, **changed(config)}
    for name in FILES:
        value = getattr(config, name)
        if name == "estimator_weights" and after:
            told.pop(name, None)
        elif value:
            told[name] = content(value) if isinstance(value, str) else [content(spec) for spec in value]
    if is_own(config.estimator):
        file, name = config.estimator.rsplit(":", 1)
        told["estimator"] = f"{content(file)}:{name}"
    return _digits(json.dumps(told, sort_keys=True).encode())


def changed(config: Config) -> dict[str, Any]:
    """Settings and controls that differ from their declared defaults, by name; labels left out."""
    parts = {"": (config, Config()), "controls.": (config.controls, Controls())}
    return {
        prefix + field.name: getattr(own, field.name)
        for prefix, (own, plain) in parts.items()
        for field in dataclasses.fields(own)
        if field.name not in ("controls", *BESIDE) and getattr(own, field.name) != getattr(plain, field.name)
    }


def content(spec: str) -> str:
    """The identity of a set of poses or a weights file: of the bytes in it, of what lies beside, and of its options.

    What is no file (demo:source?seed=1, asset:...) is its own identity.
    """
    if spec.startswith(("demo:", "asset:")):
        return spec
    found = parse_spec(spec)
    if not exists(found.path):
        raise UserError(f"{found.path} does not exist; check the name and the folder.")
    told = beside.options(found)
    told |= {name: _content_of(file) for name, file in beside.files_beside(found).items()}
    told |= {name: _digits(json.dumps(facts).encode()) for name, facts in beside.facts_beside(found).items()}
    return "&".join([_content_of(found.path), *(f"{name}={value}" for name, value in sorted(told.items()))])


def _content_of(path: Path) -> str:
    if path.is_file():
        about = path.stat()
        return _file_digits(str(path.absolute()), about.st_size, about.st_mtime_ns)
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    told = [(file.relative_to(path).as_posix(), _content_of(file)) for file in files]
    return _digits(json.dumps(told).encode())


@lru_cache(maxsize=100_000)
def _file_digits(path: str, size: int, changed_at: int) -> str:
    """Of a file's bytes; read again only when its size or time has changed."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def _digits(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
