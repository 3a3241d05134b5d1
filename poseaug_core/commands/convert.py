"""poseaug convert and demo-data: motion filmed by cameras, as arrays to train on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from poseaug_core.commands.terminal import counted, json_option, print_json, progress_bar, tell
from poseaug_core.errors import UserError

#: Of what was found in the files, so many lines are shown; --json gives all.
NOTES = 12


@click.group()
def convert() -> None:
    """Make arrays to train on, from motion capture or from any set of poses."""


def filming_options(command: Callable) -> Callable:
    """The flags that say how motion becomes pairs of 3D and 2D, and by how many processes."""
    for option in reversed(
        (
            click.option("--rig", default="lab", metavar="lab|wild", help="Cameras that film it. [default: lab]"),
            click.option(
                "--fps",
                default=30.0,
                callback=lambda *given: _frame_rate(given[-1]),
                help="Frames a second to keep; 0 for all. [default: 30]",
            ),
            click.option("--seed", default=0, help="Seeds cameras and proportions. [default: 0]"),
            click.option(
                "--proportions",
                default="own",
                metavar="own|seeded",
                help="The actors' own limb lengths, or new ones for each. [default: own]",
            ),
            click.option("--jobs", default=0, help="Processes that read the files; 0 for one a core. [default: 0]"),
        )
    ):
        command = option(command)
    return command


def _frame_rate(fps: float) -> float:
    if not 0 <= fps < float("inf"):
        raise UserError(f"--fps is {fps:g}; give the frames a second to keep, such as 30, or 0 for all.")
    return fps


@convert.command()
@click.argument("paths", metavar="FILES_OR_FOLDERS...", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(), help="File to write: .h5 or .npz arrays.")
@filming_options
@json_option
def mocap(paths, out, as_json, **filming) -> None:
    """Film BVH and ASF/AMC (files, or every one below folders) and write 3D, 2D and cameras.

    An .amc file is read with the .asf beside it: NN.asf for NN_MM.amc, or the only one in its folder.
    """
    film_to(list(paths), out, as_json, **filming)


@convert.command()
@click.argument("path", metavar="FILE_OR_FOLDER")
@click.option("--out", required=True, type=click.Path(), help="File to write: .h5 or .npz arrays.")
@filming_options
@json_option
def bvh(path, out, as_json, **filming) -> None:
    """Film BVH files alone (one, or every one below a folder) and write 3D, 2D and cameras."""
    film_to(path, out, as_json, kinds=(".bvh",), **filming)


def film_to(source, out, as_json: bool, rig, fps, seed, proportions, jobs, **kinds) -> None:
    """Film what source names, write it to out and say what was found and left out."""
    from poseaug_core.readers import convert_motion

    check_target(out)
    if jobs < 0:
        raise UserError(f"--jobs is {jobs}; give the number of processes, or 0 for one a core.")
    with progress_bar() as progress:
        found = convert_motion(source, rig, out, fps or None, seed, proportions, progress, jobs=jobs, **kinds)
    if as_json:
        print_json(found)
        return
    for note, count in list(found["notes"].items())[:NOTES]:
        tell(f"{note} ({count} of {found['clips']} clips)" if found["clips"] > 1 else note, err=True)
    for line in found["left_out"]:
        tell(f"Left out: {line}", err=True)
    clips, subjects = counted(found["clips"], "clips"), counted(len(found["subjects"]), "subjects")
    tell(f"Written: {out}, {counted(found['poses'], 'poses')} of {clips}, {subjects}")


@convert.command()
@click.argument("spec")
@click.option("--out", required=True, type=click.Path(), help="File to write: .h5 or .npz arrays.")
@click.option("--split", default="train", metavar="train|test", help="Of Human3.6M, where SPEC does not say.")
@json_option
def poses(spec, out, split, as_json) -> None:
    """Write any set of poses that can be read as plain arrays: Human3.6M, MPI-INF-3DHP, 3DPW and the rest.

    \b
    poseaug convert poses 'data_3d_h36m.npz?subjects=S1&keypoints=cpn' --out s1.h5
    """
    from poseaug_core.readers import read_poses
    from poseaug_core.readers.arrays import write_arrays
    from poseaug_core.readers.spec import require_other_target

    check_target(out)
    require_other_target(out, spec)
    with progress_bar() as progress:
        found = read_poses(spec, progress=progress, split=split)
        written = write_arrays(found, out)
    if as_json:
        print_json({"written": str(written), "poses": len(found), "name": found.name, "notes": list(found.notes)})
        return
    for note in found.notes:
        tell(note, err=True)
    tell(f"Written: {written}, {counted(len(found), 'poses')} of {found.name}")


def check_target(out: str) -> None:
    """What can be refused before minutes of work."""
    path = Path(out)
    if path.suffix.lower() not in (".npz", ".h5", ".hdf5"):
        raise UserError(f"{out}: cannot write '{path.suffix}' files; end the name in .h5 or .npz.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{out} cannot be written: the folder {path.parent} does not exist; make it first.")


@click.command("demo-data", short_help="Write the demo's sets of poses.")
@click.option("--out", required=True, type=click.Path(), help="Folder to write source.h5, source_test.h5, cross.h5 to.")
@click.option("--seed", default=0, help="Another seed, other people and motion. [default: 0]")
@json_option
def demo_data(out, seed, as_json) -> None:
    """Write the demo's sets: parametric motion in a laboratory, held-out people, and a harder set in the wild."""
    from poseaug_core.readers import read_poses
    from poseaug_core.readers.arrays import write_arrays
    from poseaug_core.storage import make_folder

    folder = make_folder(out)
    written = []
    with progress_bar() as progress:
        for name in ("source", "source_test", "cross"):
            poses = read_poses(f"demo:{name}", seed=seed, progress=progress)
            path = write_arrays(poses, folder / f"{name}.h5")
            written.append({"written": str(path), "poses": len(poses)})
    if as_json:
        print_json(written)
    else:
        for one in written:
            tell(f"Written: {one['written']}, {counted(one['poses'], 'poses')}")
