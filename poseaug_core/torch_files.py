"""Reading .pth, .pt and .pth.tar files without running what they hold.

torch's own weights-only unpickler does it: a file may build tensors, numbers, texts and containers. Numpy scalars and
arrays, which training scripts leave beside the weights (an error, a learning rate), are passed over; whatever else a
file asks for is refused by its name.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from poseaug_core.errors import UserError


class Omitted:
    """Stands where a file has a numpy value; whatever numpy function the pickle names, this class is called instead."""

    def __new__(cls, *_: Any) -> Omitted:
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


#: Pickles of numpy 1 and 2 name these.
NUMPY = (
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(f"numpy.{name}" for name in ("dtype", "ndarray")),
    "_codecs.encode",
)


def read_torch_file(path: Path) -> Any:
    """What torch.save wrote, on the CPU, in the format of any version of torch. Raises UserError, runs nothing."""
    _refuse_bomb(path)
    try:
        with torch.serialization.safe_globals([(Omitted, name) for name in NUMPY]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; name a checkpoint.")
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]{1,100})\b|unrecognized function <([^>\n]{1,100})>", str(error))
        if wanted:
            name = next(filter(None, wanted.groups()))
            raise UserError(
                f"{path} wants to run {name} when it is read, which is refused; save only the state_dict of its model."
            ) from error
        raise UserError(f"{path} is not a checkpoint, or damaged or cut short; copy or download it again.") from error
    except Exception as error:  # torch's readers raise every kind on a damaged file
        raise UserError(f"{path} is not a checkpoint, or damaged or cut short; copy or download it again.") from error


def _refuse_bomb(path: Path) -> None:
    """torch stores without compression: a file that unpacks to more than it holds was not written by torch.

    An archive that cannot be looked through is refused: torch's own reader, which is less strict, would unpack it.
    """
    try:
        size, stored = path.stat().st_size, 0
        with open(path, "rb") as stream:
            packed = stream.read(4) == b"PK\x03\x04"
        if packed:
            with zipfile.ZipFile(path) as archive:
                stored = sum(entry.file_size for entry in archive.infolist())
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return  # torch.load says what is wrong
    except Exception as error:  # zipfile raises every kind on a damaged archive
        raise UserError(f"{path} is not a checkpoint, or damaged or cut short; copy or download it again.") from error
    if stored > size:
        raise UserError(
            f"{path} unpacks to {stored:,} bytes from {size:,}, which no checkpoint of torch does; it is not read."
        )
