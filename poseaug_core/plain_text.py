"""Text from files, names and libraries, made harmless where it is shown: on a terminal, in a window, in a log.

Names of files, words in motion capture and notes of a run folder may hold anything: codes that command a terminal,
letters that turn the line around, lines without end. What is shown is text only.
"""

from __future__ import annotations

import re

#: Characters that a sentence has on a screen, a line of a library's text, and a name.
SENTENCE, LINE, NAME = 1000, 300, 200
#: Control characters, C1 among them; marks that are not seen or turn the direction of text; halves of surrogates.
#: The joiners U+200C and U+200D stay: they are part of written words.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def plain(text: object, most: int = SENTENCE) -> str:
    """The text on one line, of ``most`` characters at the most; what is no letter is written out, such as \\x1b.

    Where it is longer its middle is left out, so that a sentence keeps its beginning and its remedy.
    """
    cut = _shortened(str(text), most)
    return _shortened(_HARMFUL.sub(_written_out, cut), most)


def plain_lines(text: object) -> str:
    """As plain, of text whose lines are its maker's own: they stay, and nothing is left out."""
    return "\n".join(_HARMFUL.sub(_written_out, line) for line in str(text).split("\n"))


def of_library(said: object, most: int = LINE) -> str:
    """The first line of what another library said, without its full stop, to be put into a sentence; the name of an
    error that says nothing."""
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    return plain(lines[0] if lines else type(said).__name__, most).rstrip(".")


def named_error(error: BaseException) -> str:
    """'RuntimeError: its first line', of an error that nobody has explained."""
    name, said = type(error).__name__, of_library(error)
    return name if said == name else f"{name}: {said}"


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}\u2026{text[len(text) - end :]}"


def _written_out(found: re.Match) -> str:
    letter = found[0]
    return _NAMED.get(letter) or letter.encode("unicode_escape").decode()
