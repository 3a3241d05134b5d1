# Sourced by the scripts beside it: where things are, and how they speak.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=${VENV:-.venv}
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 2; }

has_display() { [ -n "${DISPLAY-}${WAYLAND_DISPLAY-}" ]; }

# The command under a virtual X display; X11 is named because Qt would pick Wayland where both exist.
off_screen() { env -u WAYLAND_DISPLAY QT_QPA_PLATFORM=xcb xvfb-run -a -s '-screen 0 1600x1000x24' "$@"; }

suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

# Prints the Python to use: PYTHON where it is given, else the first of 3.11-3.13 that runs,
# one that can make virtual environments before one that cannot.
find_python() {
    local candidate found='' candidates=(python3.11 python3.12 python3.13 python3)
    [ -z "${PYTHON-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        suits "$candidate" || continue
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
        found=${found:-$candidate}
    done
    [ -n "$found" ] && printf '%s\n' "$found"
}
