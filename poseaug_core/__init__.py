"""PoseAug without a window: the method, its data, its runs."""

import os

# How torch's threads wait for each other, read when it loads. Spinning on, they collapse on a machine that does
# something else as well; asleep at once, they take a quarter longer to train on one that does not. So they sleep
# after about ten microseconds. What the user has set stays, and who loads torch before this package keeps its ways.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
