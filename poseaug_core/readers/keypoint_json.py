"""Keypoint files of detectors and data sets as Keypoints: joints mapped, one person chosen, normalised, gaps filled."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from poseaug_core.errors import UserError
from poseaug_core.keypoint_filling import BESIDE, fill
from poseaug_core.keypoint_maps import LAYOUTS, find_layout, named_layout
from poseaug_core.keypoints import PORTRAIT, Keypoints, normalised
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.keypoint_arrays import read_keypoint_arrays
from poseaug_core.readers.keypoint_choice import Chosen, choose
from poseaug_core.readers.keypoint_columns import chunks
from poseaug_core.readers.keypoint_formats import add_frame, read_people
from poseaug_core.readers.keypoint_images import image_folder
from poseaug_core.readers.keypoint_people import People
from poseaug_core.readers.keypoint_sizes import UNITS, Sizes, find_sizes, find_units
from poseaug_core.readers.limits import require_room
from poseaug_core.readers.spec import parse_spec
from poseaug_core.units import UV, Watch

OPTIONS = ("layout", "person", "width", "height", "images", "units")
#: People, in so many blocks spread over the file, by whose proportions a layout is known.
JUDGED, BLOCKS = 20_000, 20
#: A frame larger than this is none; and memory that one may take, over its size.
LARGEST_FRAME, TIMES = 256 * 2**20, 25


@dataclass(frozen=True)
class Options:
    """What follows the '?' of a spec. person: of those in an image, best first; None for all of them.

    folder: where images are looked for; images: whether the user named it.
    """

    layout: str = ""
    person: int | None = 0
    width: int = 0
    height: int = 0
    folder: Path = Path()
    images: bool = False
    units: str = ""


class KeypointFile:
    """The people of a keypoint file, ready to be had in parts. name: of the set; one_each: whether each image has one.

    notes: what was decided while reading; those on filling and on portrait images come with the last part.
    """

    def __init__(self, people: Chosen, sizes: Sizes, units: str, name: str, notes: list[str]):
        self.people, self.sizes, self.units, self.name, self.said = people, sizes, units, name, notes
        self.one_each = people.one_each
        self.lost, self.filled, self.portrait = 0, Counter(), 0

    def __len__(self) -> int:
        return len(self.people)

    @property
    def notes(self) -> tuple[str, ...]:
        notes = list(self.said)
        if self.lost:
            means = ", ".join(f"{count:,} from {source}" for source, count in self.filled.items())
            notes.append(f"{self.lost:,} of {16 * len(self):,} joints were not found and are filled in: {means}.")
        if self.portrait:
            which = "The images are" if self.portrait == len(self) else (
                f"{self.portrait:,} of {len(self):,} people are in images that are"
            )  # fmt: skip
            notes.append(f"{which} portrait: padded to squares, half on each side.")
        return tuple(notes)

    def parts(self, size: int) -> Iterator[Keypoints]:
        """Everyone in order, so many at a time; images are those of the part."""
        self.lost, self.filled, self.portrait = 0, Counter(), 0
        for rows in chunks(len(self), size):
            xy, image = self._filled(rows), self.people.image.read(rows)
            frames = self.sizes.of(image)
            uv = self._normalised(xy, frames)
            used, number = np.unique(image, return_inverse=True)
            yield Keypoints(
                torch.from_numpy(uv.astype(np.float32)),
                torch.from_numpy(self.people.confidence.read(rows).astype(np.float32)),
                torch.from_numpy(frames.astype(np.float32)),
                torch.from_numpy(number.astype(np.int64)),
                tuple(self.people.images.pick(used)),
                self.name,
            )

    def check(self, path: Path) -> None:
        """UserError where a joint lies where it cannot be in its image."""
        watch = Watch(UV)
        for rows in chunks(len(self)):
            uv = self._normalised(self.people.xy.read(rows), self.sizes.of(self.people.image.read(rows)))
            watch.look(np.where(np.isnan(uv), 0, uv), rows.start)
        self.portrait = 0
        if watch.count:
            (image,) = self.people.images.pick(self.people.image.read(slice(watch.row, watch.row + 1)))
            raise UserError(
                f"{path}: {watch.count:,} of {len(self):,} people reach beyond {UV.high:g} {UV.unit} (first: in image "
                f"{image[:60]}, {watch.value:.3g}); give the right ?width=...&height=... or ?units=..., or "
                "leave them out."
            )

    def close(self) -> None:
        self.people.close()
        self.sizes.column.close()

    def _filled(self, rows: slice) -> np.ndarray:
        """xy (m, 16, 2) without gaps; what was filled in is counted."""
        wide = slice(max(rows.start - BESIDE, 0), min(rows.stop + BESIDE, len(self)))
        xy, own = self.people.xy.read(wide), slice(rows.start - wide.start, rows.stop - wide.start)
        if lost := int(np.isnan(xy[own, :, 0]).sum()):
            self.lost += lost
            self.filled.update(fill(xy, self.one_each, own))
        return xy[own]

    def _normalised(self, xy: np.ndarray, size: np.ndarray) -> np.ndarray:
        """uv (m, 16, 2) of xy in our units; size (m, 2). Portrait images are counted."""
        if self.units == "normalised":
            return xy
        size = size[:, None]
        self.portrait += int((size[..., 1] > PORTRAIT * size[..., 0]).sum())
        return normalised(xy * size if self.units == "fractions" else xy, size)


def read_keypoint_file(spec: str | Path, progress: Progress | None = None) -> Keypoints:
    """Keypoints of a .json, .npz or .npy file, or of a folder of OpenPose's frames.

    spec: the path, then where wanted ``?layout=coco17`` (see keypoint_maps.LAYOUTS), ``person=1`` (the second best of
    each image) or ``person=all``, ``width=1280&height=720`` pixels, ``images=FOLDER``, ``units=pixels`` (fractions,
    normalised), joined by ``&``. What was decided is in the notes. Raises UserError for what cannot be read or told.
    """
    with open_keypoint_file(spec, progress) as file:
        (whole,) = file.parts(len(file))
        return Keypoints(
            whole.uv, whole.confidence, whole.size, whole.image, whole.images, whole.name, file.notes, whole.skeleton
        )


@contextmanager
def open_keypoint_file(
    spec: str | Path, progress: Progress | None = None, folder: Path | None = None
) -> Iterator[KeypointFile]:
    """The same, to be had in parts: within the block what the file holds lies on disk, in ``folder``.

    Memory does not grow with the number of people, as long as those of an image follow one another.
    """
    path, options = _options(spec)
    tell(progress, 0.0, f"reading {path.name}")
    people, in_order = _read(path, progress, folder)
    chosen = sizes = None
    try:
        if people.low > people.high:
            raise UserError(f"{path}: nobody in it has a joint that was found; choose another file.")
        images = "1 image" if people.image_count == 1 else f"{people.image_count:,} images"
        notes = [f"{people.title}: {len(people):,} {'people' if len(people) > 1 else 'person'} in {images}."]
        layout, how = _layout(people, options, str(path))
        notes.append(f"Joints: {LAYOUTS[layout].title}, by {how}.")
        if "spine" not in LAYOUTS[layout].joints:
            notes.append(_mapping_note(layout))
        low, high = float(people.low), float(people.high)
        chosen, said = choose(people, layout, options.person, in_order, path, folder)
        notes += said
    finally:
        people.close()
    try:
        units, said = find_units(low, high, options.units, path)
        notes += said
        sizes, said = find_sizes(chosen, units, options, path, folder, progress)
        file = KeypointFile(chosen, sizes, units, path.stem, notes + said)
        file.check(path)
        tell(progress, 1.0, f"read {len(file):,} people")
        yield file
    finally:
        chosen.close()
        if sizes is not None:
            sizes.column.close()


def _options(spec: str | Path) -> tuple[Path, Options]:
    spec = parse_spec(spec)
    spec.only(*OPTIONS)
    given = spec.options
    if ("width" in given) != ("height" in given):
        raise UserError(f"{spec.text}: width and height belong together; give both, as in ?width=1280&height=720.")
    return spec.path, Options(
        layout=named_layout(given["layout"]) if "layout" in given else "",
        person=None if given.get("person") == "all" else spec.number("person", 0, 0, 1000),
        width=spec.number("width", 0, 1, 100_000) if "width" in given else 0,
        height=spec.number("height", 0, 1, 100_000) if "height" in given else 0,
        folder=image_folder(spec),
        images="images" in given,
        units=spec.choice("units", ("", *UNITS), ""),
    )


def _read(path: Path, progress: Progress | None, folder: Path | None) -> tuple[People, bool]:
    """The people of the file or folder, and whether they come in the order of their images."""
    if path.is_dir():
        return _frames(path, progress, folder), True
    if not path.exists():
        raise UserError(f"{path} does not exist; check the name and the folder.")
    read = lambda share: tell(progress, share, f"reading {path.name}")  # noqa: E731
    if path.suffix.lower() == ".json":
        return read_people(path, folder, read), False
    if path.suffix.lower() in (".npz", ".npy"):
        return read_keypoint_arrays(path, folder, read), True
    raise UserError(f"{path}: '{path.suffix}' files hold no keypoints that are known; give .json, .npz or .npy.")


def _frames(where: Path, progress: Progress | None, folder: Path | None) -> People:
    """OpenPose's files, one a frame, in the order of their numbers."""
    with os.scandir(where) as listed:
        frames = (file.name for file in listed if file.name.lower().endswith(".json") and file.is_file())
        files = sorted(frames, key=_natural)
    if not files:
        raise UserError(f"{where} holds 0 .json files; name the folder that OpenPose wrote its frames to.")
    people = People("OpenPose frames", folder)
    for number, name in enumerate(files):
        if number % 64 == 0:
            tell(progress, number / len(files), f"reading {name}")
        document = _frame(where / name)
        if not isinstance(document, dict) or not isinstance(document.get("people", document.get("bodies")), list):
            raise UserError(
                f"{where / name} is no frame of OpenPose (it has no list of people); keep only frames in {where}."
            )
        try:
            add_frame(people, name[: -len(".json")], document.get("people", document.get("bodies")))
            if number == len(files) - 1:
                people.finish()
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    if not len(people):
        raise UserError(f"{where}: its frames show 0 people ({len(files):,} read); choose another folder.")
    return people


