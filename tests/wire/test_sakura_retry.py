from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import API, Script, Time

from daiku.errors import DeadlineError, RateLimitError
from daiku.wire.budget import Budget, await_budget
from daiku.wire.credentials import SakuraCredentials
from daiku.wire.retry import Tempo, Throttle, account_throttle, wait_until
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import SWITCH


def test_backoff_doubles_up_to_its_ceiling() -> None:
    tempo = Tempo()
    assert [tempo.backoff(n, 1.0) for n in range(8)] == [1, 2, 4, 8, 16, 32, 64, 64]
    assert tempo.backoff(3, 0.0) == 4  # the least of the spread: half


@given(attempt=st.integers(0, 200), roll=st.floats(0, 1, exclude_max=True))
def test_backoff_is_never_over_its_ceiling_nor_under_half_of_the_first(attempt: int, roll: float) -> None:
    assert 0.5 <= Tempo().backoff(attempt, roll) <= 64


def test_a_fast_tempo_keeps_its_proportions() -> None:
    fast = Tempo.of_poll(0.05)
    assert fast.poll == 0.05
    assert fast.repeat_power == pytest.approx(0.2)
    assert fast.settle == pytest.approx(0.05)
    assert Tempo.of_poll(5.0) == Tempo()


def test_the_throttle_spaces_calls(time: Time) -> None:
    throttle = Throttle(5.0, clock=time.clock, sleep=time.sleep)
    for _ in range(11):
        throttle.take()
    assert time.now == pytest.approx(2.0)  # eleven calls, ten gaps of 0.2 s


def test_an_idle_throttle_saves_up_no_more_than_its_burst(time: Time) -> None:
    throttle = Throttle(5.0, clock=time.clock, sleep=time.sleep, burst=3)
    time.now = 1000.0
    waits = [throttle.take() for _ in range(5)]
    assert waits == pytest.approx([0, 0, 0, 0.2, 0.2])


def test_the_throttle_is_one_for_an_account(time: Time) -> None:
    def of(account: str, root: str = "http://a") -> Throttle:
        return account_throttle(account, root, 5.0, clock=time.clock, sleep=time.sleep)

    assert of("one") is of("one")
    assert of("one") is not of("two")
    assert of("one") is not of("one", "http://b")


def test_clients_of_an_account_share_its_rate(script: Script, time: Time) -> None:
    script.say("GET", f"{API}/switch", {"Switches": [], "Total": 0})
    key = SakuraCredentials("11111111-0000-4000-8000-000000000000", "s")
    clients = [
        SakuraCloud(key, root_url=script.url, requests_per_second=5, sleep=time.sleep, clock=time.clock)
        for _ in range(3)
    ]
    for _ in range(7):
        for client in clients:
            client.find(SWITCH)
    for client in clients:
        client.close()
    assert time.now == pytest.approx(4.0)  # 21 calls, 20 gaps


def test_threads_share_the_throttle() -> None:
    waits: list[float] = []
    throttle = Throttle(10.0, clock=lambda: 0.0, sleep=waits.append)
    threads = [threading.Thread(target=throttle.take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == pytest.approx([n / 10 for n in range(1, 20)])


@given(
    limit=st.integers(1, 6),
    window=st.integers(1, 100),
    gaps=st.lists(st.integers(0, 60), min_size=1, max_size=60),
)
def test_a_budget_is_never_overspent(limit: int, window: int, gaps: list[int]) -> None:
    budget = Budget(limit, window)
    now, booked = 0, list[int]()
    for gap in gaps:
        now += gap
        wait = budget.spend(now)
        if wait == 0.0:
            booked.append(now)
        else:
            assert 0 < wait <= window
    for start in booked:
        assert sum(1 for at in booked if start <= at < start + window) <= limit


def test_a_budget_waits_as_long_as_it_must(time: Time) -> None:
    budget = Budget(5, 300.0)
    waits = [
        await_budget(budget, what="calls", longest=330.0, clock=time.clock, sleep=time.sleep)
        for _ in range(6)
    ]
    assert waits == [0, 0, 0, 0, 0, 300.0]
    assert budget.left(time.now) == 4


def test_a_budget_refuses_what_would_take_too_long(time: Time) -> None:
    budget = Budget(1, 3600.0)
    budget.spend(time.now)
    time.now = 600.0
    with pytest.raises(RateLimitError) as caught:
        await_budget(budget, what="PHY calls", longest=330.0, clock=time.clock, sleep=time.sleep)
    assert caught.value.retry_after == 3000.0
    assert "PHY calls" in caught.value.message
    assert time.slept == []


def test_a_wait_looks_once_more_at_its_deadline(time: Time) -> None:
    def probe() -> str | None:
        return "there" if time.now >= 12 else None

    found = wait_until(probe, what="it", where="x", deadline=12, poll=5, clock=time.clock, sleep=time.sleep)
    assert found == "there"
    assert time.slept == [5, 5, 2]


def test_a_wait_that_ends_in_vain_names_what_and_where(time: Time) -> None:
    with pytest.raises(DeadlineError) as caught:
        wait_until(
            lambda: None,
            what="power on",
            where="server 1",
            deadline=10,
            poll=5,
            clock=time.clock,
            sleep=time.sleep,
            detail=lambda: ": still cleaning",
        )
    assert str(caught.value) == "server 1: power on did not happen within 10 s: still cleaning"
    assert caught.value.exit_code == 14
