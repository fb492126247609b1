from __future__ import annotations

import pytest

from daiku.errors import CredentialsError
from daiku.wire.credentials import (
    CLOUD_ROOT_URL,
    PHY_ROOT_URL,
    Endpoints,
    SakuraCredentials,
    credentials_from_environment,
    endpoints_from_environment,
    is_loopback,
)


def test_the_secret_is_not_shown() -> None:
    shown = repr(SakuraCredentials("token", "hidden-value"))
    assert "hidden-value" not in shown
    assert "token" in shown


@pytest.mark.parametrize("prefix", ["SAKURACLOUD", "SAKURA"])
def test_both_families_of_names_are_read(prefix: str) -> None:
    environ = {f"{prefix}_ACCESS_TOKEN": "t", f"{prefix}_ACCESS_TOKEN_SECRET": "s"}
    assert credentials_from_environment(environ) == SakuraCredentials("t", "s")


@pytest.mark.parametrize("missing", ["SAKURACLOUD_ACCESS_TOKEN", "SAKURACLOUD_ACCESS_TOKEN_SECRET"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_the_missing_variable_is_named(missing: str, value: str | None) -> None:
    environ = {"SAKURACLOUD_ACCESS_TOKEN": "t", "SAKURACLOUD_ACCESS_TOKEN_SECRET": "s"}
    del environ[missing]
    if value is not None:
        environ[missing] = value
    with pytest.raises(CredentialsError) as caught:
        credentials_from_environment(environ)
    assert caught.value.message == f"{missing} is not set"
    assert missing in caught.value.hint
    assert caught.value.exit_code == 10


def test_nothing_set_is_the_real_api_with_its_throttle() -> None:
    assert endpoints_from_environment({}) == Endpoints(CLOUD_ROOT_URL, PHY_ROOT_URL, "is1a", 5.0, 5.0)


def test_a_moved_cloud_root_moves_the_phy_root_with_it() -> None:
    endpoints = endpoints_from_environment({"SAKURACLOUD_API_ROOT_URL": "http://127.0.0.1:8080/cloud/zone/"})
    assert endpoints.cloud_root == "http://127.0.0.1:8080/cloud/zone"
    assert endpoints.phy_root == "http://127.0.0.1:8080/cloud/api/dedicated-phy/1.0"


def test_a_moved_cloud_root_never_leaves_the_phy_root_at_the_real_api() -> None:
    with pytest.raises(CredentialsError, match="PHY") as caught:
        endpoints_from_environment({"SAKURA_API_ROOT_URL": "http://127.0.0.1:8080/iaas"})
    assert "SAKURA_PHY_API_ROOT_URL" in caught.value.hint


def test_rate_and_poll_interval() -> None:
    environ = {"SAKURA_RATE_LIMIT": "0", "SAKURA_POLL_INTERVAL": "0.1", "SAKURA_ZONE": "tk1b"}
    endpoints = endpoints_from_environment(environ)
    assert endpoints.requests_per_second is None
    assert endpoints.poll_interval == 0.1
    assert endpoints.zone == "tk1b"


@pytest.mark.parametrize("value", ["fast", "-1", "nan", "inf"])
def test_a_rate_that_is_no_number_is_refused_by_name(value: str) -> None:
    with pytest.raises(CredentialsError, match="SAKURACLOUD_RATE_LIMIT must be"):
        endpoints_from_environment({"SAKURACLOUD_RATE_LIMIT": value})


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("https://secure.sakura.ad.jp/cloud/zone", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback
