"""A hub that judges certificates as the real one does: with TLS 1.3, behind the client's handshake, by an alert."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme
from hub import WAIT_SECONDS, Hub

from pointbridge import PointbridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivers import Driver


@contextlib.contextmanager
def door(hub: Hub) -> Iterator[int]:
    """Takes connections in the hub's name and lets nobody in; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    hub.authority.issue_cert("127.0.0.1").configure_cert(context)
    trustme.CA().configure_trust(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(WAIT_SECONDS)
                turn_away(context, connection)

    thread = threading.Thread(target=refuse)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone does not wake a thread that waits for a connection.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(WAIT_SECONDS)


def turn_away(context: ssl.SSLContext, connection: socket.socket) -> None:
    """Sends the alert, and reads on until the client has gone: a reset would take the alert away."""
    raw = connection.dup()
    raw.settimeout(WAIT_SECONDS)
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
        pass
    with raw, contextlib.suppress(OSError):
        while raw.recv(4096):
            pass


def test_a_certificate_that_the_hub_refuses_is_told(hub: Hub, connect: Callable[..., Driver]) -> None:
    hub.stop()
    with door(hub) as hub.port:
        client = connect()
        with pytest.raises(PointbridgeError, match="most likely the hub refuses your certificate") as caught:
            client.call("partners.who_am_i", timeout=5)
    assert caught.value.code == grpc.StatusCode.UNAVAILABLE
