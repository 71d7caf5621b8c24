"""A hub for each test, and clients of both kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from drivers import Asyncio, Blocking, Driver
from hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
