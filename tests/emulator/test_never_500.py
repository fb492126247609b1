"""Random requests, half-right and plain wrong: always the API's own answer, never a crash, never a broken world."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World
from daiku.lab.sakura.iaas.models import Archive
from daiku.lab.sakura.iaas.wire import routes as iaas_routes
from daiku.lab.sakura.phy.wire import routes as phy_routes
from daiku.lab.sakura.records import Record

from .conftest import GPU1, GPU2, INVENTORY, NETWORK, OTHER_NETWORK, SUBNET, Caller
from .phy_calls import INSTALL
from .test_appliances import ROUTER, balancer
from .test_networks import KEY

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
KEYS = (
    "Switch",
    "Server",
    "Disk",
    "Note",
    "SSHKey",
    "Appliance",
    "Internet",
    "Interface",
    "PacketFilter",
    "CommonServiceItem",
    "Bridge",
    "Archive",
    "Name",
    "Tags",
    "ID",
    "Plan",
    "Settings",
    "Router",
    "Remark",
    "Servers",
    "Interfaces",
    "Config",
    "PortForwarding",
    "Enabled",
    "LoadBalancer",
    "Port",
    "ServerPlan",
    "CPU",
    "MemoryMB",
    "ConnectedSwitches",
    "SizeMB",
    "SourceArchive",
    "UserSubnet",
    "NetworkMaskLen",
    "DefaultRoute",
    "BandWidthMbps",
    "Filter",
    "Sort",
    "Count",
    "From",
    "Icon",
    "Provider",
    "Class",
    "LocalRouter",
    "Peers",
    "Interface",
    "Network",
    "VRRP",
    "Expression",
    "Force",
    "WithDisk",
    "UserBootVariables",
    "CloudInit",
    "UserData",
    "mode",
    "enable",
    "operation",
    "nickname",
    "description",
    "bonding_type",
    "port_nicknames",
    "private_network_ids",
    "os_image_id",
    "password",
)
SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    4,
    28,
    1024,
    20480,
    2**63,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "0",
    "10.0.0.1",
    "999",
    "True",
    "shared",
    "vpcrouter",
    "loadbalancer",
    "localrouter",
    "é" * 70,
    "\ud800",
    "\x00",
    KEY,
    NETWORK,
    "on",
    "access",
    [],
    {},
)


def value(dice: random.Random, ids: list[Any], depth: int = 0) -> Any:
    match dice.randrange(6 if depth < 4 else 3):
        case 0 | 1:
            return dice.choice(SCALARS)
        case 2:
            return dice.choice(ids)
        case 3:
            return [value(dice, ids, depth + 1) for _ in range(dice.randrange(3))]
        case _:
            return {dice.choice(KEYS): value(dice, ids, depth + 1) for _ in range(dice.randrange(5))}


def mutated(dice: random.Random, given: Any, ids: list[Any]) -> Any:
    """A good body with one or another place spoilt."""
    if dice.random() < 0.12:
        return value(dice, ids, 2)
    if isinstance(given, dict):
        return {k: mutated(dice, v, ids) for k, v in given.items() if dice.random() > 0.05}
    if isinstance(given, list):
        return [mutated(dice, item, ids) for item in given]
    return given


def seeds(switch: int) -> list[dict[str, Any]]:
    return [
        {
            "Switch": {
                "Name": "n",
                "Tags": ["a"],
                "UserSubnet": {"DefaultRoute": "10.0.0.1", "NetworkMaskLen": 24},
            }
        },
        {
            "Server": {
                "Name": "s",
                "ServerPlan": {"CPU": 1, "MemoryMB": 1024},
                "ConnectedSwitches": [{"ID": switch}, None],
            }
        },
        {
            "Disk": {"Name": "d", "Plan": {"ID": 4}, "SizeMB": 20480},
            "Config": {"HostName": "h", "SSHKey": {"PublicKey": KEY}},
        },
        {"Appliance": ROUTER},
        {"Appliance": balancer(switch)},
        {"Internet": {"Name": "i", "BandWidthMbps": 100, "NetworkMaskLen": 28}},
        {
            "PacketFilter": {
                "Name": "p",
                "Expression": [{"Protocol": "tcp", "Action": "allow", "DestinationPort": "1-2"}],
            }
        },
        {
            "CommonServiceItem": {
                "Name": "l",
                "Provider": {"Class": "localrouter"},
                "Settings": {"LocalRouter": {"Peers": []}},
            }
        },
        {"SSHKey": {"Name": "k", "PublicKey": KEY}},
        {"Note": {"Name": "n", "Class": "shell", "Content": "x"}},
        {"Interface": {"Server": {"ID": switch}}},
        {"UserBootVariables": {"CloudInit": {"UserData": "#cloud-config\n[]"}}},
        {"CPU": 2, "MemoryMB": 4096},
        {"Force": True},
    ]


PORT = "/servers/{id}/ports/{port:number}/"
PHY_BODIES: dict[str, dict[str, Any]] = {
    "/servers/{id}/os_install/": INSTALL,
    "/servers/{id}/power_control/": {"operation": "on"},
    "/servers/{id}/port_channels/{channel:number}/configure_bonding/": {
        "bonding_type": "lacp",
        "port_nicknames": None,
    },
    PORT: {"nickname": "n"},
    f"{PORT}enable/": {"enable": True},
    f"{PORT}assign_network/": {
        "mode": "access",
        "internet_type": None,
        "dedicated_subnet_id": None,
        "private_network_ids": [NETWORK],
    },
    "/services/{id}/": {"nickname": "n", "description": None},
}


KINDS = {
    "appliance": "Appliance",
    "archive": "Archive",
    "bridge": "Bridge",
    "commonserviceitem": "LocalRouter",
    "disk": "Disk",
    "interface": "Interface",
    "internet": "Internet",
    "note": "Note",
    "packetfilter": "PacketFilter",
    "server": "Server",
    "sshkey": "SshKey",
    "switch": "Switch",
    "cdrom": "Cdrom",
    "icon": "Icon",
    "privatehost": "PrivateHost",
}


def known_ids(world: World) -> dict[str, list[Any]]:
    """Ids by the word that paths use for them; of the public archives one."""
    found = {word: [row.id for row in world.rows(Record.tables[kind])] for word, kind in KINDS.items()}
    own = [row.id for row in world.rows(Archive) if row.scope == "user"]
    return found | {"archive": own + found["archive"][:1]}


def fitting(dice: random.Random, pattern: str, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Mostly a body that the route understands."""
    if pattern in PHY_BODIES and dice.random() < 0.8:
        return PHY_BODIES[pattern]
    good = [body for body in bodies if f"/{next(iter(body)).lower()}" in pattern]
    return dice.choice(good if good and dice.random() < 0.8 else bodies)


