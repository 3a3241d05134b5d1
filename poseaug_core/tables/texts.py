"""A table as Markdown, CSV and LaTeX (booktabs)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from poseaug_core.tables.result import Figure, Result

#: What LaTeX would not print as it stands.
LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%", "&": r"\&", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "±": r"$\pm$", "–": "--",
})  # fmt: skip
#: What Markdown would take for its own; '_' only at the ends of words.
MARKDOWN = str.maketrans({sign: "\\" + sign for sign in "\\`*|<>[]~$"} | {"&": "&amp;"})
STATES = {"missing": "not run", "stopped": "stopped", "running": "running", "failed": "failed", "": "–", "done": "–"}


def ours(figure: Figure, bold: Callable[[str], str] = str, plus_minus: str = " ± ") -> str:
    """'38.2 ± 0.4 (-3.6)', or how far the run is."""
    if figure.mean is None:
        return STATES[figure.state]
    text = f"{figure.mean:.1f}" + (f"{plus_minus}{figure.sd:.1f}" if figure.sd is not None else "")
    text = bold(text) if figure.best else text
    seeds = "" if figure.state == "done" else f" [{len(figure.values)} of {len(figure.runs)}]"
    return text + _difference(figure.delta) + seeds


def published(figure: Figure, bold: Callable[[str], str] = str) -> str:
    """'38.2 (-3.6)', '–' where the paper has none."""
    if figure.published is None:
        return "–"
    value, delta = figure.published
    return (bold(f"{value:.1f}") if figure.best_published else f"{value:.1f}") + _difference(delta)


def _difference(delta: float | None) -> str:
    return "" if delta is None else f" ({delta:+.1f})"


def markdown(result: Result) -> str:
    """The whole page: header, table, what differs, notes."""
    bold = lambda text: f"**{text}**"  # noqa: E731
    marks = result.table.marks
    heads = [plain(head) for pair in result.heads for head in (f"{pair[0]}, ours", f"{pair[1]}, paper")]
    lines = [f"# {result.title}", ""]
    lines += [f"- **{name}**: {plain(text)}" for name, text in result.facts]
    lines += ["", f"| Method | {' | '.join([*marks, *heads])} |"]
    lines += ["|---" + "|:-:" * len(marks) + "|--:" * len(heads) + "|"]
    for row, figures in zip(result.table.rows, result.figures, strict=True):
        ticks = ["✓" if mark in row.marks else "" for mark in marks]
        cells = [text for figure in figures for text in (ours(figure, bold), published(figure, bold))]
        lines.append(f"| {' | '.join([plain(row.label), *ticks, *cells])} |")
    lines += ["", *(f"- {plain(sentence)}" for sentence in (*result.order, *result.notes))]
    return "\n".join(lines) + "\n"


def csv_rows(result: Result) -> list[dict[str, Any]]:
    """One for each row, column and seed, full digits; cited rows have no seed, unknown figures are None."""
    found = []
    for row, figures in zip(result.table.rows, result.figures, strict=True):
        for column, figure, where in zip(result.table.columns, figures, result.sets, strict=True):
            value, delta = figure.published or (None, None)
            about = {"table": result.table.number, "row": row.key, "label": row.label, "set": where}
            about |= {"metric": column.metric, "keypoints": column.keypoints}
            about |= {"protocol": result.protocol if figure.runs else "published"}
            sums = {"mean": figure.mean, "sd": figure.sd, "delta": figure.delta}
            sums |= {"published": value, "published_delta": delta, "state": figure.state}
            for seed, run in figure.runs.items() or [(None, "")]:
                found.append({**about, "seed": seed, "value": figure.values.get(seed), **sums, "run": run})
    return found


def csv_text(result: Result) -> str:
    """``csv_rows`` as text, unknown figures empty."""
    out, rows = io.StringIO(), csv_rows(result)
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def latex(result: Result) -> str:
    """A table environment for booktabs; header facts and notes as comments."""
    bold = lambda text: rf"\textbf{{{text}}}"  # noqa: E731
    marks, count = result.table.marks, len(result.heads)
    tops = " & ".join(rf"\multicolumn{{2}}{{c}}{{{escaped(head)}}}" for head, _ in result.heads)
    rules = " ".join(
        rf"\cmidrule(lr){{{2 + len(marks) + 2 * k}-{3 + len(marks) + 2 * k}}}" for k in range(count)
    )  # fmt: skip
    subs = " & ".join(f"ours & paper ({escaped(theirs.split()[0])})" for _, theirs in result.heads)
    lines = [comment(f"{name}: {text}") for name, text in result.facts]
    lines += [comment(sentence) for sentence in (*result.order, *result.notes)]
    lines += [r"% \usepackage{booktabs,amssymb}", r"\begin{table}", r"\centering"]
    lines += [rf"\caption{{{escaped(result.table.title)}. Published figures are on other data.}}"]
    lines += [rf"\begin{{tabular}}{{l{'c' * len(marks)}{'rr' * count}}}", r"\toprule"]
    lines += [rf" & {'& ' * len(marks)}{tops} \\", rules]
    lines += [rf"Method & {''.join(f'{escaped(mark)} & ' for mark in marks)}{subs} \\", r"\midrule"]
    for row, figures in zip(result.table.rows, result.figures, strict=True):
        ticks = [r"\checkmark" if mark in row.marks else "" for mark in marks]
        cells = [
            text.replace("–", "--")
            for figure in figures
            for text in (ours(figure, bold, r" $\pm$ "), published(figure, bold))
        ]
        lines.append(rf"{' & '.join([escaped(row.label), *ticks, *cells])} \\")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text as LaTeX reads it, on one line."""
    return " ".join(text.split()).translate(LATEX)


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line, also in a table's cell."""
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\_", " ".join(text.split()).translate(MARKDOWN))


def comment(text: str) -> str:
    """A comment of LaTeX: it must not end before the text does."""
    return "% " + " ".join(text.split())
