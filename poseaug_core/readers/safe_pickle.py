"""Pickles of arrays and plain containers, read without running what they ask for.

A pickle is a program. This reader knows the few things that pickled NumPy arrays call, makes the arrays itself with
every shape checked against the bytes that are there, and refuses everything else by name.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from poseaug_core.errors import UserError

#: Steps of the pickle's program, a few a value; the data sets that come as pickles need some ten thousand.
MAX_STEPS = 200_000
#: Letters of a dictionary's key, and bits of one that is a number: longer ones take time at every look.
LONGEST_KEY, WIDEST_KEY = 200, 64
#: Letters of the name of a type, as in '<f8' or '<U4096'.
LONGEST_TYPE = 24
#: Bytes of text that may be gone through beside three times the pickle: names of types, which are remembered.
SPARE = 1 << 20
#: Kinds of numbers and text whose bytes mean nothing but themselves; O is a list of further objects.
KINDS = "biufcSUO"
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")


class Refused(Exception):
    """The pickle wants something that is neither array nor plain container; the text names it."""


def read_pickle(stream: BinaryIO, size: int, path: Path, leave: int = 0) -> Any:
    """What is pickled in the next ``size`` bytes of stream: arrays, numbers, texts, lists, tuples, sets and dicts.

    leave: arrays of so many bytes or more are left where they are, as Stored, where the pickle has them as bytes; 0
    reads all.
    Texts of Python 2 are decoded as latin-1. Raises UserError, naming path and what the pickle wants, for anything
    else, and for a pickle that is damaged or cut short. Nothing in it is run.
    """
    try:
        found = _Reader(_Rest(stream, size), leave).load()
    except Refused as error:
        raise UserError(
            f"{path} wants {error}, but of pickled data only arrays and plain containers are read; get it again from "
            "its source, or save its arrays as plain .npz."
        ) from None
    except MemoryError:
        raise UserError(f"{path} asks for more memory than there is; get it again from its source.") from None
    except Exception as error:
        # Whatever garbled opcodes lead to (IndexError, TypeError, struct.error, ...) means the same to the reader.
        raise UserError(
            f"{path} cannot be read: its pickled part is damaged or cut short; copy or write it again."
        ) from error
    if isinstance(found, _Array | _Type):
        raise UserError(f"{path} cannot be read: its pickled array has no content; copy or write it again.")
    return found


@dataclass(frozen=True)
class Stored:
    """An array that was left where it lies: ``start`` bytes after the pickle's beginning."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype
    order: str

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def array(self, stream: BinaryIO) -> np.ndarray:
        """The array, of the bytes that come next."""
        return np.frombuffer(stream.read(self.nbytes), self.dtype).reshape(self.shape, order=self.order)


@dataclass
class _Left:
    """Bytes that were passed over, for one array; used: by that."""

    start: int
    size: int
    used: bool = False


class _Rest:
    """The bytes that are left of a stream; more are never asked of it, whatever the pickle says."""

    def __init__(self, stream: BinaryIO, size: int):
        self.stream, self.size, self.left = stream, size, size

    def pass_over(self, size: int) -> _Left:
        left = _Left(self.size - self.left, size)
        while size:
            passed = len(self.read(min(size, SPARE)))
            if not passed:
                raise EOFError
            size -= passed
        return left

    def read(self, size: int) -> bytes:
        if size > self.left:
            raise EOFError
        return self._counted(self.stream.read(size))

    def readline(self) -> bytes:
        return self._counted(self.stream.readline())

    def _counted(self, data: bytes) -> bytes:
        self.left -= len(data)
        return data


class _Steps(dict):
    """The opcodes, for a limited number of steps."""

    left = MAX_STEPS

    def __getitem__(self, opcode: int) -> Callable:
        self.left -= 1
        if self.left < 0:
            raise Refused(f"to take more than {MAX_STEPS:,} steps")
        return super().__getitem__(opcode)


