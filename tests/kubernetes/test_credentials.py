"""Credentials from a kubeconfig, and what the API's answers become."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daiku.errors import ApiError, ConflictError, CredentialsError, NotFoundError, RateLimitError
from daiku.wire.kubernetes import Credentials
from daiku.wire.kubernetes_errors import error_of
from tests.kubernetes.certificates import Authority


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    authority = Authority()
    pair = authority.user("admin", "system:masters")
    return Credentials("https://10.10.0.100:6443", authority.cert, pair.cert, pair.key)


def test_a_kubeconfig_reads_back(credentials: Credentials) -> None:
    assert Credentials.from_kubeconfig(credentials.kubeconfig()) == credentials
    moved = Credentials.from_kubeconfig(
        credentials.kubeconfig(), server="https://127.0.0.1:40000", tls_server_name="10.10.0.100"
    )
    assert (moved.server, moved.tls_server_name) == ("https://127.0.0.1:40000", "10.10.0.100")
    assert moved.key_pem == credentials.key_pem


def test_the_key_is_not_shown(credentials: Credentials) -> None:
    assert "PRIVATE" not in repr(credentials)
    assert "BEGIN" not in repr(credentials)


def test_the_key_is_in_no_file(
    credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert credentials.tls().get_ca_certs()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("nothing", ["", "\n", "no certificate"])
def test_without_an_authority_nobody_is_trusted(credentials: Credentials, nothing: str) -> None:
    with pytest.raises(CredentialsError, match="cannot be read"):
        replace(credentials, ca_pem=nothing).tls()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("client-key-data", "client-key", "client-key-data is not in it"),
        ("current-context: daiku", "current-context: gone", "contexts has no entry 'gone'"),
        ("certificate-authority-data: ", "certificate-authority-data: '%'  #", "not base64"),
        ("certificate-authority-data: ", "certificate-authority-data: ''  #", "authority-data is empty"),
        ("client-key-data: ", "client-key-data: Cg==  #", "client-key-data is empty"),
        ("apiVersion: v1", "{", "not YAML"),
    ],
)
def test_an_unfit_kubeconfig_says_what_it_lacks(
    credentials: Credentials, old: str, new: str, why: str
) -> None:
    text = credentials.kubeconfig()
    assert old in text
    with pytest.raises(CredentialsError, match=why):
        Credentials.from_kubeconfig(text.replace(old, new))


def test_a_key_that_is_not_the_certificates_is_refused(credentials: Credentials) -> None:
    other = Authority().user("x")
    mixed = Credentials(credentials.server, credentials.ca_pem, credentials.cert_pem, other.key)
    with pytest.raises(CredentialsError, match="cannot be read"):
        mixed.tls()


@pytest.mark.parametrize(
    ("status", "answer", "kind", "hint"),
    [
        (401, {"reason": "Unauthorized", "message": "Unauthorized"}, CredentialsError, "expired"),
        (
            403,
            {"reason": "Forbidden", "message": 'pods is forbidden: User "x" cannot create'},
            CredentialsError,
            "right",
        ),
        (403, {"reason": "Forbidden", "message": "exceeded quota: tenant"}, ApiError, "tenant's share"),
        (
            403,
            {"message": "unable to create: namespace a is being terminated"},
            ConflictError,
            "on its way out",
        ),
        (404, {"reason": "NotFound", "message": 'namespaces "a" not found'}, NotFoundError, "namespace"),
        (
            409,
            {
                "message": "x",
                "details": {"causes": [{"field": ".spec.replicas", "message": 'conflict with "hpa"'}]},
            },
            ConflictError,
            '.spec.replicas: conflict with "hpa"',
        ),
        (
            422,
            {"message": "x", "details": {"causes": [{"field": "spec.size", "message": "Invalid value: 11"}]}},
            ApiError,
            "spec.size: Invalid value: 11",
        ),
        (
            400,
            {"message": 'admission webhook "v.kueue.io" denied the request: no'},
            ApiError,
            "webhook objects",
        ),
        (
            500,
            {"message": 'failed calling webhook "v.kueue.io": connection refused'},
            ApiError,
            "behind the webhook",
        ),
        (400, {"message": 'strict decoding error: unknown field "spec.a"'}, ApiError, "misspelt"),
        (503, {}, ApiError, "etcd"),
    ],
)
def test_each_refusal_becomes_its_error_with_a_next_step(
    status: int, answer: dict[str, Any], kind: type[ApiError], hint: str
) -> None:
    error = error_of(status, {}, json.dumps(answer).encode(), where="here")
    assert type(error) is kind
    assert hint in error.hint
    assert error.where == "here"
    assert error.status == status


def test_a_busy_server_says_when_to_come_back() -> None:
    error = error_of(429, {"Retry-After": "3"}, b"{}", where="here")
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 3


def test_secrets_are_taken_out_of_the_servers_words() -> None:
    answer = json.dumps({"message": "invalid value: hunter2"}).encode()
    assert "hunter2" not in str(error_of(422, {}, answer, where="here", secrets=["hunter2"]))
