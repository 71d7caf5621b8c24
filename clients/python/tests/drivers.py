"""The two kinds of client behind one face, so that whatever one must do is asked of the other, too."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import Any

import grpc

import pointbridge
import pointbridge.aio


class Blocking:
    """The client that waits."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.client = pointbridge.Client(endpoint, **options)

    def call(self, method: str, **arguments: Any) -> Any:
        """Calls a method such as `exchanges.get_exchange`."""
        return attrgetter(method)(self.client)(**arguments)

    def items(self, method: str, **arguments: Any) -> list[Any]:
        """Everything that a list gives."""
        return list(attrgetter(method)(self.client)(**arguments))

    def channel(self) -> Any:
        """The channel in use."""
        return self.client._caller._connections._current.channel  # type: ignore[attr-defined]

    def is_closed(self, channel: Any) -> bool:
        """Whether nobody can call on a channel any more."""
        try:
            channel.unary_unary("/nothing")(b"", timeout=0.01)
        except ValueError:
            return True
        except grpc.RpcError:
            return False
        return False

    def close(self) -> None:
        """Closes the client."""
        self.client.close()


class Asyncio:
    """The client for asyncio, driven from outside."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = pointbridge.aio.Client(endpoint, **options)

    def call(self, method: str, **arguments: Any) -> Any:
        """Calls a method such as `exchanges.get_exchange`."""
        return self.loop.run_until_complete(attrgetter(method)(self.client)(**arguments))

    def items(self, method: str, **arguments: Any) -> list[Any]:
        """Everything that a list gives."""

        async def collect() -> list[Any]:
            return [item async for item in attrgetter(method)(self.client)(**arguments)]

        return self.loop.run_until_complete(collect())

    def channel(self) -> Any:
        """The channel in use."""
        return self.client._caller._connections._current.channel  # type: ignore[attr-defined]

    def is_closed(self, channel: Any) -> bool:
        """Whether nobody can call on a channel any more."""
        return bool(channel.get_state() == grpc.ChannelConnectivity.SHUTDOWN)

    def close(self) -> None:
        """Closes the client and its loop."""
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


Driver = Blocking | Asyncio
