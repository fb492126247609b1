"""The bare-metal part of the random sequences: what may be asked of two PHY servers, and what must hold of them.

One server is installed, again and again; the ports of the other are assigned. Nothing may be wiped that nobody asked to
wipe, and released ports are as they were before.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from daiku.lab.sakura import World
from daiku.lab.sakura.phy.models import PhyServer, PhyService
from daiku.provider.phy_flow import read_intent, token_of
from tests.emulator.test_networks import KEY
from tests.provider.conftest import GPU_A, GPU_B, NODE_NETWORK

IMAGE = "ubuntu2404"
PORTS = ("public", "private")
INSTALLS = st.sampled_from([None, 1, 1, 2])


def row_of(world: World, server_id: str) -> PhyServer:
    row = world.find(PhyServer, int(server_id))
    assert row is not None
    return row


def service_of(world: World, server_id: str) -> PhyService:
    (found,) = (row for row in world.rows(PhyService) if row.service_id == server_id)
    return found


def ports_of(world: World, server_id: str) -> list[tuple[Any, ...]]:
    """What each port does. A trunk of nothing is what a port without a mode is: no call takes the mode away."""
    return [
        (
            port.nickname,
            port.mode if port.internet or port.private_networks else None,
            port.internet,
            tuple(port.private_networks),
            port.enabled,
        )
        for port in row_of(world, server_id).ports
    ]


class BareMetal:
    """Keeps the books: which installations were asked for, how the ports were."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked = 0
        self.delivered = row_of(world, GPU_A).generation
        self.ports = ports_of(world, GPU_B)

    def server(self, draw: Any, mine: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Inputs of a PhyServer, `mine` being those it has now; None where both servers are adopted already."""
        taken = [wanted.get("serverId") for wanted in others if "port" not in wanted]
        free = [s for s in (GPU_A, GPU_B) if s not in taken]
        if not mine and not free:
            return None
        server_id = mine.get("serverId") or draw(st.sampled_from(free))
        wanted: dict[str, Any] = {"serverId": server_id}
        if name := draw(st.sampled_from([None, "gpu one", "é"])):
            wanted["nickname"] = name
        if server_id == GPU_B:
            return wanted | {"releasePolicy": draw(st.sampled_from(["keep", "power-off"]))}
        policies = ["keep", "power-off", "detach"]
        if (generation := draw(INSTALLS)) is not None:
            wanted["install"] = {"image": IMAGE, "sshPublicKeys": [KEY], "generation": generation}
            policies.append("reinstall")
        return wanted | {"releasePolicy": draw(st.sampled_from(policies))}

    def network(self, draw: Any, mine: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Inputs of a PhyNetwork: no port is in two hands."""
        held = {p for w in others if "port" in w for p in (w["port"], *w["disablePorts"])}
        free = [port for port in PORTS if port not in held]
        if not mine and not free:
            return None
        port = mine.get("port") or draw(st.sampled_from(free))
        carried = draw(
            st.sampled_from(
                [
                    {"privateNetworkIds": [NODE_NETWORK]},
                    {"internet": "common"},
                    {"mode": "trunk", "privateNetworkIds": [NODE_NETWORK], "internet": "common"},
                ]
            )
        )
        other = next(name for name in PORTS if name != port)
        sealed = [other] if other in free and draw(st.booleans()) else []
        return {
            "serverId": GPU_B,
            "port": port,
            "disablePorts": sealed,
            "enabled": draw(st.booleans()),
        } | carried

    def will_install(self, wanted: dict[str, Any]) -> None:
        """Note an installation that is asked for now, and was not before."""
        if "install" in wanted:
            intent = read_intent(service_of(self.world, GPU_A).note)[1]
            if intent is None or intent.token != token_of(GPU_A, IMAGE, wanted["install"]["generation"]):
                self.asked += 1

    def will_release(self, wanted: dict[str, Any]) -> None:
        """Note a wipe that is asked for now; one that was interrupted is done again."""
        if wanted.get("releasePolicy") == "reinstall":
            self.asked += 1

    def touch(self, server_id: str, draw: Any) -> None:
        """By hand in the control panel."""
        service_of(self.world, server_id).name = f"{draw(st.sampled_from('ab'))}!"

    def check(self) -> None:
        installed = row_of(self.world, GPU_A).generation - self.delivered
        assert installed <= self.asked, f"{installed} installations, {self.asked} were asked for"
