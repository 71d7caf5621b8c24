# shellcheck shell=bash
# The alert rules, held by Prometheus' own tool: their form, the example's configuration, and a test per alert of when it
# fires and when it does not. Sourced by tests/run, whose $tools and apt_install it uses.
#
# Absent: whether the hub exports what rules and dashboard name; the end-to-end tests ask a running hub.

: "${tools:?tests/run says where tools are kept, and sources this file}"

# Prints where promtool is: this machine's, or the one that was unpacked below.
find_promtool() { command -v promtool || echo "$tools/promtool/usr/bin/promtool"; }

# Debian's package, unpacked and not installed: installing it would start a Prometheus on this machine. Debian chooses the
# version, and any since 2.42 holds these rules; apt compares the package with what Debian has signed.
install_promtool() {
  if [[ -x "$(find_promtool)" ]]; then return 0; fi
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  local fetched="$tools/build-promtool"
  rm -rf -- "$fetched" "$tools/promtool"
  mkdir -p -- "$fetched"
  # Lists of packages may be missing on a fresh machine, and only root may fetch them.
  if ! (cd -- "$fetched" && apt-get download -q prometheus); then
    as_root apt-get update -q || return 1
    (cd -- "$fetched" && apt-get download -q prometheus) || return 1
  fi
  dpkg-deb --extract "$fetched"/prometheus_*.deb "$tools/promtool" || return 1
  rm -rf -- "$fetched"
  "$tools/promtool/usr/bin/promtool" --version
}

check_signals() {
  local promtool
  promtool="$(find_promtool)"
  "$promtool" check rules deploy/prometheus/alerts.yml
  "$promtool" check config deploy/prometheus/prometheus.yml
  "$promtool" test rules deploy/prometheus/alerts_test.yml
}
