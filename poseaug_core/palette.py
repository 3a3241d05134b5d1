"""Colours in one place: the studio's views, plots and knobs and the exported figures share them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """A colour for each role, as '#rrggbb'. stages: one accent a stage, the same everywhere."""

    name: str
    background: str
    surface: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    good: str
    warning: str
    bad: str
    real: str
    stages: dict[str, str]
    parts: dict[str, str]
    score_map: str  # a perceptually even, colour-blind-safe matplotlib colour map: implausible to real

    def stage(self, name: str) -> str:
        return self.stages[name]


DARK = Theme(
    name="dark",
    background="#0f1216", surface="#161a20", raised="#1f252d", line="#2b323c",
    text="#e7ebf0", muted="#8e99a8", accent="#4c9ffe", good="#46b98a", warning="#e5a43b", bad="#e8615a", real="#9fb0c4",
    stages={"original": "#9fb0c4", "ba": "#f0a441", "bl": "#3fbfa2", "rt": "#a98bff"},
    parts={"torso": "#c9d3df", "left arm": "#5fb2f2", "right arm": "#f0a441", "left leg": "#4fc9a4",
           "right leg": "#f07f8f"},
    score_map="cividis",
)  # fmt: skip

LIGHT = Theme(
    name="light",
    background="#f3f5f8", surface="#ffffff", raised="#eef1f5", line="#d8dee6",
    text="#1a222c", muted="#5c6878", accent="#1f6fe0", good="#1f8a60", warning="#b26a00", bad="#c8372f", real="#64748b",
    stages={"original": "#64748b", "ba": "#c26f00", "bl": "#0f8f75", "rt": "#6d45d9"},
    parts={"torso": "#475569", "left arm": "#1f77c9", "right arm": "#c26f00", "left leg": "#0f8f75",
           "right leg": "#c63d55"},
    score_map="cividis",
)  # fmt: skip

#: What a stage is called in titles.
STAGE_TITLES = {"original": "Original", "ba": "BA", "bl": "BL", "rt": "RT"}
STAGE_SUBTITLES = {
    "original": "the source pose",
    "ba": "bone angles turned",
    "bl": "bone lengths changed",
    "rt": "rotated and translated",
}

THEMES = {"light": LIGHT, "dark": DARK}


def mix(colour: str, other: str, share: float) -> str:
    """``(1 - share) colour + share other`` in sRGB, '#rrggbb': tints without transparency, which print the same."""
    pairs = ((int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round((1 - share) * a + share * b):02x}" for a, b in pairs)
