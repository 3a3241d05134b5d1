"""The layouts in which detectors and data sets write 2D keypoints, told apart by content, as one table of people.

JSON: COCO annotations and results, AlphaPose (its own, 'cmu' and 'open' forms), OpenPose frames, MMPose (demo,
inferencer, video). Arrays: ``keypoints`` (n, k, 2 or 3) in .npz, or the array itself in .npy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoint_maps import LAYOUTS
from poseaug_core.readers.limits import require_room

#: Larger JSON files are refused; COCO's annotations of people have 240 MB.
LARGEST = 256 * 2**20
#: Memory that a JSON file may take, over its size: lists of numbers take 6, empty objects 23.
TIMES = 25
KNOWN = (
    "COCO annotations or results, OpenPose frames (people), AlphaPose results, MMPose results (instance_info, "
    "predictions or instances)"
)
COUNTS = {layout.count for layout in LAYOUTS.values()}
#: COCO's visibility flags as confidence: not labelled, labelled but hidden, visible.
VISIBILITY = np.array((0.0, 0.5, 1.0))


@dataclass
class People:
    """What one file holds, in order. All lists are one entry a person, but images and sizes.

    points: (k, 2) each. sure: (k,) confidence. image: which of images. score: of the person, NaN where not given.
    sizes: image -> (width, height) pixels. names: of the k joints, where the file has them.
    """

    title: str
    points: list[np.ndarray] = field(default_factory=list)
    sure: list[np.ndarray] = field(default_factory=list)
    image: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    images: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def add(self, image: Any, keypoints: Any, sure: Any = None, score: Any = None, visibility: bool = False) -> None:
        """One person; keypoints are x, y (, confidence) in a row or a list of such triples or pairs."""
        where = f"person {len(self.points)} (image {str(image)[:60]})"
        rows = _rows(keypoints, where)
        if self.points and len(rows) != len(self.points[0]):
            raise UserError(f"{where} has {len(rows)} joints, those before have {len(self.points[0])}; keep one kind.")
        points, certain = rows[:, :2], rows[:, 2] if rows.shape[1] > 2 else np.ones(len(rows))
        if sure is not None:
            certain = _numbers(sure, f"the scores of {where}").reshape(-1)
            if len(certain) != len(rows):
                raise UserError(f"{where} has {len(rows)} joints and {len(certain)} scores; write one score a joint.")
        if visibility:
            certain = VISIBILITY[np.nan_to_num(certain).astype(int).clip(0, 2)]
        # Not found: confidence 0, whose place means nothing, and without confidence the corner of the image.
        lost = ~np.isfinite(points).all(1) | ~np.isfinite(certain) | (certain <= 0)
        lost |= (points == 0).all(1) & (certain >= 1)
        self.points.append(np.where(lost[:, None], np.nan, points))
        self.sure.append(np.where(lost, 0.0, certain).clip(0, 1))
        self.image.append(self.images.setdefault(str(image), len(self.images)))
        self.score.append(_one_number(score))


def load_json(path: Path) -> Any:
    """The document; UserError for files too large, too deep, damaged or not text."""
    size = path.stat().st_size
    if size > LARGEST:
        raise UserError(
            f"{path} has {size:,} bytes, at most {LARGEST:,} are read at once; split it, or save the keypoints as .npz."
        )
    require_room(path, TIMES * size, size)
    try:
        return json.loads(path.read_bytes())
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


def people_of(document: Any, path: Path) -> People:
    """Everyone in one JSON document. Raises UserError where it is none of the known layouts or holds nobody."""
    try:
        people = _parsed(document, path)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if not people.points:
        raise UserError(
            f"{path} ({people.title}) holds 0 people with keypoints; write it again from images in "
            "which people are found."
        )
    return people


def _parsed(document: Any, path: Path) -> People:
    if document in ([], {}):
        raise UserError("it is empty, with 0 people in it; write it again from images in which people are found.")
    if isinstance(document, dict):
        if "annotations" in document:
            return _coco_annotations(document)
        if isinstance(document.get("people"), list) or isinstance(document.get("bodies"), list):
            return frames({path.stem: document})
        if "instance_info" in document or "predictions" in document:
            return _mmpose(document)
        if document and all(isinstance(v, dict) and ({"people", "bodies"} & set(v)) for v in document.values()):
            return frames(document, "AlphaPose results")
        raise UserError(f"its keys are {_some(document)}; known are {KNOWN}.")
    if not isinstance(document, list):
        raise UserError(f"it holds {type(document).__name__}, not lists of people; known are {KNOWN}.")
    first = document[0]
    if isinstance(first, dict) and "image_id" in first and "keypoints" in first:
        return _coco_results(document)
    if isinstance(first, list) or isinstance(first, dict) and ({"instances", "keypoints"} & set(first)):
        return _mmpose({"predictions": document})
    raise UserError(f"its entries have {_some(first)}; known are {KNOWN}.")


def _coco_annotations(document: dict) -> People:
    people = People("COCO annotations")
    files: dict[Any, str] = {}
    for image in _dicts(document.get("images", []), "images"):
        number = _key(image.get("id"))
        files[number] = str(image.get("file_name", number))
        if "width" in image and "height" in image:
            people.sizes[files[number]] = (_one_number(image["width"]), _one_number(image["height"]))
    for category in _dicts(document.get("categories", []), "categories"):
        if isinstance(category.get("keypoints"), list):
            people.names = tuple(map(str, category["keypoints"]))
    for person in _dicts(document["annotations"], "annotations"):
        if person.get("keypoints") and person.get("num_keypoints") != 0:
            image = _key(person.get("image_id"))
            people.add(files.get(image, image), person["keypoints"], None, person.get("score"), visibility=True)
    return people


def _coco_results(document: list) -> People:
    records = list(_dicts(document, "results"))
    alpha = isinstance(records[0]["image_id"], str) or "idx" in records[0] or "box" in records[0]
    people = People("AlphaPose results" if alpha else "COCO results")
    for person in records:
        if "keypoints" not in person:
            raise UserError(f"result {len(people.points)} has no keypoints, only {_some(person)}; write it again.")
        people.add(person.get("image_id"), person["keypoints"], None, person.get("score"))
    return people


def frames(documents: dict[str, Any], title: str = "OpenPose frames") -> People:
    """OpenPose's frames, and AlphaPose's in the same form: name of the image -> {people or bodies: [...]}."""
    people = People(title)
    for name, frame in documents.items():
        image = name.removesuffix("_keypoints")
        if not isinstance(frame, dict):
            raise UserError(f"frame {name} holds {type(frame).__name__}, expected an object with people.")
        for person in _dicts(frame.get("people", frame.get("bodies")), f"the people of {name}"):
            keypoints = person.get("pose_keypoints_2d", person.get("pose_keypoints", person.get("joints")))
            if keypoints:  # OpenPose writes an empty list where it looked for hands and faces alone
                people.add(image, keypoints)
    return people


def _mmpose(document: dict) -> People:
    people = People("MMPose results")
    meta = document.get("meta_info")
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if isinstance(names, dict):
        people.names = tuple(map(str, names.values()))
    listed = document.get("instance_info", document.get("predictions"))
    if not isinstance(listed, list):
        raise UserError(f"its list of people is {type(listed).__name__}, expected a list; write it again.")
    for number, entry in enumerate(listed):
        if isinstance(entry, dict) and "instances" in entry:  # a frame of a video
            found, image = entry["instances"], entry.get("frame_id", number)
        elif isinstance(entry, list):
            found, image = entry, number
        else:
            found, image = [entry], 0
        for person in _dicts(found, f"entry {number}"):
            if "keypoints" not in person:
                raise UserError(f"a person of entry {number} has no keypoints, only {_some(person)}; write it again.")
            score = person.get("bbox_score")
            people.add(image, person["keypoints"], person.get("keypoint_scores"), score)
    return people


def _rows(keypoints: Any, where: str) -> np.ndarray:
    """(k, 2 or 3) float64 of a flat or nested list."""
    values = _numbers(keypoints, where)
    if values.ndim == 2 and values.shape[1] in (2, 3) and len(values):
        return values
    if values.ndim != 1 or not len(values):
        raise UserError(f"{where} has keypoints of shape {values.shape}, expected x, y, confidence for each joint.")
    by_three, by_two = len(values) % 3 == 0, len(values) % 2 == 0
    if by_three and (len(values) // 3 in COUNTS or not (by_two and len(values) // 2 in COUNTS)):
        return values.reshape(-1, 3)
    if by_two:
        return values.reshape(-1, 2)
    raise UserError(f"{where} has {len(values)} numbers, which are not x, y, confidence for each joint.")


def _numbers(value: Any, where: str) -> np.ndarray:
    """float64; null counts as NaN. UserError for texts and lists of unequal length."""
    try:
        array = np.array(value, dtype=object if value is None else None)
        if array.dtype == object:
            array = np.array(value, dtype=np.float64)
        if array.dtype.kind not in "fiu":
            raise ValueError
        return array.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        shown = str(value).replace("\n", " ")[:60]
        raise UserError(f"{where} has keypoints that are not numbers in equal rows: {shown}.") from None


def _one_number(value: Any) -> float:
    """A float, NaN for what is none."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e300 else float("nan")


def _dicts(value: Any, what: str) -> Iterator[dict]:
    if not isinstance(value, list):
        raise UserError(f"{what} are {type(value).__name__}, expected a list; write it again.")
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise UserError(f"entry {number} of {what} is {type(entry).__name__}, expected an object; write it again.")
        yield entry


def _key(value: Any) -> Any:
    """What an image's id is looked up by."""
    return value if isinstance(value, (int, str, float)) else str(value)


def _some(found: Any) -> str:
    if not isinstance(found, dict):
        return type(found).__name__
    names = [str(name)[:30] for name in list(found)[:6]]
    return (", ".join(names) + (f" and {len(found) - 6} more" if len(found) > 6 else "")) or "no keys"
