"""Figs. 3, 5 and 7 of runs: the augmentation strip, estimates beside the baseline's, view points and positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from poseaug_core.datasets import load_data, require_same_data
from poseaug_core.errors import UserError
from poseaug_core.estimators.own import is_own
from poseaug_core.evaluation import estimate
from poseaug_core.export import THEMES, figure, read_snapshot, save, width_of
from poseaug_core.export.baseline_columns import baseline_columns
from poseaug_core.export.lifted import Lifted, draw_lifted
from poseaug_core.export.page import check_target
from poseaug_core.poses import Poses
from poseaug_core.runs import Run
from poseaug_core.sweep import Plan, plan_of
from poseaug_core.tables.definitions import LEFT_OUT, Row
from poseaug_core.tables.experiment import Setup, config_of
from poseaug_core.trained import open_estimator

PICTURES = {3: "Augmentation strip", 5: "Estimates beside the baseline's", 7: "View points and positions"}
#: The runs a picture shows, by label; those of the tables.
ROWS = {
    "poseaug": Row("poseaug", "PoseAug"),
    "baseline": Row("baseline", "Baseline", settings=LEFT_OUT),
    "extra2d": Row("extra2d", "PoseAug + extra 2D", needs="extra_2d"),
}
NEEDED = {3: ("poseaug",), 5: ("poseaug", "baseline"), 7: ("poseaug", "extra2d")}
#: Poses of Fig. 3, examples of Fig. 5.
STRIP, EXAMPLES = 3, 8

Progress = Callable[[float, str], bool]


def picture_plan(number: int, setup: Setup) -> Plan:
    """The runs that a picture needs: label ('poseaug', 'baseline', 'extra2d') -> run, of the setup's first seed.

    Without extra 2D poses Fig. 7 does without its column. Raises UserError for other numbers.
    """
    if number not in PICTURES:
        raise UserError(f"There is no picture in figure {number}; choose one of {', '.join(map(str, PICTURES))}.")
    labels = [label for label in NEEDED[number] if label != "extra2d" or setup.data.extra_2d]
    keypoints = next(iter(setup.data.source))
    return plan_of({label: config_of(ROWS[label], keypoints, setup.seeds[0], setup) for label in labels})


def draw_picture(
    number: int,
    runs: Mapping[str, Run],
    out: str | Path,
    rows: Sequence[int] = (),
    progress: Progress | None = None,
    width_mm: float | str | None = None,
    dpi: int = 300,
    theme: str = "light",
) -> Path:
    """Write Fig. 3, 5 or 7 of runs by label (see picture_plan); rows: which recorded poses, or rows of the cross set.

    Raises UserError, Cancelled where progress says stop.
    """
    out = check_target(Path(out), dpi)
    if theme not in THEMES:
        raise UserError(f"There is no theme {theme!r}; choose one of {', '.join(THEMES)}.")
    look: dict[str, Any] = {"width_mm": width_mm, "dpi": dpi, "theme": theme}
    ours = runs["poseaug"]
    if number == 3:
        probe = ours.config.probe_size
        return figure(ours, "augmentation", out, rows=rows or _spread(probe, STRIP), **look)
    if number == 7:
        columns: dict[str, Any] = dict(baseline_columns(ours, ["evolution"], progress))
        if "extra2d" in runs:
            columns["PoseAug + extra 2D"] = read_snapshot(runs["extra2d"], "last")
        return figure(ours, "distributions", out, columns=columns, **look)
    examples = _examples(ours, runs["baseline"], rows, progress)
    return save(draw_lifted(examples, "PoseAug", "Baseline", THEMES[theme], width_of(width_mm or "double")), out, dpi)


def _spread(count: int, wanted: int) -> tuple[int, ...]:
    """So many of ``count`` rows, evenly: chosen by nobody."""
    wanted = min(count, wanted)
    return tuple(k * count // wanted for k in range(wanted))


def _examples(ours: Run, baseline: Run, rows: Sequence[int], progress: Progress | None) -> list[Lifted]:
    """Poses of the cross sets, or of the source's test where there is none, answered by both estimators."""
    data = load_data(ours.config, progress)
    require_same_data(data.summary(), ours.data, str(ours.path))
    sets = data.cross or {"source_test": data.source_test}
    found = []
    for name, poses in sets.items():
        chosen = list(rows) or list(_spread(len(poses), max(EXAMPLES // len(sets), 1)))
        wrong = [row for row in chosen if not 0 <= row < len(poses)]
        if wrong:
            raise UserError(f"{name} has no row {wrong[0]}; choose 0 to {len(poses) - 1}.")
        found += _answered(name, poses.take(chosen), chosen, ours, baseline)
    return found


def _answered(name: str, poses: Poses, rows: Sequence[int], ours: Run, baseline: Run) -> list[Lifted]:
    answers = []
    for run in (ours, baseline):
        own = run.config.estimator if is_own(run.config.estimator) else ""
        answers.append(estimate(open_estimator(run.path, own).network, poses, flip=True).numpy())
    truth, uv = poses.root_relative.numpy(), poses.uv.numpy()
    return [
        Lifted(uv[k], answers[0][k], answers[1][k], truth[k], name=f"{name}, row {row:,}") for k, row in enumerate(rows)
    ]
