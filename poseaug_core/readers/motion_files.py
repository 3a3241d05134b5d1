"""Motion files found and read as clips, by several processes where there is much to read; nothing here loads torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Clip, Progress, tell
from poseaug_core.processes import cores, in_order
from poseaug_core.readers.asfamc import read_asfamc, skeleton_of
from poseaug_core.readers.body import DEFAULT_FPS
from poseaug_core.readers.bvh import read_bvh

#: What each kind of motion file is read by: (path, frames a second to keep) -> Clip.
MOTION: dict[str, Callable[[Path, float | None], Clip]] = {".bvh": read_bvh, ".amc": read_asfamc}
#: A skeleton stands for all the motion beside it that is read with it.
SKELETON = ".asf"
#: Bytes of motion files that one process reads sooner than others are started.
ALONE = 48 << 20


class Reading:
    """The clips of every motion file that source names or that lies below it, one after another in name order.

    found: of the clips so far all but their poses. left_out: a sentence for each file that could not be used.
    """

    def __init__(
        self,
        source: str | Path | Sequence[str | Path],
        fps: float | None = DEFAULT_FPS,
        kinds: Sequence[str] = tuple(MOTION),
        jobs: int = 1,
        progress: Progress | None = None,
    ):
        """Arguments as ``convert_motion``."""
        sources = [Path(one) for one in ([source] if isinstance(source, str | Path) else source)]
        if any(one.suffix.lower() == ".amc" for one in sources):  # with their skeleton, but not all that it stands for
            sources = [one for one in sources if one.suffix.lower() != SKELETON]
        self.where = ", ".join(map(str, sources))
        self.files = list(dict.fromkeys(file for one in sources for file in motion_files(one, kinds)))
        self.fps, self.progress = fps, progress
        self.jobs = jobs or (cores() if sum(file.stat().st_size for file in self.files) > ALONE else 1)
        self.found: list[Clip] = []
        self.left_out: list[str] = []

    def __iter__(self) -> Iterator[Clip]:
        """Raises UserError where no file can be used, Cancelled where progress says stop."""
        tasks = [(file, self.fps) for file in self.files]
        with closing(in_order(_read, tasks, self.jobs, self._ask, __name__)) as clips:
            for clip in clips:
                if isinstance(clip, str):
                    self.left_out.append(clip)
                else:
                    self.found.append(replace(clip, xyz=clip.xyz[:0].copy()))
                    yield clip
        if not self.found:
            raise UserError(
                f"None of the {len(self.files)} motion files in {self.where} can be used. The first: {self.left_out[0]}"
            )

    def _ask(self) -> None:
        number = len(self.found) + len(self.left_out)
        tell(self.progress, number / len(self.files), f"reading {self.files[min(number, len(self.files) - 1)].name}")


def _read(task: tuple[Path, float | None]) -> Clip | str:
    """The clip in a file, or what is wrong with it."""
    file, fps = task
    try:
        return MOTION.get(file.suffix.lower(), read_bvh)(file, fps)
    except UserError as error:
        return str(error)


def motion_files(path: Path, kinds: Sequence[str] = tuple(MOTION)) -> list[Path]:
    """The file itself, a skeleton's motion, or every motion file below the folder in name order.

    Raises UserError where there is none.
    """
    if path.is_file() and path.suffix.lower() != SKELETON:
        return [path]
    if path.is_file():
        beside = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".amc" and file.is_file())
        if files := [file for file in beside if skeleton_of(file) == path]:
            return files
        raise UserError(f"{path} is a skeleton, but there is no .amc file of it beside it; put its motion there.")
    if not path.exists():
        raise UserError(f"{path} does not exist; check the name and the folder.")
    try:
        list(path.iterdir())
    except PermissionError:
        raise UserError(f"{path} may not be read by this user; change its permissions (chmod u+rx).") from None
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in kinds and file.is_file())
    if not files:
        raise UserError(f"{path} holds 0 {' or '.join(kinds)} files; name a folder that has some, at any depth.")
    return files
