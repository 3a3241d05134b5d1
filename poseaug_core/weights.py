"""Estimator weights from files: safetensors whose keys may stand under 'estimator.' (a run's checkpoint)."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from poseaug_core.errors import UserError


def load_estimator_weights(path: str | Path) -> dict[str, Tensor]:
    """state_dict of the estimator in a .safetensors file, float32. Raises UserError."""
    return read_weights(path)[0]


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """The estimator's weights and what is known of it: {'name': ..., 'width': ...}. Raises UserError."""
    from poseaug_core.assets import asset

    path = asset(str(path).removeprefix("asset:")) if str(path).startswith("asset:") else Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            keys = list(file.keys())
            meta = json.loads((file.metadata() or {}).get("meta", "{}"))
            nested = [key for key in keys if key.startswith("estimator.")]
            weights = {key.removeprefix("estimator."): file.get_tensor(key) for key in nested or keys}
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; name a .safetensors checkpoint.")
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a .safetensors checkpoint: {error}.")
    floats = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    return floats, meta.get("estimator", {})
