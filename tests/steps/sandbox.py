#!/usr/bin/env python3
"""Whether the program stays inside what its systemd units allow it.

Usage: sandbox.py PROGRAM FOLDER_OF_UNITS SCRATCH

Each command of a unit is run under strace on a data folder in SCRATCH, and what it asked of the system is compared with the
unit's own lines: system calls, families of sockets, memory that can be written and executed, files opened for writing. `serve`
is run by the demo, whose hub, partners and checks share one program and give it every kind of work.

Absent: the enforcement itself, which needs a machine that systemd runs; here it is known what would be refused.
"""

import pathlib
import re
import shlex
import subprocess
import sys

INSTALLED = "/usr/local/bin/pointbridge"
STATE = "/var/lib"
# Devices that PrivateDevices= leaves, and a process's own entries.
WRITABLE_ALWAYS = ("/dev/null", "/dev/tty", "/proc/self/", "/tmp/")
CALL = re.compile(r"^(?:\d+\s+)?([a-z_0-9]+)\(")


def lines_of(unit: pathlib.Path, key: str) -> list[str]:
    found = re.findall(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), re.M)
    return [line.replace("%S", STATE) for line in found]


def calls_of(group: str) -> set[str]:
    """The system calls of a group as systemd knows it, groups inside it included."""
    if not group.startswith("@"):
        return {group}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True
    ).stdout
    names = [line.strip() for line in listed.splitlines()[1:]]
    found: set[str] = set()
    for name in names:
        if name and not name.startswith("#"):
            found |= calls_of(name)
    return found


def allowed_calls(unit: pathlib.Path) -> set[str]:
    allowed: set[str] = set()
    for line in lines_of(unit, "SystemCallFilter"):
        names = set().union(*(calls_of(group) for group in line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def commands(unit: pathlib.Path, program: str, scratch: pathlib.Path) -> list[list[str]]:
    """What the unit starts, on folders in scratch instead of its own."""
    moved = []
    for line in lines_of(unit, "ExecStart"):
        words = shlex.split(line)
        if words[1] == "serve":
            moved.append([program, "demo", "--data", str(scratch / "demo")])
            continue
        homes = (STATE, "/var/backups")
        is_path = [any(word.startswith(home) for home in homes) for word in words]
        moved.append(
            [program] + [str(scratch) + word if path else word for word, path in zip(words[1:], is_path[1:])]
        )
    return moved


def settings(unit: pathlib.Path, scratch: pathlib.Path) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in lines_of(unit, "Environment")]
    return {name: str(scratch) + value for name, value in pairs if name != "POINTBRIDGE_DATA"}


def breaches(trace: str, unit: pathlib.Path, program: str, scratch: pathlib.Path) -> set[str]:
    allowed = allowed_calls(unit)
    families = set(lines_of(unit, "RestrictAddressFamilies")[0].split())
    found = set()
    for line in trace.splitlines():
        match = CALL.match(line)
        if not match:
            continue
        call = match[1]
        if call not in allowed:
            found.add(f"the system call {call}")
        if call == "socket" and line.split("(", 1)[1].split(",")[0] not in families:
            found.add("a socket of the family " + line.split("(", 1)[1].split(",")[0])
        if call in ("mmap", "mprotect", "pkey_mprotect") and "PROT_WRITE" in line and "PROT_EXEC" in line:
            found.add("memory to write and to execute")
        path = re.search(r'openat?\([^"]*"([^"]*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)', line)
        if path and path[1].startswith("/") and not path[1].startswith((str(scratch), *WRITABLE_ALWAYS)):
            found.add(f"{path[1]} opened for writing")
    return found


def traced(command: list[str], unit: pathlib.Path, scratch: pathlib.Path) -> str:
    log = scratch / "trace"
    ended = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), *command],
        env={"PATH": "/usr/bin:/bin", **settings(unit, scratch)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if ended.returncode != 0:
        sys.exit(f"{unit.name}: {' '.join(command)} ended with {ended.returncode}:\n{ended.stderr}")
    return log.read_text(encoding="utf-8", errors="replace")


def serve_once(program: str, data: str) -> None:
    """The first start makes what the other commands expect."""
    serve = [program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--lame-duck-seconds", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as hub:
        line = hub.stdout.readline() if hub.stdout else ""
        hub.terminate()
        if hub.wait(timeout=60) != 0 or not line.startswith("listening on "):
            sys.exit("the hub did not serve and end in order")


def main() -> None:
    program, folder, scratch = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]).resolve()
    data, copies = str(scratch) + STATE + "/pointbridge", scratch / "var/backups/pointbridge"
    copies.mkdir(parents=True)
    bootstrap = ["bootstrap", "--data", data, "--trust-domain", "alliance.example", "--operator", "wang"]
    subprocess.run([program, *bootstrap], check=True, capture_output=True)
    serve_once(program, data)
    wrong, looked_at = [], 0
    for unit in sorted(folder.glob("*.service")):
        for command in commands(unit, program, scratch):
            trace = traced(command, unit, scratch)
            looked_at += len(trace.splitlines())
            wrong += [f"{unit.name}: {' '.join(command[1:])}: {what}" for what in breaches(trace, unit, program, scratch)]
    if looked_at < 1000:
        sys.exit("almost nothing was traced: this would prove nothing")
    if wrong:
        sys.exit("not allowed by the unit:\n  " + "\n  ".join(sorted(wrong)))
    print(looked_at, "calls and signals looked at, all allowed")


main()
