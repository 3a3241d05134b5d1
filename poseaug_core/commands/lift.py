"""poseaug lift: 2D keypoints through an estimator, to 3D poses in a file and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poseaug_core.commands.terminal import (
    counted,
    json_option,
    own_estimator_option,
    print_errors,
    print_json,
    progress_bar,
    tell,
)
from poseaug_core.errors import UserError

if TYPE_CHECKING:
    from poseaug_core.lifting import Part

#: Rows of a figure where none are named: spread over the set.
DRAWN = 4


@click.command(short_help="Your own 2D keypoints, lifted to 3D.")
@click.argument("keypoints", metavar="KEYPOINTS")
@click.option("--with", "source", metavar="RUN_OR_CHECKPOINT", help="What lifts them. [default: the demo's estimator]")
@click.option("--beside", metavar="RUN_OR_CHECKPOINT", help="A baseline whose answers stand beside.")
@click.option("--out", type=click.Path(), help="File to write: .npz, .h5, .csv, .json, or .bvh as one motion.")
@click.option("--figure", type=click.Path(), help="Figure to write: .pdf, .svg or .png.")
@click.option("--row", "rows", multiple=True, type=int, help="Of the figure; may be repeated. [default: 4, spread]")
@click.option("--width-mm", default=175.0, help="Width of the figure in millimetres. [default: 175]")
@click.option("--fps", default=30.0, help="Frames a second of a motion. [default: 30]")
@own_estimator_option
@click.option("--flip/--no-flip", default=True, help="Average with the mirrored answer. [default: flip]")
@click.option(
    "--precision", default="float32", metavar="float32|bfloat16",
    help="Of the products of SimpleBaseline and VPose; bfloat16 is faster where the CPU has it. [default: float32]",
)  # fmt: skip
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps. [default: auto]")
@json_option
def lift(keypoints, source, beside, out, figure, rows, width_mm, fps, own, flip, precision, device, as_json) -> None:
    """Lift 2D keypoints to 3D poses with any estimator, and write them.

    KEYPOINTS: a .json file of COCO, OpenPose, AlphaPose or MMPose, a folder of OpenPose's frames, .npz with keypoints
    (n, joints, 2 or 3), or any set of poses, whose 2D is lifted and whose errors are printed. Options follow a '?':
    layout=coco17|h36m17|h36m16|mpii16|openpose25|openpose18|halpe26, person=0|1|all, width=1280&height=720,
    images=FOLDER, units=pixels|fractions|normalised. What was decided while reading is told.
    """
    from poseaug_core.device import choose_device
    from poseaug_core.lifted_files import Head, require_lifted_target, writing_lifted
    from poseaug_core.lifting import DEFAULT, DEFAULT_NOTE, errors_of, lifted_poses, open_2d, open_lifter, title_of
    from poseaug_core.lifting import lift as lift_parts

    if out is None and figure is None:
        raise UserError("Nothing would be written; name a file with --out or --figure.")
    if out is not None:
        require_lifted_target(out)
    if figure is not None:
        _check_figure(figure, width_mm)
    place = Path(out or figure).absolute().parent
    named = [source or DEFAULT, *([beside] if beside else [])]
    _require_other_targets([target for target in (out, figure) if target], keypoints, named)
    device = choose_device(device)
    lifters = [open_lifter(name, code, device) for name, code in zip(named, _own_of(named, own), strict=True)]
    result = {"with": lifters[0].source, "beside": lifters[1].source if beside else None, "flip": flip}
    with ExitStack() as stack:
        progress = stack.enter_context(progress_bar())
        poses = stack.enter_context(open_2d(keypoints, progress, place))
        result |= {"notes": [], "errors": {}, "poses": len(poses)}
        drawing = Drawing(keypoints, rows, len(poses)) if figure is not None else None
        written, sums = [], []
        with ExitStack() as files:
            head = Head(len(poses), lifters[0].source, bool(beside), fps, poses.one_each)
            writer = files.enter_context(writing_lifted(out, head)) if out is not None else None
            for part in lift_parts(lifters, poses, flip, precision, progress):
                if writer:
                    writer.add(lifted_poses(part.table, part.answers, lifters[0].source, fps))
                if drawing:
                    drawing.take(part)
                sums.append(part.sums)
        if writer:
            result["written"], written = str(writer.path), writer.notes
        if any(sums):
            for name, of_one in zip(("with", "beside"), zip(*sums, strict=True), strict=False):
                result["errors"] |= {f"{name}/{metric}": v for metric, v in errors_of(of_one, len(poses)).items()}
        result["notes"] = [*poses.notes, *([DEFAULT_NOTE] if source is None else []), *written]
        if drawing:
            result["figure"] = str(drawing.save(figure, list(map(title_of, lifters)), width_mm))
    _tell(result, as_json)


def _require_other_targets(targets: list[str], keypoints: str, named: list[str]) -> None:
    """UserError where a file to write is the input, a frame in its folder, or a checkpoint that lifts."""
    from poseaug_core.readers.spec import parse_spec, require_other_target
    from poseaug_core.trained import checkpoint_file

    place = parse_spec(keypoints).path
    for target in targets:
        frame = place / Path(target).name  # the same file only where the target lies in the folder
        frames = [frame] if place.is_dir() and frame.suffix.lower() == ".json" else []
        require_other_target(target, keypoints, *frames, *map(checkpoint_file, named))


def _own_of(named: list[str], own: str) -> list[str]:
    """``own`` for each checkpoint that is of a class of the user's, '' for those of this program's estimators.

    UserError where own is for none of them.
    """
    if not own:
        return ["" for _ in named]
    found = [own if _is_own(name) else "" for name in named]
    if not any(found):
        raise UserError(
            f"--estimator {own} is for weights of a class of yours, {', '.join(named)} has none; leave it out."
        )
    return found


def _is_own(name: str) -> bool:
    """Whether a checkpoint says that it is of a user's class, or is of none known here."""
    from poseaug_core.estimators.own import is_own
    from poseaug_core.trained import checkpoint_file
    from poseaug_core.weights import read_weights

    file = checkpoint_file(name)
    if file.suffix == ".onnx":
        return False
    try:
        return is_own(read_weights(name if name.startswith("asset:") else file)[1]["name"])
    except UserError:  # where it is no checkpoint at all, that is told when it is opened
        return True


