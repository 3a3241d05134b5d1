#!/usr/bin/env bash
# Runs every check, also after one has failed: style, import rules, tests. Arguments go to pytest.
. "$(dirname "$0")/common.sh"

python="$VENV/bin/python"
# The tests' tensors are small: a second thread costs more than it brings, and one makes sums repeat exactly.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

failed=()
"$python" -m ruff check --quiet . || failed+=("style (ruff check)")
"$python" "$VENV/bin/lint-imports" --no-logo || failed+=("import rules (lint-imports)")
# A virtual display even where there is a real one: windows steal no focus, and pictures are the same everywhere.
off_screen "$python" -m pytest -p no:xvfb "$@" || failed+=("tests (pytest)")

[ "${#failed[@]}" -eq 0 ] || { printf 'Failed: %s\n' "${failed[@]}" >&2; exit 1; }
