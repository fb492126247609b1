"""What the random sequences ask of Sakura Cloud: inputs that are legal beside what is there already."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.provider.play import Play

NAMES = st.sampled_from(["a", "b", "c d", "é"])
TEXTS = st.sampled_from(["", "one", "two\nlines"])


class Cloud:
    """The resources of a sequence by name (`Kind-number`): how each was played, and what was asked for."""

    def __init__(self) -> None:
        self.plays: dict[str, Play] = {}
        self.wanted: dict[str, dict[str, Any]] = {}

    def of(self, kind: str) -> list[str]:
        return [name for name, play in self.plays.items() if name.startswith(kind + "-") and play.id]

    def ident(self, name: str) -> str:
        return self.plays[name].state.get("resourceId") or self.plays[name].id

    def used(self, name: str) -> bool:
        ident = self.ident(name)
        return any(ident in str(wanted) for other, wanted in self.wanted.items() if other != name)

    def inputs(self, kind: str, draw: Any, name: str) -> dict[str, Any] | None:
        """Inputs of a kind, drawn; None where what it needs is not there."""
        base: dict[str, Any] = {"name": draw(NAMES)}
        if kind not in ("Note", "Bridge", "PacketFilter"):
            base["tags"] = draw(st.lists(st.sampled_from(["x", "y"]), unique=True))
        if kind != "Note":
            base["description"] = draw(TEXTS)
        more = getattr(self, f"_{kind.lower()}")(draw, name)
        return None if more is None else base | more

    def _bridge(self, draw: Any, name: str) -> dict[str, Any]:
        return {}

    def _note(self, draw: Any, name: str) -> dict[str, Any]:
        return {"content": draw(st.sampled_from(["#!/bin/sh\n", "#!/bin/sh\necho\n"]))}

    def _packetfilter(self, draw: Any, name: str) -> dict[str, Any]:
        protocols = draw(st.lists(st.sampled_from(["icmp", "tcp", "ip"]), max_size=3))
        return {"rules": [{"protocol": protocol, "action": "deny"} for protocol in protocols]}

    def _switch(self, draw: Any, name: str) -> dict[str, Any]:
        more = draw(st.sampled_from([{}, {"defaultRoute": "10.10.0.1", "networkMaskLen": 24}]))
        taken = {w["bridgeId"] for other, w in self.wanted.items() if other != name and "bridgeId" in w}
        bridges = [b for b in map(self.ident, self.of("Bridge")) if b not in taken]
        bridge = draw(st.sampled_from([None, *bridges]))
        return more | ({"bridgeId": bridge} if bridge else {})

    def _disk(self, draw: Any, name: str) -> dict[str, Any]:
        busy = name in self.wanted and self.used(name)
        return {"sizeGb": self.wanted[name]["sizeGb"] if busy else draw(st.sampled_from([20, 40]))}

    def _server(self, draw: Any, name: str) -> dict[str, Any]:
        switches = ["shared", "disconnect", *map(self.ident, self.of("Switch"))]
        nics: list[dict[str, Any]] = [
            {"upstream": u} for u in draw(st.lists(st.sampled_from(switches), max_size=3))
        ]
        filters = [self.ident(f) for f in self.of("PacketFilter")]
        if nics and filters and draw(st.booleans()):
            nics[0]["packetFilterId"] = filters[0]
        mine = self.wanted.get(name, {}).get("disks", [])
        free = [d for d in map(self.ident, self.of("Disk")) if d in mine or not self._connected(d)]
        disks = draw(st.lists(st.sampled_from(free), unique=True)) if free else []
        return {
            "cpu": draw(st.sampled_from([1, 2])),
            "memoryGb": 4,
            "networkInterfaces": nics,
            "disks": disks,
            "power": draw(st.sampled_from(["up", "up", "down"])),
        }

    def _connected(self, disk: str) -> bool:
        return any(disk in wanted.get("disks", []) for wanted in self.wanted.values())

    def _internet(self, draw: Any, name: str) -> dict[str, Any]:
        return {"bandwidthMbps": draw(st.sampled_from([100, 250])), "ipv6": draw(st.booleans())}

    def _loadbalancer(self, draw: Any, name: str) -> dict[str, Any] | None:
        switches = [self.ident(s) for s in self.of("Switch")]
        if not switches:
            return None
        switch = self.wanted[name]["switchId"] if name in self.wanted else draw(st.sampled_from(switches))
        servers = [{"ipAddress": f"10.10.0.{n}"} for n in range(11, 11 + draw(st.integers(0, 2)))]
        return {
            "switchId": switch,
            "ipAddresses": ["10.10.0.101"],
            "networkMaskLen": 24,
            "vips": [{"virtualIpAddress": "10.10.0.100", "port": 6443, "servers": servers}],
        }

    def _vpcrouter(self, draw: Any, name: str) -> dict[str, Any]:
        switches = [self.ident(s) for s in self.of("Switch")]
        joined = draw(st.lists(st.sampled_from(switches), max_size=1)) if switches else []
        nics = [
            {"index": 1, "switchId": s, "ipAddresses": ["10.10.0.1"], "networkMaskLen": 24} for s in joined
        ]
        return {"privateInterfaces": nics, "internetConnection": draw(st.booleans())}

    def _localrouter(self, draw: Any, name: str) -> dict[str, Any] | None:
        others = [w for other, w in self.wanted.items() if other.startswith("LocalRouter") and other != name]
        taken = {wanted["switchId"] for wanted in others}
        switches = [s for s in map(self.ident, self.of("Switch")) if s not in taken]
        if not switches:
            return None
        addresses = ["10.10.0.242", "10.10.0.243"]
        return {
            "switchId": draw(st.sampled_from(switches)),
            "virtualIpAddress": "10.10.0.241",
            "ipAddresses": addresses,
            "networkMaskLen": 24,
            "vrid": draw(st.sampled_from([100, 101])),
        }
