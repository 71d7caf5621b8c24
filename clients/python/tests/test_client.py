"""What both clients promise, against a hub over mutual TLS."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from hub import WAIT_SECONDS, Gate, Hub, Refusal

import pointbridge
import pointbridge.aio
from pointbridge import PointbridgeError, Reason, v1

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers import Driver

EXCHANGE = f"exc_{'0' * 32}"
COMMIT: dict[str, Any] = {"exchange_id": EXCHANGE, "timeout": WAIT_SECONDS}
BUSY = Refusal(grpc.StatusCode.UNAVAILABLE, "OVERLOADED", "too much to do", retry_after=0.001)
CUT = Refusal(grpc.StatusCode.UNAVAILABLE)
SHORT = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_POINTS", "too few", metadata={"available": "60"})


def threaded(hub: Hub) -> pointbridge.Client:
    files = hub.files
    return pointbridge.Client(
        f"127.0.0.1:{hub.port}",
        ca=files["ca"],
        certificate=files["certificate"],
        key=files["key"],
        timeout=WAIT_SECONDS,
    )


def ids(hub: Hub) -> set[str]:
    return {request_id for seen in hub.seen if isinstance(request_id := vars_of(seen.request)["request_id"], str)}


def vars_of(message: Any) -> dict[str, Any]:
    return {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}


def test_a_request_id_is_made_and_kept_over_retries(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect()
    hub.answers.extend([CUT, BUSY, CUT])
    client.call("exchanges.commit_exchange", **COMMIT)
    (made,) = ids(hub)
    assert len(hub.seen) == 4
    assert made == str(uuid.UUID(made))
    client.call("exchanges.commit_exchange", **COMMIT)
    assert len(ids(hub)) == 2


def test_request_ids_follow_one_another(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect()
    before = time.time_ns() // 1_000_000
    made: list[uuid.UUID] = []
    for _ in range(3):
        client.call("exchanges.commit_exchange", **COMMIT)
        made += (uuid.UUID(one) for one in ids(hub) if uuid.UUID(one) not in made)
        time.sleep(0.002)
    assert [one.version for one in made] == [7, 7, 7]
    assert {one.variant for one in made} == {uuid.RFC_4122}
    assert made == sorted(made)
    assert before <= made[0].int >> 80 <= made[2].int >> 80 <= time.time_ns() // 1_000_000


def test_a_given_request_id_is_sent_as_it_is(hub: Hub, connect: Callable[..., Driver]) -> None:
    given = str(uuid.uuid4())
    hub.answers.append(CUT)
    connect().call("exchanges.commit_exchange", request_id=given, **COMMIT)
    assert ids(hub) == {given}
    assert len(hub.seen) == 2


def test_a_refusal_tells_everything_and_is_not_repeated(hub: Hub, connect: Callable[..., Driver]) -> None:
    hub.answers.append(SHORT)
    with pytest.raises(PointbridgeError) as caught:
        connect().call("exchanges.commit_exchange", **COMMIT)
    error = caught.value
    assert len(hub.seen) == 1
    assert (error.reason, error.code) == (Reason.INSUFFICIENT_POINTS, grpc.StatusCode.FAILED_PRECONDITION)
    assert error.metadata == {"available": "60"}
    assert {error.request_id} == ids(hub)
    assert not error.is_retryable
    assert not error.is_outcome_unknown
    assert str(error) == "CommitExchange: INSUFFICIENT_POINTS: too few"


def test_attempts_end_and_say_what_is_not_known(hub: Hub, connect: Callable[..., Driver]) -> None:
    hub.answers.extend([CUT] + [BUSY] * 20)
    with pytest.raises(PointbridgeError) as caught:
        connect().call("exchanges.commit_exchange", **COMMIT)
    assert caught.value.attempts == len(hub.seen) > 1
    # The hub did not begin the last attempts, but nobody knows about the first one.
    assert caught.value.is_outcome_unknown
    assert f"request_id {ids(hub).pop()}" in str(caught.value)


def test_a_call_that_is_not_answered_ends_with_its_time(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect(timeout=WAIT_SECONDS)
    client.call("partners.who_am_i")
    gate = Gate(v1.CommitExchangeResponse())
    hub.answers.append(gate)
    try:
        with pytest.raises(PointbridgeError) as caught:
            client.call("exchanges.commit_exchange", exchange_id=EXCHANGE, timeout=0.3)
    finally:
        gate.open()
    assert caught.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert caught.value.is_outcome_unknown
    assert caught.value.is_retryable


def test_lists_are_iterated_over_all_pages(hub: Hub, connect: Callable[..., Driver]) -> None:
    pages = [
        v1.ListExchangesResponse(exchanges=[v1.Exchange(exchange_id=name) for name in names], next_page_token=token)
        for names, token in (("ab", "p2"), ("", "p3"), ("c", ""))
    ]
    hub.answers.extend([pages[0], BUSY, *pages[1:]])
    found = connect().items("exchanges.list_exchanges", page_size=2, order_reference="receipt/1", timeout=WAIT_SECONDS)
    assert [exchange.exchange_id for exchange in found] == ["a", "b", "c"]
    asked = [vars_of(seen.request) for seen in hub.seen]
    assert [one["page_token"] for one in asked] == ["", "p2", "p2", "p3"]
    assert {(one["page_size"], one["order_reference"]) for one in asked} == {(2, "receipt/1")}


def test_a_list_that_would_never_end_is_ended(hub: Hub, connect: Callable[..., Driver]) -> None:
    hub.answers.extend(v1.ListProgramsResponse(next_page_token="again") for _ in range(3))  # noqa: S106
    with pytest.raises(RuntimeError, match="page_token"):
        connect().items("partners.list_programs", timeout=WAIT_SECONDS)
    assert len(hub.seen) == 2


def test_a_renewed_certificate_is_used_by_the_same_client(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect()
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    hub.renew("till-2")
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    assert [seen.subject for seen in hub.seen] == ["till-1", "till-2"]


def test_a_connection_that_nobody_uses_any_more_is_closed(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect()
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    old = client.channel()
    assert not client.is_closed(old)
    hub.renew("till-2")
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    assert client.is_closed(old)
    assert not client.is_closed(client.channel())


def test_half_a_renewal_changes_nothing(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect()
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    old = hub.files["certificate"].read_bytes()
    hub.renew("till-2")
    new = hub.files["certificate"].read_bytes()
    hub.files["certificate"].write_bytes(old)
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    hub.files["certificate"].write_bytes(new)
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    assert [seen.subject for seen in hub.seen] == ["till-1", "till-1", "till-2"]


def test_a_renewal_drops_no_call_that_is_under_way(hub: Hub) -> None:
    with threaded(hub) as client:
        gate = Gate(v1.WhoAmIResponse(principal="kept"))
        hub.answers.append(gate)
        answers: list[str] = []
        waiting = threading.Thread(target=lambda: answers.append(client.partners.who_am_i().principal))
        waiting.start()
        assert gate.reached.wait(WAIT_SECONDS)
        hub.renew("till-2")
        client.partners.who_am_i()
        gate.open()
        waiting.join(WAIT_SECONDS)
    assert answers == ["kept"]
    assert [seen.subject for seen in hub.seen] == ["till-1", "till-2"]


def test_closing_waits_for_calls_of_other_threads(hub: Hub) -> None:
    client = threaded(hub)
    gate = Gate(v1.WhoAmIResponse(principal="kept"))
    hub.answers.append(gate)
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(client.partners.who_am_i().principal))
    waiting.start()
    assert gate.reached.wait(WAIT_SECONDS)
    client.close()
    gate.open()
    waiting.join(WAIT_SECONDS)
    assert answers == ["kept"]
    with pytest.raises(RuntimeError, match="closed"):
        client.partners.who_am_i()


LATER = Refusal(grpc.StatusCode.UNAVAILABLE, "DRAINING", "going down", retry_after=1.0)


def assert_says_what_is_not_known(error: BaseException | None, hub: Hub) -> None:
    assert isinstance(error, PointbridgeError)
    assert {error.request_id} == ids(hub)
    assert (error.attempts, len(hub.seen)) == (2, 2)
    assert error.is_outcome_unknown


def test_a_client_that_is_closed_between_attempts_says_what_is_not_known(hub: Hub) -> None:
    client = threaded(hub)
    hub.answers.extend([CUT, LATER])
    with futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(lambda: client.exchanges.commit_exchange(**COMMIT))
        until(lambda: len(hub.seen) == 2)
        # The pause of seconds begins once the second answer is there.
        until(lambda: connection_is_free(client))
        client.close()
        assert_says_what_is_not_known(call.exception(WAIT_SECONDS), hub)


def test_an_asyncio_client_that_is_closed_between_attempts_says_what_is_not_known(hub: Hub) -> None:
    hub.answers.extend([CUT, LATER])

    async def closed_in_between() -> BaseException | None:
        files = hub.files
        client = pointbridge.aio.Client(
            f"127.0.0.1:{hub.port}", ca=files["ca"], certificate=files["certificate"], key=files["key"]
        )
        call = asyncio.ensure_future(client.exchanges.commit_exchange(**COMMIT))
        # The pause of seconds begins once the second answer is there.
        for _ in range(WAIT_SECONDS * 100):
            if call.done() or (len(hub.seen) == 2 and connection_is_free(client)):
                break
            await asyncio.sleep(0.01)
        await client.close()
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        return outcome if isinstance(outcome, BaseException) else None

    assert_says_what_is_not_known(asyncio.run(closed_in_between()), hub)


def connection_is_free(client: Any) -> bool:
    return bool(client._caller._connections._current.calls == 0)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_hub_that_comes_back_is_found_again(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect()
    client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    hub.stop()
    back = threading.Timer(0.3, hub.start)
    back.start()
    try:
        client.call("partners.who_am_i", timeout=WAIT_SECONDS)
    finally:
        back.join(WAIT_SECONDS)
    assert len(hub.seen) == 2


def test_a_hub_that_is_not_there_is_told_by_its_address(hub: Hub, connect: Callable[..., Driver]) -> None:
    client = connect()
    hub.stop()
    with pytest.raises(PointbridgeError, match=rf"127\.0\.0\.1:{hub.port} was not reached") as caught:
        client.call("partners.who_am_i", timeout=1)
    assert caught.value.reason is None
    assert caught.value.request_id is None
    assert not caught.value.is_outcome_unknown


def test_a_hub_of_another_authority_is_refused(hub: Hub, connect: Callable[..., Driver], tmp_path: Any) -> None:
    (tmp_path / "other").mkdir()
    stranger = Hub(tmp_path / "other")
    with pytest.raises(PointbridgeError) as caught:
        connect(ca=stranger.files["ca"]).call("partners.who_am_i", timeout=1)
    assert caught.value.code == grpc.StatusCode.UNAVAILABLE
    assert "of no authority in the file `ca`" in caught.value.message
    assert hub.seen == []


def test_the_name_of_the_hubs_certificate_is_held(hub: Hub, connect: Callable[..., Driver]) -> None:
    with pytest.raises(PointbridgeError, match="say `server_name`"):
        connect(server_name="hub.example").call("partners.who_am_i", timeout=1)
    assert hub.seen == []


def test_the_client_says_what_it_is(hub: Hub, connect: Callable[..., Driver]) -> None:
    connect().call("partners.who_am_i", timeout=WAIT_SECONDS)
    assert hub.seen[0].metadata["user-agent"].startswith("pointbridge-python/0.1.0 ")


def test_the_files_of_a_folder_are_found_by_one_name(hub: Hub, connect: Callable[..., Driver]) -> None:
    kind = type(connect().client)
    hub.files["certificate"].rename(hub.folder / "till.pem")
    hub.files["key"].rename(hub.folder / "till.key")
    made = kind.in_folder("hub.example:7443", hub.folder, "till")
    assert isinstance(made, kind)
    with pytest.raises(pointbridge.ConfigurationError, match=r"other\.pem"):
        kind.in_folder("hub.example:7443", hub.folder, "other")


def test_threads_share_one_client(hub: Hub) -> None:
    with threaded(hub) as client:
        threads = [
            threading.Thread(target=lambda: client.exchanges.commit_exchange(exchange_id=EXCHANGE)) for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_SECONDS)
    assert len(hub.seen) == len(ids(hub)) == 16
