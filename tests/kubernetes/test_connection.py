"""Whom the client trusts, and who it says that it is."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from daiku.errors import CredentialsError, UnreachableError
from daiku.wire.kubernetes import connect
from tests.kubernetes.certificates import SERVER_NAME, Authority
from tests.kubernetes.control_plane import ControlPlane

pytestmark = pytest.mark.kubernetes


def test_the_server_is_asked_for_the_name_in_its_certificate(plane: ControlPlane) -> None:
    port = urlsplit(plane.server).port
    elsewhere = replace(plane.admin, server=f"https://localhost:{port}")
    with connect(replace(elsewhere, tls_server_name=SERVER_NAME)) as api:
        assert api.kind("v1", "Pod") is not None
    # At once, however patient: no waiting turns one server into another.
    with connect(elsewhere, patience=3600) as api, pytest.raises(UnreachableError) as caught:
        api.kind("v1", "Pod")
    assert "another cluster" in caught.value.hint


def test_a_server_of_another_authority_is_not_talked_to(plane: ControlPlane) -> None:
    stranger = replace(plane.admin, ca_pem=Authority().cert)
    with (
        connect(stranger, patience=3600) as api,
        pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        api.kind("v1", "Pod")


def test_a_certificate_of_another_authority_is_not_accepted(plane: ControlPlane) -> None:
    pair = Authority().user("admin", "system:masters")
    with (
        connect(replace(plane.admin, cert_pem=pair.cert, key_pem=pair.key)) as api,
        pytest.raises(CredentialsError) as caught,
    ):
        api.list("v1", "Pod")
    assert "another cluster's CA" in caught.value.hint


def test_nobody_at_the_address_is_unreachable_after_the_patience(plane: ControlPlane) -> None:
    with (
        connect(replace(plane.admin, server="https://127.0.0.1:1"), patience=0.2) as api,
        pytest.raises(UnreachableError) as caught,
    ):
        api.kind("v1", "Pod")
    assert "control plane" in caught.value.hint


def test_a_server_that_does_not_know_us_is_not_merely_unready(plane: ControlPlane) -> None:
    pair = Authority().user("admin", "system:masters")
    with (
        connect(replace(plane.admin, cert_pem=pair.cert, key_pem=pair.key)) as api,
        pytest.raises(CredentialsError) as caught,
    ):
        api.ready()
    assert caught.value.status == 401


def test_the_servers_clock_is_known_from_its_answers(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    with connect(plane.admin) as api:
        assert api.ahead == 0.0
        monkeypatch.setattr("daiku.wire.kubernetes.time.time", lambda: real() - 7200)
        assert api.ready()
        assert abs(api.ahead - 7200) < 60