def _frame(path: Path) -> Any:
    """A small document at once; UserError for files too large, too deep, damaged or not text."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_FRAME:
                raise UserError(f"{path} has {size:,} bytes, a frame has at most {LARGEST_FRAME:,}; keep only frames.")
            require_room(path, TIMES * size, size)
            return json.loads(file.read())
    except RecursionError:
        raise UserError(f"{path} nests its lists too deeply to be keypoints; write it again.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not JSON: it holds bytes that are no text; write it again.") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not whole JSON ({error}); write or copy it again.") from None
    except ValueError as error:
        raise UserError(f"{path} holds a number that cannot be read ({str(error).split(';')[0]}).") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check its permissions.") from None


def _natural(name: str) -> list:
    """Numbers in names by their value: frame 9 before frame 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name)]


def _judged(people: People) -> tuple[np.ndarray, np.ndarray]:
    """Points and confidence of those by whom the layout is known: all of them, or blocks spread over the file."""
    if len(people) <= JUDGED:
        return people.points.whole(), people.sure.whole()
    starts = np.linspace(0, len(people) - JUDGED // BLOCKS, BLOCKS).astype(int).tolist()
    blocks = [slice(start, start + JUDGED // BLOCKS) for start in starts]
    return tuple(np.concatenate([column.read(rows) for rows in blocks]) for column in (people.points, people.sure))


def _layout(people: People, options: Options, where: str) -> tuple[str, str]:
    """(key of LAYOUTS, how it was found)."""
    count = people.points.shape[0]
    if options.layout:
        if LAYOUTS[options.layout].count != count:
            raise UserError(
                f"{where}: people have {count} joints, {options.layout} has {LAYOUTS[options.layout].count}; "
                "name another layout, or none."
            )
        return options.layout, "?layout"
    names = {name.lower().replace(" ", "_") for name in people.names}
    if len(people.names) == count:
        for key, needed in (("coco17", {"nose", "left_eye", "left_ankle"}), ("h36m17", {"spine", "thorax", "head"})):
            if LAYOUTS[key].count == count and needed <= names:
                return key, "the names in the file"
    # Other joints are also put in COCO's forms: bones may contradict them. Of annotations they need not confirm it.
    said = people.title.startswith("COCO") and LAYOUTS["coco17"].count == count
    try:
        key, how = find_layout(*_judged(people), where)
    except UserError:
        if not said or people.title != "COCO annotations":
            raise
        key = "coco17"
    return key, "the file's own format" if said and key == "coco17" else how


def _mapping_note(layout: str) -> str:
    found = LAYOUTS[layout].joints
    parts = ["pelvis = middle of the hips"] if len(found["pelvis"]) > 1 else []
    parts += ["thorax = middle of the shoulders"] if len(found["thorax"]) > 1 else []
    parts += ["spine = middle of pelvis and thorax"]
    parts += [] if "head" in found else ["head by extension from the thorax through the ears, eyes or nose"]
    return f"{', '.join(parts)}.".capitalize()
