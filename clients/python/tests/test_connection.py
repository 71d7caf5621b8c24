"""Addresses, options, and how one connection takes another's place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pointbridge import ConfigurationError
from pointbridge._connection import Connections, options, target


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("https://127.0.0.1:7443", "127.0.0.1:7443"),
        ("https://hub.example:7443/", "hub.example:7443"),
        ("hub.example:7443", "hub.example:7443"),
        ("https://[::1]:7443", "[::1]:7443"),
    ],
)
def test_an_address_is_taken_as_it_is(endpoint: str, address: str) -> None:
    assert target(endpoint) == address


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "hub.example",
        "http://hub.example:7443",
        "https://hub.example:7443/v1",
        "https://me@hub.example:7443",
        "https://:7443",
        "hub.example:0",
        "hub.example:99999",
        "hub.example:\u0667443",
        "::1:7443",
        "unix:/run/hub:1",
    ],
)
def test_what_is_no_hubs_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="write https://host:port"):
        target(endpoint)


def test_the_callers_options_win() -> None:
    found = options("hub.example", [("grpc.keepalive_time_ms", 60_000), ("grpc.more", 1)])
    assert [value for name, value in found if name == "grpc.keepalive_time_ms"] == [60_000]
    assert ("grpc.more", 1) in found
    assert ("grpc.ssl_target_name_override", "hub.example") in found
    assert not any(name == "grpc.ssl_target_name_override" for name, _ in options(None, []))


@dataclass
class Files:
    """Files that the test renews."""

    digest: bytes = b"1"
    credentials: Any = None

    def current(self) -> Files:
        return Files(self.digest, self.digest.decode())


def connections() -> tuple[Files, Connections[str]]:
    files = Files()
    made: Connections[str] = Connections(files, lambda credentials: f"channel {credentials}")  # type: ignore[arg-type]
    return files, made


def test_calls_share_a_connection_until_the_files_are_new() -> None:
    files, made = connections()
    first, second = made.acquire(), made.acquire()
    assert first is second
    files.digest = b"2"
    third = made.acquire()
    assert third.channel == "channel 2"
    assert made.release(first) == []
    assert made.release(second) == ["channel 1"]
    assert made.release(third) == []


def test_a_connection_without_calls_is_closed_with_the_next_call() -> None:
    files, made = connections()
    made.release(made.acquire())
    files.digest = b"2"
    assert made.release(made.acquire()) == ["channel 1"]


def test_a_closed_client_takes_no_calls_and_ends_with_the_last_one() -> None:
    _, made = connections()
    last = made.acquire()
    assert made.close() == []
    with pytest.raises(RuntimeError, match="closed"):
        made.acquire()
    assert made.release(last) == ["channel 1"]
    assert made.close() == []
