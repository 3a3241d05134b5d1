"""Labels, tips and captions: what they show of names, files and errors is text, whatever letters it has.

Left alone Qt takes text that looks like HTML for HTML, pictures on this computer among it, and '&' for a key.
"""

from __future__ import annotations

import re

from PySide6.QtGui import Qt  # with its functions on rich text
from PySide6.QtWidgets import QLabel, QMessageBox, QWidget

from poseaug_core.plain_text import NAME, plain, plain_lines

#: Characters on a label: where its line is folded, and where it is not.
FOLDED, UNFOLDED = 600, 100
#: Letters without a place to fold a line at.
TOGETHER = 30
_LONG_WORD = re.compile(rf"[^\s/\\-]{{{TOGETHER}}}(?=[^\s/\\-])")


class Label(QLabel):
    """A label of plain text. lines: the text's lines are the program's own, and stay."""

    def __init__(self, text: str = "", parent: QWidget | None = None, lines: bool = False, **properties):
        super().__init__(parent, textFormat=Qt.TextFormat.PlainText, **properties)
        self.lines = lines
        self.setText(text)

    def setText(self, text: str) -> None:
        folded = self.wordWrap()
        shown = plain_lines(text) if self.lines else plain(text, FOLDED if folded else UNFOLDED)
        super().setText(foldable(shown) if folded else shown)

    def text(self) -> str:
        """As it was set, without the places to fold it at."""
        return super().text().replace("\u200b", "")


class MarkedLabel(QLabel):
    """A label of the program's own HTML; what comes from elsewhere is put into it through ``marked``."""

    def __init__(self, text: str = "", parent: QWidget | None = None, **properties):
        super().__init__(parent, textFormat=Qt.TextFormat.RichText, **properties)
        self.setText(text)


def foldable(text: str) -> str:
    """Text that a line can be folded in also within long words: no label gets wider than its place."""
    return _LONG_WORD.sub("\\g<0>\u200b", text)


def marked(text: object, most: int = FOLDED) -> str:
    """Foreign text within HTML."""
    told = plain(text, most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return foldable(told)


def tip(text: object) -> str:
    """A tooltip of foreign text in lines of the program's own."""
    shown = "\n".join(plain(line) for line in str(text).split("\n"))
    return Qt.convertFromPlainText(shown) if Qt.mightBeRichText(shown) else shown


def caption(text: object, most: int = NAME // 4) -> str:
    """Foreign text on a button or in a menu, where one '&' would underline a letter."""
    return plain(text, most).replace("&", "&&")


def title(text: object) -> str:
    """Foreign text in the title of a window; Qt puts the state of the window for '[*]'."""
    return plain(text, NAME // 2).replace("[*]", "[*][*]")


def message_box(parent: QWidget, heading: str, words: str) -> QMessageBox:
    """A message of plain text."""
    box = QMessageBox(parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setWindowTitle(title(heading))
    box.setText(foldable(plain(words, FOLDED)))
    return box
