"""The paper's tables 1 to 7 as data: rows of settings, columns of figures, and what was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Sets by what they are for. In the paper: Human3.6M's test people, MPI-INF-3DHP's and 3DPW's test sets.
ROLES = {"source_test": "H36M", "cross": "3DHP", "wild": "3DPW"}
#: Where the 2D poses come from: detectors and ground truth.
KEYPOINTS = {"det": "DET", "cpn": "CPN", "hr": "HR", "gt": "GT"}
METRICS = {"mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE", "pck150": "PCK", "auc": "AUC"}
#: Metrics of which more is better, in percent; the others are errors in millimetres.
MORE_IS_BETTER = ("pck150", "auc")

#: (figure, difference to the baseline as printed, None where none is printed)
Published = tuple[float, float | None]


@dataclass(frozen=True)
class Column:
    """A figure: the metric on the set of a role. keypoints: of the training and of the source's test, '' for the
    table's own."""

    role: str
    metric: str = "mpjpe"
    keypoints: str = ""

    @property
    def key(self) -> str:
        return "/".join(part for part in (self.role, self.metric, self.keypoints) if part)

    @property
    def more_is_better(self) -> bool:
        return self.metric in MORE_IS_BETTER


@dataclass(frozen=True)
class Row:
    """What is trained, or was published by others.

    kind: 'trained', 'pretrained' (its estimator before augmentation or longer training) or 'cited' (published only).
    settings: over the table's. marks: which of the table's marks are ticked. published: by column key.
    ranked_as: published figures that this row is compared with but that are not its own. versus: the key of the row
    that differences are taken to. needs: a set that it cannot do without.
    """

    key: str
    label: str
    kind: str = "trained"
    settings: Mapping[str, Any] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    published: Mapping[str, Published] = field(default_factory=dict)
    ranked_as: Mapping[str, Published] = field(default_factory=dict)
    versus: str = ""
    needs: str = ""

    @property
    def expected(self) -> Mapping[str, Published]:
        """The published figures to compare an order with."""
        return self.published or self.ranked_as


@dataclass(frozen=True)
class Table:
    """keypoints: those of the paper's table, where its columns do not name any."""

    number: int
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    marks: tuple[str, ...] = ()
    keypoints: str = "gt"
    notes: tuple[str, ...] = ()


BASELINE_NOTE = (
    "The paper's baseline, as its released code makes it, is the estimator after pre-training (row 'pre-trained only', "
    "with the published figure). The row 'Baseline' goes on from there on real pairs alone for as many steps as "
    "PoseAug's estimator takes, which is the stricter comparison: differences in parentheses are to it."
)
LEFT_OUT = {"augmentation": "none"}


def _figures(columns: tuple[Column, ...], values: str) -> dict[str, Published]:
    """Published figures in the columns' order: '39.7-2.1 85.2-1.4' has differences, '41.8 86.6' none, '-' is no
    figure."""
    found = {}
    for column, text in zip(columns, values.split(), strict=True):
        if text != "-":
            at = max(text.find("-"), text.find("+"))
            found[column.key] = (float(text[:at]), float(text[at:])) if at > 0 else (float(text), None)
    return found


def _ablation(
    columns: tuple[Column, ...], rows: list[tuple[str, str, dict[str, Any], str]], published: str
) -> list[Row]:
    """Baseline twice (pre-trained, and trained as long), then variants (label, marks, settings, figures)."""
    baseline = _figures(columns, published)
    made = [
        Row("pretrained", "Baseline (pre-trained only)", "pretrained", LEFT_OUT, published=baseline, versus="baseline"),
        Row("baseline", "Baseline", settings=LEFT_OUT, ranked_as=baseline),
    ]
    for label, marks, settings, figures in rows:
        key = label.lower().replace(" ", "_")
        shown = tuple(marks.split(","))
        made.append(
            Row(key, label, settings=settings, marks=shown, published=_figures(columns, figures), versus="baseline")
        )
    return made


