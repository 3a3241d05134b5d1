"""poseaug export: figures, augmented pairs and the estimator of a run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poseaug_core.commands.export_estimator import estimator
from poseaug_core.commands.terminal import json_option, print_json, progress_bar, tell
from poseaug_core.errors import UserError

if TYPE_CHECKING:
    from poseaug_core.augmenting import Source
    from poseaug_core.poses import Poses

#: Not asked of poseaug_core.export, which loads matplotlib; a test compares them.
FIGURES = "augmentation|distributions|kcs|curves|qualitative"
#: Likewise of poseaug_core.baselines, which loads torch.
BASELINES = ("evolution", "random")
#: Why training drops an augmented pair, by keep_rule.
DROPPED = {
    "released": "a joint lies right of the image or below it (keep_rule released)",
    "inside": "a joint lies outside the image or behind the camera (keep_rule inside)",
}
#: Of a pair in a file of arrays: 3D, 2D, camera and tag.
ROW_BYTES = 4 * (16 * 3 + 16 * 2 + 9 + 4)


@click.group(short_help="Figures, augmented pairs or the estimator.")
def export() -> None:
    """Write figures, augmented pairs or the estimator of a run."""


@export.command()
@click.argument("run")
@click.option("--figure", "name", required=True, metavar=FIGURES, help="Which figure.")
@click.option("--out", required=True, type=click.Path(), help="File to write: .pdf and .svg (vectors) or .png.")
@click.option(
    "--snapshot", default="last", metavar="STEP|first|last",
    help="Of which moment: the last one recorded up to that step. [default: last]",
)  # fmt: skip
@click.option("--row", "rows", multiple=True, type=int, help="Which recorded pose; may be repeated. [default: 0]")
@click.option(
    "--baseline", "baselines", multiple=True, type=click.Choice(BASELINES),
    help="Of distributions: a column of what this makes of the run's source; may be repeated.",
)  # fmt: skip
@click.option("--smoothing", default=0.0, help="Of curves: the weight 0..1 of the past. [default: 0]")
@click.option("--width-mm", metavar="NUMBER|single|double", help="Width in millimetres, or of paper columns.")
@click.option("--dpi", default=300, help="Dots an inch of a .png. [default: 300]")
@click.option("--theme", default="light", metavar="light|dark", help="[default: light]")
@json_option
def figure(run, name, out, snapshot, rows, baselines, smoothing, width_mm, dpi, theme, as_json) -> None:
    """Write a figure of a run, as the studio shows it."""
    from poseaug_core.export import figure as draw
    from poseaug_core.export import read_snapshot
    from poseaug_core.runs import Run

    look = {"smoothing": smoothing, "width_mm": width_mm, "dpi": dpi, "theme": theme}
    run = Run.open(run)
    shown = read_snapshot(run, snapshot)
    if baselines:
        from poseaug_core.export.baseline_columns import baseline_columns

        if name != "distributions":
            raise UserError(f"--baseline adds columns to distributions, not to {name}; leave it out.")
        with progress_bar() as progress:
            look["columns"] = baseline_columns(run, baselines, progress)
    written = draw(run, name, out, snapshot=shown, rows=rows or None, **look)
    _say({"written": str(written), "figure": name, "step": shown.step}, f"of step {shown.step:,}", as_json)


@export.command()
@click.argument("run")
@click.option("--out", required=True, type=click.Path(), help="File to write: .npz or .h5 arrays.")
@click.option("--count", default=0, help="So many source poses, spread evenly; 0 for all. [default: 0]")
@click.option("--seed", default=0, help="Seeds the swap of bone lengths and the augmentor's noise. [default: 0]")
@json_option
def pairs(run, out, count, seed, as_json) -> None:
    """Write pairs that the run's augmentor makes of its source; those that training would drop are left out."""
    from poseaug_core.augmenting import augmented_pairs, open_source
    from poseaug_core.readers.arrays import require_target
    from poseaug_core.readers.spec import require_other_target
    from poseaug_core.runs import Run

    if count < 0:
        raise UserError(f"--count is {count}; choose 0 for all poses, or more.")
    written, run = require_target(out), Run.open(run)
    config = run.config
    read = (config.source, config.source_test, *config.cross, *config.extra_2d)
    require_other_target(written, *(spec for spec in read if spec and not spec.startswith("demo:")))
    tensors, _ = run.load_checkpoint()
    with progress_bar() as progress:
        source = open_source(run.config, run.data, str(run.path), progress)
        source = source.spread(count) if count else source
        made = augmented_pairs(run.config, run.controls(), tensors, source, seed, progress)
        kept = _write(made, written, source)
    dropped = len(source) - kept
    result = {"written": str(written), "pairs": kept, "of": len(source)}
    result |= {"dropped_because": DROPPED[run.config.keep_rule]} if dropped else {}
    why = f" kept; {dropped:,} dropped, where {DROPPED[run.config.keep_rule]}" if dropped else ""
    _say(result, f"{kept:,} of {len(source):,} pairs{why}", as_json)


export.add_command(estimator)


def _write(parts: Generator[Poses], path: Path, source: Source) -> int:
    """Pairs in parts as arrays, with the texts of their source; how many they were. What they are is left to who reads
    them: augmented poses may stand behind the camera."""
    from poseaug_core.augmenting import PART, regrouped
    from poseaug_core.motion.filming import COLUMNS, Seen
    from poseaug_core.readers.array_writer import writing
    from poseaug_core.storage import require_space

    require_space(path, 2 * ROW_BYTES * len(source))  # it is made of columns that lie beside it until the end
    with writing(path) as file, closing(parts):
        for poses in regrouped(parts, PART):
            file.add(Seen(*(getattr(poses, name).numpy() for name in COLUMNS), lost=0))
        file.name(source.head.clips, source.head.notes)
        return len(file)


def _say(result: dict, more: str, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        tell(f"Written: {result['written']}, {more}")
