#!/usr/bin/env bash
# Makes the virtual environment and installs the pinned versions in it; quick when nothing changed.
# usage: setup/environment.sh [EXTRA]      EXTRA: an optional set of pyproject.toml, such as test
. "$(dirname "$0")/common.sh"

extra=${1-}
stamp="$VENV/.installed${extra:+-$extra}"
# The checkout's path is in it because the install points at the checkout.
wanted=$({ pwd; cat pyproject.toml constraints.txt; } | sha256sum)

if [ -x "$VENV/bin/python" ] && suits "$VENV/bin/python"; then
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0
else
    python=$(find_python) || die "There is no Python 3.11, 3.12 or 3.13 here; run make studio, which says what to install."
    say "Making $VENV with $("$python" --version)."
    "$python" -m venv --clear "$VENV"
fi
say "Installing the pinned packages into $VENV; PyTorch is large, so the first time takes minutes."
quiet=--quiet
[ ! -t 1 ] || quiet=--progress-bar=on
"$VENV/bin/python" -m pip install $quiet --no-input --constraint constraints.txt --editable ".${extra:+[$extra]}" </dev/null
printf '%s\n' "$wanted" >"$stamp"
