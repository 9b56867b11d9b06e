#!/usr/bin/env bash
# Make the virtual environment and install a set of requirements (local, dev or faces), unless that was done for these very ones.
set -euo pipefail
venv=${1:-.venv}
set=${2:-dev}
say() { printf '%s\n' "$*" >&2; }

wanted=$(cat requirements*.txt | cksum)
stamp="$venv/.requirements-$set"
case $set in # Which sets hold this one: dev takes local in, faces takes dev in.
  local) holding="local dev faces" ;;
  dev) holding="dev faces" ;;
  *) holding=$set ;;
esac
for name in $holding; do
  done="$venv/.requirements-$name"
  if [ -x "$venv/bin/python" ] && [ -f "$done" ] && [ "$(cat "$done")" = "$wanted" ]; then
    exit 0
  fi
done

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
if ! { [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "$new_enough" 2>/dev/null; }; then
  python=
  for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 python}; do
    if "$candidate" -c "$new_enough" >/dev/null 2>&1; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    say "Biandan needs Python 3.11 or newer, and none was found: install one, or name it with PYTHON=/path/to/python3."
    exit 1
  fi
  say "Making $venv with $("$python" --version) ..."
  rm -rf "$venv"
  if ! failure=$("$python" -m venv "$venv" 2>&1); then
    rm -rf "$venv"
    say "$failure"
    say "Python could not make a virtual environment; on Debian and Ubuntu the package python3-venv is missing."
    exit 1
  fi
fi

say "Installing requirements-$set.txt (up to a minute) ..."
rm -f "$stamp"
if ! "$venv/bin/python" -m pip install -qq --no-compile --disable-pip-version-check --no-input \
    --requirement "requirements-$set.txt"; then
  say "The packages could not be installed; the lines above say which one and why."
  exit 1
fi
printf '%s\n' "$wanted" > "$stamp"
