"""What lifting in the studio does beside the window: reading keypoints, lifting them, writing the answers."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError

Progress = Callable[[float, str], bool]
DEMO = "asset:demo_estimator.safetensors"
#: What a file of keypoints ends in; .npz files are looked into.
ENDINGS = (".json", ".npy")
#: Poses beyond which a file is lifted by the command line, which needs no memory for them.
MOST = 2_000_000


@dataclass(frozen=True)
class Source:
    """What is lifted, as plain arrays: n rows.

    spec: how it was opened. names: of the rows. uv: (n, 16, 2). confidence: (n, 16). size: (n, 2) pixels, 0 where
    unknown. truth: (n, 16, 3) root-relative metres, where known. notes: what was decided while reading.
    folder: where its images are looked for. several: whether an image has more than one row.
    """

    spec: str
    name: str
    names: tuple[str, ...]
    uv: np.ndarray
    confidence: np.ndarray
    size: np.ndarray
    truth: np.ndarray | None
    notes: tuple[str, ...]
    folder: Path | None
    several: bool

    def __len__(self) -> int:
        return len(self.uv)


def is_keypoints(paths: Sequence[Path]) -> bool:
    """Whether one thing was chosen that is read as 2D keypoints, by its name and header; loads no reader for that."""
    if len(paths) != 1:
        return False
    path = paths[0] if paths[0].exists() else Path(str(paths[0]).partition("?")[0])
    try:
        if path.is_dir():
            frames = not (path / "config.toml").exists() and next(path.glob("*.json"), None) is not None
            return frames and next(path.glob("*.[bB][vV][hH]"), None) is None
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return "keypoints.npy" in archive.namelist() and "pose3d.npy" not in archive.namelist()
        if path.suffix.lower() == ".mat":
            with open(path, "rb") as file:
                return file.read(10) == b"MATLAB 5.0"  # MPII and LSP; sets with 3D are HDF5
        return path.suffix.lower() in ENDINGS and path.is_file()
    except (OSError, zipfile.BadZipFile):
        return False  # who opens it will say what is wrong


def holds_poses(path: Path) -> bool:
    """Whether a file has arrays of 3D poses, by its name and header."""
    try:
        if path.suffix.lower() != ".npz":
            return path.suffix.lower() in (".h5", ".hdf5")
        with zipfile.ZipFile(path) as archive:
            return "pose3d.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False  # who opens it will say what is wrong


def read(spec: str, progress: Progress | None = None) -> Source:
    """Keypoints, or the 2D of any set of poses. Raises UserError, Cancelled."""
    from poseaug_core.keypoints import Keypoints
    from poseaug_core.lifting import read_2d, row_names
    from poseaug_core.readers.keypoint_images import image_folder
    from poseaug_core.readers.spec import parse_spec

    table = read_2d(spec, progress)
    if len(table) > MOST:
        raise UserError(f"{spec} has {len(table):,} poses, the window takes {MOST:,}; use 'poseaug lift'.")
    if isinstance(table, Keypoints):
        several = len(table.image.unique()) < len(table)
        return Source(
            spec, table.name, tuple(row_names(table)), table.uv.numpy(), table.confidence.numpy(), table.size.numpy(),
            None, table.notes, image_folder(parse_spec(spec)), several,
        )  # fmt: skip
    sure = np.ones(table.uv.shape[:2], np.float32)
    note = f"{len(table):,} poses with their 3D: what is lifted is their 2D, and errors are shown."
    return Source(
        spec, table.name, tuple(row_names(table)), table.uv.numpy(), sure, np.zeros((len(table), 2), np.float32),
        table.root_relative.numpy(), (note,), None, False,
    )  # fmt: skip


def lift(source: Source, estimator: str, progress: Progress | None = None) -> np.ndarray:
    """(n, 16, 3) root-relative metres by the estimator, flip-averaged. Raises UserError, Cancelled."""
    from poseaug_core.lifting import lift_array, open_lifter

    return lift_array(open_lifter(estimator), source.uv, progress=progress)


def write_poses(
    source: Source, answers: np.ndarray, baseline: np.ndarray | None, estimator: str, fps: float, out: Path
) -> tuple[Path, list[str]]:
    """The answers as .npz, .h5, .csv, .json or .bvh; the path and what to say of it. Raises UserError."""
    from poseaug_core.lifted_files import LiftedPoses, write_lifted

    poses = LiftedPoses(
        answers, source.uv, source.confidence, source.names, estimator, baseline, fps, not source.several
    )
    return write_lifted(poses, out)


def write_figure(
    source: Source, rows: Sequence[int], answers: np.ndarray, baseline: np.ndarray | None, titles: tuple[str, str],
    theme: str, out: Path,
) -> Path:  # fmt: skip
    """A figure of rows as .pdf, .svg or .png. Raises UserError."""
    from poseaug_core.export.lifted import Lifted, draw_lifted
    from poseaug_core.export.page import check_target, save
    from poseaug_core.palette import THEMES
    from poseaug_core.readers.keypoint_images import find_image, load_image

    check_target(out, 300)
    drawn = []
    for row in rows:
        path = find_image(source.folder, source.names[row]) if source.folder else None
        image = load_image(path) if path else None
        truth = None if source.truth is None else source.truth[row]
        other = None if baseline is None else baseline[row]
        drawn.append(Lifted(source.uv[row], answers[row], other, truth, image, source.names[row]))
    return save(draw_lifted(drawn, *titles, theme=THEMES[theme]), out)
