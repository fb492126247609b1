"""The interconnect: MTU from pod to rail, NICs and their names, rails against NUMA nodes, PCIe and GPUs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan.checks.workloads import GPUS_PER_NUMA_NODE
from daiku.plan.proof.rule import Case, Rule
from daiku.spec.source import Path

DNS_PACKET = 1232 + 28
"""The largest DNS answer by UDP that resolvers agreed on, with IPv4 and UDP headers: bytes."""

JUMBO_FRAME = 9216
"""The largest frame of most switches' jumbo setting, in bytes: with Ethernet header, VLAN tag and FCS."""
FRAME_OVERHEAD = 14 + 4 + 4

TRANSIT_MTU = 8500
"""Of a Direct Connect transit virtual interface with jumbo frames, in bytes."""

SLOT_GBPS = {
    "a100-sxm4-80gb": 252,
    "h100-sxm5-80gb": 504,
    "h200-sxm5-141gb": 504,
    "b200-sxm6-180gb": 1008,
}
"""What a x16 slot of the GPU's generation carries each way: PCIe 4, 5, 5 and 6, in Gbps."""

_UNSTABLE = re.compile(r"(eth|rename|usb|ib)\d+")
_VIRTUAL = re.compile(r"en\w*v\d+")


def pods_carry_dns(case: Case) -> Iterator[Fault]:
    mtu, node = case.plan.mtu, ("network", "node", "mtu")
    if mtu.pods < DNS_PACKET:
        yield case.view.clash(
            node,
            f"pods are left with {mtu.pods} bytes: {mtu.node} less {mtu.tunnel_overhead} of the tunnel",
            ("network", "pods", "mode"),
            f"mode {case.plan.pods_mode}",
        )


