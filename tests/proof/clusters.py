"""Generated clusters that are sound: any size, any mix of pools and options, and nothing to say about them."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from hypothesis import strategies as st

from tests.plan.clusters import valid

VRAM_GIB = {"h100-sxm5-80gb": 80, "h200-sxm5-141gb": 141, "b200-sxm6-180gb": 180, "a100-sxm4-80gb": 80}
SPEEDS = {
    "a100-sxm4-80gb": [100, 200],
    "h100-sxm5-80gb": [200, 400],
    "h200-sxm5-141gb": [200, 400],
    "b200-sxm6-180gb": [400, 800],
}

QOS = {"trust": "dscp", "dscp": 26, "priority": 3, "cnpDscp": 48, "cnpPriority": 6, "ecn": True}


@st.composite
def sound(draw: st.DrawFn) -> dict[str, Any]:
    """A cluster that can be planned, made sound: no option of it is one that a person would be warned of."""
    values = draw(valid)
    start = values["loadBalancer"]["apiVip"].rsplit(".", 1)[0]
    values["gpuPools"] = pools = [draw(pool_of(pool)) for pool in values["gpuPools"]]
    policies = ["best-effort"]
    if all(pool["fabric"]["vfs"] == 0 for pool in pools):
        policies.append("restricted")
    nodes, gpus = _count(pools), sum(len(p["nodes"]) * p["gpu"]["count"] for p in pools)
    values["kubernetes"] = {"topologyPolicy": draw(st.sampled_from(policies))}
    values["storage"] = draw(storage_of(nodes, pools))
    values["tenants"] = draw(tenants_of(gpus, alone=any(p["sharing"] != "none" for p in pools)))
    values["loadBalancer"]["ingress"] = {"vip": f"{start}.101", "ports": [80, 443]}
    values["aws"] = aws(start)
    router = {"localAsn": 65020, "peers": [{"address": f"{start}.254", "asn": 65001}]}
    values["network"]["bgp"] = draw(st.sampled_from([None, router]))
    values["access"] = {"allowFrom": draw(st.sampled_from([["0.0.0.0/0"], ["203.0.113.0/24", "10.0.0.0/8"]]))}
    balanced = values["loadBalancer"]["plan"] == "highspec"
    routed = values["network"]["egress"]["router"] != "standard"
    grown = values["controlPlane"]["count"] > 1 and values["management"]["count"] > 1
    if balanced and routed and grown and nodes != 3:
        values["phase"] = draw(st.sampled_from(["verification", "production"]))
    return values


@st.composite
def pool_of(draw: st.DrawFn, pool: dict[str, Any]) -> dict[str, Any]:
    gpus, fabric = pool["gpu"]["count"], pool["fabric"]
    model = draw(st.sampled_from(sorted(VRAM_GIB)))
    even = [n for n in range(len(fabric["rails"]) + 1) if n == 0 or gpus % n == 0 or n % gpus == 0]
    sharing = draw(st.sampled_from(["none", "none", "mig", "mps", "time-slicing"]))
    attach = draw(st.sampled_from(["sriov", "host-device", "dranet"] if sharing == "none" else ["sriov"]))
    vfs = 0 if sharing == "mig" or attach != "sriov" else draw(st.sampled_from([0, gpus, 16]))
    rails = fabric["rails"][: draw(st.sampled_from(even))]
    routed = draw(st.booleans())
    return {
        **pool,
        "gpu": {"model": model, "count": gpus},
        "memoryGib": max(64, VRAM_GIB[model] * gpus) * draw(st.integers(1, 3)) + 256,
        "sharing": sharing,
        "fabric": {
            "speedGbps": draw(st.sampled_from(SPEEDS[model])),
            "mtu": draw(st.sampled_from([4200, 9000])),
            "vfs": vfs,
            "attach": attach,
            # Computed ranges reach to the highest index, 200 here: 16 a node would not fit.
            "ipam": draw(st.sampled_from(["whereabouts", "per-node"] if vfs <= 8 else ["whereabouts"])),
            "qos": draw(st.sampled_from([None, QOS])),
            "rails": [_rail(rail, place, routed=routed) for place, rail in enumerate(rails)],
        },
    }


@st.composite
def storage_of(draw: st.DrawFn, nodes: int, pools: list[dict[str, Any]]) -> dict[str, Any]:
    railed = len(pools) == 1 and bool(pools[0]["fabric"]["rails"])
    fast = {"disksPerNode": 1, "quotaGib": draw(st.integers(1, 3500))}
    if nodes < 3 or draw(st.booleans()):
        return {"reliable": None, "fast": None}
    railed = railed and pools[0]["fabric"]["attach"] == "sriov"
    network = draw(st.sampled_from(["node", "rails"] if railed else ["node"]))
    return {"reliable": {"replicas": 3, "network": network}, "fast": draw(st.sampled_from([None, fast]))}


@st.composite
def tenants_of(draw: st.DrawFn, gpus: int, *, alone: bool) -> list[dict[str, Any]]:
    tenants: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 1 if alone else 4))):
        own = draw(st.integers(0, gpus))
        gpus -= own
        tenants.append(
            {
                "name": f"team-{number}",
                "gpus": own,
                "borrow": own == 0 or draw(st.booleans()),
                "priority": draw(st.sampled_from(["low", "normal", "high"])) if own else "low",
                "allowFrom": draw(st.sampled_from([[], ["10.64.0.0/16"]])),
            }
        )
    return tenants


def aws(start: str) -> dict[str, Any]:
    """The AWS side of a cluster whose node network begins with those three numbers."""
    return {
        "accountId": "123456789012",
        "vpc": {"cidr": "10.64.0.0/16", "subnets": ["10.64.0.0/20"]},
        "connect": {
            "resourceId": "113700000001",
            "secretKey": {"fromEnv": "SECRET"},
            "virtualInterfaceId": "dxvif-0a1b2c3d",
            "vlan": 1201,
            "customerAsn": 65010,
            "amazonAddress": "169.254.10.1/30",
            "customerAddress": "169.254.10.2/30",
            "localRouter": {"vip": f"{start}.5", "addresses": [f"{start}.6", f"{start}.7"]},
        },
        "managementCluster": {"imageId": "ami-0123456789abcdef0"},
        "zoneName": "example.internal",
    }


def _rail(rail: dict[str, Any], place: int, *, routed: bool) -> dict[str, Any]:
    """With its PCI address; routed ones have the same networks behind them, and source routing tells them apart."""
    found = {**rail, "pci": f"0000:{16 + place:02x}:00.0"}
    if not routed:
        return found
    # The first address of the upper half, which no machine and no pod gets.
    gateway = next(IPv4Network(rail["cidr"]).subnets(prefixlen_diff=1)).broadcast_address + 1
    return {**found, "gateway": str(gateway), "routes": ["10.200.0.0/16"]}


def _count(pools: list[dict[str, Any]]) -> int:
    return sum(len(pool["nodes"]) for pool in pools)
