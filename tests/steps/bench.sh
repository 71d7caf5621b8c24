# A small bench, for its form and its counts: figures depend on the machine and never fail.
#
# shellcheck shell=bash
# shellcheck disable=SC2154 # scratch is the caller's

# The table must come out, the object must have its keys, driver and store must count the same, and check must pass.
check_bench() {
  local pointbridge="$CARGO_TARGET_DIR/release/pointbridge"
  local small=(--connections 2 --in-flight 4 --exchanges 100 --rounds 2 --members 50 --warmup 20)
  "$pointbridge" bench exchange "${small[@]}" --data "$scratch/bench"
  if [[ -e "$scratch/bench" ]]; then echo "the bench left its folder behind"; return 1; fi
  # One caller's rounds are rounds, too.
  local one=(--connections 1 --in-flight 1 --exchanges 20 --rounds 1 --members 50 --warmup 5)
  "$pointbridge" bench exchange "${one[@]}" --json >"$scratch/bench-one.json"
  python3 - "$scratch/bench-one.json" <<'PYTHON'
import json, sys
hub = json.load(open(sys.argv[1], encoding="utf-8"))["hub"]
if hub["committed_per_second"] < 1 or hub["counts"]["driver"] != 20:
    sys.exit(f"with one caller nothing was measured: {hub['committed_per_second']} per second, {hub['counts']}")
PYTHON
  "$pointbridge" bench exchange "${small[@]}" --json --compare-setting log=warn >"$scratch/bench.json"
  python3 - "$scratch/bench.json" tests/bench/README.md <<'PYTHON'
import json, re, sys
found = json.load(open(sys.argv[1], encoding="utf-8"))
page = open(sys.argv[2], encoding="utf-8").read()

def leaves(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value

# Every key is documented, and every documented key is there. A compared hub has those of a hub, each time those of a time.
def documented(path):
    path = re.sub(r"^compare\.", "hub.", path)
    path = re.sub(r"^hub\.settings\..*", "hub.settings", path)
    path = re.sub(r"\b(times|one_caller)\.(prepare|commit|both)\.(p50|p99|p999|max)$", r"\1", path)
    return re.sub(r"\b(small_commit|page_sync)\.(p50|p99|p999|max)$", r"\1", path)

there = {documented(path) for path, _ in leaves(found)}
told = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", page, re.M)) - {"hub.settings"}
wrong = [f"not in README.md: {key}" for key in sorted(there - told - {"hub.settings"})]
wrong += [f"only in README.md: {key}" for key in sorted(told - there)]
for name in ("hub", "compare"):
    hub = found[name]
    counts = hub["counts"]
    if not counts["driver"] == counts["store"] == 200 or not counts["driver_in_all"] == counts["store_in_all"] == 420:
        wrong.append(f"{name}: the counts are {counts}")
    if hub["check"]["findings"] != 0 or hub["check"]["rows"] < 1000:
        wrong.append(f"{name}: check says {hub['check']}")
    if min(hub["committed_per_second"], hub["times"]["both"]["p50"], hub["memory"]["peak_bytes"]) < 1:
        wrong.append(f"{name}: nothing was measured")
if found["compare"]["settings"] != {"log": "warn"} or found["build"] != "release":
    wrong.append("the settings or the build are not what was asked for")
print("\n".join(wrong) or f"{len(there)} keys, all documented")
sys.exit(bool(wrong))
PYTHON
}
