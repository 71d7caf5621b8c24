#!/usr/bin/env python3
"""Scans a hub as a stranger would, and holds what is promised of its TLS.

Usage: tls_scan.py <the pointbridge program> <the sslyze program>

Makes a hub in a temporary folder, has sslyze scan it without a certificate, and then connects with one by Python's own TLS, which
is OpenSSL's: two implementations that are not the hub's. Promised are TLS 1.3 and nothing older, a client certificate
required, and no resumption: no tickets, hence no early data. Ends with 1 and the list of what is otherwise.
"""

import json
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

OLDER = ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2"]
SCANS = ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--early_data", "--resum", "--compression"]
SCANS += ["--elliptic_curves", "--reneg", "--heartbleed", "--robot", "--openssl_ccs"]
SCAN_SECONDS_MAX = 120


def scan(sslyze, address, folder):
    """Has sslyze scan an address; answers with what is not as promised."""
    report = folder / "scan.json"
    command = [sslyze, "--mozilla_config", "disable", *SCANS, "--json_out", str(report), "--quiet", address]
    subprocess.run(command, check=True, timeout=SCAN_SECONDS_MAX, stdout=subprocess.DEVNULL)
    server = json.loads(report.read_text(encoding="utf-8"))["server_scan_results"][0]
    if server["connectivity_status"] != "COMPLETED":
        return [f"the scanner could not connect: {server['connectivity_error_trace']}"]
    found, wrong = server["scan_result"], []

    def hold(what, is_so):
        if not is_so:
            wrong.append(what)

    def result(name):
        if found[name]["status"] != "COMPLETED":
            wrong.append(f"{name} was not scanned: {found[name]['error_reason']}")
        return found[name]["result"] or {}

    connectivity = server["connectivity_result"]
    hold("a client certificate is not required", connectivity["client_auth_requirement"] == "REQUIRED")
    hold("the highest version is not TLS 1.3", connectivity["highest_tls_version_supported"] == "TLS_1_3")
    for version in OLDER:
        suites = result(f"{version}_cipher_suites")
        hold(f"{version} is spoken", suites.get("is_tls_version_supported") is False)
    suites = [suite["cipher_suite"] for suite in result("tls_1_3_cipher_suites").get("accepted_cipher_suites", [])]
    hold("no cipher suite of TLS 1.3 is taken", len(suites) >= 2)
    hold("a weak cipher suite is taken", all(suite["key_size"] >= 128 and not suite["is_anonymous"] for suite in suites))
    curves = {curve["name"] for curve in result("elliptic_curves").get("supported_curves", [])}
    hold(f"other curves are taken than should be: {sorted(curves)}", curves == {"X25519", "secp256r1", "secp384r1"})
    hold("compression is offered", result("tls_compression").get("supports_compression") is False)
    hold("clients may renegotiate", result("session_renegotiation").get("client_renegotiations_success_count") == 0)
    hold("heartbleed", result("heartbleed").get("is_vulnerable_to_heartbleed") is False)
    hold("CCS injection", result("openssl_ccs_injection").get("is_vulnerable_to_ccs_injection") is False)
    hold("ROBOT", str(result("robot").get("robot_result")).startswith("NOT_VULNERABLE"))
    # Early data cannot even be asked for without a certificate, which the scanner says in its own way.
    early = found["tls_1_3_early_data"]
    needs_certificate = early["error_reason"] == "CLIENT_CERTIFICATE_NEEDED"
    hold("early data is taken", needs_certificate or (early["result"] or {}).get("supports_early_data") is False)
    return wrong


def connect(address, pki, session=None):
    """Connects with the operator's certificate and waits for the hub's first words; answers with the TLS session."""
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    context.load_cert_chain(pki / "operator.wang.pem", pki / "operator.wang.key")
    context.set_alpn_protocols(["h2"])
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as tcp:
        with context.wrap_socket(tcp, server_hostname=host, session=session) as wire:
            wire.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            # Tickets, if there were any, come before these words.
            first = wire.recv(9)
            return first, wire.version(), wire.selected_alpn_protocol(), wire.session


def ask_for_resumption(address, pki):
    """Connects with a certificate; answers with what is not as promised."""
    first, version, protocol, session = connect(address, pki)
    wrong = []
    if len(first) != 9 or first[3] != 4:
        wrong.append(f"the hub does not begin with its settings: {first!r}")
    if (version, protocol) != ("TLSv1.3", "h2"):
        wrong.append(f"agreed on {version} and {protocol}")
    if session is not None and session.has_ticket:
        wrong.append("the hub gives tickets, by which sessions could be resumed")
    return wrong


def main():
    program, sslyze = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data = folder / "hub"
        names = ["--trust-domain", "alliance.example", "--operator", "wang"]
        subprocess.run([program, "bootstrap", "--data", data, *names], check=True, stdout=subprocess.DEVNULL)
        serve = [program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--lame-duck-seconds", "0"]
        with open(folder / "log", "wb") as log, subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True) as hub:
            try:
                address = hub.stdout.readline().removeprefix("listening on ").strip()
                wrong = scan(sslyze, address, folder) + ask_for_resumption(address, data / "pki")
            finally:
                hub.send_signal(signal.SIGTERM)
            if hub.wait(timeout=60) != 0:
                wrong.append(f"the hub ended with {hub.returncode}")
    for line in wrong:
        print(f"TLS: {line}")
    print("TLS 1.3 only, a client certificate required, nothing resumed" if not wrong else f"{len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
