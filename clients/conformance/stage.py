#!/usr/bin/env python3
"""Sets up a real hub behind a line that can fail, runs a client's program before it, and clears everything away.

Usage: stage.py [--demo] [--seconds N] [--log FILE] <the pointbridge program> <command> [argument ...]

Why: every client plays the same script (script.json) against the same hub, and the faults that the script asks for
happen on the wire, where no client can tell them from real ones. The hub is the real program in a temporary folder;
between it and the client stands a proxy that forwards bytes and never reads them, because they are encrypted.

Without --demo it is a fresh hub with nobody in it but the operator, and the proxy before it. With --demo it is the hub
that `demo --keep` leaves, without a proxy, for the examples. The command's environment tells it where everything is;
README.md beside this file names the variables, the words of the control socket and the script's format. What is absent:
any knowledge of the script, and packages beyond Python's own.

Ends with the command's exit code, or 1 where the stage itself fails, or 124 where the time is over.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 40
TRUST_DOMAIN = "alliance.example"
HERE = pathlib.Path(__file__).resolve().parent
# The file stems of the certificates that a fresh hub's folder gets, and what `pki` is asked for each.
CALLERS = {
    "market": ["partner", "--code", "market", "--subject", "till-7"],
    "market-finance": ["partner", "--code", "market", "--role", "finance", "--subject", "chen"],
    "airline": ["partner", "--code", "airline", "--subject", "web"],
    "cinema": ["partner", "--code", "cinema", "--subject", "box-office"],
}
OPERATOR = "wang"
# A request is longer than a keepalive ping (39 bytes with its TLS record), an answer longer than what the transport says by
# itself (settings, windows, pings): what is longer than this is a call's.
REQUEST_BYTES_MIN = 80
ANSWER_BYTES_MIN = 200
# Where an answer stays shorter than that, the connection is cut after this time.
CUT_SECONDS_MAX = 5.0
CHUNK_BYTES = 65536


class Failed(Exception):
    """The stage could not be set up; the sentence is for people."""


# ---------------------------------------------------------------- the line


class Connection:
    """One client's connection and the hub's end of it."""

    def __init__(self, near, far):
        self.near, self.far = near, far
        self.asked = None  # bytes from the client since a cut was armed; None: none was since it is open
        self.cut_after = None  # bytes of the hub that are still swallowed before the cut; None: not cut

    def close(self):
        for end in (self.near, self.far):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Line:
    """The proxy: a port before the hub's, and the faults that are armed."""

    def __init__(self, hub):
        self.hub = hub
        self.lock = threading.Lock()
        self.connections = set()
        self.cuts = 0  # answers that are still to be lost
        self.refusals = 0  # connections that are still to be refused
        self.held_until = 0.0  # until when answers wait
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                refused = self.refusals > 0
                self.refusals -= refused
            if refused:
                near.close()
                continue
            try:
                far = socket.create_connection(self.hub, timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(near, far)
            with self.lock:
                self.connections.add(connection)
            for work in (self.forward_requests, self.forward_answers):
                threading.Thread(target=self.run, args=(work, connection), daemon=True).start()

    def run(self, work, connection):
        try:
            work(connection)
        except OSError:
            pass
        connection.close()
        with self.lock:
            self.connections.discard(connection)

    def forward_requests(self, connection):
        while data := connection.near.recv(CHUNK_BYTES):
            with self.lock:
                # A connection made after the fault was armed is in its handshake: it is left alone.
                if self.cuts > 0 and connection.asked is not None and connection.cut_after is None:
                    connection.asked += len(data)
                    if connection.asked >= REQUEST_BYTES_MIN:
                        self.cuts -= 1
                        connection.cut_after = ANSWER_BYTES_MIN
                        late = threading.Timer(CUT_SECONDS_MAX, connection.close)
                        late.daemon = True
                        late.start()
            connection.far.sendall(data)

    def forward_answers(self, connection):
        while data := connection.far.recv(CHUNK_BYTES):
            with self.lock:
                if connection.cut_after is not None:
                    connection.cut_after -= len(data)
                    if connection.cut_after <= 0:
                        return
                    continue
                wait = self.held_until - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            connection.near.sendall(data)

    # What the control socket can ask for.

    def cut_answer(self, times=1):
        """The next answers on connections that are open now are lost, after the hub has given them."""
        with self.lock:
            self.cuts = times
            for connection in self.connections:
                connection.asked = 0
            open_now = len(self.connections)
        return {"open": open_now}

    def refuse(self, connections):
        """Every open connection is closed, and the next ones are closed as soon as they are made."""
        with self.lock:
            self.refusals = connections
            open_now = list(self.connections)
        for connection in open_now:
            connection.close()
        return {"closed": len(open_now)}

    def hold_answers(self, milliseconds):
        """Answers that come within this time wait until it is over."""
        with self.lock:
            self.held_until = time.monotonic() + milliseconds / 1000
        return {}

    def state(self):
        """What is still armed."""
        with self.lock:
            return {"cuts": self.cuts, "refusals": self.refusals, "open": len(self.connections)}


# ---------------------------------------------------------------- the hub


def pki(program, folder, *arguments):
    """Runs the hub's own `pki` over the folder."""
    command = [program, "pki", *arguments, "--dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS_MAX, env=environment())
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")


def environment(**more):
    """This process's environment without settings of the user's own hub."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POINTBRIDGE_")}
    return kept | more


def fingerprint(certificate):
    """SHA-256 of the DER of a PEM file's first certificate, as the hub writes it."""
    text = certificate.read_text(encoding="ascii")
    found = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.S)
    return hashlib.sha256(base64.b64decode(found[1])).hexdigest()


def start_fresh(program, scratch, log):
    """A fresh hub; answers with its process, address and folder of certificates."""
    data = scratch / "hub"
    bootstrap = [program, "bootstrap", "--data", str(data), "--trust-domain", TRUST_DOMAIN, "--operator", OPERATOR]
    made = subprocess.run(bootstrap, capture_output=True, text=True, timeout=START_SECONDS_MAX, env=environment())
    if made.returncode != 0:
        raise Failed(f"bootstrap failed: {made.stderr.strip()}")
    for name, arguments in CALLERS.items():
        pki(program, data / "pki", *arguments, "--name", name)
    serve = [program, "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--lame-duck-seconds", "0"]
    hub = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True, env=environment())
    late = threading.Timer(START_SECONDS_MAX, hub.kill)
    late.start()
    address = None
    for line in hub.stdout:
        if line.startswith("listening on "):
            address = line.removeprefix("listening on ").strip()
            break
    late.cancel()
    if address is None:
        raise Failed(f"the hub did not come up; it ended with {hub.wait()}")
    return hub, address, data / "pki"


