"""What PoseAug is compared with: the offline evolution of Li et al. (CVPR 2020), and plain random views."""

from poseaug_core.baselines.evolution import Evolution, evolve
from poseaug_core.baselines.offspring import Evolved
from poseaug_core.baselines.random_views import RandomAugmentor, RandomViews

__all__ = ["Evolution", "Evolved", "RandomAugmentor", "RandomViews", "evolve"]
