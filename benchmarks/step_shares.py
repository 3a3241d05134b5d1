"""Where the time of an iteration goes, by torch's profiler: products, dropout, batch norm, the rest."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from torch.profiler import ProfilerActivity, profile

if TYPE_CHECKING:
    from benchmarks.step import Steps

#: Names of torch's operations, as far as they say what they are for.
KINDS = {
    "products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "mkldnn::_linear_pointwise"),
    "dropout": ("aten::random_", "aten::ge", "aten::bitwise_and", "aten::bitwise_or", "aten::clamp_min",
                "aten::threshold_backward"),
    "batch_norm": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
}  # fmt: skip
#: Iterations of each kind that are looked at; even, for the discriminators' turns.
MANY = 4


def shares(steps: Steps) -> dict[str, float]:
    """'augmentor_share_products' and so on, of the seconds inside torch's operations."""
    found: dict[str, float] = {}
    for side in ("augmentor", "estimator"):
        sums: dict[str, float] = defaultdict(float)
        seen = 0
        while seen < MANY:
            with profile(activities=[ProfilerActivity.CPU]) as profiled:
                kind, _ = steps.one()
            if kind != side:
                continue
            seen += 1
            for event in profiled.key_averages():
                if event.key.startswith(("aten::", "mkldnn::")):
                    named = (name for name, keys in KINDS.items() if event.key in keys)
                    sums[next(named, "rest")] += event.self_cpu_time_total
        found |= {f"{side}_share_{name}": sums[name] / sum(sums.values()) for name in (*KINDS, "rest")}
    return found
