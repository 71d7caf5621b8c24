"""Connections to the hub: how they are made, and how one takes another's place when the certificate is renewed.

gRPC keeps the certificate of a channel for as long as the channel lives. So new files mean a new channel: calls from
then on take it, calls under way end on the old one, and the last of them closes it.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pointbridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import grpc

    from pointbridge._files import Loaded, Watch

Channel = TypeVar("Channel")
Options = list[tuple[str, Any]]

_HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+"
_ENDPOINT = re.compile(rf"(?:https://)?(?P<address>(?:{_HOST}):(?P<port>[0-9]{{1,5}}))/?", re.ASCII)
_PORT_MAX = 65_535


def target(endpoint: str) -> str:
    """The address of a hub as gRPC takes it.

    Raises:
        ConfigurationError: The endpoint is no address.
    """
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or not 0 < int(found["port"]) <= _PORT_MAX:
        raise ConfigurationError(f"{endpoint!r} is no address of a hub: write https://host:port")
    return found["address"]


def options(server_name: str | None, others: Sequence[tuple[str, Any]]) -> Options:
    """The options of a channel; those of the caller come last, and win."""
    ours: Options = [
        # A dead connection is found within 40 s, also while nobody calls; the hub asks as often itself.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # A hub that restarts is back within seconds, and a till waits for it; gRPC's own are 1 s to 2 min.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # The hub wants the client's own certificate, which a proxy that looks inside cannot show.
        ("grpc.enable_http_proxy", 0),
        ("grpc.primary_user_agent", f"pointbridge-python/{metadata.version('pointbridge')}"),
    ]
    if server_name is not None:
        ours.append(("grpc.ssl_target_name_override", server_name))
    overridden = {name for name, _ in others}
    return [option for option in ours if option[0] not in overridden] + list(others)


@dataclass
class Connection(Generic[Channel]):
    """A channel, and how many calls are under way on it."""

    channel: Channel
    loaded: Loaded
    calls: int = 0
    callables: dict[str, Any] = field(default_factory=dict)
    """gRPC's callable of each method, by its path: making one costs more than the look into this table."""


class ClosedError(RuntimeError):
    """The client takes no calls any more."""


class Connections(Generic[Channel]):
    """The connection in use, and those whose last calls are under way. May be used by several threads."""

    def __init__(self, watch: Watch, make: Callable[[grpc.ChannelCredentials], Channel]) -> None:
        self._watch = watch
        self._make = make
        self._lock = threading.Lock()
        self._current: Connection[Channel] | None = None
        self._is_closed = False
        self._idle: list[Channel] = []

    def acquire(self) -> Connection[Channel]:
        """The connection for one call, made with the newest certificate. Give it back with `release`.

        Raises:
            ClosedError: The client is closed.
        """
        loaded = self._watch.current()
        with self._lock:
            if self._is_closed:
                raise ClosedError("the client is closed: make a new one")
            if self._current is None or self._current.loaded.digest != loaded.digest:
                self._retire()
                self._current = Connection(self._make(loaded.credentials), loaded)
            self._current.calls += 1
            return self._current

    def release(self, connection: Connection[Channel]) -> list[Channel]:
        """Gives a connection back; the answer is what nobody uses any more and is to be closed now."""
        with self._lock:
            connection.calls -= 1
            if connection is not self._current and connection.calls == 0:
                self._idle.append(connection.channel)
            idle, self._idle = self._idle, []
            return idle

    def close(self) -> list[Channel]:
        """Takes no calls any more; the answer is what is to be closed now. Calls under way end first."""
        with self._lock:
            self._is_closed = True
            self._retire()
            idle, self._idle = self._idle, []
            return idle

    def _retire(self) -> None:
        if self._current is not None and self._current.calls == 0:
            self._idle.append(self._current.channel)
        self._current = None