def start_demo(program, scratch, log):
    """The hub that the demo leaves; answers with its process id, address and folder of certificates."""
    data = scratch / "demo"
    command = [program, "demo", "--keep", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5 * START_SECONDS_MAX, env=environment())
    log.write(done.stdout + done.stderr)
    found = re.search(r"The hub goes on at (\S+) as process (\d+)", done.stdout)
    if done.returncode != 0 or not found:
        raise Failed(f"the demo failed ({done.returncode}): {done.stderr.strip()}")
    return int(found[2]), found[1], data / "pki"


def stop_process(pid, is_gone):
    """Ends a process in order, and hard where it does not end."""
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while time.monotonic() < deadline and not is_gone():
            time.sleep(0.05)
        if not is_gone():
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def is_process_gone(pid):
    """Whether a process that is not a child of ours has ended."""
    try:
        os.kill(pid, 0)
        # Where nobody waits for it, it stays as a shadow that takes signals.
        stat = pathlib.Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


# ---------------------------------------------------------------- control


def control(line, program, folder):
    """A server of one JSON object per line: what to do, and how it went. Answers with its address."""

    def renew(caller):
        pki(program, folder, "renew", str(folder / f"{caller}.pem"))
        return {"fingerprint": fingerprint(folder / f"{caller}.pem")}

    known = {
        "cut_answer": line.cut_answer,
        "refuse": line.refuse,
        "hold_answers": line.hold_answers,
        "state": line.state,
        "renew": renew,
    }

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            for text in self.rfile:
                try:
                    asked = json.loads(text)
                    answer = {"ok": True} | known[asked.pop("do")](**asked)
                except Exception as error:  # whatever was wrong, the runner shall read it
                    answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
                self.wfile.write(json.dumps(answer).encode() + b"\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "127.0.0.1:%d" % server.server_address[1]


# ---------------------------------------------------------------- the play


def play(arguments, scratch, log):
    """Sets the stage, runs the command, clears up; answers with the exit code."""
    program = str(pathlib.Path(arguments.program).resolve())
    surroundings = {"POINTBRIDGE_SCRIPT": str(HERE / "script.json")}
    if arguments.demo:
        pid, address, folder = start_demo(program, scratch, log)
        stop = lambda: stop_process(pid, lambda: is_process_gone(pid))
    else:
        hub, address, folder = start_fresh(program, scratch, log)
        stop = lambda: stop_process(hub.pid, lambda: hub.poll() is not None)
    try:
        if not arguments.demo:
            host, port = address.rsplit(":", 1)
            line = Line((host, int(port)))
            address = line.address
            surroundings["POINTBRIDGE_CONTROL"] = control(line, program, folder)
        surroundings |= {"POINTBRIDGE_ENDPOINT": f"https://{address}", "POINTBRIDGE_PKI": str(folder)}
        code = run(arguments, surroundings)
        left = {} if arguments.demo else line.state()
        if code == 0 and (left.get("cuts") or left.get("refusals")):
            raise Failed(f"faults were asked for that never happened: {left}")
        return code
    finally:
        stop()


def run(arguments, surroundings):
    """Runs the command within its time, in a process group of its own so that all of it can be ended."""
    child = subprocess.Popen(arguments.command, env=environment(**surroundings), start_new_session=True)
    try:
        return child.wait(timeout=arguments.seconds)
    except subprocess.TimeoutExpired:
        print(f"stage: the command did not end within {arguments.seconds} s", file=sys.stderr)
        return 124
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def main():
    words = argparse.ArgumentParser(description="Runs a client's program before a real hub.")
    words.add_argument("--demo", action="store_true", help="the hub that `demo --keep` leaves, without a proxy")
    words.add_argument("--seconds", type=int, default=180, help="how long the command may take (default: 180)")
    words.add_argument("--log", type=pathlib.Path, help="where the hub's log goes (default: shown where the stage fails)")
    words.add_argument("program", help="the pointbridge program")
    words.add_argument("command", nargs=argparse.REMAINDER, help="what to run, and its arguments")
    arguments = words.parse_args()
    if not arguments.command:
        words.error("name a command to run")
    # A termination must take the hub along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="pointbridge-stage-") as scratch:
        path = arguments.log or pathlib.Path(scratch) / "hub.log"
        with open(path, "w+", encoding="utf-8") as log:
            try:
                code = play(arguments, pathlib.Path(scratch), log)
            except (Failed, subprocess.TimeoutExpired) as error:
                log.flush()
                end = path.read_text(encoding="utf-8").splitlines()[-20:]
                print(f"stage: {error}", *end, sep="\n", file=sys.stderr)
                code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
