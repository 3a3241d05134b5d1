#!/usr/bin/env bash
# Runs every check: style, import rules, tests. Arguments go to pytest.
. "$(dirname "$0")/common.sh"

python="$VENV/bin/python"
# The tests' tensors are small: a second thread costs more than it brings, and one makes sums repeat exactly.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

"$python" -m ruff check --quiet .
"$python" "$VENV/bin/lint-imports" --no-logo 2>/dev/null || "$python" "$VENV/bin/lint-imports"
# A virtual display even where there is a real one: the windows steal no focus, and the pictures are the same everywhere.
off_screen "$python" -m pytest -p no:xvfb "$@"
