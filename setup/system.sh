#!/usr/bin/env bash
# Checks what pip cannot install: Python with venv, and the libraries that Qt and OpenGL load.
# Installs what is missing by apt as root or with passwordless sudo, else prints the one apt line and stops.
# usage: setup/system.sh [--xvfb]      --xvfb: a virtual display is needed as well
. "$(dirname "$0")/common.sh"

# library, Debian package. The first six let Qt draw at all, the rest open real windows.
LIBRARIES='
libglib-2.0.so.0       libglib2.0-0
libGL.so.1             libgl1
libEGL.so.1            libegl1
libxkbcommon.so.0      libxkbcommon0
libfontconfig.so.1     libfontconfig1
libdbus-1.so.3         libdbus-1-3
libxkbcommon-x11.so.0  libxkbcommon-x11-0
libxcb-cursor.so.0     libxcb-cursor0
libxcb-icccm.so.4      libxcb-icccm4
libxcb-keysyms.so.1    libxcb-keysyms1
libxcb-shape.so.0      libxcb-shape0
'

# Debian 13 and Ubuntu 24.04 renamed it for 64-bit time.
glib_package() {
    local ID='' VERSION_ID=''
    [ -r /etc/os-release ] && . /etc/os-release
    case "$ID:${VERSION_ID%%.*}" in
        debian:1[3-9] | ubuntu:2[4-9]) echo libglib2.0-0t64 ;;
        *) echo libglib2.0-0 ;;
    esac
}

loads() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" >/dev/null 2>&1; }

missing_packages() {
    if [ -z "$python" ]; then
        echo python3 python3-venv
    elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
    local library package
    while read -r library package; do
        [ -z "$library" ] || { [ -n "$python" ] && loads "$library"; } || echo "${package/%libglib2.0-0/$(glib_package)}"
    done <<<"$LIBRARIES"
    if [ "${1-}" = --xvfb ]; then
        command -v xvfb-run >/dev/null || echo xvfb
        command -v xauth >/dev/null || echo xauth
    fi
}

install() {
    local root=("$@") # how to become root, nothing when we are
    "${root[@]}" apt-get update -q </dev/null >&2 &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
            -o DPkg::Lock::Timeout=120 "${packages[@]}" </dev/null >&2
}

if [ -n "${PYTHON-}" ] && ! suits "$PYTHON"; then
    die "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13 that runs; give another, or leave PYTHON out."
fi
python=$(find_python || true)
mapfile -t packages < <(missing_packages "$@" | tr ' ' '\n')
[ "${#packages[@]}" -gt 0 ] || exit 0
# Asked by vispy for the screen's resolution; it only warns without.
command -v xdpyinfo >/dev/null || packages+=(x11-utils)

line="apt-get install --no-install-recommends ${packages[*]}"
if ! command -v apt-get >/dev/null; then
    die "These Debian packages are missing and there is no apt-get here: ${packages[*]};" \
        "install what your system calls them, then run make again."
elif [ "$(id -u)" = 0 ]; then
    say "Installing what the system lacks: $line"
    install || die "apt-get could not install it; run this, then make again:  $line"
elif sudo -n true 2>/dev/null; then
    say "Installing what the system lacks: sudo $line"
    install sudo -n || die "apt-get could not install it; run this, then make again:  sudo $line"
else
    die "The system lacks some packages; run this, then make again:  sudo $line"
fi
find_python >/dev/null ||
    die "There is no Python 3.11, 3.12 or 3.13 on this machine; install one and name it: make studio PYTHON=/path/to/python3.12"
