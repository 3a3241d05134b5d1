"""Lists of texts in HDF5 files, taken from the heap where they lie by this program itself.

HDF5 goes through a damaged heap without end, and takes as much memory as it says: here every size is held against the
bytes that are there.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import h5py

from poseaug_core.readers.limits import HARMLESS

#: One text where the list lies: its length in bytes, the place of its heap, its number there.
PLACE = struct.Struct("<IQI")
#: A heap's mark, version and size; of an object in it its number and size, and what that is rounded up to.
HEAP, OBJECT, ROUND = struct.Struct("<4sB3xQ"), struct.Struct("<H6xQ"), 8
NOWHERE = (0, 2**64 - 1)
SHUFFLE, DEFLATE = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE


def texts_of(dataset: h5py.Dataset, path: Path) -> list[str]:
    """The texts, of any length, of a list (n,). Raises ValueError where it is damaged or too large."""
    if dataset.file.id.get_create_plist().get_sizes() != (8, 8):
        raise ValueError("places are not of 8 bytes")
    base = dataset.file.userblock_size
    with open(path, "rb") as stream:
        heaps: dict[int, dict[int, bytes]] = {}
        found, letters = [], 0
        for length, place, number in PLACE.iter_unpack(_places(dataset, stream)):
            if place in NOWHERE or not length:
                found.append("")
                continue
            if place not in heaps:
                if len(heaps) * HEAP.size > path.stat().st_size:
                    raise ValueError("more heaps than there is room for")
                heaps[place] = _heap(stream, base + place)
            text = heaps[place][number]
            letters += length
            if length > len(text) or letters > HARMLESS:
                raise ValueError(f"a text of {length} bytes")
            found.append(text[:length].decode().rstrip("\0"))
    return found


def _heap(stream: BinaryIO, place: int) -> dict[int, bytes]:
    """What lies in a heap, by number."""
    stream.seek(place)
    mark, version, size = HEAP.unpack(stream.read(HEAP.size))
    if mark != b"GCOL" or version != 1 or not HEAP.size <= size <= HARMLESS:
        raise ValueError("no heap")
    content = stream.read(size - HEAP.size)
    if len(content) != size - HEAP.size:
        raise EOFError
    objects, at = {}, 0
    while at + OBJECT.size <= len(content):
        number, length = OBJECT.unpack_from(content, at)
        if number == 0:  # free, up to the end
            break
        at += OBJECT.size
        if length > len(content) - at:
            raise ValueError("an object beyond its heap")
        objects[number] = content[at : at + length]
        at += -(-length // ROUND) * ROUND
    return objects


def _places(dataset: h5py.Dataset, stream: BinaryIO) -> bytes:
    """The places of all texts in order; those that were never written are nowhere."""
    size = PLACE.size * dataset.shape[0]
    plan = dataset.id.get_create_plist()
    if plan.get_layout() == h5py.h5d.CONTIGUOUS:
        offset = dataset.id.get_offset()
        if offset is None:
            return bytes(size)
        stream.seek(offset)
        found = stream.read(size)
        if len(found) != size:
            raise EOFError
        return found
    if plan.get_layout() != h5py.h5d.CHUNKED:
        raise ValueError("a layout that is not read")
    out, row = bytearray(size), PLACE.size
    for start, data in _chunks(dataset, plan):
        part = data[: size - start * row]
        out[start * row : start * row + len(part)] = part
    return bytes(out)


def _chunks(dataset: h5py.Dataset, plan: h5py.h5p.PropDCID) -> Iterator[tuple[int, bytes]]:
    """(first row, places) of every chunk, unpacked no further than it may be."""
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    size = PLACE.size * dataset.chunks[0]
    chunks: list[h5py.h5d.StoreInfo] = []
    dataset.id.chunk_iter(chunks.append)
    for chunk in chunks:
        if chunk.size > HARMLESS:
            raise ValueError(f"a chunk of {chunk.size} bytes")
        mask, data = dataset.id.read_direct_chunk(chunk.chunk_offset)
        for number in reversed(range(len(filters))):
            if mask >> number & 1:
                continue
            if filters[number] == DEFLATE:
                data = zlib.decompressobj().decompress(data, size)
            elif filters[number] == SHUFFLE:
                rows = len(data) // PLACE.size
                data = b"".join(data[i::rows] for i in range(rows)) if rows else data
            else:
                raise ValueError("a filter that is not read")
        yield int(chunk.chunk_offset[0]), bytes(data)
