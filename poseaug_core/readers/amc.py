"""AMC, the motion file of the Acclaim format: frame after frame, a line for each bone with its numbers.

All frames of a file list the same bones in the same order, which lets them be read as columns. Only the frames that are
kept are decoded; of the others the frame number is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.asf import Body
from poseaug_core.units import ANGLE, POSITION, require

#: AMC files carry no frame rate; the CMU database was recorded at this one, but for some trials at 60.
ASSUMED_FPS = 120.0


@dataclass(frozen=True)
class Motion:
    """angles: bone -> (frames kept, dof) float64, degrees and units of length. step: every step-th was kept."""

    angles: dict[str, np.ndarray]
    fps: float
    step: int


def read_amc(path: Path, body: Body, skeleton: str, recorded: float, fps: float | None) -> Motion:
    """The motion of the body, recorded at so many frames a second, thinned to about ``fps`` (None keeps all).

    skeleton: the name of the ASF file, for messages. Raises UserError for anything that is not a complete AMC file
    of this body.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check the name and its permissions.") from None
    lines = [line for line in data.splitlines() if line and not line.isspace()]
    start = next((i for i, line in enumerate(lines[:1000]) if line.strip().isdigit()), None)
    if start is None or any(line.lstrip()[:1] not in (b"#", b":") for line in lines[:start]):
        begins = data[:12]
        raise UserError(f"{path} is not an AMC file with frames (it begins with {begins!r}); choose another.")
    words = b" ".join(lines[:start]).upper().split()
    degrees = b":DEGREES" in words or (b":RADIANS" not in words and body.degrees)
    lines = lines[start:]
    layout = _layout(lines, body, path, skeleton)
    height = len(layout) + 1
    numbers = _frame_numbers(lines, height, path)
    gap = int(numbers[1] - numbers[0]) if len(numbers) > 1 else 1
    rate = recorded / gap
    step = max(1, round(rate / fps)) if fps else 1
    if step > 1:
        lines = [line for first in range(0, len(lines), height * step) for line in lines[first : first + height]]
        numbers = numbers[::step]
    return Motion(_decoded(lines, layout, numbers, body, path, degrees), rate / step, step)


def _layout(lines: list[bytes], body: Body, path: Path, skeleton: str) -> list[str]:
    """The bones of the first frame in order; UserError unless they and their numbers are those of the body."""
    layout = []
    for line in lines[1:]:
        words = line.split()
        name = words[0].decode("utf-8", "replace")
        if name.isdigit():
            break
        bone = body.bones.get(name)
        if bone is None:
            raise UserError(
                f"{path} moves a bone '{name[:40]}' that {skeleton} does not have; give it its own ASF file."
            )
        if len(words) - 1 != len(bone.dof):
            raise UserError(
                f"{path}: frame 1 gives '{name}' {len(words) - 1} numbers, {skeleton} says {len(bone.dof)}; "
                "give it its own ASF file, or copy it again if it is cut short."
            )
        layout.append(name)
    lacking = [name for name, bone in body.bones.items() if bone.dof and name not in layout]
    if lacking or len(set(layout)) != len(layout):
        what = f"lacks {', '.join(lacking[:4])}" if lacking else "names a bone twice"
        raise UserError(f"{path}: its first frame {what}; it is cut short or another body's, copy it again.")
    return layout


def _frame_numbers(lines: list[bytes], height: int, path: Path) -> np.ndarray:
    """(frames,) the frames' numbers, evenly spaced; UserError where lines or numbers are missing between them."""
    heads = lines[::height]
    try:
        numbers = np.array([int(head) for head in heads])
    except ValueError:
        at = next(i for i, head in enumerate(heads) if not head.strip().isdigit())
        raise UserError(
            f"{path}: frame {at} has more or fewer lines than the first, or a line of its own kind "
            f"({heads[at][:40]!r}); copy it again."
        ) from None
    if len(lines) % height:
        raise UserError(
            f"{path} ends in the middle of frame {numbers[-1]} ({len(lines) % height} of {height} lines are there); "
            "it is cut short, copy it again."
        )
    gaps = np.diff(numbers)
    if len(gaps) and (gaps[0] < 1 or (gaps != gaps[0]).any()):
        at = int(np.flatnonzero((gaps != gaps[0]) | (gaps < 1))[0])
        raise UserError(
            f"{path}: frame {numbers[at + 1]} follows frame {numbers[at]}; the numbers must count up evenly, "
            "so frames are missing or files were joined; copy it again or split it there."
        )
    return numbers


def _decoded(
    lines: list[bytes], layout: list[str], numbers: np.ndarray, body: Body, path: Path, degrees: bool
) -> dict[str, np.ndarray]:
    """bone -> (frames, dof) of frames whose every line is a bone of the layout and its numbers."""
    height = len(layout) + 1
    width = 1 + sum(1 + len(body.bones[name].dof) for name in layout)
    tokens = b" ".join(lines).split()
    spoilt = len(tokens) != width * len(numbers)
    columns, first = {}, 1
    for name in layout:
        spoilt = spoilt or tokens[first::width].count(name.encode()) != len(numbers)
        columns[name] = first + 1
        first += 1 + len(body.bones[name].dof)
    if spoilt:
        expected = [(name.encode(), 1 + len(body.bones[name].dof)) for name in layout]
        for frame in range(len(numbers)):
            for line, (name, count) in zip(lines[frame * height + 1 : (frame + 1) * height], expected, strict=True):
                words = line.split()
                if words[0] != name or len(words) != count:
                    raise UserError(
                        f"{path}: frame {numbers[frame]} has {line[:40].decode('utf-8', 'replace')!r} where "
                        f"'{name.decode()}' with {count - 1} numbers belongs; it is garbled, copy it again."
                    )
    angles = {}
    for name, column in columns.items():
        dof = body.bones[name].dof
        try:
            values = [np.array(tokens[column + i :: width], dtype=np.float64) for i in range(len(dof))]
        except ValueError as error:
            raise UserError(f"{path}: '{name}' has something that is not a number ({error}); copy it again.") from None
        values = np.stack(values, axis=1)
        bad = ~np.isfinite(values).all(1)
        if bad.any():
            raise UserError(
                f"{path}: {bad.sum()} of {len(bad)} frames have NaN or infinite values for '{name}' (first: frame "
                f"{numbers[bad.argmax()]}); copy it again or cut these frames out."
            )
        turns = np.array([word.startswith("r") for word in dof])
        values = values if degrees else np.where(turns, np.degrees(values), values)
        for bound, columns in ((POSITION, ~turns), (ANGLE, turns)):
            require(bound, values[:, columns], f"{path}: '{name[:40]}'", "frame", "frames", numbers)
        angles[name] = values
    return angles
