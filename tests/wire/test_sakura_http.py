"""The transport: what is sent, what is retried, and how every refusal reads."""

from __future__ import annotations

import base64
import socket
import threading

import pytest
from scripted import SECRET, TOKEN, Script, Time

from daiku.errors import (
    ApiError,
    ConflictError,
    CredentialsError,
    NotFoundError,
    RateLimitError,
    UnreachableError,
)
from daiku.wire.api_errors import error_of, redact, words_of
from daiku.wire.credentials import SakuraCredentials
from daiku.wire.http import Http, Patience


@pytest.fixture
def http(script: Script, credentials: SakuraCredentials, time: Time) -> Http:
    return Http(credentials, script.url, sleep=time.sleep, clock=time.clock)


def test_the_headers_of_the_official_clients_are_sent(http: Http, script: Script) -> None:
    script.say("POST", "/a", {"ok": True})
    http.request("POST", "/a", body={"Name": "さくら"})
    seen = script.seen[0]
    assert seen.headers["Authorization"] == "Basic " + base64.b64encode(f"{TOKEN}:{SECRET}".encode()).decode()
    assert seen.headers["X-Requested-With"] == "XMLHttpRequest"
    assert seen.headers["X-Sakura-Bigint-As-Int"] == "1"
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.body == {"Name": "さくら"}


def test_a_call_without_a_body_has_no_content_type(http: Http, script: Script) -> None:
    script.say("GET", "/a", {})
    http.request("GET", "/a")
    assert "Content-Type" not in script.seen[0].headers


@pytest.mark.parametrize("status", [423, 503])
def test_locked_and_busy_are_retried_with_growing_pauses(
    http: Http, script: Script, time: Time, status: int
) -> None:
    script.refuse("POST", "/a", status, "busy").refuse("POST", "/a", status, "busy").say(
        "POST", "/a", {"ok": 1}
    )
    assert http.request("POST", "/a", body={}) == {"ok": 1}
    assert len(script.seen) == 3
    first, second = time.slept
    assert 0.5 <= first <= 1
    assert 1 <= second <= 2


def test_busy_is_not_retried_for_ever(http: Http, script: Script) -> None:
    script.refuse("GET", "/a", 503, "busy", "the system is busy")
    with pytest.raises(ApiError, match="the system is busy") as caught:
        http.request("GET", "/a")
    assert caught.value.status == 503
    assert len(script.seen) == 10


@pytest.mark.parametrize("status", [400, 402, 403, 405, 413, 500, 502, 504])
def test_nothing_else_is_retried(http: Http, script: Script, status: int) -> None:
    script.refuse("POST", "/a", status, "bad_request", "Invalid.\nThe property Name is required")
    with pytest.raises(ApiError) as caught:
        http.request("POST", "/a", body={})
    assert len(script.seen) == 1
    assert caught.value.message == "Invalid. / The property Name is required"
    assert caught.value.where == f"POST {script.url}/a"
    assert (caught.value.status, caught.value.code, caught.value.exit_code) == (status, "bad_request", 12)


def test_a_wrong_key_names_the_variables(http: Http, script: Script) -> None:
    script.refuse("GET", "/a", 401, "unauthorized", "error-unauthorized")
    with pytest.raises(CredentialsError) as caught:
        http.request("GET", "/a")
    assert "SAKURACLOUD_ACCESS_TOKEN_SECRET" in caught.value.hint
    assert caught.value.exit_code == 10


def test_still_creating_is_ridden_out_only_on_demand(http: Http, script: Script, time: Time) -> None:
    script.refuse("PUT", "/a", 409, "still_creating").refuse("PUT", "/a", 409, "still_creating").say(
        "PUT", "/a", {}
    )
    with pytest.raises(ConflictError):
        http.request("PUT", "/a")
    http.request("PUT", "/a", patience=Patience(still_creating=1800))
    assert time.slept == [20]


def test_still_creating_ends(http: Http, script: Script, time: Time) -> None:
    script.refuse("PUT", "/a", 409, "still_creating")
    with pytest.raises(ConflictError):
        http.request("PUT", "/a", patience=Patience(still_creating=1800))
    assert time.now == 1800


def test_another_conflict_is_not_ridden_out(http: Http, script: Script) -> None:
    script.refuse("PUT", "/a", 409, "conflict", "in use")
    with pytest.raises(ConflictError, match="in use"):
        http.request("PUT", "/a", patience=Patience(still_creating=1800))
    assert len(script.seen) == 1