class _Type:
    """A dtype as a pickle builds it, in two steps."""

    def __init__(self, code, *_):
        code = code if isinstance(code, _Type) else _text(code)
        if isinstance(code, str) and len(code) > LONGEST_TYPE:
            raise Refused("to make an array of structures")
        dtype = np.dtype(code) if isinstance(code, str) else code.dtype
        if dtype.kind not in KINDS or dtype.subdtype:
            raise Refused("to make an array of structures")
        self.dtype = dtype

    def build(self, state) -> _Type:
        order = _text(state[1])
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)
        return self


class _Array:
    """An array that has been announced; ``build`` makes it of its state. places: where it is remembered."""

    def __init__(self):
        self.places: list[int] = []

    def build(self, state) -> np.ndarray:
        _, shape, of, fortran, raw = state if len(state) == 5 else (None, *state)
        return _array(raw, of, shape, "F" if fortran else "C")


def _array(raw, of: _Type, shape, order: str) -> np.ndarray:
    """The array of raw bytes or, of objects, of a list; ValueError unless they are exactly as many."""
    if not isinstance(of, _Type):
        raise Refused("to make an array of unknown type")
    shape = tuple(shape)
    if len(shape) > 32 or not all(isinstance(n, int) and 0 <= n < 2**48 for n in shape):
        raise ValueError(f"shape {shape}")
    count = math.prod(shape)
    if of.dtype.kind == "O":
        if not isinstance(raw, list) or len(raw) != count:
            raise ValueError(f"shape {shape}")
        made = np.empty(count, dtype=object)
        for i, value in enumerate(raw):
            made[i] = value
    elif isinstance(raw, _Left):
        if raw.used or not of.dtype.itemsize or raw.size != count * of.dtype.itemsize:
            raise ValueError(f"shape {shape}")
        raw.used = True
        return Stored(raw.start, shape, of.dtype, order)
    else:
        raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        # A type of no bytes would give any number of entries for nothing.
        if not isinstance(raw, bytes | bytearray) or not of.dtype.itemsize or len(raw) != count * of.dtype.itemsize:
            raise ValueError(f"shape {shape}")
        made = np.frombuffer(raw, of.dtype) if raw else np.empty(count, of.dtype)
    return made.reshape(shape, order=order)


def _scalar(of: _Type, raw=b""):
    if not isinstance(of, _Type) or of.dtype.kind == "O":
        raise Refused("to make a scalar of unknown type")
    return _array(raw, of, (1,), "C")[0]


def _from_buffer(raw, of, shape, order) -> np.ndarray:
    return _array(raw if isinstance(raw, _Left) else bytes(raw), of, shape, "F" if _text(order) == "F" else "C")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How Python 3 puts bytes into pickles that Python 2 can read."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "ascii"):
        raise Refused("to run _codecs.encode")
    return text.encode("latin-1")


def _empty() -> bytes:
    return b""


def _ordered(pairs=()) -> dict:
    return {_key(key): value for key, value in pairs}


def _set(values=()) -> set:
    return {_key(value) for value in values}


def _key(value: Any) -> Any:
    """A key of a dictionary or entry of a set: nested tuples, of which few bytes make billions, are none."""
    if isinstance(value, float) or _small(value) or (isinstance(value, str | bytes) and len(value) <= LONGEST_KEY):
        return value
    long = " as long as that" if isinstance(value, str | bytes | int) else ""
    raise Refused(f"to look things up by a {type(value).__name__}{long}")


def numeric(value: Any, dimensions: int) -> bool:
    """Whether a value is an array of real numbers, read or left, with so many dimensions."""
    return isinstance(value, np.ndarray | Stored) and len(value.shape) == dimensions and value.dtype.kind in "fiu"


def plain_texts(value: Any) -> list[str] | None:
    """The texts (or numbers) of an array in order; None where it is anything else.

    An array of objects may hold lists that hold each other: written out, a few of these would fill the memory.
    """
    entries = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else [None]
    if not all(isinstance(entry, str | bytes | float) or _small(entry) for entry in entries):
        return None
    return [_text(entry) if isinstance(entry, str | bytes) else str(entry) for entry in entries]


