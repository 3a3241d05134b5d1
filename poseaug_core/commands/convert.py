"""poseaug convert and demo-data: motion filmed by cameras, as arrays to train on."""

from __future__ import annotations

from pathlib import Path

import click

from poseaug_core.commands.terminal import json_option, print_json, progress_bar
from poseaug_core.errors import UserError


@click.group()
def convert() -> None:
    """Make training poses from motion capture."""


@convert.command()
@click.argument("path", metavar="FILE_OR_FOLDER")
@click.option("--out", required=True, type=click.Path(), help="File to write: .h5 or .npz arrays.")
@click.option("--rig", default="lab", metavar="lab|wild", help="Cameras that film it. [default: lab]")
@click.option("--fps", default=30.0, help="Frames a second to keep; 0 for all. [default: 30]")
@click.option("--seed", default=0, help="Seeds cameras and proportions. [default: 0]")
@click.option(
    "--proportions",
    default="own",
    metavar="own|seeded",
    help="The actors' own limb lengths, or new ones for each. [default: own]",
)
@json_option
def bvh(path, out, rig, fps, seed, proportions, as_json) -> None:
    """Film BVH files (one, or every one below a folder) and write 3D, 2D and cameras."""
    import numpy as np

    from poseaug_core.motion.filming import film
    from poseaug_core.readers.arrays import write_arrays
    from poseaug_core.readers.bvh import read_bvh, read_folder

    _check_target(out)
    path, left_out = Path(path), []
    with progress_bar() as progress:
        if path.is_file():
            clips = [read_bvh(path, fps or None)]
        else:
            clips, left_out = read_folder(path, fps or None, progress)
        footage = film(
            clips, rig, np.random.default_rng(seed), proportions=proportions, name=Path(out).stem, progress=progress
        )
    write_arrays(footage.poses, out)
    notes = [f"{clip.name}: {'; '.join(clip.notes)}" for clip in clips]
    result = {
        "written": out,
        "poses": len(footage.poses),
        "clips": len(clips),
        "subjects": len(footage.poses.subjects()),
        "notes": [*notes, *footage.notes],
        "left_out": left_out,
    }
    if as_json:
        print_json(result)
        return
    for line in (*notes[:5], *([f"... and {len(notes) - 5} more clips"] if len(notes) > 5 else []), *footage.notes):
        click.echo(line, err=True)
    for line in left_out:
        click.echo(f"Left out: {line}", err=True)
    click.echo(f"Written: {out}, {len(footage.poses):,} poses of {len(clips)} clips, {result['subjects']} subjects")


def _check_target(out: str) -> None:
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
            click.echo(f"Written: {one['written']}, {one['poses']:,} poses")