def path_of(dice: random.Random, pattern: str, ids: dict[str, list[Any]], ports: list[int]) -> str:
    """The pattern with its holes filled, mostly with ids of the right kind."""
    path = pattern
    while "{" in path:
        hole = path[path.index("{") + 1 : path.index("}")]
        word = pattern.split("/")[1] if hole == "id" else hole.replace("filter", "packetfilter")
        pick: Any = dice.choice([i for each in ids.values() for i in each])
        if hole.endswith("number"):
            pick = dice.choice(ports)
        elif hole == "nic":
            pick = dice.randrange(9)
        elif ids.get(word) and dice.random() < 0.85:
            pick = dice.choice(ids[word])
        path = path.replace(f"{{{hole}}}", str(pick), 1)
    return path


def state(world: World) -> dict[str, Any]:
    """What the APIs' callers can have changed: all but call counts and the age of cached readings."""
    saved = json.loads(world.to_json())
    del saved["calls"], saved["rows"]["PhyAccount"]
    for row in saved["rows"]["PhyServer"]:
        for counted in ("network_calls", "cached", "cached_at"):
            del row[counted]
    return saved


@pytest.mark.parametrize(
    ("seed", "requests"),
    [(0, 800), *(pytest.param(seed, 2_500, marks=pytest.mark.slow) for seed in range(1, 5))],
)
def test_random_requests_never_crash_it_and_a_refused_one_changes_nothing(seed: int, requests: int) -> None:
    dice = random.Random(seed)
    world = World(Clock(), Inventory.load(INVENTORY), seed=seed)
    api = Caller(world)
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    bodies = seeds(switch)
    patterns = [("iaas", *entry) for entry in iaas_routes.listing()]
    patterns += [("phy", *entry) for entry in phy_routes.listing()] * 2
    phy_ids: list[Any] = [GPU1, GPU1, GPU1, GPU2, NETWORK, OTHER_NETWORK, SUBNET]
    seen: dict[str, set[int]] = {"iaas": set(), "phy": set()}
    for _ in range(requests):
        kind, method, pattern = dice.choice(patterns)
        named = known_ids(world) if kind == "iaas" else {"phy": phy_ids}
        ids = [row_id for each in named.values() for row_id in each]
        path = path_of(dice, pattern, named, list(range(1001, 1003)) + list(range(2001, 2012)))
        if dice.random() < 0.05:
            method = dice.choice(METHODS)
        body = json.dumps(mutated(dice, fitting(dice, pattern, bodies), [*ids, *phy_ids])).encode()
        if dice.random() < 0.03:
            body = bytes(dice.randrange(256) for _ in range(20))
        query = quote(json.dumps(value(dice, ids))) if dice.random() < 0.4 else "limit=3&step=300"
        zone = "is1a" if dice.random() < 0.95 else "is1b"
        root = f"/cloud/zone/{zone}/api/cloud/1.1" if kind == "iaas" else "/cloud/api/dedicated-phy/1.0"
        headers = {"Authorization": api.basic(), "X-Requested-With": "XMLHttpRequest"}
        before = state(world)
        answer = api.raw(method, f"{root}{path}", query=query, body=body, headers=headers)
        seen[kind].add(answer.status)
        assert answer.status < 500 or answer.status == 503, (method, path, body, query)
        if answer.status >= 400:
            assert str(answer.json["status"]).startswith(str(answer.status))
            assert state(world) == before, (method, path, body, query)
        api.wait(dice.choice((0, 1, 15, 60)))
        world.topology()
    assert {200, 201, 400, 404, 409} <= seen["iaas"]
    assert {200, 204, 400, 404} <= seen["phy"]
    assert World.from_json(world.to_json(), Clock(), world.inventory).topology() == world.topology()
    assert api.cloud("GET", "/switch").status == 200


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("PUT", "/switch/{id}", "Switch"),
        ("POST", "/switch", "Switch"),
        ("DELETE", "/switch/{id}", ""),
        ("PUT", "/switch/{id}/to/bridge/{id}", ""),
    ],
)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[1]", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 5000, 400),
        (b'{"a":"' + b"x" * (2 * 1024 * 1024) + b'"}', 413),
    ],
)
def test_a_body_that_is_no_object_is_refused_everywhere(
    api: Caller, world: World, method: str, path: str, key: str, body: bytes, status: int
) -> None:
    switch = api.make("/switch", "Switch", {"Name": "n"})["ID"]
    before = state(world)
    full = f"/cloud/zone/is1a/api/cloud/1.1{path.replace('{id}', str(switch))}"
    answer = api.raw(method, full, body=body, headers={"Authorization": api.basic()})
    assert (answer.status, answer.json["is_fatal"]) == (status, True)
    assert state(world) == before
