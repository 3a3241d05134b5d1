"""Writing a table as Markdown, CSV, LaTeX and PDF beside each other."""

from __future__ import annotations

from pathlib import Path

from poseaug_core.storage import make_folder, replacing
from poseaug_core.tables.result import Result
from poseaug_core.tables.texts import csv_text, latex, markdown


def write_table(result: Result, out: str | Path) -> list[Path]:
    """OUT.md, OUT.csv, OUT.tex and OUT.pdf, each whole or not at all; the folder is made. Raises UserError."""
    from poseaug_core.export.page import save
    from poseaug_core.tables.drawing import draw

    out = Path(out)
    out = out.with_suffix("") if out.suffix in (".md", ".csv", ".tex", ".pdf") else out
    make_folder(out.parent)
    written = []
    for suffix, text in ((".md", markdown(result)), (".csv", csv_text(result)), (".tex", latex(result))):
        path = out.with_name(out.name + suffix)
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
        written.append(path)
    return [*written, save(draw(result), out.with_name(out.name + ".pdf"))]
