"""The lab's netplan, without a host: files to wishes, wishes to `ip` lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.lab.hosts.disk import netplan as first_netplan
from daiku.lab.hosts.guest.netplan import Link, commands, links, read, rename_commands
from daiku.lab.hosts.guest.netplan_files import NetplanError, devices, merge
from daiku.lab.topology import Nic

PRESENT = {"lo": "00:00:00:00:00:00", "eth0": "02:00:00:00:00:01", "eth1": "02:00:00:00:00:02"}


def parse(ethernets: dict[str, Any]) -> Any:
    return devices({"network": {"version": 2, "ethernets": ethernets}})


def test_the_first_netplan_file_is_understood_by_netplan() -> None:
    nics = (
        Nic("eth0", "02:00:00:00:00:01", "node", ("10.0.0.2/24",), "10.0.0.1"),
        Nic("eth1", "02:00:00:00:00:02", "rail"),
    )
    (device,) = devices(yaml.safe_load(first_netplan(nics)))
    assert device.matches("whatever", "02:00:00:00:00:01")
    assert (device.set_name, device.addresses) == ("eth0", ("10.0.0.2/24",))
    assert device.routes == (("default", "via", "10.0.0.1"),)


def test_a_machine_without_addresses_has_an_empty_netplan_file() -> None:
    assert devices(yaml.safe_load(first_netplan((Nic("eth0", "02:00:00:00:00:01", None),)))) == ()


def test_later_files_win_and_lists_are_joined() -> None:
    first = {"network": {"version": 2, "ethernets": {"eth0": {"mtu": 1500, "addresses": ["10.0.0.1/24"]}}}}
    second = {"network": {"ethernets": {"eth0": {"mtu": 9000, "addresses": ["10.0.1.1/24", "10.0.0.1/24"]}}}}
    merged = merge([first, second])["network"]["ethernets"]["eth0"]
    assert merged == {"mtu": 9000, "addresses": ["10.0.0.1/24", "10.0.1.1/24"]}


def test_files_are_read_by_name_and_a_later_folder_hides_an_earlier_one(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    for folder, name, mtu in ((low, "10.yaml", 1400), (low, "20.yaml", 1500), (high, "20.yaml", 9000)):
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(f"network: {{ethernets: {{eth0: {{mtu: {mtu}}}}}}}\n")
        path.chmod(0o600)
    assert read((low, high))[0].mtu == 9000


def test_routes_and_policies_become_words_for_ip() -> None:
    (device,) = parse(
        {
            "eth0": {
                "gateway4": "10.0.0.1",
                "routes": [
                    {"to": "172.16.0.0/12", "via": "10.0.0.9", "metric": 50, "table": 100, "on-link": True},
                    {"to": "192.168.0.0/16", "scope": "link"},
                ],
                "routing-policy": [{"from": "10.0.0.2", "table": 100, "priority": 7}],
            }
        }
    )
    assert [" ".join(words) for words in device.routes] == [
        "172.16.0.0/12 via 10.0.0.9 metric 50 table 100 onlink",
        "192.168.0.0/16 scope link",
        "default via 10.0.0.1",
    ]
    assert device.rules == (("from", "10.0.0.2/32", "table", "100", "priority", "7"),)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"adresses": []}, "network.ethernets.eth0.adresses: unknown key"),
        ({"addresses": ["10.0.0.1"]}, "addresses.0: address '10.0.0.1' is missing /prefixlength"),
        ({"addresses": ["10.0.0.300/24"]}, "addresses.0: "),
        ({"set-name": "gpu0"}, "set-name: needs a `match`"),
        ({"mtu": "big"}, "mtu: 'big' is not an MTU"),
        ({"gateway4": "fd00::1"}, "gateway4: fd00::1 is not an IPv4 address"),
        ({"routes": [{"via": "10.0.0.1"}]}, "routes.0.to: is missing"),
        ({"routes": [{"to": "10.1.0.0/16"}]}, "routes.0.via: is missing"),
        ({"routing-policy": [{"table": 1}]}, "routing-policy.0: needs `table` and `from` or `to`"),
        ({"match": {"driver": "mlx5"}}, "match.driver: "),
    ],
)
def test_faults_name_the_key(body: dict[str, Any], complaint: str) -> None:
    with pytest.raises(NetplanError) as caught:
        parse({"eth0": body})
    assert complaint in str(caught.value)


def test_devices_find_their_interface_by_mac_or_name() -> None:
    wanted = parse(
        {
            "rail": {"match": {"macaddress": "02:00:00:00:00:02"}, "set-name": "gpu0", "mtu": 9000},
            "lo": {"addresses": ["10.0.0.100/32"]},
            "eth9": {"addresses": ["10.9.0.1/24"]},
        }
    )
    carried, renames = links(wanted, PRESENT)
    assert carried == (Link("gpu0", mtu=9000), Link("lo", addresses=("10.0.0.100/32",)))
    assert renames == {"eth1": "gpu0"}


def test_two_ports_can_swap_their_names() -> None:
    assert rename_commands({"eth0": "eth1", "eth1": "eth0"}, PRESENT) == [
        "link set dev eth0 down",
        "link set dev eth0 name daiku-tmp0",
        "link set dev eth1 down",
        "link set dev eth1 name daiku-tmp1",
        "link set dev daiku-tmp0 name eth1",
        "link set dev daiku-tmp1 name eth0",
    ]


def test_only_what_was_applied_before_is_taken_away() -> None:
    before = Link(
        "eth0", 9000, ("10.0.0.1/24", "10.0.1.1/24"), (("default", "via", "10.0.0.9"),), (("from", "a"),)
    )
    after = Link("eth0", 0, ("10.0.0.1/24",), (("default", "via", "10.0.0.8"),))
    assert commands([before], [after]) == [
        "rule del from a",
        "address del 10.0.1.1/24 dev eth0",
        "link set dev eth0 mtu 1500",
        "link set dev eth0 up",
        "address replace 10.0.0.1/24 dev eth0",
        "route replace default via 10.0.0.8 dev eth0",
    ]
