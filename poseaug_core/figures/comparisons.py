"""Figs. 1 and 6: errors without and with PoseAug on both sets, over estimators and over limited training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from statistics import fmean, stdev

from matplotlib.figure import Figure

from poseaug_core.errors import UserError
from poseaug_core.export import width_of
from poseaug_core.figures.bars import Bar, Panel, draw_bars
from poseaug_core.palette import LIGHT, Theme
from poseaug_core.readers import data_set, read_poses
from poseaug_core.readers.spec import parse_spec
from poseaug_core.sweep import Plan
from poseaug_core.tables import Experiment, Setup, experiment, table_state
from poseaug_core.tables.definitions import ESTIMATOR_LABELS, ROLES
from poseaug_core.tables.experiment import set_name

COMPARISONS = {1: "Errors of four estimators without and with PoseAug", 6: "Errors with limited training data"}
#: Kinds of bars, by the end of a row's key: what a legend says.
ARMS = {
    "pretrained": "pre-trained only (the paper's baseline)",
    "baseline": "trained as long without PoseAug",
    "poseaug": "with PoseAug",
}
#: Of Fig. 6 the paper's text gives these: subset -> role -> arm -> mm.
LIMITED = {
    "one": {"cross": {"pretrained": 116.4, "poseaug": 90.3}},
    "two": {"cross": {"poseaug": 77.9}},
    "all": {"source_test": {"pretrained": 41.8, "poseaug": 38.2}, "cross": {"pretrained": 86.6, "poseaug": 73.0}},
}


@dataclass(frozen=True)
class Comparison:
    """number: of the figure. groups: title -> the experiment whose rows are its bars. published: title -> role -> arm
    -> mm."""

    number: int
    groups: Mapping[str, Experiment]
    published: Mapping[str, Mapping[str, Mapping[str, float]]]

    @property
    def plan(self) -> Plan:
        return reduce(add, [group.plan for group in self.groups.values()])

    def draw(self, folder: str | Path, theme: Theme = LIGHT, width_mm: float | str = "double") -> Figure:
        """The figure of the runs in folder, as far as they have come, not yet written."""
        first = next(iter(self.groups.values()))
        panels = [self._panel(column, folder) for column in range(len(first.table.columns))]
        about = f"{first.setup.protocol}, preset {first.setup.preset}, seeds {', '.join(map(str, first.setup.seeds))}"
        return draw_bars(panels, ARMS, f"{COMPARISONS[self.number]}. {about}.", theme, width_of(width_mm))

    def _panel(self, k: int, folder: str | Path) -> Panel:
        bars: dict[str, dict[str, Bar]] = {}
        name = ""
        for title, group in self.groups.items():
            column = group.table.columns[k]
            bars[title] = {}
            for row, cells in zip(group.table.rows, table_state(group, folder), strict=True):
                arm, values = row.key.rsplit("/", 1)[-1], list(cells[k].values.values())
                if cells[k].sets:
                    name = set_name(column, cells[k].sets, group.setup.data)
                bars[title][arm] = Bar(
                    fmean(values) if values else None,
                    stdev(values) if len(values) > 1 else None,
                    self.published.get(title, {}).get(column.role, {}).get(arm),
                )
        role = next(iter(self.groups.values())).table.columns[k].role
        return Panel(f"{name or role}, MPJPE [mm]", f"published, on {ROLES[role]}", bars)


def comparison(number: int, setup: Setup) -> Comparison:
    """Fig. 1 or 6 on the setup's data. Raises UserError for other numbers and data that do not allow it."""
    if number == 1:
        return _estimators(setup)
    if number == 6:
        return _limited(setup)
    raise UserError(f"Figure {number} is no comparison; choose one of {', '.join(map(str, COMPARISONS))}.")


def _estimators(setup: Setup) -> Comparison:
    if "gt" not in setup.data.source:
        raise UserError("Figure 1 is of ground-truth 2D; name a source that has it, --source SPEC without det=.")
    groups, published = {}, {}
    for name, title in ESTIMATOR_LABELS.items():
        title = title.replace(" (1-frame)", "")
        groups[title] = experiment(4, setup, estimators=[name], keypoints=["gt"])
        rows = {row.key.rsplit("/", 1)[1]: row.published for row in groups[title].table.rows}
        published[title] = {
            column.role: {arm: figures[column.key][0] for arm, figures in rows.items() if column.key in figures}
            for column in groups[title].table.columns
        }
    return Comparison(1, groups, published)


def _limited(setup: Setup) -> Comparison:
    groups, published = {}, {}
    keypoints, spec = next(iter(setup.data.source.items()))
    if keypoints not in setup.data.source_test:
        raise UserError("Figure 6 compares on one test set; name it with --source-test.")
    for (title, chosen), texts in zip(subsets(spec).items(), LIMITED.values(), strict=True):
        data = replace(setup.data, source={keypoints: chosen})
        groups[title] = experiment(5, replace(setup, data=data), rows=["pretrained", "poseaug"])
        published[title] = texts
    return Comparison(6, groups, published)


def subsets(spec: str) -> dict[str, str]:
    """Title -> spec of the first subject of a source, of the first two, and of all. UserError where it has fewer than
    three, or where a spec cannot choose."""
    found = parse_spec(spec)
    if "subjects" in found.options:
        names = found.options["subjects"].split(",")
    elif data_set(spec):
        names = ["S1", "S5", "S6", "S7", "S8"]
    elif found.path.suffix in (".npz", ".h5", ".hdf5"):
        names = [str(subject) for subject in read_poses(spec).subjects()]
    else:
        raise UserError(f"{spec}: subjects cannot be chosen of it; make arrays of it with 'poseaug convert' first.")
    if len(names) < 3:
        raise UserError(f"{spec} has {len(names)} subjects, Figure 6 needs 3: one, two and all; name another source.")
    rest = "&".join(f"{name}={value}" for name, value in found.options.items() if name not in ("subjects", "split"))
    titles = {"+".join(names[:count]): names[:count] for count in (1, 2)}
    titles = {title if data_set(spec) else f"subject {title}": chosen for title, chosen in titles.items()}
    made = {title: f"{found.place}?subjects={','.join(chosen)}" for title, chosen in titles.items()}
    made = {title: f"{text}&{rest}" if rest else text for title, text in made.items()}
    return {**made, f"all {len(names)}": spec}
