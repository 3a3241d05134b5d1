#!/usr/bin/env bash
# Measures speed and responsiveness, on the real display where there is one.
. "$(dirname "$0")/common.sh"

if has_display; then
    exec "$VENV/bin/python" -m benchmarks
fi
off_screen "$VENV/bin/python" -m benchmarks
