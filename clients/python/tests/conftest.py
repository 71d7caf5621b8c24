"""A hub for each test, and the two kinds of client behind one face."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pointbridge
import pointbridge.aio
import pytest
from hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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

    def close(self) -> None:
        """Closes the client and its loop."""
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


Driver = Blocking | Asyncio


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub that serves."""
    hub = Hub(tmp_path)
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(params=[Blocking, Asyncio])
def connect(request: pytest.FixtureRequest, hub: Hub) -> Iterator[Callable[..., Driver]]:
    """Makes clients of either kind, which are closed behind the test."""
    made: list[Driver] = []

    def make(**options: Any) -> Driver:
        driver: Driver = request.param(f"https://127.0.0.1:{hub.port}", **{**hub.files, **options})
        made.append(driver)
        return driver

    yield make
    for driver in made:
        driver.close()
