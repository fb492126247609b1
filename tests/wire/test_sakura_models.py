from __future__ import annotations

import pytest

from daiku.errors import ApiError
from daiku.wire.sakura_models import Appliance, Disk, Internet, LocalRouter, PacketFilter, Server, Switch


def test_a_server_with_the_gaps_that_php_leaves() -> None:
    server = Server.of(
        {
            "ID": "112900000001",
            "Name": "cp0",
            "Description": None,
            "Tags": [],
            "Icon": None,
            "Instance": [],
            "ServerPlan": {"ID": 100, "CPU": "4", "MemoryMB": 8192, "GPU": None},
            "Interfaces": [{"ID": 5, "MACAddress": "9C:A3:BA:00:00:01", "Switch": None, "PacketFilter": []}],
            "Disks": None,
            "NewField": {"x": 1},
        }
    )
    assert server.instance.status == ""
    assert (server.plan.cpu, server.plan.gpu) == (4, 0)
    assert server.interfaces[0].switch is None
    assert server.interfaces[0].id == "5"
    assert server.disks == ()
    assert server.model_extra == {"Icon": None, "NewField": {"x": 1}}


def test_the_places_of_an_appliances_nics_are_kept() -> None:
    nics = [{"IPAddress": "203.0.113.2"}, None, {"Switch": {"ID": "7"}}, None, None, None, None, None]
    router = Appliance.of({"ID": "1", "Class": "vpcrouter", "Interfaces": nics, "Settings": []})
    assert [nic is not None for nic in router.interfaces] == [True, False, True] + [False] * 5
    assert router.settings == {}


def test_a_router_with_its_switch() -> None:
    subnet = {
        "ID": 1,
        "NetworkAddress": "203.0.113.0",
        "NetworkMaskLen": 28,
        "DefaultRoute": "203.0.113.1",
        "IPAddresses": {"Min": "203.0.113.4", "Max": "203.0.113.14"},
    }
    router = Internet.of({"ID": "1", "BandWidthMbps": 250, "Switch": {"ID": 7, "Subnets": [subnet]}})
    assert router.switch.id == "7"
    assert router.switch.subnets[0].ip_addresses.max == "203.0.113.14"


def test_others() -> None:
    assert Switch.of({"ID": "1", "HybridConnection": {"ID": "h"}}).hybrid_connection == {"ID": "h"}
    assert Disk.of({"ID": "1", "SizeMB": "20480", "Availability": "migrating"}).size_mb == 20480
    rules = [{"Protocol": "tcp", "DestinationPort": 22, "Action": "allow"}]
    assert PacketFilter.of({"ID": "1", "Expression": rules}).expression[0].destination_port == "22"


def test_secrets_do_not_show() -> None:
    router = LocalRouter.of(
        {"ID": "1", "Status": {"SecretKeys": ["hush"]}, "Settings": {"SecretKey": "hush"}}
    )
    assert router.secret_keys == ("hush",)
    assert "hush" not in repr(router)


def test_a_shape_that_cannot_be_read_is_an_error_without_its_value() -> None:
    with pytest.raises(ApiError) as caught:
        Disk.of({"ID": "1", "SizeMB": "much"})
    assert caught.value.message.startswith("the answer's SizeMB cannot be read")
    assert "much" not in caught.value.message
