"""The type checker behind the shapes in the signatures: strict about arrays, easy about plain numbers."""

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype

check = beartype(
    conf=BeartypeConf(
        hint_overrides=FrozenDict(
            {float: float | int | np.floating | np.integer, int: int | np.integer, bool: bool | np.bool_}
        )
    )
)