def _pairs(columns: tuple[Column, ...], published: dict[str, tuple[str, str]]) -> list[Row]:
    """For each estimator: pre-trained, trained as long without PoseAug, and with it."""
    made = []
    for name, (without, with_it) in published.items():
        label, baseline = ESTIMATOR_LABELS[name], _figures(columns, without)
        plain = {"estimator": name, **LEFT_OUT}
        made += [
            Row(f"{name}/pretrained", f"{label} (pre-trained only)", "pretrained", plain, published=baseline,
                versus=f"{name}/baseline"),
            Row(f"{name}/baseline", label, settings=plain, ranked_as=baseline),
            Row(f"{name}/poseaug", f"{label} + PoseAug", settings={"estimator": name},
                published=_figures(columns, with_it), versus=f"{name}/baseline"),
        ]  # fmt: skip
    return made


ESTIMATOR_LABELS = {
    "semgcn": "SemGCN", "simple_baseline": "SimpleBaseline", "st_gcn": "ST-GCN (1-frame)", "vpose": "VPose (1-frame)",
}  # fmt: skip

_T1 = (Column("source_test"), Column("source_test", "pa_mpjpe"))
_T2 = (Column("cross", "pck150"), Column("cross", "auc"), Column("cross"))
_T3 = (Column("wild", "pa_mpjpe"),)
_T4 = tuple(Column(role, keypoints=name) for role in ("source_test", "cross") for name in KEYPOINTS)
_T5 = (Column("source_test"), Column("cross"))
_T7 = (Column("cross"), Column("wild", "pa_mpjpe"))


def _cited(columns: tuple[Column, ...], *rows: tuple[str, str]) -> list[Row]:
    return [
        Row(f"cited/{label}", label, "cited", published=_figures(columns, figures)) for label, figures in rows
    ]  # fmt: skip


_EVOLUTION_NOTE = (
    "Li et al. trained a network of their own; the figure beside the published one is this table's estimator, trained "
    "on a population bred from the source by their evolution."
)

