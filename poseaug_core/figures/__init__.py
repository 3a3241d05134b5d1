"""The paper's figures from runs: bars of Figs. 1 and 6, pictures of Figs. 3, 5 and 7."""

from poseaug_core.figures.comparisons import COMPARISONS, Comparison, comparison
from poseaug_core.figures.pictures import PICTURES, draw_picture, picture_plan

__all__ = ["COMPARISONS", "PICTURES", "Comparison", "comparison", "draw_picture", "picture_plan"]
