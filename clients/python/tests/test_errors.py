"""What a refusal says is read in full, and nothing that is not the hub's is taken for it."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hub import Refusal, wrapped

from pointbridge import PointbridgeError, Reason, Violation
from pointbridge.errors import DETAILS_KEY, Details, details_of

CODES = grpc.StatusCode


@dataclass
class Status:
    """A call that failed, as gRPC shows it."""

    trailers: list[tuple[str, str | bytes]]

    def trailing_metadata(self) -> list[tuple[str, str | bytes]]:
        return self.trailers


def read(*trailers: tuple[str, str | bytes]) -> Details:
    return details_of(Status(list(trailers)))  # type: ignore[arg-type]


def error(code: grpc.StatusCode, reason: str = "", **others: object) -> PointbridgeError:
    details = Details(reason_name=reason, retry_after=0.25 if others.pop("later", False) else None)
    request_id = None if others.pop("reads", False) else "id"
    before = bool(others.pop("unknown_before", False))
    return PointbridgeError(
        method="M", code=code, message="no", details=details, request_id=request_id, unknown_before=before
    )


def test_every_detail_is_read() -> None:
    refusal = Refusal(
        CODES.INVALID_ARGUMENT,
        "VALIDATION_FAILED",
        retry_after=1.25,
        metadata={"violations": "2"},
        fields=(("amount", "is no number"), ("reference", "is empty")),
    )
    details = read((DETAILS_KEY, refusal.packed()))
    assert details.reason_name == "VALIDATION_FAILED"
    assert details.metadata == {"violations": "2"}
    assert details.violations == (Violation("amount", "is no number"), Violation("reference", "is empty"))
    assert details.retry_after == 1.25
    assert details.pushback is None


def test_a_quota_names_its_owner() -> None:
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="airline", description="10 calls per second")
    status = status_pb2.Status(details=[wrapped(quota)])
    assert read((DETAILS_KEY, status.SerializeToString())).quotas == (Violation("airline", "10 calls per second"),)


def test_a_reason_of_another_domain_is_not_the_hubs() -> None:
    refusal = Refusal(CODES.INTERNAL, "INTERNAL", domain="proxy.example", metadata={"a": "b"})
    details = read((DETAILS_KEY, refusal.packed()))
    assert (details.reason_name, details.metadata) == ("", {})


@pytest.mark.parametrize("trailers", [[], [(DETAILS_KEY, b"\xff" * 8)], [(DETAILS_KEY, "text")]])
def test_damaged_details_are_left_out(trailers: list[tuple[str, str | bytes]]) -> None:
    assert read(*trailers) == Details()


@pytest.mark.parametrize(("text", "seconds"), [("250", 0.25), ("0", 0.0), ("-1", -0.001), ("soon", -1.0)])
def test_a_pushback_is_read(text: str, seconds: float) -> None:
    assert read(("grpc-retry-pushback-ms", text)).pushback == seconds


def test_a_reason_that_is_newer_than_the_client_keeps_its_name() -> None:
    newer = error(CODES.FAILED_PRECONDITION, "MOON_TOO_FULL")
    assert (newer.reason, newer.reason_name) == (None, "MOON_TOO_FULL")
    assert error(CODES.NOT_FOUND, "EXCHANGE_NOT_FOUND").reason is Reason.EXCHANGE_NOT_FOUND


@pytest.mark.parametrize(
    ("failure", "is_unknown"),
    [
        (error(CODES.UNAVAILABLE), True),
        (error(CODES.DEADLINE_EXCEEDED), True),
        (error(CODES.CANCELLED), True),
        (error(CODES.INTERNAL, "INTERNAL", later=True), True),
        (error(CODES.UNAVAILABLE, "OUTCOME_UNKNOWN", later=True), True),
        (error(CODES.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", later=True), True),
        (error(CODES.UNAVAILABLE, "OVERLOADED", later=True), False),
        (error(CODES.UNAVAILABLE, "OVERLOADED", later=True, unknown_before=True), True),
        (error(CODES.RESOURCE_EXHAUSTED, "RATE_LIMITED", later=True, unknown_before=True), True),
        (error(CODES.UNAUTHENTICATED, "CERTIFICATE_REVOKED", unknown_before=True), True),
        (error(CODES.PERMISSION_DENIED, "ROLE_NOT_ALLOWED"), False),
        (error(CODES.FAILED_PRECONDITION, "INSUFFICIENT_POINTS"), False),
        # Had the first attempt had an effect, the second one would have been answered with it.
        (error(CODES.FAILED_PRECONDITION, "INSUFFICIENT_POINTS", unknown_before=True), False),
        (error(CODES.RESOURCE_EXHAUSTED, "EXPOSURE_LIMIT", unknown_before=True), False),
        # What a proxy says settles nothing.
        (error(CODES.NOT_FOUND), True),
        (error(CODES.UNAVAILABLE, reads=True), False),
    ],
)
def test_it_is_known_whether_the_outcome_is_known(failure: PointbridgeError, is_unknown: bool) -> None:
    assert failure.is_outcome_unknown is is_unknown
    assert ("send it again with request_id id" in str(failure)) is is_unknown


@pytest.mark.parametrize(
    ("failure", "is_retryable"),
    [
        (error(CODES.UNAVAILABLE), True),
        (error(CODES.DEADLINE_EXCEEDED), True),
        (error(CODES.RESOURCE_EXHAUSTED, "RATE_LIMITED", later=True), True),
        (error(CODES.RESOURCE_EXHAUSTED, "EXPOSURE_LIMIT"), False),
        (error(CODES.UNAUTHENTICATED), False),
    ],
)
def test_only_what_time_mends_is_retryable(failure: PointbridgeError, is_retryable: bool) -> None:
    assert failure.is_retryable is is_retryable