TABLES: dict[int, Table] = {
    1: Table(
        1, "Results on the source data set", _T1,
        (
            *_cited(_T1, ("SemGCN (CVPR'19)", "57.6 -"), ("Sharma et al. (CVPR'19)", "58.0 40.9"),
                    ("Moon et al. (ICCV'19)", "54.4 -")),
            Row("pretrained", "VPose (CVPR'19) (1-frame, pre-trained only)", "pretrained", LEFT_OUT,
                published=_figures(_T1, "52.7 40.9"), versus="baseline"),
            Row("baseline", "VPose (1-frame)", settings=LEFT_OUT, ranked_as=_figures(_T1, "52.7 40.9")),
            Row("evolution", "Li et al. (CVPR'20)", settings={"augmentation": "evolution"},
                published=_figures(_T1, "50.9 38.0"), versus="baseline"),
            Row("poseaug", "Ours", published=_figures(_T1, "50.2 39.1"), versus="baseline"),
        ),
        keypoints="hr", notes=(BASELINE_NOTE, _EVOLUTION_NOTE),
    ),
    2: Table(
        2, "Results on the cross-scenario data set", _T2,
        (
            *_cited(_T2, ("Mehta et al.", "76.5 40.8 117.6"), ("VNect", "76.6 40.4 124.7"),
                    ("Multi Person", "75.2 37.8 122.2"), ("OriNet", "81.8 45.2 89.4")),
            *(Row(f"cited/{label}", label, "cited", marks=("CE",), published=_figures(_T2, figures))
              for label, figures in (("LCN", "74.0 36.7 -"), ("HMR", "77.1 40.7 113.2"), ("SRNet", "77.6 43.8 -"),
                                     ("RepNet", "81.8 54.8 92.5"))),
            Row("pretrained", "Baseline (pre-trained only)", "pretrained", LEFT_OUT, ("CE",), versus="baseline"),
            Row("baseline", "Baseline", settings=LEFT_OUT, marks=("CE",)),
            Row("evolution", "Li et al.", settings={"augmentation": "evolution"}, marks=("CE",),
                published=_figures(_T2, "81.2 46.1 99.7"), versus="baseline"),
            Row("poseaug", "Ours", marks=("CE",), published=_figures(_T2, "88.6 57.3 73.0"), versus="baseline"),
            Row("extra2d", "Ours (+Extra2D)", marks=("CE",), published=_figures(_T2, "89.2 57.9 71.1"),
                versus="baseline", needs="extra_2d"),
        ),
        marks=("CE",),
        notes=("CE: cross-scenario, not trained on the data set's own training part.", _EVOLUTION_NOTE,
               "The paper's table has no baseline; the two rows here are its estimator after pre-training, and trained "
               "as long as PoseAug on real pairs alone. Differences in parentheses are to the latter."),
    ),
    3: Table(
        3, "Four estimators on the in-the-wild data set", _T3,
        tuple(_pairs(_T3, {
            "semgcn": ("152.3", "140.0-12.3"), "simple_baseline": ("145.2", "130.3-14.9"),
            "st_gcn": ("154.3", "129.7-24.6"), "vpose": ("146.3", "132.8-13.4"),
        })),
        notes=(BASELINE_NOTE,),
    ),
    4: Table(
        4, "Estimators trained without and with PoseAug, by the source of 2D poses", _T4,
        tuple(_pairs(_T4, {
            "semgcn": ("67.5 64.7 57.5 44.4 101.9 98.7 95.6 97.4",
                       "65.2-2.3 60.0-4.8 55.0-2.5 41.5-2.8 89.9-11.9 89.3-9.4 89.1-6.5 86.1-11.2"),
            "simple_baseline": ("60.5 55.6 53.0 43.3 91.1 88.8 86.4 85.3",
                                "58.0-2.5 53.4-2.2 51.3-1.7 39.4-3.9 78.7-12.4 78.7-10.1 76.4-10.1 76.2-9.1"),
            "st_gcn": ("61.3 56.9 52.2 41.7 95.5 91.3 87.9 87.8",
                       "59.8-1.5 54.5-2.4 50.8-1.5 36.9-4.8 83.5-12.1 77.7-13.6 76.6-11.3 74.9-12.9"),
            "vpose": ("60.0 55.2 52.7 41.8 92.6 89.8 85.6 86.6",
                      "57.8-2.2 52.9-2.3 50.2-2.5 38.2-3.6 78.3-14.4 78.4-11.4 73.2-12.4 73.0-13.6"),
        })),
        notes=(BASELINE_NOTE, "DET, CPN, HR and GT are the 2D poses that the estimator is trained on and that the "
               "source's test is given; the cross set is given ground truth."),
    ),
    5: Table(
        5, "Ablation of the augmentor's components", _T5,
        tuple(_ablation(_T5, [
            ("Variant A", "BA", {"apply_rt": False, "apply_bl": False, "feedback": False}, "39.7-2.1 85.2-1.4"),
            ("Variant B", "RT", {"apply_ba": False, "apply_bl": False, "feedback": False}, "39.2-2.6 75.9-10.7"),
            ("Variant C", "BA,RT", {"apply_bl": False, "feedback": False}, "39.1-2.7 75.5-11.1"),
            ("Variant D", "BA,RT,BL", {"feedback": False}, "38.8-3.0 73.5-13.1"),
            ("PoseAug", "BA,RT,BL,Feedback", {}, "38.2-3.6 73.0-13.6"),
        ], "41.8 86.6")),
        marks=("BA", "RT", "BL", "Feedback"), notes=(BASELINE_NOTE,),
    ),
    6: Table(
        6, "Ablation of the discriminators", _T5,
        tuple(_ablation(_T5, [
            ("Variant A", "D2D", {"discriminator3d": "none"}, "39.6-2.2 80.8-5.8"),
            ("Variant B", "D3D", {"discriminator2d": False}, "39.6-2.2 79.6-7.0"),
            ("PoseAug", "D2D,D3D", {}, "38.2-3.6 73.0-13.6"),
        ], "41.8 86.6")),
        marks=("D2D", "D3D"), notes=(BASELINE_NOTE,),
    ),
    7: Table(
        7, "Ablation of the part-aware KCS", _T7,
        tuple(_ablation(_T7, [
            ("Variant A", "KCS", {"discriminator3d": "whole_body"}, "77.7-8.9 133.9-11.3"),
            ("PoseAug", "PA-KCS", {}, "73.0-13.6 130.3-14.9"),
        ], "86.6 145.2")),
        marks=("KCS", "PA-KCS"),
        notes=(BASELINE_NOTE, "The published 3DPW column has SimpleBaseline's figures of Table 3 (145.2 and 130.3), "
               "the 3DHP column VPose's of Table 4; here both columns are of one estimator."),
    ),
}  # fmt: skip
