"""World-space motion of people: clips, parametric demo motion, and the camera rigs that film both."""

from poseaug_core.motion.clip import Clip, Progress

__all__ = ["Clip", "Progress"]
