"""The JSON layouts in which detectors and data sets write 2D keypoints, told apart by content while they are read.

COCO annotations and results, AlphaPose (its own, 'cmu' and 'open' forms), OpenPose frames, MMPose (demo, inferencer,
video). Files are walked an entry at a time: their length does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from poseaug_core.errors import UserError
from poseaug_core.readers.json_stream import Entry, entries
from poseaug_core.readers.keypoint_people import People, one_number

KNOWN = (
    "COCO annotations or results, OpenPose frames (people), AlphaPose results, MMPose results (instance_info, "
    "predictions or instances)"
)
#: Images of COCO annotations, whose names and sizes are kept while people are read; the data set has 330,000.
MOST_IMAGES = 5_000_000
PEOPLE = ("people", "bodies")
LISTS = ("instance_info", "predictions")


def read_people(path: Path, folder: Path | None = None, progress: Callable[[float], None] | None = None) -> People:
    """Everyone in one JSON file, in columns on disk in ``folder``.

    progress: told the share read. Raises UserError where it is none of the known layouts or holds nobody.
    """
    people = People(folder=folder)
    try:
        _Document(people, path).read(entries(path, progress))
        people.finish()
    except UserError as error:
        people.close()
        raise error if str(error).startswith(str(path)) else UserError(f"{path}: {error}") from None
    except BaseException:
        people.close()
        raise
    if not len(people):
        people.close()
        raise UserError(
            f"{path} ({people.title}) holds 0 people with keypoints; write it again from images in "
            "which people are found."
        )
    return people


def add_frame(people: People, name: str, found: Any) -> None:
    """The people or bodies of one of OpenPose's frames, or of AlphaPose's in the same form."""
    image = name.removesuffix("_keypoints")
    for person in _dicts(found, f"the people of {name}"):
        _add_of_frame(people, image, person)


def _add_of_frame(people: People, image: str, person: dict) -> None:
    keypoints = person.get("pose_keypoints_2d", person.get("pose_keypoints", person.get("joints")))
    if keypoints:  # OpenPose writes an empty list where it looked for hands and faces alone
        people.add(image, keypoints)


class _Document:
    """Which layout a document has shows as its entries come; each is dealt with at once."""

    def __init__(self, people: People, path: Path):
        self.people, self.path = people, path
        self.images: dict[Any, tuple[str, tuple[float, float]]] | None = None
        self.counts: dict[str | None, int] = {}
        self.unknown: list[str] = []
        self.alpha: bool | None = None

    def read(self, found: Iterable[Entry]) -> None:
        any_entry = False
        for entry in found:
            any_entry = True
            if entry.key is None:
                self._top_level(entry)
            else:
                self._under(entry)
        if not any_entry:
            raise UserError("it is empty, with 0 people in it; write it again from images in which people are found.")
        if not self.people.title:
            more = f" and {len(self.unknown) - 6} more" if len(self.unknown) > 6 else ""
            listed = ", ".join(name[:30] for name in self.unknown[:6])
            raise UserError(f"its keys are {listed}{more}; known are {KNOWN}.")

    def _begin(self, title: str) -> bool:
        """Whether the document is of this kind: the first list of people that is met decides."""
        self.people.title = self.people.title or title
        return self.people.title == title

    def _next(self, key: str | None) -> int:
        number = self.counts.get(key, 0)
        self.counts[key] = number + 1
        return number

    def _top_level(self, entry: Entry) -> None:
        value, number = entry.value, self._next(None)
        if not entry.listed:
            raise UserError(f"it holds {type(value).__name__}, not lists of people; known are {KNOWN}.")
        if not self.people.title:
            if isinstance(value, dict) and "image_id" in value and "keypoints" in value:
                alpha = isinstance(value["image_id"], str) or "idx" in value or "box" in value
                self.people.title = "AlphaPose results" if alpha else "COCO results"
            elif isinstance(value, list) or isinstance(value, dict) and ({"instances", "keypoints"} & set(value)):
                self.people.title = "MMPose results"
            else:
                raise UserError(f"its entries have {_some(value)}; known are {KNOWN}.")
        if self.people.title == "MMPose results":
            self._mmpose(value, number)
            return
        _require_dict(value, number, "results")
        if "keypoints" not in value:
            raise UserError(f"result {len(self.people)} has no keypoints, only {_some(value)}; write it again.")
        self.people.add(value.get("image_id"), value["keypoints"], None, value.get("score"))

    def _under(self, entry: Entry) -> None:
        key, value = entry.key, entry.value
        if key in ("images", "annotations", "categories"):
            self._coco(entry)
        elif key in PEOPLE and (entry.listed or value == []):
            if self._begin("OpenPose frames") and entry.listed:
                name = self.path.stem
                _require_dict(value, self._next(key), f"the people of {name}")
                _add_of_frame(self.people, name.removesuffix("_keypoints"), value)
        elif key in LISTS:
            if not self._begin("MMPose results"):
                return
            if not entry.listed and value != []:
                raise UserError(f"its list of people is {type(value).__name__}, expected a list; write it again.")
            if entry.listed:
                self._mmpose(value, self._next(key))
        elif key == "meta_info":
            names = value.get("keypoint_id2name") if isinstance(value, dict) else None
            if isinstance(names, dict):
                self.people.names = tuple(map(str, names.values()))
        elif isinstance(value, dict) and set(PEOPLE) & set(value) and not entry.listed and not self.unknown:
            if self._begin("AlphaPose results"):
                add_frame(self.people, key, value.get("people", value.get("bodies")))
        elif not self.unknown or self.unknown[-1] != key:
            if self.people.title == "AlphaPose results":
                raise UserError(f"frame {key} holds {type(value).__name__}, expected an object with people.")
            self.unknown.append(key)

    def _coco(self, entry: Entry) -> None:
        key, value = entry.key, entry.value
        if key == "categories":
            if entry.listed and isinstance(value, dict) and isinstance(value.get("keypoints"), list):
                self.people.names = tuple(map(str, value["keypoints"]))
        elif key == "images":
            self.unknown += [] if self.unknown[-1:] == [key] else [key]
            # Those of other documents mean nothing to us, and annotations come with a look at the images of theirs.
            self.images = {} if self.images is None else self.images
            if not entry.listed and value != []:
                self.images[""] = (type(value).__name__, (0, 0))
            elif entry.listed:
                self._image(value, self._next(key))
        elif self._begin("COCO annotations"):
            if self.images is None:
                self.images = {}
                for number, image in enumerate(_values(entries(self.path), "images")):
                    self._image(image, number)
            if "" in self.images:
                raise UserError(f"images are {self.images[''][0]}, expected a list; write it again.")
            if not entry.listed and value != []:
                raise UserError(f"annotations are {type(value).__name__}, expected a list; write it again.")
            if entry.listed:
                _require_dict(value, self._next(key), "annotations")
                self._annotation(value)

    def _image(self, image: Any, number: int) -> None:
        _require_dict(image, number, "images")
        if len(self.images) >= MOST_IMAGES:
            raise UserError(f"it lists more than {MOST_IMAGES:,} images; split it.")
        key = _key(image.get("id"))
        nowhere = (float("nan"), float("nan"))
        size = (
            (one_number(image["width"]), one_number(image["height"])) if {"width", "height"} <= set(image) else nowhere
        )
        self.images[key] = (str(image.get("file_name", key)), size)

    def _annotation(self, person: dict) -> None:
        if person.get("keypoints") and person.get("num_keypoints") != 0:
            key = _key(person.get("image_id"))
            name, size = self.images.get(key, (str(key), (float("nan"), float("nan"))))
            self.people.add(name, person["keypoints"], None, person.get("score"), visibility=True, size=size)

    def _mmpose(self, entry: Any, number: int) -> None:
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
            self.people.add(image, person["keypoints"], person.get("keypoint_scores"), score)


def _values(found: Iterable[Entry], key: str) -> Iterator[Any]:
    return (entry.value for entry in found if entry.key == key and entry.listed)


def _require_dict(entry: Any, number: int, what: str) -> None:
    if not isinstance(entry, dict):
        raise UserError(f"entry {number} of {what} is {type(entry).__name__}, expected an object; write it again.")


def _dicts(value: Any, what: str) -> Iterator[dict]:
    if not isinstance(value, list):
        raise UserError(f"{what} are {type(value).__name__}, expected a list; write it again.")
    for number, entry in enumerate(value):
        _require_dict(entry, number, what)
        yield entry


def _key(value: Any) -> Any:
    """What an image's id is looked up by."""
    return value if isinstance(value, (int, str, float)) else str(value)


def _some(found: Any) -> str:
    if not isinstance(found, dict):
        return type(found).__name__
    names = [str(name)[:30] for name in list(found)[:6]]
    return (", ".join(names) + (f" and {len(found) - 6} more" if len(found) > 6 else "")) or "no keys"
