"""The window."""

import poseaug_core  # noqa: F401  before torch: how its threads wait
