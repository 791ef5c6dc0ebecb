#!/bin/sh
# Make .venv with every pinned package; does nothing when it is up to date.
# Needs Python 3.11 or newer (PYTHON=... chooses another one) and the Python package index.
# pip's own settings (index, find-links, certificate, trusted hosts) count for uv too.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV
PYTHON=${PYTHON:-python3}
VENV=.venv

fail() {
    echo "set-up: $*" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

digest() {
    # The folder is part of it: scripts in a virtual environment name their interpreter by full path.
    { pwd; "$1" --version; cat requirements.txt requirements-dev.txt constraints.txt pyproject.toml "$0"; } | cksum
}

STAMP="$VENV/.set-up"
if [ -f "$STAMP" ] && is_new_enough "$VENV/bin/python" &&
    [ "$(digest "$VENV/bin/python")" = "$(cat "$STAMP")" ]; then
    exit 0
fi

command -v "$PYTHON" >/dev/null 2>&1 ||
    fail "'$PYTHON' is not there. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12 ..."
is_new_enough "$PYTHON" ||
    fail "'$PYTHON' is $("$PYTHON" --version 2>&1), but 3.11 or newer is needed. Name one: make PYTHON=python3.12 ..."

# An environment left by an interrupted set-up, or by another folder or Python, is made anew.
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || ! is_new_enough "$VENV/bin/python"; then
    rm -rf "$VENV"
    if "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        "$PYTHON" -m venv "$VENV"
    else
        fail "'$PYTHON' cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv"
    fi
fi

echo "set-up: installing packages into $VENV"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt uv

pip_setting() {
    "$VENV/bin/python" -m pip config get "global.$1" 2>/dev/null || true
}
export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(pip_setting index-url)}}"
export UV_INDEX="${UV_INDEX:-${PIP_EXTRA_INDEX_URL:-$(pip_setting extra-index-url)}}"
export UV_INSECURE_HOST="${UV_INSECURE_HOST:-${PIP_TRUSTED_HOST:-$(pip_setting trusted-host)}}"
export SSL_CERT_FILE="${SSL_CERT_FILE:-${PIP_CERT:-$(pip_setting cert)}}"
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-${PIP_DEFAULT_TIMEOUT:-120}}"
for name in UV_DEFAULT_INDEX UV_INDEX UV_INSECURE_HOST SSL_CERT_FILE; do
    eval "[ -n \"\$$name\" ]" || unset "$name"
done
set --
for place in ${PIP_FIND_LINKS:-$(pip_setting find-links)}; do
    case $place in
        *://*) set -- "$@" --find-links "$place" ;;
        *) if [ -d "$place" ]; then set -- "$@" --find-links "$place"; fi ;;
    esac
done

export VIRTUAL_ENV="$PWD/$VENV"
"$VENV/bin/uv" pip install --quiet --compile-bytecode "$@" -r requirements-dev.txt -c constraints.txt
"$VENV/bin/uv" pip install --quiet --no-deps --no-build-isolation -e .
digest "$VENV/bin/python" >"$STAMP"
