"""Every method of the API is there, in both kinds of client, with a keyword argument for each field."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub import WAIT_SECONDS, Hub

from pointbridge import Reason, _aio_services, _services, v1
from pointbridge.v1 import error_pb2

if TYPE_CHECKING:
    from drivers import Driver

PROTO = Path(__file__).resolve().parents[3] / "proto/pointbridge/v1"


def rpcs() -> list[tuple[str, str]]:
    found = []
    for path in sorted(PROTO.glob("*_service.proto")):
        text = path.read_text("utf-8")
        service = re.findall(r"^service (\w+)", text, re.MULTILINE)[0]
        found += [(service, method) for method in re.findall(r"^  rpc (\w+)\(", text, re.MULTILINE)]
    return found


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.mark.parametrize("module", [_services, _aio_services])
@pytest.mark.parametrize(("service", "rpc"), rpcs())
def test_every_rpc_is_a_method_with_its_fields(module: Any, service: str, rpc: str) -> None:
    method = getattr(getattr(module, service), snake(rpc))
    fields = {field.name for field in getattr(v1, f"{rpc}Request").DESCRIPTOR.fields}
    arguments = set(inspect.signature(method).parameters) - {"self", "timeout"}
    assert arguments == fields
    assert all(f"{name}:" in (method.__doc__ or "") for name in fields)


def test_every_reason_of_the_api_is_one_of_the_clients() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name in error_pb2.ErrorReason.keys()}  # noqa: SIM118
    assert {reason.value for reason in Reason} == names - {"UNSPECIFIED"}


def test_a_choice_is_sent_only_where_it_is_made(hub: Hub, connect: Any) -> None:
    client: Driver = connect()
    client.call("members.get_membership", membership_id="", timeout=WAIT_SECONDS)
    name = v1.ExternalName(program_id="prg_1", external_reference="card/li")
    client.call("members.get_membership", external=name, timeout=WAIT_SECONDS)
    client.call("members.get_membership", timeout=WAIT_SECONDS)
    chosen = [seen.request.WhichOneof("name") for seen in hub.seen]
    assert chosen == ["membership_id", "external", None]
