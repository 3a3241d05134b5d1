"""poseaug figure: a figure of the paper from runs on the data at hand."""

from __future__ import annotations

import click

from poseaug_core.commands.sweeping import plan_rows, print_plan, seeds_of, sweep_options, train_plan
from poseaug_core.commands.terminal import json_option, print_json, progress_bar, tell
from poseaug_core.errors import UserError

NUMBERS = (1, 3, 5, 6, 7)


@click.command(short_help="A figure of the paper, from runs on your data.")
@click.argument("number", type=int)
@sweep_options
@click.option("--run", default="", metavar="RUN", help="Of 3, 5, 7: this run with PoseAug; nothing is trained.")
@click.option("--baseline-run", default="", metavar="RUN", help="Of 5: the run without PoseAug to set beside --run.")
@click.option("--extra-run", default="", metavar="RUN", help="Of 7: a run with extra 2D poses to set beside --run.")
@click.option("--row", "rows", multiple=True, type=int, help="Of 3: recorded poses; of 5: rows of the cross sets.")
@click.option("--out", default="", type=click.Path(), help="File to write: .pdf and .svg (vectors) or .png.")
@click.option("--width-mm", metavar="NUMBER|single|double", help="Width in millimetres, or of paper columns.")
@click.option("--dpi", default=300, help="Dots an inch of a .png. [default: 300]")
@click.option("--theme", default="light", metavar="light|dark", help="[default: light]")
@json_option
def figure(number, data, source, source_test, cross, wild, extra_2d, preset, estimator, settings, seeds, folder, engine,
           address, workers, dry_run, run, baseline_run, extra_run, rows, out, width_mm, dpi, theme,
           as_json) -> None:  # fmt: skip
    """Write figure NUMBER of the paper, training the runs it needs and does not find in --runs.

    \b
    1  errors of four estimators without and with PoseAug (the runs of table 4)
    3  poses at the stages of augmentation
    5  2D input, PoseAug's estimate and the baseline's (the runs of table 5)
    6  errors when trained on one, two and all subjects
    7  view points and positions: original, Li et al., PoseAug, PoseAug + extra 2D

    \b
    poseaug figure 1 --data DIR --preset small_data --seeds 0,1 --out figure1.pdf
    poseaug figure 7 --run runs/a --out figure7.pdf
    """
    if number not in NUMBERS:
        raise UserError(f"Figure {number} is none that runs can draw; choose one of {', '.join(map(str, NUMBERS))}.")
    if not out and not dry_run:
        raise UserError("There is no file to write; name one with --out, for example --out figure.pdf.")
    from poseaug_core.estimators.own import name_own
    from poseaug_core.export import save
    from poseaug_core.export.page import check_target
    from poseaug_core.figures import COMPARISONS, PICTURES, comparison, draw_picture, picture_plan
    from poseaug_core.palette import THEMES
    from poseaug_core.runs import Run
    from poseaug_core.tables import Setup, data_sets, parse_settings

    if out:
        check_target(out, dpi)
    if theme not in THEMES:
        raise UserError(f"There is no theme {theme!r}; choose one of {', '.join(THEMES)}.")
    estimator = name_own(estimator)
    named = {"poseaug": run, "baseline": baseline_run, "extra2d": extra_run}
    named = {label: path for label, path in named.items() if path}
    look = {"width_mm": width_mm, "dpi": dpi, "theme": theme}
    if named:
        _check_named(number, named, dry_run)
        with progress_bar() as progress:
            found = {label: Run.open(path) for label, path in named.items()}
            _say(number, draw_picture(number, found, out, rows, progress, **look), as_json)
        return
    sets = data_sets(data, source, source_test, cross, wild, extra_2d)
    setup = Setup(sets, preset, estimator, seeds_of(seeds), parse_settings(settings))
    compared = comparison(number, setup) if number in COMPARISONS else None
    plan = compared.plan if compared else picture_plan(number, setup)
    if dry_run:
        runs = plan_rows(plan, folder)
        print_json({"runs": runs}) if as_json else print_plan(runs)
        return
    trained = train_plan(plan, folder, engine, address, workers)
    if compared:
        _say(number, save(compared.draw(folder, THEMES[theme], width_mm or "double"), out, dpi), as_json)
        return
    assert number in PICTURES
    with progress_bar() as progress:
        _say(number, draw_picture(number, trained, out, rows, progress, **look), as_json)


def _check_named(number: int, named: dict[str, str], dry_run: bool) -> None:
    """UserError unless --run, --baseline-run and --extra-run make the figure."""
    from poseaug_core.figures import PICTURES

    if number not in PICTURES:
        raise UserError(f"Figure {number} is of many runs; leave out --run and name the data.")
    if "poseaug" not in named:
        raise UserError("--baseline-run and --extra-run stand beside a run with PoseAug; name it with --run.")
    wanted = {5: "baseline"}.get(number)
    if wanted and wanted not in named:
        raise UserError("Figure 5 sets a baseline beside; name its run with --baseline-run.")
    if dry_run:
        raise UserError("With --run nothing is trained, so there is nothing for --dry-run to list; leave it out.")


def _say(number: int, written, as_json: bool) -> None:
    if as_json:
        print_json({"figure": number, "written": str(written)})
    else:
        tell(f"Written: {written}")
