"""What the poses of a spec depend on besides the bytes of what it names: files beside it, and names of folders.

Whoever wants to know whether two specs give the same poses compares the named file or folder, ``options`` and these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.readers import images, mpii
from poseaug_core.readers.asfamc import TRIALS, skeleton_of
from poseaug_core.readers.body import subject_of
from poseaug_core.readers.dhp import annotation_files
from poseaug_core.readers.h36m import KEYPOINTS
from poseaug_core.readers.keypoint_images import SUFFIXES, image_folder, image_size
from poseaug_core.readers.motion_files import MOTION, SKELETON, motion_files
from poseaug_core.readers.reading import is_flat, kind_of
from poseaug_core.readers.spec import Spec

#: Options that mean what is meant without them, for every reader that knows them.
UNSAID = {"keypoints": "gt", "stride": "1"}


def options(spec: Spec) -> dict[str, str]:
    """Those that tell something, and without those that only say where a file of ``files_beside`` lies."""
    placed = ("images", *(["keypoints"] if "keypoints" in files_beside(spec) else []))
    return {
        name: value for name, value in spec.options.items() if name not in placed and UNSAID.get(name) != value
    }  # fmt: skip


def files_beside(spec: Spec) -> dict[str, Path]:
    """Files that are opened beside the named one, those that are there, by what they are for."""
    path, found = spec.path, {}
    chosen = spec.options.get("keypoints", "gt")
    if chosen != "gt":  # Human3.6M's 2D detections
        found["keypoints"] = path.parent / KEYPOINTS.get(chosen, chosen)
    for file in _motion(path) if path.is_file() else ():
        if file.suffix.lower() == ".amc":
            found |= {file.name: file, "trials": file.parent / TRIALS}
            try:
                found["skeleton"] = skeleton_of(file)
            except UserError:  # told in full by who reads it
                pass
    return {name: file for name, file in found.items() if file.is_file() and file != path}


def facts_beside(spec: Spec) -> dict[str, list]:
    """What else is looked at: the sizes of images, and numbers of people and sequences in the names of folders."""
    path = spec.path
    found: dict[str, list] = {"subjects": [subject_of(file) for file in _motion(path)]}
    if path.suffix.lower() == ".mat" or path.is_dir():
        names = [file.resolve().parent.name for file in annotation_files(path)] if not _is_flat(spec) else []
        found["sequences"] = [name.upper() for name in names if re.fullmatch(r"TS\d{1,2}", name, re.IGNORECASE)]
    folder = _images(spec) if _is_flat(spec) else None
    if folder and not (folder.is_relative_to(path) and path.is_dir()):  # what lies in a named folder is that folder's
        found["images"] = _sizes(folder)
    return {name: facts for name, facts in found.items() if facts}


def _motion(path: Path) -> Iterator[Path]:
    """The files of motion that are meant by a file or a folder, in the order in which they are read."""
    try:
        if path.is_dir() or path.suffix.lower() in (*MOTION, SKELETON):
            yield from motion_files(path)
    except UserError:  # no motion in the folder; a skeleton without motion is told by who reads it
        pass


def _is_flat(spec: Spec) -> bool:
    try:
        return is_flat(spec)
    except UserError:  # no set of poses; told in full by who reads it
        return False


def _images(spec: Spec) -> Path | None:
    """The folder in which the sizes of images are looked up; None where none is."""
    if kind_of(spec) != ".mat":
        return None if "width" in spec.options else image_folder(spec)
    return images.image_folder(spec, *mpii.FOLDERS)  # the first is LSP's too


def _sizes(folder: Path) -> list[tuple[str, int, int]]:
    """Name, width and height of every image in the folder."""
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        return [(file.name, *_size(str(file), file.stat().st_mtime_ns)) for file in files]
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from error


@lru_cache(maxsize=100_000)
def _size(path: str, changed: int) -> tuple[int, int]:
    """Width and height of an image, zeros for what is none; changed: of the file, in nanoseconds."""
    return image_size(Path(path)) or (0, 0)
