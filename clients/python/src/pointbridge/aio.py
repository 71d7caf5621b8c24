"""The client for asyncio: the same services, to be awaited."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio

from pointbridge._aio_services import Services
from pointbridge._call import Calls
from pointbridge._connection import ClosedError, Connection, Connections, options, target
from pointbridge._files import Pem, Watch

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from types import TracebackType

    from google.protobuf.message import Message
    from typing_extensions import Self

    from pointbridge._method import Method, Response

__all__ = ["Client"]


class Client(Services):
    """A client of the hub for asyncio, acting as the principal that its certificate names.

    One client serves all tasks of one event loop: they share its connection, which is opened with the first call and
    again by itself when it breaks. When the PEM files are renewed, calls from then on use the new certificate. Who
    stops waiting for a write does not stop the write: send it again with the same `request_id` to learn what came of
    it.

    Attributes:
        partners: Partners and their programs, and who the caller is.
        agreements: The contracts between partners.
        approvals: What needs two people.
        members: Memberships, links between them, and consents.
        ledger: Balances, postings and lots of hosted points.
        exchanges: Exchanges of points, in two phases.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        ca: str | os.PathLike[str],
        certificate: str | os.PathLike[str],
        key: str | os.PathLike[str],
        server_name: str | None = None,
        timeout: float | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Reads the files; connects with the first call.

        Args:
            endpoint: The hub's address: `https://host:port`, or `host:port`.
            ca: PEM file of the authorities that may sign the hub's certificate. No others are trusted.
            certificate: PEM file of the caller's certificate, leaf first.
            key: PEM file of its private key, without a password.
            server_name: The name that the hub's certificate must carry; left out, the endpoint's host.
            timeout: Seconds for each call with its retries; left out, the default of the method, which is 10.
            channel_options: Further options of gRPC, which win over the client's own.

        Raises:
            ConfigurationError: The endpoint is no address, or a file cannot be used. The text says which.
        """
        address = target(endpoint)
        ours = options(server_name, channel_options)
        watch = Watch(Pem(Path(ca), Path(certificate), Path(key)))
        connections = Connections(watch, lambda credentials: grpc.aio.secure_channel(address, credentials, ours))
        super().__init__(_Caller(address, timeout, connections))

    @classmethod
    def in_folder(
        cls,
        endpoint: str,
        folder: str | os.PathLike[str],
        name: str,
        *,
        server_name: str | None = None,
        timeout: float | None = None,
    ) -> Self:
        """A client with the files of a folder of `pointbridge pki`: `ca.pem`, `<name>.pem` and `<name>.key`.

        Args:
            endpoint: The hub's address: `https://host:port`, or `host:port`.
            folder: Where the files are.
            name: What the certificate's file is called, without its ending.
            server_name: The name that the hub's certificate must carry; left out, the endpoint's host.
            timeout: Seconds for each call with its retries; left out, the default of the method, which is 10.

        Raises:
            ConfigurationError: The endpoint is no address, or a file cannot be used. The text says which.
        """
        files = Path(folder)
        return cls(
            endpoint,
            ca=files / "ca.pem",
            certificate=files / f"{name}.pem",
            key=files / f"{name}.key",
            server_name=server_name,
            timeout=timeout,
        )

    async def close(self) -> None:
        """Takes no calls any more. Calls of other tasks that are under way end first, then the connection closes."""
        await cast("_Caller", self._caller).close()

    async def __aenter__(self) -> Self:
        """The client itself; leaving closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the client."""
        await self.close()


class _Caller:
    def __init__(self, address: str, timeout: float | None, connections: Connections[grpc.aio.Channel]) -> None:
        self._calls = Calls(address, timeout)
        self._connections = connections

    async def call(self, method: Method[Response], request: Message, timeout: float | None) -> Response:
        call = self._calls.begin(method, request, timeout)
        while True:
            try:
                response = await self._once(method, request, call.remaining)
            except grpc.RpcError as error:
                await asyncio.sleep(call.failed(error))
            except ClosedError as error:
                raise call.closed(error) from None
            else:
                call.succeeded()
                return response

    async def _once(self, method: Method[Response], request: Message, timeout: float) -> Response:
        connection = self._connections.acquire()
        try:
            return cast("Response", await _callable(connection, method)(request, timeout=timeout))
        finally:
            for channel in self._connections.release(connection):
                await channel.close()

    async def close(self) -> None:
        for channel in self._connections.close():
            await channel.close()


def _callable(connection: Connection[grpc.aio.Channel], method: Method[Response]) -> Any:
    found = connection.callables.get(method.path)
    if found is None:
        found = connection.channel.unary_unary(
            method.path,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=method.response.FromString,
        )
        connection.callables[method.path] = found
    return found
