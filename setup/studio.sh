#!/usr/bin/env bash
# Opens the studio on the demo, training; with no display, runs its tour off-screen.
. "$(dirname "$0")/common.sh"

if has_display; then
    exec "$VENV/bin/python" -m poseaug_studio --demo --train
fi
say "There is no display (DISPLAY and WAYLAND_DISPLAY are empty), so the studio makes a short tour off-screen;" \
    "its pictures, the exported figure and the run folder go to out/tour/."
off_screen "$VENV/bin/python" -m poseaug_studio --tour out/tour