def rails_fit_frames(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        if pool.fabric.rails and pool.fabric.mtu + FRAME_OVERHEAD > JUMBO_FRAME:
            yield case.view.source.fault(
                (*path, "fabric", "mtu"),
                f"MTU {pool.fabric.mtu} makes frames of {pool.fabric.mtu + FRAME_OVERHEAD} bytes; "
                f"a switch set to {JUMBO_FRAME} drops them",
            )


def transit_carries_nodes(case: Case) -> Iterator[Fault]:
    aws, node = case.view.cluster.aws, case.view.cluster.network.node.mtu
    if aws is not None and aws.connect.type == "transit" and node > TRANSIT_MTU:
        yield case.view.clash(
            ("network", "node", "mtu"),
            f"nodes send up to {node} bytes to AWS; a transit interface carries {TRANSIT_MTU}",
            ("aws", "connect", "type"),
            "transit",
        )


def names_last(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        ports: list[tuple[Path, str]] = [((*path, "nodePort"), pool.node_port)]
        ports += [((*path, "fabric", "rails", i, "nic"), r.nic) for i, r in enumerate(pool.fabric.rails)]
        unstable = [(where, nic) for where, nic in ports if _UNSTABLE.fullmatch(nic)]
        if unstable:
            where, nic = unstable[0]
            yield case.view.source.fault(
                where,
                f"{nic} is numbered in the order of discovery",
                others=tuple(case.view.source.fault(other, "and here") for other, _ in unstable[1:]),
            )


def rails_are_physical(case: Case) -> Iterator[Fault]:
    for path, _, rail in case.view.rails():
        if _VIRTUAL.fullmatch(rail.nic):
            yield case.view.source.fault(
                (*path, "nic"), f"{rail.nic} is the name of a virtual function, not of a port"
            )


def rails_on_every_numa_node(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        rails = pool.fabric.rails
        if len(rails) > 1 and pool.gpu.count > GPUS_PER_NUMA_NODE and len({r.numa for r in rails}) == 1:
            where = (*path, "fabric", "rails", 0, "numa")
            given = "" if case.view.source.given(where) else " (default)"
            yield case.view.clash(
                where,
                f"all {len(rails)} rails are on NUMA node {rails[0].numa}{given}, and the {pool.gpu.count} GPUs of a "
                "server are on two",
                (*path, "gpu", "count"),
                "GPUs of a server",
            )


def rails_even_over_numa_nodes(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        counts = Counter(rail.numa for rail in pool.fabric.rails)
        if len(counts) > 1 and max(counts.values()) - min(counts.values()) > 1:
            told = ", ".join(f"{counts[n]} on NUMA node {n}" for n in sorted(counts))
            yield case.view.source.fault((*path, "fabric", "rails"), f"rails are uneven: {told}")


def numa_nodes_in_a_row(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        there = sorted({rail.numa for rail in pool.fabric.rails})
        if there and there != list(range(len(there))):
            place = next(i for i, r in enumerate(pool.fabric.rails) if r.numa == there[-1])
            yield case.view.source.fault(
                (*path, "fabric", "rails", place, "numa"),
                f"the rails name NUMA nodes {', '.join(map(str, there))}: {len(there)}, but not the first {len(there)}",
            )


def rails_even_over_gpus(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        rails, gpus = len(pool.fabric.rails), pool.gpu.count
        if rails and gpus % rails and rails % gpus:
            yield case.view.clash(
                (*path, "fabric", "rails"),
                f"{gpus} GPUs cannot share {rails} rails evenly",
                (*path, "gpu", "count"),
                "GPUs of a server",
            )


def slots_carry_ports(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        slot = SLOT_GBPS[pool.gpu.model]
        cards: dict[str, list[int]] = {}
        for place, rail in enumerate(pool.fabric.rails):
            cards.setdefault(rail.pci.rpartition(".")[0] if rail.pci else f"rail {place}", []).append(place)
        crowded = max(cards.values(), key=len, default=[])
        if len(crowded) * pool.fabric.speed_gbps > slot:
            ports = f"{len(crowded)} ports" if len(crowded) > 1 else "a port"
            yield case.view.clash(
                (*path, "fabric", "speedGbps"),
                f"{ports} of {pool.fabric.speed_gbps} Gbps in a slot that carries {slot} Gbps",
                (*path, "fabric", "rails", crowded[-1]) if len(crowded) > 1 else (*path, "gpu", "model"),
                "the card's other port" if len(crowded) > 1 else f"{pool.gpu.model}'s PCIe",
            )


ERRORS = (
    Rule(
        "mtu-node-over-transit",
        transit_carries_nodes,
        "Large packets to AWS are dropped on the way; where ICMP is filtered, transfers hang.",
        "Leave the node network's MTU at 1500, or at most 8500 with jumbo frames turned on at the interface.",
    ),
    Rule(
        "rail-nic-virtual",
        rails_are_physical,
        "The name is gone whenever the virtual functions are made anew, and a virtual function has none of its own: "
        "the rail is dead after the next reboot.",
        "Name the physical port, for example ens1f0np0.",
    ),
)

WARNINGS = (
    Rule(
        "mtu-pods-under-dns",
        pods_carry_dns,
        "Full-sized DNS answers (1232 bytes) to pods are cut in pieces, and firewalls drop pieces: some names "
        "resolve and some time out.",
        "Leave the node network's MTU at 1500.",
    ),
    Rule(
        "mtu-rail-over-frame",
        rails_fit_frames,
        "Small RDMA messages pass and large ones are lost: queue pairs end with retry exceeded.",
        "Take 9000; a switch's 9216 counts the frame's header too.",
    ),
    Rule(
        "nic-name-unstable",
        names_last,
        "After a reboot or a kernel update the names change places: a rail comes up with another rail's address.",
        "Name ports by slot, as systemd does: ens1f0np0.",
    ),
    Rule(
        "rail-numa-one",
        rails_on_every_numa_node,
        "The other socket's GPUs reach their NIC over the sockets' link, at a fraction of the speed; or `numa` was "
        "left out, and pods are aligned to the wrong socket.",
        "Write the `numa` of every rail, as /sys/class/net/NIC/device/numa_node says.",
    ),
    Rule(
        "rail-numa-uneven",
        rails_even_over_numa_nodes,
        "The GPUs of one socket share fewer ports: every ring is as slow as they are.",
        "Check `numa` of every rail; plug as many NICs at each socket.",
    ),
    Rule(
        "rail-numa-gap",
        numa_nodes_in_a_row,
        "The kubelet's memory reservation covers the first NUMA nodes only, and pods are aligned to others.",
        "Count NUMA nodes from 0, as the kernel does.",
    ),
    Rule(
        "rail-gpu-uneven",
        rails_even_over_gpus,
        "Some GPUs share a port with more others: collectives run at the speed of the most crowded port.",
        "Take as many rails as GPUs, or a number that divides them.",
    ),
    Rule(
        "rail-pcie-narrow",
        slots_carry_ports,
        "The slot is the limit: the port's speed is never seen, and thresholds made of it always fail.",
        "One port a slot, or the speed that the slot carries.",
    ),
)
