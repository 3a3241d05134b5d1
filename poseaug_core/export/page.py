"""A page: a matplotlib figure measured in millimetres, in a theme's colours, written as PDF, SVG or PNG.

No pyplot: a figure is made, drawn and written in the thread that asks for it. matplotlib reads its
settings from one table of the process, so one page at a time is drawn or written, under a lock.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from poseaug_core.assets import asset
from poseaug_core.errors import UserError
from poseaug_core.palette import Theme, mix
from poseaug_core.storage import replacing

MM = 1 / 25.4  # inches
MM_PT = 25.4 / 72  # millimetres in a point
FORMATS = (".pdf", ".svg", ".png")
WIDTHS = {"single": 85.0, "double": 175.0}  # columns of a two-column paper, millimetres
SMALL, NORMAL, TITLE = 6.0, 6.5, 7.5  # points
#: Steps of a colour bar: enough to look smooth, few enough to stay vectors.
BAR_STEPS = 48

_LOCK = threading.RLock()
for _weight in ("Regular", "Medium", "SemiBold"):
    fontManager.addfont(asset("fonts") / f"Inter-{_weight}.ttf")
_SETTINGS = {
    # TrueType, not Type 3: conference checks refuse Type 3, and the text stays selectable.
    "pdf.fonttype": 42,
    # Text as text: searchable and editable; a viewer without Inter takes the next family.
    "svg.fonttype": "none",
    "svg.hashsalt": "poseaug",
    # The studio's type; the second has the few signs that the first lacks.
    "font.family": ["Inter", "DejaVu Sans"],
    "font.size": NORMAL,
    "mathtext.fontset": "dejavusans",
    "path.simplify": True,
    "axes.unicode_minus": True,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Hold while a page is drawn or written."""
    log = logging.getLogger("matplotlib.font_manager")
    with _LOCK, matplotlib.rc_context(_SETTINGS):
        level = log.level
        # It would tell the user that the second family has no semibold.
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def paper(theme: Theme) -> str:
    """The colour of the sheet: white in print, the window's in the dark."""
    return theme.surface if theme.name == "light" else theme.background


def panel_colour(theme: Theme) -> str:
    """The fill of a panel, a shade off the sheet."""
    return mix(theme.background, theme.surface, 0.35) if theme.name == "light" else theme.surface


class Page:
    """A figure laid out in millimetres from the top left corner."""

    def __init__(self, width: float, height: float, theme: Theme):
        self.width, self.height, self.theme = width, height, theme
        self.figure = Figure(figsize=(width * MM, height * MM), facecolor=paper(theme))

    def axes(self, left: float, top: float, width: float, height: float, filled: bool = False) -> Axes:
        """Axes without ticks or frame; filled gives them a panel's ground."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(box)
        axes.set_facecolor(panel_colour(self.theme) if filled else "none")
        axes.set(xticks=(), yticks=())
        axes.spines[:].set_visible(False)
        return axes

    def text(self, left: float, top: float, text: str, size: float = NORMAL, colour: str | None = None, **how) -> None:
        """Text hung from its top left corner, unless ha and va say otherwise."""
        how = {"ha": "left", "va": "top"} | how
        x, y = left / self.width, 1 - top / self.height
        self.figure.text(x, y, text, fontsize=size, color=colour or self.theme.text, **how)

    def swatch(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle, for legends and underlines."""
        box = (left / self.width, 1 - (top + height) / self.height), width / self.width, height / self.height
        self.figure.add_artist(Rectangle(*box, transform=self.figure.transFigure, color=colour, linewidth=0))

    def bar(self, left: float, top: float, width: float, height: float, ramp: LinearSegmentedColormap) -> Axes:
        """An upright colour bar of plain rectangles: matplotlib's own becomes a raster image beyond 50 colours."""
        axes = self.axes(left, top, width, height)
        for step in range(BAR_STEPS):
            colour = ramp(step / (BAR_STEPS - 1))
            # Each reaches to the top, so that no seam shows between neighbours.
            axes.add_patch(Rectangle((0, step / BAR_STEPS), 1, 1 - step / BAR_STEPS, color=colour, linewidth=0))
        axes.set(xlim=(0, 1), ylim=(0, 1))
        return axes


def text_width(text: str, size: float) -> float:
    """Millimetres that a line of text is wide; call while drawing()."""
    font = FontProperties(family=_SETTINGS["font.family"])
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().width) * MM_PT


def ramp(theme: Theme, colour: str) -> LinearSegmentedColormap:
    """From the panel's ground through the colour to its strongest shade."""
    end = mix(colour, "#000000", 0.45) if theme.name == "light" else mix(colour, "#ffffff", 0.6)
    ground = panel_colour(theme)
    return LinearSegmentedColormap.from_list("ramp", [ground, mix(ground, colour, 0.55), colour, end])


def style_axes(axes: Axes, theme: Theme, grid: bool = True) -> None:
    """Quiet frame, ticks and grid for a plot with numbers on its axes."""
    axes.spines[:].set_visible(False)
    axes.spines[["left", "bottom"]].set(visible=True, color=mix(theme.line, theme.muted, 0.4), linewidth=0.5)
    axes.tick_params(colors=theme.muted, labelsize=SMALL, length=1.6, width=0.5, pad=1.5, direction="out")
    axes.xaxis.label.set(color=theme.muted, size=SMALL)
    axes.yaxis.label.set(color=theme.muted, size=SMALL)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, color=mix(theme.line, panel_colour(theme), 0.35), linewidth=0.4)


def save(figure: Figure, out: Path, dpi: int = 300) -> Path:
    """Write the figure, whole or not at all; the suffix chooses the format.

    Raises UserError for other suffixes, resolutions out of 36..1200, and files that cannot be written.
    """
    out = check_target(out, dpi)
    buffer = io.BytesIO()
    dated = {".pdf": {"CreationDate": None, "Creator": "poseaug"}, ".svg": {"Date": None, "Creator": "poseaug"}}
    with drawing():
        figure.savefig(buffer, format=out.suffix[1:].lower(), dpi=dpi, metadata=dated.get(out.suffix.lower()))
    with replacing(out, needed=buffer.getbuffer().nbytes) as part:
        part.write_bytes(buffer.getbuffer())
    return out


def check_target(out: Path, dpi: int) -> Path:
    """The path, if its suffix and the resolution can be honoured; raises UserError."""
    out = Path(out)
    if out.suffix.lower() not in FORMATS:
        named = f"ends in {out.suffix!r}" if out.suffix else "has no suffix"
        raise UserError(f"{out.name} {named}; a figure is written as .pdf, .svg or .png.")
    if not 36 <= dpi <= 1200:
        raise UserError(f"{dpi} dpi is outside 36 to 1200; choose 300 for print.")
    return out
