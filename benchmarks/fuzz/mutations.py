"""How good files are spoiled: bytes anywhere, words and numbers of texts, and what trees of arrays hold.

All of it depends on the generator alone, so that an input comes again by its number.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np

#: Numbers at which code that trusts a file breaks.
EXTREME = (
    0, -1, 1, 2, -0.0, 0.5, 1e-30, 1e30, -1e30, 1e308, -1e308, 1e300, 1e10, 1e5, float("nan"), float("inf"),
    float("-inf"), 2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 255, 65536,
)  # fmt: skip
TEXTS = (
    "",
    "x",
    "\0",
    "\n",
    "a" * 300,
    "../../x",
    "é\u2028",
    "\ud800",
    "1e999",
    "nan",
    "[" * 50,
    "None",
    "-",
    "TS9/a",
    "%s",
)
NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
WORD = re.compile(rb"[A-Za-z_]+")


def spoiled_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, bytes overwritten, parts cut, moved, repeated or filled, sizes replaced."""
    out = bytearray(data)
    for _ in range(int(rng.choice((1, 1, 1, 2, 3, 8)))):
        if not out:
            return bytes(out)
        # Half of the time near the beginning or the end, where headers and tables lie.
        place = rng.choice(("anywhere", "begin", "end"), p=(0.5, 0.3, 0.2))
        near = min(len(out), 600)
        at = int(rng.integers(len(out)))
        at = at % near if place == "begin" else len(out) - 1 - at % near if place == "end" else at
        size = int(rng.choice((1, 2, 4, 8, 32, 300)))
        match int(rng.integers(8)):
            case 0 | 1:
                out[at] ^= 1 << int(rng.integers(8))
            case 2:
                out[at : at + size] = rng.bytes(min(size, len(out) - at))
            case 3:
                value = int(rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62)))
                wide = int(rng.choice((1, 2, 4, 8)))
                order = "little" if rng.random() < 0.8 else "big"
                out[at : at + wide] = (value % 256**wide).to_bytes(wide, order)
            case 4:
                del out[at:]
            case 5:
                del out[at : at + size]
            case 6:
                other = int(rng.integers(len(out)))
                block = bytes(out[at : at + size])
                out[other : other + len(block)] = block
            case 7:
                out[at:at] = bytes(out[at : at + size]) * int(rng.choice((1, 1, 3, 50)))
    return bytes(out)


def spoiled_text(data: bytes, rng: np.random.Generator) -> bytes:
    """Numbers replaced by extreme ones, words by others, lines taken away, doubled or exchanged."""
    for _ in range(int(rng.choice((1, 1, 1, 2, 4)))):
        kind = int(rng.integers(6))
        if kind < 3:
            found = list(NUMBER.finditer(data))
            new = str(rng.choice(np.array(EXTREME, object))).encode()
        elif kind == 3:
            found, new = list(WORD.finditer(data)), str(rng.choice(TEXTS)).encode("utf-8", "surrogatepass")
            if rng.random() < 0.5 and found:
                new = found[int(rng.integers(len(found)))][0]
        else:
            lines = data.split(b"\n")
            a, b = rng.integers(len(lines), size=2).tolist()
            if kind == 4:
                lines[a], lines[b] = lines[b], lines[a]
            else:
                lines[a : a + 1] = [lines[a]] * int(rng.choice((0, 2, 40)))
            data = b"\n".join(lines)
            continue
        if found:
            if rng.random() < 0.3:  # a header's, which there are few of
                found = found[:40]
            one = found[int(rng.integers(len(found)))]
            data = data[: one.start()] + new + data[one.end() :]
    return data


def spoiled_tree(tree: Any, rng: np.random.Generator) -> Any:
    """A copy of dictionaries, lists, arrays, numbers and texts with one to three of them changed."""
    tree = copy.deepcopy(tree)
    for _ in range(int(rng.choice((1, 1, 2, 3)))):
        tree = _changed(tree, rng, 0)
    return tree


def _changed(value: Any, rng: np.random.Generator, depth: int) -> Any:
    """Down a random way, and something done to what lies at its end."""
    whole = rng.random() < (0.04 if depth == 0 else 0.15)
    if isinstance(value, dict) and value and not whole:
        key = list(value)[int(rng.integers(len(value)))]
        match int(rng.integers(12)):
            case 0:
                del value[key]
            case 1:
                value[str(rng.choice(TEXTS)) if isinstance(key, str) else 7] = value.pop(key)
            case 2:
                value[key] = value[list(value)[int(rng.integers(len(value)))]]
            case _:
                value[key] = _changed(value[key], rng, depth + 1)
        return value
    if isinstance(value, list | tuple) and len(value) and not whole:
        made, at = list(value), int(rng.integers(len(value)))
        match int(rng.integers(12)):
            case 0:
                del made[at]
            case 1:
                made = made * int(rng.choice((0, 2, 20)))
            case 2:
                made[at] = made[int(rng.integers(len(made)))]
            case _:
                made[at] = _changed(made[at], rng, depth + 1)
        return made
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and not whole:
        return _changed_array(value, rng)
    return _other(value, rng)


def _changed_array(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    match int(rng.integers(14)):
        case 0:
            return value[: int(rng.integers(len(value) + 1))] if value.ndim else value
        case 1:
            return value.reshape(-1) if rng.random() < 0.5 else value[None]
        case 2:
            return value.T if rng.random() < 0.5 else np.asfortranarray(value)
        case 3:
            kinds = np.array(("f2", ">f4", "i1", "u8", "S3", "U2", "c8", "?", "O", "M8[s]"))
            with np.errstate(all="ignore"):
                return value.astype(str(rng.choice(kinds)))
        case 4:
            return np.concatenate([value] * 3) if value.ndim else value
        case 5:
            return np.zeros((0, *value.shape[1:]), value.dtype)
    number = EXTREME[int(rng.integers(len(EXTREME)))]
    with np.errstate(all="ignore"):
        made = value.copy() if value.dtype.kind != "f" or value.dtype.itemsize > 4 else value.astype(float)
        flat = made.reshape(-1)
        if not flat.size:
            return made
        at = int(rng.integers(flat.size))
        where = [at, slice(at, at + 7), slice(at % 50, None, 50), slice(None)][int(rng.integers(4))]
        if made.dtype.kind in "iu":
            limits = np.iinfo(made.dtype)
            whole = number == number and abs(number) < 2**70
            flat[where] = min(max(int(number), limits.min), limits.max) if whole else limits.max
        elif rng.random() < 0.3:
            flat[where] = flat[where] * float(rng.choice((-1, 0, 10, 1e3, 1e6, 1e300)))
        else:
            flat[where] = float(number)
    return made


def _other(value: Any, rng: np.random.Generator) -> Any:
    """Something in the place of anything."""
    number = EXTREME[int(rng.integers(len(EXTREME)))]
    if isinstance(value, bool | int | float) and rng.random() < 0.8:
        return number
    if isinstance(value, str) and rng.random() < 0.7:
        return str(rng.choice(np.array(TEXTS, object)))
    nested: Any = 1
    for _ in range(40):
        nested = [nested, nested] if rng.random() < 0.02 else [nested]
    kinds = (None, True, number, "text", [], {}, [1, [2]], {"a": 1}, b"xy", nested, np.zeros(3), np.zeros((2, 17, 3)),
             np.array(["a", "b"]), np.array(1.5), np.array([{"a": 1}], object))  # fmt: skip
    return kinds[int(rng.integers(len(kinds)))]
