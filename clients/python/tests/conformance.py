"""Plays the script of all clients (clients/conformance) through this client's public methods.

Usage, on the stage: clients/conformance/stage.py <pointbridge> python clients/python/tests/conformance.py [--asyncio]
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers import Asyncio, Blocking, Driver
from google.protobuf.json_format import MessageToDict, ParseDict

from pointbridge import PointbridgeError, v1

PAUSE_SECONDS = 0.5
"""Between two tries of a step that may take a while."""
ATTRIBUTES = {
    "PartnerService": "partners",
    "ApprovalService": "approvals",
    "AgreementService": "agreements",
    "MemberService": "members",
    "LedgerService": "ledger",
    "ExchangeService": "exchanges",
}


class Differs(Exception):  # noqa: N818
    """What came is not what was expected."""


def check(expected: Any, found: Any, place: str = "the answer") -> None:
    """Objects by their keys, lists item by item, everything else equal; `None`: not there; `*`: there and not empty."""
    if expected is None or expected == "*":
        if (found is None or found == "") is not (expected is None):
            raise Differs(f"{place} must be {'absent' if expected is None else 'there'}, and is {found!r}")
    elif isinstance(expected, dict):
        if not isinstance(found, dict):
            raise Differs(f"{place} must be an object, and is {found!r}")
        for key, value in expected.items():
            check(value, found.get(key), f"{place}.{key}")
    elif isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            raise Differs(f"{place} must have {len(expected)} items, and is {found!r}")
        for number, value in enumerate(expected):
            check(value, found[number], f"{place}.{number}")
    elif expected != found:
        raise Differs(f"{place} must be {expected!r}, and is {found!r}")


def at(answer: Any, path: str) -> Any:
    """What stands at a path such as `quote.legs.0.creditedPoints`."""
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


def arguments_of(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """A request in JSON as the keyword arguments of its method."""
    message = ParseDict(request, getattr(v1, f"{name}Request")())
    return {field.name: value for field, value in message.ListFields()}


def refused(expected: dict[str, Any], error: PointbridgeError) -> None:
    """Compares a refusal with what was expected of it."""
    found = {
        "code": error.code.name,
        "reason": error.reason_name,
        "retryable": error.is_retryable,
        "metadata": dict(error.metadata),
        "violations": [violation.field for violation in error.violations],
    }
    check(expected, found, "the refusal")


@dataclass
class Play:
    """The script, and what was saved of it so far."""

    script: dict[str, Any]
    endpoint: str
    folder: Path
    control: str
    kind: type[Driver]
    clients: dict[str, Driver] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    def client(self, caller: str) -> Driver:
        """The one client of a caller."""
        if caller not in self.clients:
            stem = self.script["callers"][caller]
            certificate, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
            self.clients[caller] = self.kind(self.endpoint, ca=self.folder / "ca.pem", certificate=certificate, key=key)
        return self.clients[caller]

    def filled(self, value: Any) -> Any:
        """A value with variables in place of their names."""
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda found: self.variables[found[1]], value)
        if isinstance(value, dict):
            return {key: self.filled(inner) for key, inner in value.items()}
        return [self.filled(inner) for inner in value] if isinstance(value, list) else value

    def ask_control(self, step: dict[str, Any]) -> None:
        """Has a fault happen, or a certificate renewed."""
        host, port = self.control.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(json.dumps(step["control"]).encode() + b"\n")
            answer = json.loads(line.makefile().readline())
        check({"ok": True}, answer, "the control socket's answer")
        for name, key in step.get("save_control", {}).items():
            self.variables[name] = answer[key]

    def step(self, step: dict[str, Any]) -> None:
        """Plays one step."""
        time.sleep(step.get("wait_ms", 0) / 1000)
        if "control" in step:
            self.ask_control(step)
        end = time.monotonic() + step.get("within_seconds", 0)
        while True:
            try:
                self.once(step)
            except Differs:
                if time.monotonic() >= end:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                return

    def once(self, step: dict[str, Any]) -> None:
        """Calls, and compares."""
        service, name = (step.get("call") or step["page"]).split("/")
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
        method = f"{ATTRIBUTES[service]}.{snake}"
        arguments = arguments_of(name, self.filled(step["request"]))
        if "deadline_ms" in step:
            arguments["timeout"] = step["deadline_ms"] / 1000
        client = self.client(step["as"])
        try:
            answer: Any = client.items(method, **arguments) if "page" in step else client.call(method, **arguments)
        except PointbridgeError as error:
            if "expect_error" not in step:
                raise Differs(f"refused: {error}") from error
            refused(self.filled(step["expect_error"]), error)
            return
        if "expect_error" in step:
            raise Differs(f"must be refused with {step['expect_error']}, and was answered")
        if "page" in step:
            self.items(step, [MessageToDict(item) for item in answer])
        else:
            self.answered(step, MessageToDict(answer))

    def items(self, step: dict[str, Any], found: list[dict[str, Any]]) -> None:
        """Compares everything that a list gave."""
        if "expect_items" in step and len(found) != step["expect_items"]:
            raise Differs(f"the list must have {step['expect_items']} items, and has {len(found)}")
        if "expect_first" in step:
            check(self.filled(step["expect_first"]), found[0] if found else None, "the first item")

    def answered(self, step: dict[str, Any], found: dict[str, Any]) -> None:
        """Compares an answer, and saves of it what later steps need."""
        check(self.filled(step.get("expect", {})), found)
        if "expect_same" in step and self.answers[step["expect_same"]] != found:
            raise Differs(f"must be {self.answers[step['expect_same']]}, and is {found}")
        if "save_answer" in step:
            self.answers[step["save_answer"]] = found
        for name, path in step.get("save", {}).items():
            self.variables[name] = at(found, path)


def main() -> int:
    """Plays the script to its end, or to the first step that differs."""
    script = json.loads(Path(os.environ["POINTBRIDGE_SCRIPT"]).read_text("utf-8"))
    if script["format"] != 1:
        print(f"the script has format {script['format']}, and this runner knows 1")
        return 1
    endpoint, folder = os.environ["POINTBRIDGE_ENDPOINT"], Path(os.environ["POINTBRIDGE_PKI"])
    kind: type[Driver] = Asyncio if "--asyncio" in sys.argv[1:] else Blocking
    play = Play(script, endpoint, folder, os.environ["POINTBRIDGE_CONTROL"], kind, variables=dict(script["variables"]))
    for number, step in enumerate(script["steps"], 1):
        try:
            play.step(step)
        except Differs as difference:
            print(f"step {number} ({step['note']}), as {step['as']}: {difference}")
            return 1
    for client in play.clients.values():
        client.close()
    print(f"{len(script['steps'])} steps as they should be ({kind.__name__})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