def test_absence_is_ridden_out_only_on_demand(http: Http, script: Script, time: Time) -> None:
    script.refuse("GET", "/a", 404, "not_found").refuse("GET", "/a", 404, "not_found").say(
        "GET", "/a", {"x": 1}
    )
    with pytest.raises(NotFoundError):
        http.request("GET", "/a")
    assert http.request("GET", "/a", patience=Patience(absent=90)) == {"x": 1}
    assert time.slept == [3]


def test_a_rate_limit_is_waited_for_as_told(http: Http, script: Script, time: Time) -> None:
    body = {"type": "about:blank", "title": "throttled", "detail": "slow down", "status": 429}
    script.say("GET", "/a", body, 429, Retry_After="17").say("GET", "/a", {})
    http.request("GET", "/a", patience=Patience(rate_limited=60))
    assert time.slept == [17]


def test_a_rate_limit_beyond_the_patience_says_when_to_come_back(
    http: Http, script: Script, time: Time
) -> None:
    body = {"type": "about:blank", "title": "throttled", "detail": "slow down", "status": 429}
    script.say("GET", "/a", body, 429, Retry_After="1700")
    with pytest.raises(RateLimitError, match="slow down") as caught:
        http.request("GET", "/a", patience=Patience(rate_limited=60))
    assert caught.value.retry_after == 1700
    assert "1700 s" in caught.value.hint
    assert time.slept == []


def test_a_lost_connection_is_tried_again_only_where_nothing_was_changed(http: Http, script: Script) -> None:
    script.say("GET", "/a", status=0).say("GET", "/a", {"x": 1})
    assert http.request("GET", "/a") == {"x": 1}
    script.say("POST", "/a", status=0)
    with pytest.raises(UnreachableError, match="whether the call was carried out is not known"):
        http.request("POST", "/a", body={})
    assert script.calls() == ["GET /a", "GET /a", "POST /a"]


def test_an_unreachable_api_is_named(credentials: SakuraCredentials, time: Time) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        http = Http(credentials, url, sleep=time.sleep, clock=time.clock)
        with pytest.raises(UnreachableError) as caught:
            http.request("POST", "/a", body={})
    assert url in caught.value.message
    assert "not known" not in caught.value.message
    assert caught.value.exit_code == 11


def test_no_secret_is_in_an_error_even_if_the_api_repeats_it(http: Http, script: Script) -> None:
    script.refuse("PUT", "/a", 400, "bad_request", f"bad password hunter2hunter2 for {SECRET}")
    with pytest.raises(ApiError) as caught:
        http.request("PUT", "/a", body={"Config": [{"Password": "hunter2hunter2"}]})
    shown = f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert "hunter2" not in shown
    assert SECRET not in shown
    assert "bad password ***" in shown


@pytest.mark.parametrize("content", [b"<html>proxy</html>", b'"text"', b"[1]"])
def test_an_answer_that_is_no_object_is_an_error(http: Http, script: Script, content: bytes) -> None:
    script.say("GET", "/a", content)
    with pytest.raises(ApiError, match="not a JSON object"):
        http.request("GET", "/a")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}"])
def test_every_empty_answer_is_an_empty_object(http: Http, script: Script, content: bytes) -> None:
    script.say("DELETE", "/a", content)
    assert http.request("DELETE", "/a") == {}


def test_every_exchange_is_reported(script: Script, credentials: SakuraCredentials, time: Time) -> None:
    calls: list[tuple[str, str, int]] = []
    http = Http(
        credentials,
        script.url,
        sleep=time.sleep,
        clock=time.clock,
        on_call=lambda method, path, status, seconds: calls.append((method, path, status)),
    )
    script.refuse("GET", "/a", 503, "busy").say("GET", "/a", {})
    http.request("GET", "/a", query="secret-free")
    assert calls == [("GET", "/a", 503), ("GET", "/a", 200)]


def test_threads_share_one_client(http: Http, script: Script) -> None:
    script.say("GET", "/a", {"x": 1})
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(http.request("GET", "/a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"x": 1}] * 8


def test_phys_errors_tell_each_field() -> None:
    content = (
        b'{"type":"about:blank","title":"invalid","detail":"Invalid parameters.","status":400,"invalid_parameters":'
        b'{"password":[{"code":"min_length","message":"too short"}],"non_field_errors":[{"code":"inconsistent",'
        b'"message":"one network"}]}}'
    )
    assert words_of(content) == (
        "invalid",
        "Invalid parameters. (non_field_errors: one network; password: too short)",
    )


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"null", b"\xff\xfe"])
def test_an_error_without_words_is_named_by_its_status(content: bytes) -> None:
    assert error_of(502, {}, content, []).message == "HTTP status 502"


def test_overlapping_secrets_leave_nothing_behind() -> None:
    assert redact("abc abcdef", ["abc", "abcdef", ""]) == "*** ***"
