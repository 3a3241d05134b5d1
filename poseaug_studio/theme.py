"""Colours and type of the studio: the palette that views, plots, knobs and exported figures share."""

from __future__ import annotations

from poseaug_core.palette import DARK, LIGHT, STAGE_SUBTITLES, STAGE_TITLES, Theme

__all__ = ["DARK", "LIGHT", "STAGE_SUBTITLES", "STAGE_TITLES", "Theme"]
