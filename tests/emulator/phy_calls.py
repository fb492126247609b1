"""Calls of the PHY API that many tests make."""

from __future__ import annotations

from typing import Any

from .conftest import GPU1, GPU2, Caller
from .test_networks import KEY

INSTALL = {
    "os_image_id": "ubuntu2404",
    "password": "correct1horse",
    "manual_partition": False,
    "ssh_public_keys": [KEY],
    "allow_password_login": False,
}


def server(api: Caller, service_id: str = GPU1) -> dict[str, Any]:
    answer = api.phy("GET", f"/servers/{service_id}/")
    assert answer.status == 200, answer.raw
    return answer.json["server"]


def assign(api: Caller, number: int, port: int, **given: Any) -> Any:
    body = {
        "mode": "access",
        "internet_type": None,
        "dedicated_subnet_id": None,
        "private_network_ids": None,
    } | given
    return api.phy("POST", f"/servers/{[GPU1, GPU2][number]}/ports/{port}/assign_network/", body)
