# A throw-away PostgreSQL for all tests of one run: installed where it is missing, started before them, stopped with them.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # scratch is the caller's; the open input is the cluster's life

# Debian's package would make a cluster of its own and start it; none is wanted.
install_postgres() {
  if find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | grep -q .; then return 0; fi
  if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then return 0; fi
  apt_install postgresql-common || return 1
  as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf || return 1
  apt_install postgresql
}

# Starts a cluster that ends with this script, however it ends: it lives as long as its input is held open.
start_postgres() {
  local pipe="$scratch/postgres.in" told="$scratch/postgres.url"
  mkfifo -- "$pipe"
  tests/with_postgres <"$pipe" >"$told" &
  exec {postgres_input}>"$pipe"
  local _
  for _ in {1..600}; do
    if [[ -s "$told" ]]; then break; fi
    sleep 0.1
  done
  if [[ ! -s "$told" ]]; then
    echo "no PostgreSQL has started within a minute" >&2
    return 1
  fi
  POINTBRIDGE_TEST_POSTGRES="$(<"$told")"
  export POINTBRIDGE_TEST_POSTGRES
}