def _small(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() <= WIDEST_KEY


def _text(value) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _announced(*_) -> _Array:
    return _Array()


#: All that may be called, by (module, name).
CALLS: dict[tuple[str, str], Callable] = {
    **{(module, "_reconstruct"): _announced for module in _MODULES},
    **{(module, "scalar"): _scalar for module in _MODULES},
    **{(module, "_frombuffer"): _from_buffer for module in _MODULES},
    ("numpy", "ndarray"): _announced,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    **{(module, "bytes"): _empty for module in ("builtins", "__builtin__")},
    ("collections", "OrderedDict"): _ordered,
    **{(module, "set"): _set for module in ("builtins", "__builtin__")},
    **{(module, "frozenset"): _set for module in ("builtins", "__builtin__")},
}


class _Memo(dict):
    """What is remembered, by number; an announced array is told its numbers, because it is made later."""

    def __setitem__(self, number: int, value: Any) -> None:
        super().__setitem__(number, value)
        if isinstance(value, _Array):
            value.places.append(number)


class _Reader(pickle._Unpickler):
    """The Python unpickler of the standard library, because the C one fills its memo table as far as a file says.

    Only what is in CALLS is called, and only what is being built here takes a state.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: _Rest, leave: int):
        super().__init__(stream, fix_imports=False, encoding="latin-1")
        self.rest, self.leave = stream, leave
        self.dispatch = _Steps(self.dispatch)
        self.memo = _Memo()
        self.letters = 3 * stream.left + SPARE

    def find_class(self, module: str, name: str) -> Callable:
        try:
            return CALLS[module, name]
        except KeyError:
            asked = "".join(c for c in f"{module}.{name}" if c.isprintable())[:80]
            raise Refused(f"to run {asked}") from None

    def persistent_load(self, pid):
        raise Refused("an object that is kept elsewhere")

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        call = self.stack[-1]
        if not any(call is known for known in CALLS.values()) or not isinstance(arguments, tuple):
            raise Refused(f"to call a {type(call).__name__}")
        self.spend(arguments)
        self.stack[-1] = call(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        announced = self.stack[-1]
        if not isinstance(announced, _Array | _Type):
            raise Refused(f"to change a {type(announced).__name__}")
        self.spend(state)
        made = announced.build(state)
        self.stack[-1] = made
        if isinstance(announced, _Array):
            for place in announced.places:
                self.memo[place] = made
            announced.places.clear()

    def spend(self, given: Any) -> None:
        """Count what a call goes through as steps and letters: once remembered, a long list is given for nothing."""
        for value in (given, *(given if isinstance(given, tuple) else ())):
            if isinstance(value, str | bytes | bytearray):
                self.letters -= len(value)
            elif isinstance(value, list | tuple | dict | set):
                self.dispatch.left -= len(value)
        if self.dispatch.left < 0 or self.letters < 0:
            raise Refused(f"to take more than {MAX_STEPS:,} steps")

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.keep([(key, value)])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self.keep(zip(items[::2], items[1::2], strict=True))

    def keep(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        table = self.stack[-1]
        if not isinstance(table, dict):
            raise Refused(f"to change a {type(table).__name__}")
        table.update(_ordered(pairs))

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(_ordered(zip(items[::2], items[1::2], strict=True)))

    def load_additems(self) -> None:
        items = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise Refused(f"to change a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(_set(items))

    def load_frozenset(self) -> None:
        self.append(_set(self.pop_mark()))

    def load_inst(self) -> None:
        module, name = (self.readline()[:-1].decode("ascii") for _ in range(2))
        self.find_class(module, name)
        self.refuse()

    def load_binbytes(self) -> None:
        (size,) = struct.unpack("<I", self.read(4))
        self.append(self.content(size))

    def load_bytearray(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(self.content(size))

    def content(self, size: int) -> bytes | _Left:
        """The next bytes, or where they are. What is in a frame was read with it already; large arrays never are."""
        if 0 < self.leave <= size and self._unframer.current_frame is None:
            return self.rest.pass_over(size)
        return self.read(size)

    def refuse(self) -> None:
        raise Refused("to make an object of a class")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.INST[0]] = load_inst
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset
    dispatch[pickle.BINBYTES[0]] = load_binbytes
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray
    for opcode in (pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[opcode[0]] = refuse
    for opcode in (pickle.NEXT_BUFFER, pickle.READONLY_BUFFER):
        dispatch[opcode[0]] = refuse
