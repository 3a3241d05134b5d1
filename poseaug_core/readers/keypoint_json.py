"""Keypoint files of detectors and data sets as Keypoints: joints mapped, one person chosen, normalised, gaps filled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from poseaug_core.errors import UserError
from poseaug_core.keypoint_filling import FEWEST, enough, fill
from poseaug_core.keypoint_maps import LAYOUTS, find_layout, named_layout, to_sixteen
from poseaug_core.keypoints import PORTRAIT, Keypoints, normalised
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.keypoint_arrays import read_keypoint_arrays
from poseaug_core.readers.keypoint_formats import People, frames, load_json, people_of
from poseaug_core.readers.keypoint_images import image_folder
from poseaug_core.readers.keypoint_sizes import UNITS, find_sizes, find_units
from poseaug_core.readers.spec import parse_spec

OPTIONS = ("layout", "person", "width", "height", "images", "units")


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


def read_keypoint_file(spec: str | Path, progress: Progress | None = None) -> Keypoints:
    """Keypoints of a .json, .npz or .npy file, or of a folder of OpenPose's frames.

    spec: the path, then where wanted ``?layout=coco17`` (see keypoint_maps.LAYOUTS), ``person=1`` (the second best of
    each image) or ``person=all``, ``width=1280&height=720`` pixels, ``images=FOLDER``, ``units=pixels`` (fractions,
    normalised), joined by ``&``. What was decided is in the notes. Raises UserError for what cannot be read or told.
    """
    path, options = _options(spec)
    tell(progress, 0.0, f"reading {path.name}")
    people, in_order = _read(path, progress)
    points, sure = np.stack(people.points), np.stack(people.sure)
    if not np.isfinite(points).any():
        raise UserError(f"{path}: none of {len(points)} people has a joint that was found; choose another file.")
    images = "1 image" if len(people.images) == 1 else f"{len(people.images):,} images"
    notes = [f"{people.title}: {len(points):,} {'people' if len(points) > 1 else 'person'} in {images}."]
    layout, how = _layout(people, points, sure, options, str(path))
    notes.append(f"Joints: {LAYOUTS[layout].title}, by {how}.")
    if "spine" not in LAYOUTS[layout].joints:
        notes.append(_mapping_note(layout))
    image = np.array(people.image)
    chosen, said = _choose(points, np.array(people.score), image, options.person, path)
    notes += said
    if not in_order:
        chosen = sorted(chosen, key=lambda row: image[row])
    xy, confidence, image = *to_sixteen(points[chosen], sure[chosen], layout), image[chosen]
    kept = enough(xy)
    if not kept.any():
        raise UserError(f"{path}: nobody shows {FEWEST} of our joints and two of the trunk; choose another file.")
    if not kept.all():
        lost = f"{int((~kept).sum()):,} of {len(kept):,} people"
        notes.append(f"{lost} show fewer than {FEWEST} joints, or no trunk, and are left out.")
    used, image = np.unique(image[kept], return_inverse=True)
    listed = list(people.images)
    names = [listed[number] for number in used]
    xy, confidence = xy[kept], confidence[kept]
    units, said = find_units(points, options.units, path)
    notes += said
    size, said = find_sizes(people.sizes, names, xy, image, units, options, path)
    notes += said
    notes += _filled(xy, image)
    uv, said = _normalised(xy, size[image], units)
    tell(progress, 1.0, f"read {len(uv):,} people")
    return Keypoints(
        torch.from_numpy(uv.astype(np.float32)),
        torch.from_numpy(confidence.astype(np.float32)),
        torch.from_numpy(size[image].astype(np.float32)),
        torch.from_numpy(image.astype(np.int64)),
        tuple(names),
        path.stem,
        tuple(notes + said),
    )


def _filled(xy: np.ndarray, image: np.ndarray) -> list[str]:
    """Fill xy in place, and say how."""
    lost = int(np.isnan(xy[..., 0]).sum())
    means = ", ".join(f"{count:,} from {source}" for source, count in fill(xy, image).items())
    return [f"{lost:,} of {xy[..., 0].size:,} joints were not found and are filled in: {means}."] if lost else []


def _normalised(xy: np.ndarray, size: np.ndarray, units: str) -> tuple[np.ndarray, list[str]]:
    """uv (n, 16, 2) of xy in units, and what to say of portrait images; size (n, 2)."""
    if units == "normalised":
        return xy, []
    size = size[:, None]
    uv = normalised(xy * size if units == "fractions" else xy, size)
    portrait = int((size[..., 1] > PORTRAIT * size[..., 0]).sum())
    which = "The images are" if portrait == len(xy) else f"{portrait:,} of {len(xy):,} people are in images that are"
    return uv, [f"{which} portrait: padded to squares, half on each side."] if portrait else []


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


def _read(path: Path, progress: Progress | None) -> tuple[People, bool]:
    """The people of the file or folder, and whether they come in the order of their images."""
    if path.is_dir():
        return _folder(path, progress), True
    if not path.exists():
        raise UserError(f"{path} does not exist; check the name and the folder.")
    if path.suffix.lower() == ".json":
        return people_of(load_json(path), path), False
    if path.suffix.lower() in (".npz", ".npy"):
        return read_keypoint_arrays(path), True
    raise UserError(f"{path}: '{path.suffix}' files hold no keypoints that are known; give .json, .npz or .npy.")


def _folder(folder: Path, progress: Progress | None) -> People:
    """OpenPose's files, one a frame, in the order of their numbers."""
    files = sorted((file for file in folder.iterdir() if file.suffix.lower() == ".json"), key=_natural)
    if not files:
        raise UserError(f"{folder} holds 0 .json files; name the folder that OpenPose wrote its frames to.")
    documents = {}
    for number, file in enumerate(files):
        tell(progress, 0.8 * number / len(files), f"reading {file.name}")
        document = load_json(file)
        if not isinstance(document, dict) or not isinstance(document.get("people", document.get("bodies")), list):
            raise UserError(f"{file} is no frame of OpenPose (it has no list of people); keep only frames in {folder}.")
        documents[file.stem] = document
    try:
        people = frames(documents)
    except UserError as error:
        raise UserError(f"{folder}: {error}") from None
    if not people.points:
        raise UserError(f"{folder}: there are 0 people in its {len(files):,} frames; choose another folder.")
    return people


