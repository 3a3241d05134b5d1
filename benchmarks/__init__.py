"""Speed, measured: ``python -m benchmarks`` prints a table and can write JSON."""

import poseaug_core  # noqa: F401  before torch: how its threads wait
