"""What PoseAug is compared with: the offline evolution of Li et al. (CVPR 2020), and plain random views."""

from poseaug_core.baselines.evolution import evolve
from poseaug_core.baselines.offspring import Evolved
from poseaug_core.baselines.random_views import RandomAugmentor

__all__ = ["Evolved", "RandomAugmentor", "evolve"]
