"""What a preview says of a field is what its change does: stays, restarts, gets another ID, is made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from daiku.lab.sakura.iaas.models import Disk as DiskRow
from daiku.provider.checking import accept
from daiku.provider.context import Context
from daiku.provider.diffing import diff
from daiku.provider.fields import Change
from daiku.provider.handler import Handler
from daiku.provider.resources.disk import DiskHandler
from daiku.provider.resources.internet import InternetHandler
from daiku.provider.resources.load_balancer import LoadBalancerHandler
from daiku.provider.resources.local_router import LocalRouterHandler
from daiku.provider.resources.note import NoteHandler
from daiku.provider.resources.server import ServerHandler
from daiku.provider.resources.switch import SwitchHandler
from daiku.provider.resources.vpc_router import VpcRouterHandler
from daiku.wire.sakura_kinds import CDROM, NOTE, SERVER, Kind
from tests.provider.conftest import Lab
from tests.provider.play import Play
from tests.provider.test_machines import server_inputs, switch
from tests.provider.test_networks import router_inputs

ICON = "112900000011"
PRIVATE_HOST = Kind("private-host", "privatehost", "PrivateHost", "PrivateHosts")


def cdrom(ctx: Context) -> str:
    return ctx.cloud.find(CDROM)[0]["ID"]


def private_host(ctx: Context) -> str:
    plans = ctx.cloud.find(Kind("plan", "product/privatehost", "PrivateHostPlan", "PrivateHostPlans"))
    return ctx.cloud.create(PRIVATE_HOST, {"Name": "mine", "Plan": {"ID": plans[0]["ID"]}})["ID"]


def balancer(ctx: Context) -> dict[str, Any]:
    return {
        "name": "lb",
        "switchId": switch(ctx).id,
        "ipAddresses": ["10.10.0.101"],
        "networkMaskLen": 24,
        "vips": [{"virtualIpAddress": "10.10.0.100", "port": 6443, "servers": [{"ipAddress": "10.10.0.11"}]}],
    }


def local_router(ctx: Context) -> dict[str, Any]:
    return {
        "name": "aws",
        "switchId": switch(ctx).id,
        "virtualIpAddress": "10.10.0.241",
        "ipAddresses": ["10.10.0.242", "10.10.0.243"],
        "networkMaskLen": 24,
        "vrid": 100,
    }


def check(**options: Any) -> dict[str, Any]:
    """The VIP of `balancer` with another health check."""
    server = {"ipAddress": "10.10.0.11", **options}
    return {"vips": [{"virtualIpAddress": "10.10.0.100", "port": 6443, "servers": [server]}]}


@dataclass(frozen=True)
class Case:
    handler: Handler[Context]
    base: Callable[[Context], dict[str, Any]]
    change: dict[str, Any] | Callable[[Context], dict[str, Any]]
    does: Change
    back: Change = Change.LIVE
    first: dict[str, Any] = field(default_factory=dict[str, Any])

    def changed(self, ctx: Context) -> dict[str, Any]:
        return self.change if isinstance(self.change, dict) else self.change(ctx)


NAME = {"name": "x"}
CASES = {
    **{
        f"{handler.kind.name} icon": Case(handler, base, {"iconId": ICON}, Change.LIVE)
        for handler, base in (
            (SwitchHandler(), lambda _: NAME),
            (NoteHandler(), lambda _: {"name": "n", "content": "x"}),
            (DiskHandler(), lambda _: NAME),
            (InternetHandler(), lambda _: NAME),
            (VpcRouterHandler(), lambda ctx: router_inputs(switch(ctx).id)),
            (LoadBalancerHandler(), balancer),
            (LocalRouterHandler(), local_router),
            (ServerHandler(), server_inputs),
        )
    },
    "server ISO image": Case(
        ServerHandler(), server_inputs, lambda ctx: {"cdromId": cdrom(ctx)}, Change.LIVE
    ),
    "server private host": Case(
        ServerHandler(),
        server_inputs,
        lambda ctx: {"privateHostId": private_host(ctx)},
        Change.RESTART,
        Change.RESTART,
    ),
    "server driver": Case(
        ServerHandler(), server_inputs, {"interfaceDriver": "e1000"}, Change.RESTART, Change.RESTART
    ),
    "server memory": Case(
        ServerHandler(), server_inputs, {"memoryGb": 8}, Change.ID_CHANGE, Change.ID_CHANGE
    ),
    "server generation": Case(ServerHandler(), server_inputs, {"generation": 100}, Change.ID_CHANGE),
    "server commitment": Case(
        ServerHandler(), server_inputs, {"commitment": "dedicatedcpu"}, Change.ID_CHANGE, Change.ID_CHANGE
    ),
    "disk kms": Case(
        DiskHandler(),
        lambda _: NAME | {"encryption": "aes256_xts"},
        {"kmsKeyId": "112900000012"},
        Change.REPLACE,
        Change.REPLACE,
    ),
    "disk distant": Case(
        DiskHandler(), lambda _: NAME, {"distantFrom": ["112900000013"]}, Change.REPLACE, Change.REPLACE
    ),
    "disk encryption": Case(
        DiskHandler(), lambda _: NAME, {"encryption": "aes256_xts"}, Change.REPLACE, Change.REPLACE
    ),
    "internet ipv6": Case(InternetHandler(), lambda _: NAME, {"ipv6": True}, Change.LIVE),
    "internet bandwidth": Case(
        InternetHandler(), lambda _: NAME, {"bandwidthMbps": 250}, Change.ID_CHANGE, Change.ID_CHANGE
    ),
    "router pptp": Case(
        VpcRouterHandler(),
        lambda ctx: router_inputs(switch(ctx).id),
        {"pptp": {"rangeStart": "10.10.0.200", "rangeStop": "10.10.0.210"}},
        Change.LIVE,
    ),
    "router ipsec": Case(
        VpcRouterHandler(),
        lambda ctx: router_inputs(switch(ctx).id),
        {"ipsec": {"encryption": "aes256", "hash": "sha256", "dhGroup": "modp2048", "ikeLifetime": 7200}},
        Change.LIVE,
    ),
    **{
        f"balancer {name}": Case(LoadBalancerHandler(), balancer, check(**options), Change.LIVE)
        for name, options in {
            "http": {"protocol": "http", "path": "/healthz", "status": 204},
            "https": {"protocol": "https", "path": "/readyz"},
            "ping": {"protocol": "ping"},
            "retry": {"retry": 5, "connectTimeout": 20},
            "off": {"enabled": False},
        }.items()
    },
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_preview_says_what_the_change_does(lab: Lab, case: Case) -> None:
    ctx = lab.context()
    play = Play(case.handler, ctx)
    base = case.base(ctx)
    play.up(base)
    changed = base | case.changed(ctx)
    for inputs, says in ((changed, case.does), (base, case.back)):
        before, ident, power = play.state["resourceId"], play.id, power_calls(lab)
        assert play.plan(inputs).gravest is says
        play.up(inputs)
        assert (play.id != ident) is (says is Change.REPLACE)
        # An ID that nobody asked to change stays; taking a choice back changes nothing.
        assert (play.state["resourceId"] != before) is (says in (Change.ID_CHANGE, Change.REPLACE))
        if says is Change.LIVE:
            assert power_calls(lab) == power
        if says is Change.RESTART:
            assert power_calls(lab) > power
    play.down()


def power_calls(lab: Lab) -> int:
    return sum("/power" in call for call in lab.calls(writes=True))


def test_ranges_of_a_router_are_kept_led_elsewhere_made_and_given_back(lab: Lab) -> None:
    play = Play(InternetHandler(), lab.context())
    play.up({"name": "x"})
    hops = play.state["ipAddresses"]
    one = {"networkMaskLen": 28, "nextHop": hops[0]}
    two = {"networkMaskLen": 27, "nextHop": hops[1]}
    play.up({"name": "x", "subnets": [one, two]})
    addresses = play.state["subnetAddresses"]
    # The order in the file is not the API's: nothing is done.
    writes = len(lab.calls(writes=True))
    assert play.up({"name": "x", "subnets": [two, one]}).gravest is Change.LIVE
    assert play.state["subnetAddresses"] == addresses[::-1]
    assert len(lab.calls(writes=True)) == writes
    # Another next hop keeps the range.
    play.up({"name": "x", "subnets": [two | {"nextHop": hops[2]}, one]})
    assert play.state["subnetAddresses"] == addresses[::-1]
    play.up({"name": "x", "subnets": [two | {"nextHop": hops[2], "networkMaskLen": 26}]})
    assert play.state["subnetAddresses"][0].endswith("/26")
    play.down()


def test_a_startup_script_is_told_its_variables_and_they_are_secret(lab: Lab) -> None:
    ctx = lab.context()
    script = Play(NoteHandler(), ctx, "boot")
    script.up({"name": "boot", "content": "#!/bin/sh\necho @@@text@@@\n"})
    inputs = server_inputs(ctx)
    edit = inputs["diskEdit"] | {
        "changePartitionUuid": True,
        "notes": [{"id": script.id, "variables": [{"name": "text", "value": "hello"}]}],
    }
    server = Play(ServerHandler(), ctx, "cp-1")
    server.up(inputs | {"diskEdit": edit})
    (disk,) = lab.world.rows(DiskRow)
    assert disk.installed is not None
    assert disk.installed.notes == [int(script.id)]
    assert [entry.warnings for entry in lab.world.audit if entry.warnings] == []
    assert ctx.cloud.find(NOTE)[-1]["ID"] == script.id
    # The script's text is not the server's: another value writes the disk again, and that is told.
    other = edit | {"notes": [{"id": script.id, "variables": [{"name": "text", "value": "bye"}]}]}
    assert server.plan(inputs | {"diskEdit": other}).gravest is Change.RESTART


def test_a_plan_with_what_no_zone_sells_is_asked_for_in_full(lab: Lab) -> None:
    """Encrypted memory is decided at birth, and the API's refusal is told in its own words."""
    inputs, failures = accept(
        ServerHandler().type.inputs, {"name": "s", "confidentialVm": True}, {"zone": "is1b"}
    )
    assert failures == []
    plain, _ = accept(ServerHandler().type.inputs, {"name": "s"}, {"zone": "is1b"})
    assert diff(ServerHandler().type, plain, inputs).replaces == ("confidentialVm",)
    with pytest.raises(Exception, match="plan"):
        Play(ServerHandler(), lab.context()).up({"name": "s", "confidentialVm": True})


def test_a_gpu_server_names_its_model_or_leaves_it_to_the_api(lab: Lab) -> None:
    ctx = lab.context()
    size = {"cpu": 4, "memoryGb": 56, "gpu": 1, "zone": "is1a", "power": "down"}
    for name, more in (("named", {"gpuModel": "nvidia_v100_32gbvram"}), ("free", {})):
        play = Play(ServerHandler(), ctx, name)
        play.up({"name": name, **size, **more})
        assert ("gpuModel" in play.state) is bool(more)
        live = ctx.cloud.read(SERVER, play.id, zone="is1a")
        assert live["ServerPlan"]["GPUModel"] == "nvidia_v100_32gbvram"
        play.down()
