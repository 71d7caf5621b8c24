# shellcheck shell=bash disable=SC2154 # root, tools, scratch and CARGO_TARGET_DIR are set by tests/run, which sources this
# The Python client: generated code compared, style and types, its wheel, its tests, and the script of all clients.
#
# What is tested is the wheel, installed as a user installs it, and not the folder that it is built from.

readonly python_client="$root/clients/python"

# The packages of requirements-dev.txt, pinned, in an environment of their own.
install_python_client_tools() {
  local folder="$tools/python-client" pins="$python_client/requirements-dev.txt"
  if cmp --silent -- "$pins" "$folder/pins"; then return 0; fi
  rm -rf -- "$folder"
  python3 -m venv "$folder" || return 1
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$pins" || return 1
  cp -- "$pins" "$folder/pins"
}

# Builds the source archive and the wheel out of it, holds what is inside against what git has, and installs the wheel.
install_python_wheel() { # python
  local built="$scratch/python-wheel"
  "$1" -m build --no-isolation --outdir "$built" "$python_client"
  (cd -- "$python_client/src" && git ls-files --cached --others --exclude-standard -- pointbridge | sort) >"$scratch/python-source"
  "$1" -c 'import sys, zipfile; print(*sorted(n for n in zipfile.ZipFile(sys.argv[1]).namelist() if ".dist-info/" not in n), sep="\n")' \
    "$built"/pointbridge-*.whl >"$scratch/python-wheel-files"
  diff -- "$scratch/python-source" "$scratch/python-wheel-files"
  "$1" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$built"/pointbridge-*.whl
}

check_python_client() {
  local python="$tools/python-client/bin/python"
  export PYTHONDONTWRITEBYTECODE=1 RUFF_CACHE_DIR="$scratch/ruff" MYPY_CACHE_DIR="$CARGO_TARGET_DIR/mypy"
  cd -- "$python_client" || return 1
  "$python" generate.py --check
  "$python" -m ruff format --check .
  "$python" -m ruff check .
  "$python" -m mypy
  install_python_wheel "$python"
  "$python" -m pytest -q -p no:cacheprovider
}

# The script of all clients, by the client that waits and by the one for asyncio, and the example before a demo's hub.
play_python_client() {
  local python="$tools/python-client/bin/python" stage="$root/clients/conformance/stage.py"
  local program="$CARGO_TARGET_DIR/release/pointbridge"
  export PYTHONDONTWRITEBYTECODE=1
  "$python" "$stage" "$program" "$python" "$python_client/tests/conformance.py"
  "$python" "$stage" "$program" "$python" "$python_client/tests/conformance.py" --asyncio
  "$python" "$stage" --demo "$program" "$python" "$python_client/examples/exchange.py"
}

# What clients/README.md tells a new user, as it stands, in an empty folder.
follow_clients_readme() {
  local folder="$scratch/new-user"
  mkdir -p -- "$folder"
  (cd -- "$folder" && POINTBRIDGE="$root" python3 "$root/tests/steps/follow_readme.py" "$root/clients/README.md")
}
