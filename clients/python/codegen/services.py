"""Writes the modules of services: a class per service, a method per RPC with keyword arguments and its comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from text import HEADER, block, docstring, filled, paragraphs

if TYPE_CHECKING:
    from model import Api, Argument, Method, Service

ATTRIBUTES = {
    "PartnerService": "partners",
    "ApprovalService": "approvals",
    "AgreementService": "agreements",
    "MemberService": "members",
    "LedgerService": "ledger",
    "ExchangeService": "exchanges",
}
"""What a client calls each service."""

REQUEST_ID = """Names this call, so that repeating it has one effect: a UUID, lower case with dashes. Left out, a new
one is made, and kept over the client's own retries. Give one that you have stored before the call, and you can repeat
the call after a crash."""
TIMEOUT = "Seconds for the call with all its retries; left out, the default of the method."


@dataclass(frozen=True)
class Flavour:
    """How one kind of code is written."""

    what: str
    core: str
    caller: str
    pages: str
    define: str
    wait: str


BLOCKING = Flavour("code that waits", "_client", "Caller", "Pages", "def", "")
ASYNCIO = Flavour("asyncio", "aio", "AsyncCaller", "AsyncPages", "async def", "await ")


def snake(name: str) -> str:
    """`WhoAmI` as `who_am_i`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def package(api: Api) -> str:
    """The text of `v1/__init__.py`: every message and enum under one name."""
    names = sorted(name for exported in api.exports.values() for name in exported)
    if len(names) != len(set(names)):
        raise SystemExit("two files of the API declare one name")
    lines = [f'{HEADER}"""The messages and enums of the API, version 1."""\n\n']
    for file, exported in sorted(api.exports.items()):
        module = file.removesuffix(".proto").replace("/", ".") + "_pb2"
        lines.append(f"from {module} import (\n" + "".join(f"    {name} as {name},\n" for name in exported) + ")\n")
    lines.append("\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n")
    return "".join(lines)


def module(api: Api, flavour: Flavour) -> str:
    """The text of a module of services."""
    missing = [service.name for service in api.services if service.name not in ATTRIBUTES]
    if missing:
        raise SystemExit(f"{', '.join(missing)}: say in codegen/services.py what a client calls it")
    classes = "".join(service_class(service, flavour) for service in api.services) + container(api, flavour)
    parts = [
        f'{HEADER}"""The services of the API for {flavour.what}: a class per service, a method per RPC."""\n\n',
        "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n\n",
        "from pointbridge import v1\nfrom pointbridge._method import Method\n",
        f"from pointbridge._pages import {flavour.pages}\n\n",
        "if TYPE_CHECKING:\n",
        "    from collections.abc import Iterable\n\n" if "Iterable[" in classes else "",
        "    from google.protobuf.timestamp_pb2 import Timestamp\n\n" if "Timestamp" in classes else "",
        f"    from pointbridge._method import {flavour.caller}\n\n",
    ]
    for service in api.services:
        for rpc in service.methods:
            parts.append(f'_{snake(rpc.name).upper()} = Method("{service.name}", "{rpc.name}", v1.{rpc.response})\n')
    return "".join([*parts, classes])


def service_class(service: Service, flavour: Flavour) -> str:
    """One service."""
    head = f"\n\nclass {service.name}:\n{block(service.comment, 4)}\n"
    init = f"    def __init__(self, caller: {flavour.caller}) -> None:\n        self._caller = caller\n"
    return head + init + "".join(method(rpc, flavour) for rpc in service.methods)


def method(rpc: Method, flavour: Flavour) -> str:
    """One RPC."""
    taken = [argument.name for argument in rpc.arguments]
    if {"timeout", "self"} & set(taken):
        raise SystemExit(f"{rpc.name} has a field that is called like an argument of the client's own")
    arguments = "".join(f"        {signature(argument)},\n" for argument in rpc.arguments)
    define, result = flavour.define, f"v1.{rpc.response}"
    if rpc.item:
        define, result = "def", f"{flavour.pages}[v1.{rpc.request}, {result}, {rpc.item[1]}]"
    text = f"\n    {define} {snake(rpc.name)}(\n        self,\n        *,\n{arguments}"
    text += f"        timeout: float | None = None,\n    ) -> {result}:\n{documentation(rpc)}"
    given = "".join(f"            {one.name}={one.name},\n" for one in rpc.arguments if not one.is_set_apart)
    text += f"        request = v1.{rpc.request}(" + (f"\n{given}        )\n" if given else ")\n")
    for one in rpc.arguments:
        if one.is_set_apart:
            text += f"        if {one.name} is not None:\n            request.{one.name} = {one.name}\n"
    constant = f"_{snake(rpc.name).upper()}"
    if rpc.item:
        return text + f'        return {flavour.pages}(self._caller, {constant}, request, "{rpc.item[0]}", timeout)\n'
    return text + f"        return {flavour.wait}self._caller.call({constant}, request, timeout)\n"


def signature(argument: Argument) -> str:
    """A keyword argument."""
    left_out = "" if argument.default is None else f" = {argument.default}"
    return f"{argument.name}: {argument.type}{left_out}"


def documentation(rpc: Method) -> str:
    """The docstring of a method."""
    parts = [filled(part, 8) for part in paragraphs(rpc.comment)]
    if rpc.item:
        parts.append(filled("Asks for one page at a time, as you iterate.", 8))
    lines = ["        Args:"]
    for argument in rpc.arguments:
        comment = REQUEST_ID if argument.name == "request_id" else argument.comment
        lines += [filled(f"{argument.name}: {' '.join(paragraphs(comment))}", 12, 4)]
    lines.append(filled(f"timeout: {TIMEOUT}", 12, 4))
    parts.append("\n".join(lines))
    parts.append("        Raises:\n            PointbridgeError: The hub refused the call, or could not be reached.")
    return docstring(parts, 8)


def container(api: Api, flavour: Flavour) -> str:
    """All services of one client."""
    text = '\n\nclass Services:\n    """Every service of the API, over one caller."""\n\n'
    text += f"    def __init__(self, caller: {flavour.caller}) -> None:\n        self._caller = caller\n"
    for service in sorted(api.services, key=lambda one: ATTRIBUTES[one.name]):
        summary = paragraphs(service.comment)[0].split(". ")[0].replace("\n", " ")
        text += f"        self.{ATTRIBUTES[service.name]} = {service.name}(caller)\n"
        text += f'        """{summary.rstrip(".")}."""\n'
    return text
