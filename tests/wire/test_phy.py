"""PHY: paths and bodies, its scarce calls, and an installation that is ordered once."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import parse_qs

import pytest
from scripted import Script, Time

from daiku.errors import ApiError, ConflictError, DeadlineError, NotFoundError, RateLimitError
from daiku.wire.credentials import SakuraCredentials
from daiku.wire.phy import OsInstall, Phy

ID = "123456789012"
SERVER = f"/servers/{ID}/"
ORDER = OsInstall("ubuntu24", "passw0rd-of-host", ("ssh-ed25519 AAAA a",))


def server(lock: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"server_id": ID, "lock_status": lock, **fields}


def listing(*servers: dict[str, Any], count: int | None = None) -> dict[str, Any]:
    return {"meta": {"count": len(servers) if count is None else count}, "servers": list(servers)}


def conflict(detail: str = "busy") -> dict[str, Any]:
    return {"type": "about:blank", "title": "conflict", "detail": detail, "status": 409}


def test_a_server_as_the_specification_has_it(phy: Phy, script: Script) -> None:
    port = {
        "port_id": 2001,
        "nickname": "p1",
        "port_channel_id": 1001,
        "mode": "trunk",
        "enabled": True,
        "internet": None,
        "private_networks": [
            {"private_network_id": "113000000002", "nickname": "b"},
            {"private_network_id": "113000000001", "nickname": "a"},
        ],
    }
    script.say(
        "GET",
        SERVER,
        {
            "server": server(
                "configure_raid",
                ipv4={"type": "common_ip_address", "ip_address": "203.0.113.5", "prefix_length": 24},
                ports=[port],
                port_channels=[{"port_channel_id": 1001, "bonding_type": "lacp", "link_speed_type": "10gbe"}],
                cached_power_status={"status": "on", "stored": "2026-11-01T00:00:00+09:00"},
            )
        },
    )
    found = phy.server(ID)
    assert found.lock_status == "configure_raid"
    assert found.ports[0].private_network_ids == ("113000000001", "113000000002")
    assert found.ipv4 is not None
    assert found.ipv4.ip_address == "203.0.113.5"
    assert found.cached_power_status is not None
    assert found.cached_power_status.status == "on"


def test_what_a_newer_api_adds_passes_through(phy: Phy, script: Script) -> None:
    channel = {"port_channel_id": 1, "bonding_type": "mesh", "link_speed_type": "400gbe"}
    script.say(
        "GET",
        SERVER,
        {"server": server("firmware_update", gpus=[{"model": "H100"}], port_channels=[channel])},
    )
    found = phy.server(ID)
    assert found.lock_status == "firmware_update"
    assert found.port_channels[0].link_speed_type == "400gbe"
    assert found.model_extra == {"gpus": [{"model": "H100"}]}


@pytest.mark.parametrize(
    "answer", [{}, {"server": None}, {"server": {"server_id": ID, "ports": [{"port_id": "x"}]}}]
)
def test_an_answer_of_another_shape_is_an_error(phy: Phy, script: Script, answer: dict[str, Any]) -> None:
    script.say("GET", SERVER, answer)
    with pytest.raises(ApiError, match="cannot be read"):
        phy.server(ID)


def test_every_path_ends_with_a_slash(phy: Phy, script: Script) -> None:
    script.say(
        "GET", "/services/", {"meta": {"count": 1}, "services": [{"service_id": ID, "plan": {"name": "x"}}]}
    )
    script.say("GET", f"{SERVER}os_images/", {"os_images": [{"os_image_id": "u24", "name": "Ubuntu"}]})
    script.say("GET", f"{SERVER}power_status/", {"power_status": {"status": "off"}})
    script.say("GET", f"{SERVER}raid_status/", {"raid_status": {"overall_status": "ok"}})
    script.say("GET", f"{SERVER}ports/7/", {"port": {"port_id": 7}})
    script.say("GET", f"{SERVER}port_channels/3/", {"port_channel": {"port_channel_id": 3, "ports": [7, 8]}})
    script.say("GET", "/private_networks/", {"meta": {"count": 0}, "private_networks": []})
    script.say(
        "GET", "/private_networks/1/", {"private_network": {"private_network_id": "1", "vlan_id": 100}}
    )
    script.say("GET", "/dedicated_subnets/", {"meta": {"count": 0}, "dedicated_subnets": []})
    script.say("GET", "/dedicated_subnets/2/", {"dedicated_subnet": {"dedicated_subnet_id": "2"}})
    script.say("POST", f"{SERVER}power_control/", None, 204)
    assert phy.services()[0].service_id == ID
    assert phy.os_images(ID)[0].name == "Ubuntu"
    assert phy.power_status(ID) == "off"
    assert phy.raid_status(ID, refresh=True).overall_status == "ok"
    assert phy.port(ID, 7).port_id == 7
    assert phy.port_channel(ID, 3).ports == (7, 8)
    assert phy.private_networks() == ()
    assert phy.private_network("1").vlan_id == 100
    assert phy.dedicated_subnets() == ()
    assert phy.dedicated_subnet("2").dedicated_subnet_id == "2"
    phy.power_control(ID, "soft")
    assert script.seen[-1].body == {"operation": "soft"}
    assert script.seen[-1].headers["X-Requested-With"] == "XMLHttpRequest"


def test_texts_are_patched(phy: Phy, script: Script) -> None:
    script.say("PATCH", f"/services/{ID}/", {"service": {"service_id": ID, "nickname": "gpu0"}})
    script.say("PATCH", f"{SERVER}ports/7/", {"port": {"port_id": 7, "nickname": "rail0"}})
    assert phy.rename_service(ID, "gpu0", None).nickname == "gpu0"
    assert phy.rename_port(ID, 7, "rail0").nickname == "rail0"
    assert [seen.body for seen in script.seen] == [
        {"nickname": "gpu0", "description": None},
        {"nickname": "rail0"},
    ]


def test_a_listing_is_read_to_its_end_and_in_order(phy: Phy, script: Script) -> None:
    names = [f"{n:012d}" for n in range(150)]
    servers = [{"server_id": name} for name in reversed(names)]
    script.say("GET", "/servers/", listing(*servers[:100], count=150))
    script.say("GET", "/servers/", listing(*servers[99:149], count=150))  # one moved between the pages
    script.say("GET", "/servers/", listing(*servers[149:], count=150))
    assert [server.server_id for server in phy.servers()] == names
    assert [parse_qs(seen.query)["offset"] for seen in script.seen] == [["0"], ["100"], ["150"]]


def test_an_assignment_is_whole_and_sorted(phy: Phy, script: Script) -> None:
    script.say("POST", f"{SERVER}ports/7/assign_network/", {"port": {"port_id": 7, "mode": "trunk"}})
    script.say("POST", f"{SERVER}ports/7/enable/", {"port": {"port_id": 7, "enabled": False}})
    script.say(
        "POST", f"{SERVER}port_channels/3/configure_bonding/", {"port_channel": {"port_channel_id": 3}}
    )
    phy.assign_network(ID, 7, mode="trunk", private_network_ids=["2", "1"])
    phy.assign_network(ID, 7, mode="access", internet="dedicated_subnet", dedicated_subnet_id="9")
    assert phy.enable_port(ID, 7, False).enabled is False
    phy.configure_bonding(ID, 3, "lacp", ["bond0"])
    assert [seen.body for seen in script.seen] == [
        {
            "mode": "trunk",
            "internet_type": None,
            "dedicated_subnet_id": None,
            "private_network_ids": ["1", "2"],
        },
        {
            "mode": "access",
            "internet_type": "dedicated_subnet",
            "dedicated_subnet_id": "9",
            "private_network_ids": None,
        },
        {"enable": False},
        {"bonding_type": "lacp", "port_nicknames": ["bond0"]},
    ]


def test_the_sixth_network_change_of_a_server_waits_five_minutes(
    phy: Phy, script: Script, time: Time
) -> None:
    script.say("POST", f"{SERVER}ports/7/enable/", {"port": {"port_id": 7}})
    script.say("POST", "/servers/210987654321/ports/7/enable/", {"port": {"port_id": 7}})
    for _ in range(5):
        phy.enable_port(ID, 7, True)
    phy.enable_port("210987654321", 7, True)
    assert time.slept == []
    phy.enable_port(ID, 7, True)
    assert time.slept == [300]


def test_the_hours_budget_is_kept_without_asking_the_api(phy: Phy, script: Script, time: Time) -> None:
    script.say("GET", SERVER, {"server": server()})
    for _ in range(300):
        phy.server(ID)
    with pytest.raises(RateLimitError, match="300 PHY calls") as caught:
        phy.server(ID)
    assert caught.value.exit_code == 13
    assert caught.value.retry_after == 3600
    assert len(script.seen) == 300
    time.now += 3600
    phy.server(ID)


def test_a_limit_that_the_api_finds_is_waited_for(phy: Phy, script: Script, time: Time) -> None:
    throttled = {"type": "about:blank", "title": "throttled", "detail": "too many", "status": 429}
    script.say("POST", f"{SERVER}ports/7/enable/", throttled, 429, Retry_After="120")
    script.say("POST", f"{SERVER}ports/7/enable/", {"port": {"port_id": 7}})
    phy.enable_port(ID, 7, True)
    assert time.slept == [120]


def test_an_installation_is_ordered_with_everything_the_api_requires(phy: Phy, script: Script) -> None:
    script.say("POST", f"{SERVER}os_install/", None, 204)
    phy.os_install(ID, ORDER)
    assert script.seen[0].body == {
        "os_image_id": "ubuntu24",
        "password": "passw0rd-of-host",
        "manual_partition": False,
        "ssh_public_keys": ["ssh-ed25519 AAAA a"],
        "allow_password_login": False,
    }
    assert "passw0rd" not in repr(ORDER)


def test_an_order_that_is_refused_does_not_tell_the_password(phy: Phy, script: Script) -> None:
    invalid = {"password": [{"code": "invalid", "message": "passw0rd-of-host is weak"}]}
    body = {"title": "invalid", "detail": "Invalid.", "status": 400, "invalid_parameters": invalid}
    script.say("POST", f"{SERVER}os_install/", body, 400)
    with pytest.raises(ApiError) as caught:
        phy.os_install(ID, ORDER)
    assert caught.value.message == "Invalid. (password: *** is weak)"


def test_an_order_while_one_is_running_is_told_so(phy: Phy, script: Script) -> None:
    script.say("POST", f"{SERVER}os_install/", conflict(), 409).say(
        "GET", SERVER, {"server": server("os_install")}
    )
    with pytest.raises(ConflictError) as caught:
        phy.os_install(ID, ORDER)
    assert caught.value.code == "os_install"
    assert "under way" in caught.value.hint


@pytest.mark.parametrize("change", ["install", "network"])
def test_a_server_that_the_vendor_holds(phy: Phy, script: Script, change: str) -> None:
    script.say("POST", f"{SERVER}os_install/", conflict(), 409)
    script.say("POST", f"{SERVER}ports/7/enable/", conflict(), 409)
    script.say("GET", SERVER, {"server": server("administrative_lock")})
    with pytest.raises(ConflictError, match="vendor holds this server") as caught:
        phy.os_install(ID, ORDER) if change == "install" else phy.enable_port(ID, 7, True)
    assert caught.value.code == "administrative_lock"


def test_an_installation_is_over_when_its_lock_was_seen_and_is_gone(
    phy: Phy, script: Script, time: Time
) -> None:
    script.say("GET", SERVER, {"server": server()})  # the lock may come late
    for lock in ("os_install", "os_install", None):
        script.say("GET", "/servers/", listing(server(lock)))
    assert phy.wait_install(ID).lock_status is None
    assert time.slept == [60, 60, 60]
    assert not [call for call in script.calls() if call.startswith("POST")]


def test_an_installation_that_never_begins(phy: Phy, script: Script, time: Time) -> None:
    script.say("GET", SERVER, {"server": server()}).say("GET", "/servers/", listing(server()))
    with pytest.raises(DeadlineError, match="has not begun after 300 s"):
        phy.wait_install(ID)


def test_an_installation_that_never_ends(phy: Phy, script: Script, time: Time) -> None:
    script.say("GET", SERVER, {"server": server("os_install")})
    script.say("GET", "/servers/", listing(server("os_install")))
    with pytest.raises(DeadlineError, match="is not over after 2700 s"):
        phy.wait_install(ID)
    assert not [call for call in script.calls() if call.startswith("POST")]


def test_a_run_that_goes_on_after_a_crash_finds_it_done(phy: Phy, script: Script) -> None:
    script.say("GET", SERVER, {"server": server()})
    assert phy.wait_install(ID, begun=True).server_id == ID


def test_the_vendor_may_step_in_while_it_installs(phy: Phy, script: Script) -> None:
    script.say("GET", SERVER, {"server": server("os_install")})
    script.say("GET", "/servers/", listing(server("administrative_lock")))
    with pytest.raises(ConflictError, match="vendor"):
        phy.wait_install(ID)


def test_a_server_that_vanishes_while_it_installs(phy: Phy, script: Script) -> None:
    script.say("GET", SERVER, {"server": server("os_install")})
    script.say("GET", SERVER, {"title": "not_found", "detail": "No server.", "status": 404}, 404)
    script.say("GET", "/servers/", listing())
    with pytest.raises(NotFoundError, match="No server"):
        phy.wait_install(ID)


def test_servers_that_install_together_share_their_listings(
    script: Script, credentials: SakuraCredentials
) -> None:
    """Ten waits of half an hour: the calls are those of one, and far inside the hour's budget."""
    servers = [f"{n:012d}" for n in range(10)]
    for name in servers:
        script.say("GET", f"/servers/{name}/", {"server": {"server_id": name, "lock_status": "os_install"}})
    for _ in range(30):
        script.say(
            "GET", "/servers/", listing(*({"server_id": n, "lock_status": "os_install"} for n in servers))
        )
    script.say("GET", "/servers/", listing(*({"server_id": n, "lock_status": None} for n in servers)))
    # All ten sleep at once; time moves on when the last of them has gone to bed.
    bedtime = threading.Barrier(len(servers))
    now = [0.0]

    def sleep(seconds: float) -> None:
        if bedtime.wait() == 0:
            now[0] += seconds
        bedtime.wait()

    phy = Phy(credentials, root_url=script.url, sleep=sleep, clock=lambda: now[0])
    done: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(phy.wait_install(n).server_id)) for n in servers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    phy.close()
    assert sorted(done) == servers
    assert script.calls().count("GET /servers/") == 31
    assert len(script.seen) == 41
