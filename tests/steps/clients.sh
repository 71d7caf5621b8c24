# shellcheck shell=bash
# The clients: each plays the script of clients/conformance before a real hub, and its example exchanges points with the
# hub that the demo leaves. Sourced by tests/run, which sets root, scratch and CARGO_TARGET_DIR.
# shellcheck disable=SC2154 # root, scratch and the rest are set there

# Runs a client's program on the stage; the words before "--" are the stage's own.
on_stage() { python3 "$root/clients/conformance/stage.py" "$@"; }

# In Rust: the script, the example, and a program of somebody who has nothing but the checkout.
check_rust_client() {
  local hub="$CARGO_TARGET_DIR/debug/pointbridge" examples="$CARGO_TARGET_DIR/debug/examples"
  # The whole workspace, as the tests before built it: a choice of packages would choose other features, and build anew.
  cargo build --workspace --bins --examples
  on_stage "$hub" "$examples/conformance"
  on_stage --demo "$hub" "$examples/exchange"
  cargo package --package pointbridge-client --list --allow-dirty >"$scratch/packaged"
  local file
  for file in Cargo.toml README.md src/lib.rs src/retry.json examples/exchange.rs; do
    grep -qx "$file" "$scratch/packaged" || { echo "the package lacks $file"; return 1; }
  done
}
