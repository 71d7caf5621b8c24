"""What can go wrong: a call that failed, and a client that cannot be made.

A program decides by `PointbridgeError.reason`, never by the sentence: the reason is stable, the sentence is for people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from pointbridge.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "pointbridge"
"""The domain of the hub's own reasons."""
DETAILS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"

_DECIDED = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Codes of refusals that are decided where a repeated request would be found: it had no effect before either."""
_NOT_BEGUN = frozenset(
    {Reason.OVERLOADED, Reason.DRAINING, Reason.CONFLICT_RETRY, Reason.RATE_LIMITED, Reason.CONCURRENCY_LIMITED}
    | {Reason.STORAGE_FULL}
)
"""Reasons that say that this attempt did nothing; an earlier attempt of the same call may have."""
_REFUSED_AT_THE_DOOR = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


class ConfigurationError(ValueError):
    """The client cannot be made of what it was given: the address, or one of the files. The text says which and why."""


@dataclass(frozen=True)
class Violation:
    """One thing that broke a rule."""

    field: str
    """The field's path in the request, such as `terms.directions[0].rate.give`; for a quota, whose it is."""
    description: str
    """What is wrong with it."""


@dataclass(frozen=True)
class Details:
    """What a status says beyond its code and its sentence."""

    reason_name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    quotas: tuple[Violation, ...] = ()
    retry_after: float | None = None
    pushback: float | None = None
    """What the server's pushback asks for in seconds; negative: not to retry."""


class PointbridgeError(Exception):
    """A call that failed, after the client's own retries.

    Attributes:
        method: The method, such as `PrepareExchange`.
        code: The gRPC status code.
        reason: Why the hub refused; `None` where it gave no reason that this version knows, as when it was not reached.
        reason_name: The reason as the hub wrote it; empty where it gave none.
        message: The sentence for people.
        metadata: What else the hub said about the reason, by name.
        violations: The fields that broke a rule, in the request's order, at most 24.
        quotas: The limits that were met, and whose they are.
        retry_after: Seconds to wait before the same call may succeed; `None` where waiting does not help or is not
            known to.
        request_id: The id of the call, for writing methods, else `None`: send the same call with it once more, and it
            has one effect in all.
        attempts: How often the request was sent.
    """

    def __init__(
        self,
        *,
        method: str,
        code: grpc.StatusCode,
        message: str,
        details: Details | None = None,
        request_id: str | None = None,
        attempts: int = 1,
        unknown_before: bool = False,
    ) -> None:
        details = details or Details()
        self.method = method
        self.code = code
        self.message = message
        self.reason_name = details.reason_name
        self.reason = known(details.reason_name)
        self.metadata = details.metadata
        self.violations = details.violations
        self.quotas = details.quotas
        self.retry_after = details.retry_after
        self.request_id = request_id
        self.attempts = attempts
        self._unknown_before = unknown_before
        super().__init__(self._sentence())

    @property
    def is_retryable(self) -> bool:
        """Whether the same request, with the same `request_id`, may succeed later as it is."""
        if self.reason_name:
            return self.retry_after is not None
        return self.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED)

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether the call may have had its effect all the same. Ask again with the same `request_id` to learn it."""
        if self.request_id is None:
            return False
        if self.reason in _NOT_BEGUN or self.code in _REFUSED_AT_THE_DOOR:
            return self._unknown_before
        return not (self.reason_name and self.code in _DECIDED)

    def _sentence(self) -> str:
        said = f"{self.method}: {self.reason_name or self.code.name}: {self.message}"
        # The first one is often what the sentence says already.
        for violation in self.violations:
            if violation.description not in self.message:
                said += f"; {violation.field}: {violation.description}"
        if self.is_outcome_unknown:
            said += f" (whether this was done is not known: send it again with request_id {self.request_id})"
        elif self.retry_after is not None:
            said += f" (try again in {self.retry_after:.3f} s)"
        return said


def known(name: str) -> Reason | None:
    """The reason of this name; `None` for one that this version does not know."""
    try:
        return Reason(name)
    except ValueError:
        return None


def details_of(error: grpc.Call) -> Details:
    """Reads the details of a status; damaged ones, and reasons of another domain, are left out."""
    trailers = dict(error.trailing_metadata() or ())
    pushback = _pushback(trailers.get(PUSHBACK_KEY))
    packed = trailers.get(DETAILS_KEY, b"")
    try:
        return _read(status_pb2.Status.FromString(packed if isinstance(packed, bytes) else b""), pushback)
    except DecodeError:
        return Details(pushback=pushback)


def _read(status: status_pb2.Status, pushback: float | None) -> Details:
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.BadRequest()
    quota = error_details_pb2.QuotaFailure()
    retry = error_details_pb2.RetryInfo()
    retry_after = None
    for detail in status.details:
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        elif detail.Unpack(info) or detail.Unpack(request):
            continue
        else:
            detail.Unpack(quota)
    is_ours = info.domain == DOMAIN
    return Details(
        reason_name=info.reason if is_ours else "",
        metadata=dict(info.metadata) if is_ours else {},
        violations=tuple(Violation(one.field, one.description) for one in request.field_violations),
        quotas=tuple(Violation(one.subject, one.description) for one in quota.violations),
        retry_after=retry_after,
        pushback=pushback,
    )


def _pushback(text: str | bytes | None) -> float | None:
    if text is None:
        return None
    try:
        return int(text) / 1000
    except ValueError:
        # What is no number means: do not retry. gRPC's other implementations read it so too.
        return -1.0