def _check_figure(figure: str, width_mm: float) -> None:
    from poseaug_core.export.page import check_target

    check_target(Path(figure), 300)
    if not 60 <= width_mm <= 400:
        raise UserError(f"A width of {width_mm:g} mm is outside 60 to 400; give 85 (single) or 175 (double column).")
    if not Path(figure).absolute().parent.is_dir():
        raise UserError(f"{figure} cannot be written: the folder {Path(figure).parent} does not exist; make it first.")


class Drawing:
    """The rows of a figure, picked up as their parts come."""

    def __init__(self, spec: str, rows: Sequence[int], count: int):
        from poseaug_core.lifting import require_rows, spread

        require_rows(rows, count)
        self.spec, self.rows, self.drawn = spec, list(rows) or spread(count, DRAWN), {}

    def take(self, part: Part) -> None:
        from poseaug_core.keypoints import Keypoints
        from poseaug_core.lifting import example
        from poseaug_core.readers.keypoint_images import image_folder
        from poseaug_core.readers.spec import parse_spec

        folder = image_folder(parse_spec(self.spec)) if isinstance(part.table, Keypoints) else None
        for row in set(self.rows):
            if 0 <= row - part.start < len(part.table):
                self.drawn[row] = example(part.table, row - part.start, part.answers, folder)

    def save(self, path: str, titles: list[str], width_mm: float) -> Path:
        from poseaug_core.export.lifted import draw_lifted
        from poseaug_core.export.page import save

        drawn = [self.drawn[row] for row in self.rows]
        return save(draw_lifted(drawn, *titles, width_mm=width_mm), Path(path))


def _tell(result: dict, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    for note in result["notes"]:
        tell(note, err=True)
    if result["errors"]:
        print_errors(result["errors"], f"{result['with']}{' beside ' + result['beside'] if result['beside'] else ''}")
    for key in ("written", "figure"):
        if key in result:
            many = f", {counted(result['poses'], 'poses')}" if key == "written" else ""
            tell(f"Written: {result[key]}{many}")
