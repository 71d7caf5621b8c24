"""When a call that failed is sent again, by the service config that all clients share.

gRPC's own retries are not used: they stop at five attempts, know codes only, and never look at RetryInfo. So the config
is read here, and gRPC is given none of it; what it still does by itself is to send a call again that never left.

| the call | is sent again |
| --- | --- |
| the hub refused it with RetryInfo | after that time, doubled with each refusal, or the back-off where that is longer |
| the hub refused it without | never |
| no reason of the hub, a code of the config | after the back-off |
| the server pushed back | after the time that it says, or not at all |

In all cases only while attempts, the budget and the call's own time last. Every method of the API may be sent again:
what changes something carries a request_id, which stays the same.
"""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import grpc

from pointbridge._method import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointbridge.errors import Details

TIMEOUT_SECONDS = 10.0
"""The time of a call for which the config says none: as long as the hub works on it."""
JITTER = 0.2
"""A back-off is spread by this share to both sides, as gRPC's own."""


@dataclass(frozen=True)
class Policy:
    """How calls of a method are sent, and sent again."""

    timeout_seconds: float = TIMEOUT_SECONDS
    attempts_max: int = 1
    backoff_initial_seconds: float = 0.0
    backoff_max_seconds: float = 0.0
    backoff_multiplier: float = 1.0
    codes: frozenset[grpc.StatusCode] = frozenset()

    @classmethod
    def of(cls, method: dict[str, Any]) -> Policy:
        """Reads a `methodConfig` of a gRPC service config."""
        timeout = seconds(method["timeout"]) if "timeout" in method else TIMEOUT_SECONDS
        retry = method.get("retryPolicy")
        if retry is None:
            return cls(timeout)
        return cls(
            timeout,
            int(retry["maxAttempts"]),
            seconds(retry["initialBackoff"]),
            seconds(retry["maxBackoff"]),
            float(retry["backoffMultiplier"]),
            frozenset(grpc.StatusCode[code] for code in retry["retryableStatusCodes"]),
        )

    def backoff(self, failures: int) -> float:
        """Seconds before the next attempt after so many failures, without jitter."""
        return min(
            self.backoff_initial_seconds * self.backoff_multiplier ** (failures - 1),
            self.backoff_max_seconds,
        )


class Budget:
    """How many retries a client may make in all: when most calls fail, retries only add to the load.

    gRPC's retry throttling: each failure takes one token, each success gives a share of one back, and calls are sent
    again while more than half of the tokens are left.
    """

    def __init__(self, tokens_max: float, token_ratio: float) -> None:
        self._max = tokens_max
        self._ratio = token_ratio
        self._tokens = tokens_max
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Counts a failure, and says whether it may be retried."""
        with self._lock:
            self._tokens = max(self._tokens - 1, 0)
            return self._max == 0 or self._tokens > self._max / 2

    def give(self) -> None:
        """Counts a success."""
        with self._lock:
            self._tokens = min(self._tokens + self._ratio, self._max)


class ServiceConfig:
    """A gRPC service config: the policy of each method, and the budget."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._policies: dict[tuple[str, str], Policy] = {}
        for method in config.get("methodConfig", []):
            policy = Policy.of(method)
            for name in method["name"]:
                self._policies[name.get("service", ""), name.get("method", "")] = policy
        throttling = config.get("retryThrottling", {})
        self._tokens = float(throttling.get("maxTokens", 0)), float(throttling.get("tokenRatio", 0))

    @classmethod
    def packaged(cls) -> ServiceConfig:
        """The config that all clients share."""
        return cls(json.loads(resources.files("pointbridge").joinpath("retry.json").read_text("utf-8")))

    def policy(self, service: str, method: str) -> Policy:
        """The policy of a method: its own, its service's, or everybody's."""
        full = f"{PACKAGE}.{service}"
        for name in ((full, method), (full, ""), ("", "")):
            if name in self._policies:
                return self._policies[name]
        return Policy()

    def budget(self) -> Budget:
        """A full budget, for one client."""
        return Budget(*self._tokens)


class Attempts:
    """One call's way through its attempts. Decides, and neither waits nor sends."""

    def __init__(
        self,
        policy: Policy,
        budget: Budget,
        timeout: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._clock = clock
        self._chance = chance
        self._end = clock() + (policy.timeout_seconds if timeout is None else timeout)
        self.failures = 0

    def remaining(self) -> float:
        """Seconds that are left for the call, never negative."""
        return max(self._end - self._clock(), 0.0)

    def succeeded(self) -> None:
        """Counts the attempt as one that was answered."""
        self._budget.give()

    def failed(self, code: grpc.StatusCode, details: Details) -> float | None:
        """Counts the attempt as one that failed; seconds until the next one, `None` if there is to be none."""
        self.failures += 1
        pause = self._pause(code, details)
        if pause is None:
            # A refusal with a reason shows that the hub is well; a broken connection or a call without answer does not.
            if details.reason_name:
                self._budget.give()
            return None
        if not self._budget.take() or self.failures >= self._policy.attempts_max or pause >= self.remaining():
            return None
        return pause

    def _pause(self, code: grpc.StatusCode, details: Details) -> float | None:
        if details.pushback is not None:
            return details.pushback if details.pushback >= 0 else None
        spread = 1 + JITTER * (2 * self._chance() - 1)
        backoff = self._policy.backoff(self.failures) * spread
        if details.retry_after is not None:
            return max(details.retry_after * 2.0 ** (self.failures - 1), backoff)
        if details.reason_name or code not in self._policy.codes:
            return None
        return backoff


def seconds(text: str) -> float:
    """A duration of a service config, such as `0.25s`."""
    return float(text.removesuffix("s"))
