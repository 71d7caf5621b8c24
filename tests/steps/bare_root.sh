#!/usr/bin/env bash
# Runs the program as its image would: by a number that is not root, on a root that cannot be written and has nothing but the
# libraries of the base image, with one folder for data.
#
# Usage: bare_root.sh PROGRAM SCRATCH. Needs root and a mount namespace of its own; no container engine.
set -euo pipefail

readonly USER_NUMBER=65532
program="$1"
rootfs="$(mkdir -p -- "$2/rootfs" && cd -- "$2/rootfs" && pwd)"

if [[ "${BARE_ROOT_INSIDE:-}" != yes ]]; then
  BARE_ROOT_INSIDE=yes exec unshare --mount --pid --fork --kill-child --propagation private -- "$0" "$@"
fi

mkdir -p -- "$rootfs"/{data,tmp,dev,usr/local/bin}
cp -- "$program" "$rootfs/usr/local/bin/pointbridge"
while read -r library; do
  mkdir -p -- "$rootfs$(dirname -- "$library")"
  cp -L -- "$library" "$rootfs$library"
done < <(ldd "$program" | grep -oE '/lib[^ ]+')
touch -- "$rootfs/dev/null"
mount --bind -- "$rootfs" "$rootfs"
mount -o remount,bind,ro -- "$rootfs"
mount -t tmpfs -o "uid=$USER_NUMBER,gid=$USER_NUMBER,mode=0700,nosuid,nodev,noexec" data "$rootfs/data"
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmp "$rootfs/tmp"
mount --bind /dev/null "$rootfs/dev/null"

inside=(env -i "PATH=$PATH" POINTBRIDGE_DATA=/data POINTBRIDGE_LISTEN=127.0.0.1:0 POINTBRIDGE_METRICS_LISTEN=127.0.0.1:0
  setpriv --no-new-privs chroot "--userspec=$USER_NUMBER:$USER_NUMBER" "$rootfs" /usr/local/bin/pointbridge)

"${inside[@]}" bootstrap --trust-domain alliance.example --operator wang --host localhost
# Nothing outside of its data can be written.
if "${inside[@]}" bootstrap --data /elsewhere --trust-domain alliance.example --operator wang 2>"$rootfs/tmp/said"; then
  echo "the root can be written"
  exit 1
fi
grep -q 'Read-only file system' "$rootfs/tmp/said"
"${inside[@]}" serve --lame-duck-seconds 0 >"$rootfs/tmp/out" 2>"$rootfs/tmp/log" &
hub=$!
for _ in {1..100}; do
  if grep -q '^listening on ' "$rootfs/tmp/out"; then break; fi
  sleep 0.1
done
grep '^listening on ' "$rootfs/tmp/out" || { cat -- "$rootfs/tmp/log"; exit 1; }
health="$(sed -n 's/.*plain health are served","address":"\([^"]*\)".*/\1/p' "$rootfs/tmp/log")"
"${inside[@]}" health --metrics-listen "$health"
"${inside[@]}" check
kill -TERM "$hub"
wait "$hub"
echo "bootstrap, serve, health, check and SIGTERM: done by user $USER_NUMBER on a root that cannot be written"
