"""Sweeps: many runs made together, each in a folder named by what it is; finished ones are only read.

``plan_of`` turns named Configs into jobs with shared pre-training, ``run_plan`` trains those that are not finished,
``state_of`` reads how far one is.
"""

from poseaug_core.sweep.engines import ENGINES, run_plan
from poseaug_core.sweep.plan import Job, Plan, plan_of
from poseaug_core.sweep.state import JobState, expected_seconds, state_of

__all__ = ["ENGINES", "Job", "JobState", "Plan", "expected_seconds", "plan_of", "run_plan", "state_of"]
