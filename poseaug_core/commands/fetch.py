"""poseaug fetch: motion capture from where it is published, filmed in the same go where wanted."""

from __future__ import annotations

import dataclasses

import click

from poseaug_core.commands.convert import check_target, film_to, filming_options
from poseaug_core.commands.terminal import json_option, print_json, print_table, progress_bar, tell
from poseaug_core.errors import UserError


@click.group()
def fetch() -> None:
    """Get motion capture from its own site."""


@fetch.command()
@click.option("--subjects", metavar="LIST", help="Numbers of people, as in 02,07-09; --list names some.")
@click.option("--trials", metavar="LIST", help="Only these trials of each, as in 1-5,7. [default: all]")
@click.option("--into", type=click.Path(), help="Folder for the files. [default: the user's cache]")
@click.option("--base-url", help="Another site with the same files. [default: POSEAUG_CMU_URL, else mocap.cs.cmu.edu]")
@click.option("--list", "listing", is_flag=True, help="List subjects to begin with, and fetch nothing.")
@click.option("--out", type=click.Path(), help="Also film what came, and write it to this .h5 or .npz file.")
@filming_options
@json_option
def cmu(subjects, trials, into, base_url, listing, out, as_json, **filming) -> None:
    """Fetch ASF/AMC of the CMU Graphics Lab Motion Capture Database, and film it where --out is given.

    Files that are there are not asked for again; what broke off goes on where it stopped.
    """
    from poseaug_core.fetch.catalog import ACKNOWLEDGEMENT, SUBJECTS, subject_numbers, trial_numbers

    if listing:
        rows = [[f"{number:02d}", str(count), does] for number, (does, count) in SUBJECTS.items()]
        print_json(rows) if as_json else print_table(["subject", "trials", "does"], rows)
        return
    if not subjects:
        raise UserError("No subjects are named; give some, as in --subjects 02,07, or see --list.")
    people, takes = subject_numbers(subjects), trial_numbers(trials) if trials else None
    if out:
        check_target(out)
    from poseaug_core.fetch.cmu import fetch_cmu

    with progress_bar() as progress:
        fetched = fetch_cmu(people, takes, into, base_url, progress)
    if as_json and not out:
        found = dataclasses.asdict(fetched) | {"acknowledgement": ACKNOWLEDGEMENT}
        print_json(found | {"folder": str(fetched.folder), "files": list(map(str, fetched.files))})
        return
    for note in fetched.notes:
        tell(note, err=True)
    came = f"{fetched.new} files new, {fetched.new_bytes / 1e6:.1f} MB"
    tell(f"Fetched: {len(fetched.files)} trials in {fetched.folder} ({came})", err=bool(out))
    tell(f"Please acknowledge: {ACKNOWLEDGEMENT}", err=True)
    if out:
        film_to(list(fetched.files), out, as_json, **filming)
