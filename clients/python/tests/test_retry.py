"""When a call is sent again, decided without a network and without waiting."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest

from pointbridge._retry import Attempts, Budget, Policy, ServiceConfig
from pointbridge.errors import Details

CODES = grpc.StatusCode
POLICY = Policy(10.0, 4, 0.1, 0.3, 2.0, frozenset({CODES.UNAVAILABLE}))
PROTO = Path(__file__).resolve().parents[3] / "proto/pointbridge/v1"


def attempts(policy: Policy = POLICY, budget: Budget | None = None, timeout: float | None = None) -> Attempts:
    """Attempts at a time that stands still, with backoffs that are not spread."""
    return Attempts(policy, budget or Budget(100, 1), timeout, clock=lambda: 0.0, chance=lambda: 0.5)


def pauses(call: Attempts, code: grpc.StatusCode, *details: Details) -> list[float | None]:
    return [call.failed(code, one) for one in details]


def test_the_pause_grows_up_to_its_bound_and_attempts_end() -> None:
    found = pauses(attempts(), CODES.UNAVAILABLE, *[Details()] * 4)
    assert found == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3), None]


def test_the_hubs_time_is_kept_and_doubled_with_each_refusal() -> None:
    later = Details(reason_name="RATE_LIMITED", retry_after=1.0)
    assert pauses(attempts(), CODES.RESOURCE_EXHAUSTED, later, later, later, later) == [1.0, 2.0, 4.0, None]
    soon = Details(reason_name="CONFLICT_RETRY", retry_after=0.001)
    assert pauses(attempts(), CODES.ABORTED, soon) == [pytest.approx(0.1)]


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (CODES.RESOURCE_EXHAUSTED, Details(reason_name="EXPOSURE_LIMIT")),
        (CODES.UNAVAILABLE, Details(reason_name="SOMETHING_NEW")),
        (CODES.INVALID_ARGUMENT, Details()),
        (CODES.UNAVAILABLE, Details(pushback=-0.001)),
    ],
)
def test_what_time_does_not_mend_is_not_repeated(code: grpc.StatusCode, details: Details) -> None:
    assert attempts().failed(code, details) is None


def test_the_servers_pushback_is_followed() -> None:
    assert attempts().failed(CODES.UNAVAILABLE, Details(pushback=3.0)) == 3.0


def test_no_pause_goes_beyond_the_calls_time() -> None:
    full = Details(reason_name="STORAGE_FULL", retry_after=30.0)
    assert attempts().failed(CODES.RESOURCE_EXHAUSTED, full) is None
    assert attempts(timeout=31.0).failed(CODES.RESOURCE_EXHAUSTED, full) == 30.0


def test_a_spread_pause_stays_near_its_time() -> None:
    for chance, expected in ((0.0, 0.08), (1.0, 0.12)):
        call = Attempts(POLICY, Budget(100, 1), None, clock=lambda: 0.0, chance=iter([chance]).__next__)
        assert call.failed(CODES.UNAVAILABLE, Details()) == pytest.approx(expected)


def test_remaining_time_is_never_negative() -> None:
    now = [0.0]
    call = Attempts(POLICY, Budget(1, 1), 2.0, clock=lambda: now[0])
    assert call.remaining() == 2.0
    now[0] = 5.0
    assert call.remaining() == 0.0


def test_when_most_calls_fail_none_is_repeated_until_some_succeed() -> None:
    budget = Budget(4, 0.5)
    found = [attempts(budget=budget).failed(CODES.UNAVAILABLE, Details()) for _ in range(3)]
    assert found == [pytest.approx(0.1), None, None]
    for _ in range(4):
        attempts(budget=budget).succeeded()
    assert attempts(budget=budget).failed(CODES.UNAVAILABLE, Details()) is None
    for _ in range(4):
        attempts(budget=budget).succeeded()
    assert attempts(budget=budget).failed(CODES.UNAVAILABLE, Details()) is not None


def test_only_what_the_hub_answered_gives_a_token_back() -> None:
    budget = Budget(4, 1)
    for _ in range(2):
        attempts(budget=budget).failed(CODES.UNAVAILABLE, Details())
    # Nobody answered these: the call's time was over, or something else than the hub broke it.
    for code in (CODES.DEADLINE_EXCEEDED, CODES.CANCELLED, CODES.INTERNAL):
        assert attempts(budget=budget).failed(code, Details()) is None
    assert attempts(budget=budget).failed(CODES.UNAVAILABLE, Details()) is None
    for _ in range(3):
        attempts(budget=budget).failed(CODES.FAILED_PRECONDITION, Details(reason_name="INSUFFICIENT_POINTS"))
    assert attempts(budget=budget).failed(CODES.UNAVAILABLE, Details()) == pytest.approx(0.1)


def test_a_config_without_a_budget_has_no_bound() -> None:
    budget = ServiceConfig({}).budget()
    assert all(budget.take() for _ in range(1000))


def test_the_policy_of_a_method_is_its_own_its_services_or_everybodys() -> None:
    service = "pointbridge.v1.A"
    names = [[{"service": service, "method": "B"}], [{"service": service}], [{}]]
    methods = [{"name": name, "timeout": f"{seconds}s"} for name, seconds in zip(names, (1, 2, 3), strict=True)]
    config = ServiceConfig({"methodConfig": methods})
    found = [config.policy(*name).timeout_seconds for name in (("A", "B"), ("A", "C"), ("D", "B"))]
    assert found == [1.0, 2.0, 3.0]
    assert ServiceConfig({}).policy("A", "B") == Policy()


def test_every_method_of_the_api_may_be_repeated() -> None:
    config = ServiceConfig.packaged()
    found = 0
    for path in PROTO.glob("*_service.proto"):
        service = re.findall(r"^service (\w+)", path.read_text("utf-8"), re.MULTILINE)[0]
        for method in re.findall(r"^  rpc (\w+)\(", path.read_text("utf-8"), re.MULTILINE):
            assert config.policy(service, method).attempts_max > 1, method
            found += 1
    assert found > 40
