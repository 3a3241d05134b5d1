"""poseaug table: a table of the paper on the data at hand, with the published figures beside."""

from __future__ import annotations

import click

from poseaug_core.commands.sweeping import names_of, plan_rows, print_plan, seeds_of, sweep_options, train_plan
from poseaug_core.commands.terminal import json_option, print_json, tell, tell_lines
from poseaug_core.errors import UserError


@click.command(short_help="A table of the paper, run on your data.")
@click.argument("number", type=int)
@sweep_options
@click.option("--rows", default="", metavar="KEY,...", help="Only these rows, with what they are compared to.")
@click.option("--columns", default="", metavar="KEY,...", help="Only these columns.")
@click.option("--estimators", default="", metavar="NAME,...", help="Only these estimators of tables 3 and 4.")
@click.option("--keypoints", default="", metavar="det|cpn|hr|gt,...", help="Only these 2D poses of table 4.")
@click.option("--protocol", default="poseaug16", metavar="poseaug16|3dhp14", help="[default: poseaug16]")
@click.option("--out", default="", type=click.Path(), help="Written: OUT.md, OUT.csv, OUT.tex, OUT.pdf.")
@click.option("--read-only", is_flag=True, help="Train nothing; write the table as far as its runs have come.")
@json_option
def table(number, data, source, source_test, cross, wild, extra_2d, preset, estimator, settings, seeds, folder, engine,
          address, workers, dry_run, rows, columns, estimators, keypoints, protocol, out, read_only,
          as_json) -> None:  # fmt: skip
    """Run table NUMBER (1 to 7) of the paper and write it with the published figures beside.

    Runs that are finished in --runs are only read, others are resumed; a run's folder is named by its settings and
    data, so that tables share what they have in common. Figures are the last evaluation of each run.

    \b
    poseaug table 5 --data DIR --preset small_data --seeds 0,1 --out docs/results/table5
    poseaug table 4 --data DIR --estimators simple_baseline,semgcn --keypoints gt --dry-run
    """
    from poseaug_core.estimators.own import name_own
    from poseaug_core.metrics import PROTOCOLS
    from poseaug_core.sweep.engines import program
    from poseaug_core.tables import Setup, data_sets, experiment, parse_settings
    from poseaug_core.tables.files import write_table
    from poseaug_core.tables.result import result_of
    from poseaug_core.tables.texts import csv_rows, markdown

    if protocol not in PROTOCOLS:
        raise UserError(f"There is no protocol {protocol!r}; choose one of {', '.join(PROTOCOLS)}.")
    sets = data_sets(data, source, source_test, cross, wild, extra_2d)
    setup = Setup(sets, preset, name_own(estimator), seeds_of(seeds), parse_settings(settings), protocol)
    corner = {"rows": rows, "columns": columns, "estimators": estimators, "keypoints": keypoints}
    asked = experiment(number, setup, **{name: names_of(text) for name, text in corner.items()})
    if dry_run:
        found = plan_rows(asked.plan, folder)
        if as_json:
            print_json({"left_out": asked.left_out, "runs": found})
            return
        for sentence in asked.left_out:
            tell(sentence)
        print_plan(found)
        return
    if not read_only:
        train_plan(asked.plan, folder, engine, address, workers)
    result = result_of(asked, folder, program())
    written = write_table(result, out) if out else []
    if as_json:
        print_json({"title": result.title, "facts": dict(result.facts), "figures": csv_rows(result),
                    "order": result.order, "notes": result.notes, "written": list(map(str, written))})  # fmt: skip
        return
    tell_lines(markdown(result).rstrip("\n"))
    for path in written:
        tell(f"Written: {path}")
