"""What one call is, whether it waits or not: its request id, its attempts, and what its failures mean."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import TYPE_CHECKING, cast

import grpc

from pointbridge._retry import Attempts, Budget, ServiceConfig
from pointbridge.errors import Details, PointbridgeError, details_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from pointbridge._method import Method, Response

_ADVICE = (
    ("CERTIFICATE_VERIFY_FAILED", "the hub's certificate is over, or of no authority in the file `ca`"),
    ("Hostname Verification", "the hub's certificate is for another name: call it by its own, or say `server_name`"),
    # What gRPC makes of an alert: with TLS 1.3 the client's certificate is judged after its handshake. Which alert it
    # was, gRPC tells nowhere but on standard error.
    (
        "TSI_DATA_CORRUPTED",
        "most likely the hub refuses your certificate: it is over, revoked, or of an authority that it does not take",
    ),
)


class Calls:
    """What all calls of one client share."""

    def __init__(self, target: str, timeout: float | None) -> None:
        self._target = target
        self._timeout = timeout
        self._config = ServiceConfig.packaged()
        self._budget: Budget = self._config.budget()

    def begin(self, method: Method[Response], request: Message, timeout: float | None) -> Call:
        """Begins a call, and gives a request that needs an id and has none a new one."""
        policy = self._config.policy(method.service, method.name)
        attempts = Attempts(policy, self._budget, self._timeout if timeout is None else timeout)
        return Call(method.name, self._target, identified(request), attempts)


class Call:
    """One call, from its first attempt to its answer."""

    def __init__(self, method: str, target: str, request_id: str | None, attempts: Attempts) -> None:
        self._method = method
        self._target = target
        self._request_id = request_id
        self._attempts = attempts
        self._is_unknown = False
        self._last: PointbridgeError | None = None

    @property
    def remaining(self) -> float:
        """Seconds that are left for it."""
        return self._attempts.remaining()

    def succeeded(self) -> None:
        """The hub answered."""
        self._attempts.succeeded()

    def failed(self, error: grpc.RpcError) -> float:
        """An attempt failed; seconds until the next one.

        Raises:
            PointbridgeError: There is to be none.
        """
        # What both kinds of channel raise is a call, too, by which the status is read.
        status = cast("grpc.Call", error)
        details = details_of(status)
        pause = self._attempts.failed(status.code(), details)
        failure = self._failure(status, details)
        if pause is None:
            # What gRPC says at length stands in the failure in short.
            raise failure from None
        self._is_unknown = failure.is_outcome_unknown
        self._last = failure
        return pause

    def closed(self, error: Exception) -> Exception:
        """What to raise where the client was closed: between attempts the last failure, which says what is unknown."""
        return self._last or error

    def _failure(self, status: grpc.Call, details: Details) -> PointbridgeError:
        message = status.details() or "no further words"
        if not details.reason_name and status.code() == grpc.StatusCode.UNAVAILABLE:
            message = (
                f"the hub at {self._target} was not reached, or the connection broke ({message}): {_advice(message)}"
            )
        return PointbridgeError(
            method=self._method,
            code=status.code(),
            message=message,
            details=details,
            request_id=self._request_id,
            attempts=self._attempts.failures,
            unknown_before=self._is_unknown,
        )


def _advice(message: str) -> str:
    """What to look at where the hub was not reached, by what gRPC said about it."""
    for words, advice in _ADVICE:
        if words in message:
            return advice
    return "check the address, that the hub serves, and that both sides trust each other's certificate"


def _request_id() -> str:
    """A fresh request id: a UUID of the present moment and random bits (version 7).

    Ids that follow one another lie beside one another at the hub, which is faster than random ones.
    """
    moment = (time.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    bits = (moment << 80) | secrets.randbits(80)
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    bits = bits & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=bits))


def identified(request: Message) -> str | None:
    """The id of a request, made here if it needs one and has none; `None` for what only reads."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return None
    writing = cast("Writing", request)
    if not writing.request_id:
        writing.request_id = _request_id()
    return writing.request_id


class Writing:
    """A request that changes something."""

    request_id: str
