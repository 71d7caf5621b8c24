"""A hub that says what a test tells it to, over real mutual TLS on this machine."""

from __future__ import annotations

import threading
from collections import deque
from concurrent import futures
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import trustme
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from pointbridge import v1
from pointbridge.errors import DETAILS_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from google.protobuf.message import Message

WAIT_SECONDS = 20
"""How long anything may take on a busy machine before a test gives up."""


@dataclass
class Seen:
    """A call as the hub saw it."""

    method: str
    request: Message
    subject: str
    metadata: dict[str, str]


@dataclass
class Refusal:
    """What the hub refuses a call with."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "no"
    retry_after: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()
    domain: str = "pointbridge"
    trailers: tuple[tuple[str, str], ...] = ()

    def packed(self) -> bytes:
        """The status with its details."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        if self.reason:
            info = error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata)
            status.details.append(wrapped(info))
        if self.fields:
            violations = [error_details_pb2.BadRequest.FieldViolation(field=a, description=b) for a, b in self.fields]
            status.details.append(wrapped(error_details_pb2.BadRequest(field_violations=violations)))
        if self.retry_after is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMicroseconds(round(self.retry_after * 1e6))
            status.details.append(wrapped(retry))
        return status.SerializeToString()


def wrapped(message: Any) -> any_pb2.Any:
    """A message as a detail."""
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


class Hub:
    """Answers each call with the next of its answers, or with an empty message where none is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "ca.pem")
        self.renew("till-1")
        self.seen: list[Seen] = []
        self.answers: deque[Message | Refusal | Callable[[], Message]] = deque()
        own = self.authority.issue_cert("127.0.0.1")
        self._credentials = grpc.ssl_server_credentials(
            [(own.private_key_pem.bytes(), b"".join(blob.bytes() for blob in own.cert_chain_pems))],
            root_certificates=self.authority.cert_pem.bytes(),
            require_client_auth=True,
        )
        self.port = 0
        self.server: grpc.Server | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The files of a client."""
        return {name: self.folder / f"{name}.pem" for name in ("ca", "certificate", "key")}

    def renew(self, subject: str) -> None:
        """Writes another certificate for the client, the key first, as `pointbridge pki` does."""
        leaf = self.authority.issue_cert(f"{subject}@alliance.example", common_name=subject)
        leaf.private_key_pem.write_to_path(self.folder / "key.pem")
        leaf.cert_chain_pems[0].write_to_path(self.folder / "certificate.pem")

    def start(self) -> None:
        """Serves, on the port it had before if there was one."""
        server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((_Handler(self),))
        self.port = server.add_secure_port(f"127.0.0.1:{self.port}", self._credentials)
        server.start()
        self.server = server

    def stop(self) -> None:
        """Cuts every connection."""
        if self.server is not None:
            self.server.stop(None).wait(WAIT_SECONDS)
            self.server = None

    def answer(self, method: str, data: bytes, context: grpc.ServicerContext) -> bytes:
        """The next answer."""
        name = method.rsplit("/", 1)[1]
        request = getattr(v1, f"{name}Request").FromString(data)
        subject = bytes(next(iter(context.auth_context()["x509_common_name"]))).decode()
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        self.seen.append(Seen(name, request, subject, metadata))
        answer = self.answers.popleft() if self.answers else getattr(v1, f"{name}Response")()
        if isinstance(answer, Refusal):
            trailers: list[tuple[str, Any]] = [*answer.trailers, (DETAILS_KEY, answer.packed())]
            context.set_trailing_metadata(tuple(trailers))
            context.abort(answer.code, answer.message)
        if callable(answer):
            answer = answer()
        return bytes(answer.SerializeToString())


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = str(handler_call_details.method)
        return grpc.unary_unary_rpc_method_handler(lambda data, context: self._hub.answer(method, data, context))


class Gate:
    """An answer that waits until the test lets it go."""

    def __init__(self, answer: Message) -> None:
        self._answer = answer
        self._open = threading.Event()
        self.reached = threading.Event()

    def __call__(self) -> Message:
        """Says that the call has come, and waits."""
        self.reached.set()
        assert self._open.wait(WAIT_SECONDS), "nobody let the answer go"
        return self._answer

    def open(self) -> None:
        """Lets the answer go."""
        self._open.set()