def _natural(path: Path) -> list:
    """Numbers in names by their value: frame 9 before frame 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", path.name)]


def _layout(people: People, points: np.ndarray, sure: np.ndarray, options: Options, where: str) -> tuple[str, str]:
    """(key of LAYOUTS, how it was found)."""
    count = points.shape[1]
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
        key, how = find_layout(points, sure, where)
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


def _choose(
    points: np.ndarray, score: np.ndarray, image: np.ndarray, person: int | None, path: Path
) -> tuple[list[int], list[str]]:
    """Rows of the person chosen in each image, and what to say of the others."""
    if person is None:
        return list(range(len(points))), []
    low, high = _extremes(points)
    area = np.prod(high - low, axis=-1)
    scored = bool(np.isfinite(score).all())
    order = np.lexsort((-area, -score if scored else np.zeros(len(score)), image))
    bounds = np.flatnonzero(np.diff(image[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(bounds, np.diff([*bounds, len(order)]))
    chosen = order[rank == person]
    if not len(chosen):
        most = int(rank.max())
        raise UserError(
            f"{path}: person is {person}, but no image shows {person + 1} people, at most {most + 1}; "
            f"give person=0{f' to {most}' if most else ''}, or all."
        )
    others = len(points) - len(chosen)
    best = "with the highest score" if scored else "that is largest"
    which = f"the one {best}" if person == 0 else f"number {person} by {'score' if scored else 'size'}"
    said = f"Of several people in an image {which} is taken, {others:,} others are left out (?person=1, ?person=all)."
    return chosen.tolist(), [said] if others else []


def _extremes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) lowest and highest coordinates of the joints that were found; 0 where none was."""
    lost = np.isnan(points)
    low = np.where(lost, np.inf, points).min(1)
    high = np.where(lost, -np.inf, points).max(1)
    nobody = lost.all(axis=(1, 2))[:, None]
    return np.where(nobody, 0, low), np.where(nobody, 0, high)
