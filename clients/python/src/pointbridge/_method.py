"""One method of the API, and what can call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

Response = TypeVar("Response", bound=Message)

PACKAGE = "pointbridge.v1"


@dataclass(frozen=True)
class Method(Generic[Response]):
    """A method: its service, its name and the type of its answer."""

    service: str
    name: str
    response: type[Response]

    @property
    def path(self) -> str:
        """Where gRPC finds the method."""
        return f"/{PACKAGE}.{self.service}/{self.name}"


class Caller(Protocol):
    """Calls methods and waits for the answer."""

    def call(self, method: Method[Response], request: Message, timeout: float | None) -> Response:
        """Sends a request until it is answered or refused for good."""
        ...


class AsyncCaller(Protocol):
    """Calls methods for asyncio."""

    async def call(self, method: Method[Response], request: Message, timeout: float | None) -> Response:
        """Sends a request until it is answered or refused for good."""
        ...
