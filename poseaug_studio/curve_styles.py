"""How each metric is drawn: which view it belongs to, what it is called, its colour and dash."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt

from poseaug_studio.theme import Theme

SOLID, DASHED, DOTTED = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine


@dataclass(frozen=True)
class View:
    """name: of its tab, short: where there is little room. unit: of its y axis. empty: said while it has no curve."""

    name: str
    short: str
    unit: str
    empty: str


VIEWS = (
    View("Losses", "Loss", "loss", "Losses appear after the first steps."),
    View(
        "Hardness",
        "Hardness",
        "error against the original, ×",
        "Hardness appears with the feedback.",
    ),
    View("MPJPE", "MPJPE", "MPJPE, mm", "Errors appear with the first evaluation."),
    View("Accuracy", "Acc.", "discriminator accuracy", "Accuracies appear when the discriminators start."),
    View("Histograms", "Hist.", "", "Angle changes and length ratios appear when the augmentor starts."),
)
LOSSES, HARDNESS, MPJPE, ACCURACY, HISTOGRAMS = range(5)


@dataclass(frozen=True)
class Style:
    """role: 'stage NAME', 'part NAME' or a colour's name in the theme."""

    label: str
    role: str
    dash: Qt.PenStyle = SOLID

    def ink(self, theme: Theme) -> str:
        kind, _, name = self.role.partition(" ")
        return {"stage": theme.stages, "part": theme.parts}[kind][name] if name else getattr(theme, kind)


STYLES = {
    "loss/augmentor": Style("augmentor", "text"),
    "loss/adversarial3d": Style("fooling D3d", "accent"),
    "loss/adversarial2d": Style("fooling D2d", "accent", DASHED),
    "loss/feedback_ba": Style("feedback BA", "stage ba"),
    "loss/feedback": Style("feedback", "stage rt"),
    "loss/range_ba": Style("BA range", "stage ba", DASHED),
    "loss/limit_bl": Style("BL limit", "stage bl"),
    "loss/feedback_rt": Style("feedback RT", "stage rt"),
    "loss/d3d": Style("D3d", "part right leg"),
    "loss/d2d": Style("D2d", "part right leg", DASHED),
    "loss/pretrain": Style("pre-training", "real", DOTTED),
    "loss/estimator_real": Style("estimator, real", "real"),
    "loss/estimator_augmented": Style("estimator, aug.", "real", DASHED),
    "loss/estimator_mixed": Style("estimator, mixed", "real"),
    "hardness/ba": Style("BA", "stage ba"),
    "hardness/rt": Style("RT", "stage rt"),
    "accuracy/d3d_real": Style("D3d on real", "stage ba"),
    "accuracy/d3d_fake": Style("D3d on fake", "stage ba", DASHED),
    "accuracy/d2d_real": Style("D2d on real", "stage rt"),
    "accuracy/d2d_fake": Style("D2d on fake", "stage rt", DASHED),
}
#: Colours of sets and of metrics without a style of their own, in order of appearance.
CYCLE = ("accent", "stage ba", "stage bl", "stage rt", "part right leg", "text")


def view_of(name: str) -> int | None:
    """The number of the view that shows a metric, None for none."""
    if name.endswith("/mpjpe"):
        return MPJPE
    return {"loss": LOSSES, "hardness": HARDNESS, "accuracy": ACCURACY}.get(name.partition("/")[0])


def styles_of(names: tuple[str, ...], view: int) -> dict[str, Style]:
    """The metrics of a view in the order of STYLES, then those without a style."""
    names = tuple(name for name in names if view_of(name) == view)
    if view == MPJPE:
        return _errors(names)
    known = {name: STYLES[name] for name in STYLES if name in names}
    others = sorted(set(names) - set(known))
    return known | {
        name: Style(name.partition("/")[2].replace("_", " "), CYCLE[i % len(CYCLE)], DOTTED)
        for i, name in enumerate(others)
    }


def _errors(names: tuple[str, ...]) -> dict[str, Style]:
    """A colour a set, a dash a protocol: 'source_test/poseaug16/mpjpe' is 'source'."""
    sets = list(dict.fromkeys(sorted((name.split("/")[0] for name in names), key=lambda s: s != "source_test")))
    styles = {}
    for name in sorted(names, key=lambda n: (sets.index(n.split("/")[0]), "poseaug16" not in n, n)):
        data, _, protocol = name.removesuffix("/mpjpe").partition("/")
        # The protocol of the paper goes without saying: legends are narrow.
        label = data.removesuffix("_test").replace("_", " ") + ("" if protocol == "poseaug16" else f" · {protocol}")
        dash = SOLID if protocol == "poseaug16" else DASHED
        styles[name] = Style(label, CYCLE[sets.index(data) % len(CYCLE)], dash)
    return styles
