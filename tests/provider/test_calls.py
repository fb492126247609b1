"""How many calls the provider makes: listings, not a call an object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from daiku.lab.sakura.inventory import Inventory
from daiku.provider.resources.aws_connect import AwsConnectHandler
from daiku.provider.resources.bridge import BridgeHandler
from daiku.provider.resources.disk import DiskHandler
from daiku.provider.resources.local_router import LocalRouterHandler
from daiku.provider.resources.phy_network import PhyNetworkHandler
from daiku.provider.resources.phy_server import PhyServerHandler
from daiku.provider.resources.server import ServerHandler
from daiku.provider.resources.switch import SwitchHandler
from daiku.wire.sakura_kinds import BRIDGE, DISK, SWITCH
from tests.provider.conftest import AWS, GPU_A, GPU_B, NODE_NETWORK, Lab, inventory, running
from tests.provider.play import Play


@contextmanager
def counted(lab: Lab) -> Iterator[Counter[str]]:
    """Calls by method and path, IDs as `N`."""
    before = len(lab.world.audit)
    count: Counter[str] = Counter()
    yield count
    for entry in list(lab.world.audit)[before:]:
        parts = entry.path.removeprefix("/cloud/zone/").split("/")
        count[f"{entry.method} {'/'.join('N' if p.isdigit() else p for p in parts)}"] += 1


def test_a_refresh_reads_each_kind_once(lab: Lab) -> None:
    ctx = lab.context()
    plays = [Play(SwitchHandler(), ctx, f"s{i}") for i in range(8)]
    plays += [Play(DiskHandler(), ctx, f"d{i}") for i in range(8)]
    plays += [Play(ServerHandler(), ctx, f"v{i}") for i in range(4)]
    for play in plays:
        play.up({"name": play.name})
    router = Play(LocalRouterHandler(), ctx, "aws")
    router.up(
        {
            "name": "aws",
            "switchId": plays[0].id,
            "virtualIpAddress": "10.10.0.241",
            "ipAddresses": ["10.10.0.242", "10.10.0.243"],
            "networkMaskLen": 24,
            "vrid": 100,
        }
    )
    peer = Play(AwsConnectHandler(), ctx, "peer")
    peer.up({"localRouterId": router.id, "peerId": AWS, "secretKey": "peer-secret"})
    machines = [Play(PhyServerHandler(), ctx, gpu) for gpu in (GPU_A, GPU_B)]
    ports = [Play(PhyNetworkHandler(), ctx, gpu) for gpu in (GPU_A, GPU_B)]
    for machine, port in zip(machines, ports, strict=True):
        machine.up({"serverId": machine.name})
        wanted = {"port": "private", "privateNetworkIds": [NODE_NETWORK]}
        port.up({"serverId": port.name, **wanted})
    fresh = lab.context()
    everything = [*plays, router, peer, *machines, *ports]
    with counted(lab) as calls:
        for play in everything:
            play.ctx = fresh
            assert play.refresh()
    assert calls == {
        "GET is1b/api/cloud/1.1/switch": 1,
        "GET is1b/api/cloud/1.1/disk": 1,
        "GET is1b/api/cloud/1.1/server": 1,
        "GET is1a/api/cloud/1.1/commonserviceitem": 1,
        "GET is1a/api/cloud/1.1/commonserviceitem/N/health": 1,
        "GET /cloud/api/dedicated-phy/1.0/servers/": 1,
    }


def test_creations_look_for_leftovers_in_one_listing_a_kind(lab: Lab) -> None:
    ctx = lab.context()
    with counted(lab) as calls:
        for i in range(10):
            SwitchHandler().create(ctx, Play(SwitchHandler(), ctx, f"s{i}").hint, {"name": f"s{i}"})
            handler, play = BridgeHandler(), Play(BridgeHandler(), ctx, f"b{i}")
            handler.create(ctx, play.hint, play.check({"name": f"b{i}"}))
    assert calls["GET is1b/api/cloud/1.1/switch"] == 1
    assert calls["GET is1b/api/cloud/1.1/bridge"] == 1
    assert len(ctx.cloud.find(SWITCH)) == len(ctx.cloud.find(BRIDGE)) == 10


def test_what_was_deleted_since_the_listing_is_no_leftover(lab: Lab) -> None:
    """A replacement deletes, then creates under the same mark."""
    left = Play(DiskHandler(), lab.context(), "root")
    left.up({"name": "root"})
    ctx = lab.context()
    Play(DiskHandler(), ctx, "other").up({"name": "other"})  # the listing is read now
    again = Play(DiskHandler(), ctx, "root", id=left.id, state=left.state)
    again.up({"name": "root", "sizeGb": 40})
    assert again.id != left.id
    assert len(ctx.cloud.find(DISK)) == 2


def test_a_leftover_is_adopted_from_the_listing_as_it_is_now(lab: Lab) -> None:
    left = Play(SwitchHandler(), lab.context(), "nodes")
    left.up({"name": "nodes"})
    ctx = lab.context()
    Play(SwitchHandler(), ctx, "other").up({"name": "other"})
    lab.context().cloud.update(SWITCH, left.id, {"Name": "by hand"})
    again = Play(SwitchHandler(), ctx, "nodes")
    again.up({"name": "nodes"})
    assert again.id == left.id
    assert sorted(s["Name"] for s in ctx.cloud.find(SWITCH)) == ["nodes", "other"]


def busiest_hour(lab: Lab) -> int:
    """The most calls in any sixty minutes."""
    at = [entry.at for entry in lab.world.audit]
    return max(sum(1 for other in at if start <= other < start + 3600) for start in at)


def watch_for_hours(lab: Lab) -> int:
    """Many who watch, each at a moment of its own; how many servers they saw."""
    phy = lab.context().phy
    seen = 0
    while lab.clock.now() < 2 * 3600:
        asked = lab.clock.now()
        lab.clock.advance(7)
        seen = len(phy.watch(asked))
    return seen


def test_watching_servers_costs_sixty_calls_an_hour_however_many_watch(lab: Lab) -> None:
    assert watch_for_hours(lab) == 2
    assert 50 <= busiest_hour(lab) <= 60


def test_more_pages_are_watched_less_often() -> None:
    ordered = inventory().model_dump()
    one = {**ordered["phy_servers"][0], "ports": [], "ipv4": None}
    ordered["phy_servers"] = [{**one, "service_id": f"11300001{n:04d}"} for n in range(250)]
    with running(Inventory.load(ordered)) as lab:
        assert watch_for_hours(lab) == 250
        assert 50 <= busiest_hour(lab) <= 60


def test_a_watch_shows_what_came_before_it(lab: Lab) -> None:
    phy = lab.context().phy
    phy.servers()
    lab.context().phy.power_control(GPU_A, "on")
    lab.clock.advance(200)
    asked = lab.clock.now()
    lab.clock.advance(1)
    found = next(s for s in phy.watch(asked) if s.server_id == GPU_A)
    assert found.cached_power_status is not None
    assert found.cached_power_status.status == "on"
