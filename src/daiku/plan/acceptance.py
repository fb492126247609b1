"""What a sound cluster must reach, computed from its hardware. Pure: no measurement, no tuning.

Sources: NCCL's own performance notes (bus bandwidth and the limit of a ring), NVIDIA's data sheets (NVLink), the
layout of a RoCE v2 packet. Each threshold carries the formula that it came from.
"""

from __future__ import annotations

from dataclasses import dataclass

from daiku.plan.gpus import MODELS
from daiku.plan.model import Plan, PoolPlan, RailPlan
from daiku.plan.mtu import ROCE_MIN

PACKET_OVERHEAD = 82
"""Bytes around a RoCE v2 payload on the wire: preamble 8, Ethernet 18, gap 12, IPv4 20, UDP 8, BTH 12, ICRC 4."""
PORT_SHARE = 0.97
"""Of what fits a port, a stream of large writes reaches this: less means errors, pauses or a narrow PCIe link."""
RING_SHARE = 0.85
NVLINK_SHARE = 0.85
"""Of the limit, what is accepted: a sound cluster reaches about 0.9 to 0.98."""
NVSWITCH_RINGS = 0.8
"""Before NVLink 4 switches do not add up: a ring of eight GPUs gets this part of a GPU's NVLink."""
NVME_WRITE_GB = 2.0
"""Least sustained write speed of a data-centre NVMe disk of some terabytes, GB/s."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """`least` of `unit` in the check `name` (docs/acceptance.md) of a pool; `formula` says why."""

    pool: str
    name: str
    least: float
    unit: str
    formula: str


def wire_share(mtu: int) -> float:
    """The part of a port's bits that are payload. RDMA sends packets of 4096 bytes where the device's MTU holds them,
    of 1024 otherwise."""
    payload = 4096 if mtu >= ROCE_MIN else 1024
    return payload / (payload + PACKET_OVERHEAD)


def thresholds(plan: Plan) -> tuple[Threshold, ...]:
    """Of all pools with GPU servers, in the plan's order; a check that a pool cannot run has none."""
    present = {node.pool for node in plan.by_role("gpu")}
    found: list[Threshold] = []
    for pool in plan.pools:
        if pool.name not in present:
            continue
        nodes = sum(1 for node in plan.by_role("gpu") if node.pool == pool.name)
        rails = usable_rails(plan, pool) if nodes > 1 else ()
        if pool.sharing == "none" and pool.gpus > 1:
            found.append(_nvlink(pool))
        found += [_port(pool, rail) for rail in rails]
        if rails and pool.sharing == "none":
            found += [_ring(pool, f"rail{rail.rail}", (rail,)) for rail in rails]
            found.append(_ring(pool, "ring", rails))
        if plan.storage is not None and plan.storage.fast_disks:
            found.append(_fast(pool, plan.storage.fast_disks))
    return tuple(found)


def usable_rails(plan: Plan, pool: PoolPlan) -> tuple[RailPlan, ...]:
    """The pool's rails, if pods can have them."""
    rails = tuple(rail for rail in plan.rails if rail.pool == pool.name)
    return rails if pool.attach != "sriov" or all(rail.vfs for rail in rails) else ()


def _nvlink(pool: PoolPlan) -> Threshold:
    model = MODELS[pool.gpu_model]
    limit = model.nvlink_gb * (1.0 if model.nvlink >= 4 else NVSWITCH_RINGS)
    in_switch = "" if model.nvlink >= 4 else f" x {NVSWITCH_RINGS}"
    return Threshold(
        pool.name,
        "nvlink",
        round(limit * NVLINK_SHARE, 1),
        "GB/s",
        f"NVLink {model.nvlink}, {model.nvlink_gb} GB/s a GPU{in_switch} x {NVLINK_SHARE}",
    )


def _port(pool: PoolPlan, rail: RailPlan) -> Threshold:
    share = wire_share(rail.mtu)
    return Threshold(
        pool.name,
        f"port{rail.rail}",
        round(pool.rail_speed_gbps * share * PORT_SHARE, 1),
        "Gb/s",
        f"{pool.rail_speed_gbps} Gb/s x {share:.3f} payload at MTU {rail.mtu} x {PORT_SHARE}",
    )


def _ring(pool: PoolPlan, name: str, rails: tuple[RailPlan, ...]) -> Threshold:
    # A ring sends every byte into a node once and out of it once: its bus bandwidth is that of the node's rails. A
    # tree over two nodes is not bound by them (up to 1.9 times as much) and proves nothing.
    share = wire_share(rails[0].mtu)
    limit = len(rails) * pool.rail_speed_gbps / 8 * share
    nvlink = MODELS[pool.gpu_model].nvlink_gb
    limit = min(limit, nvlink)
    count = f"{len(rails)} x " if len(rails) > 1 else ""
    return Threshold(
        pool.name,
        name,
        round(limit * RING_SHARE, 1),
        "GB/s",
        f"{count}{pool.rail_speed_gbps} Gb/s / 8 x {share:.3f} payload x {RING_SHARE}",
    )


def _fast(pool: PoolPlan, disks: int) -> Threshold:
    return Threshold(
        pool.name,
        "storage-fast",
        round(disks * NVME_WRITE_GB, 1),
        "GB/s",
        f"{disks} NVMe a node x {NVME_WRITE_GB} GB/s",
    )


EVERYWHERE = ("diag", "nvlink", "port", "storage-fast")
"""Checks that each machine must pass, by the beginnings of their names; the others take a whole pool."""


def places(plan: Plan) -> tuple[tuple[str, str, str], ...]:
    """(pool, check, machine) of every result that there must be; the machine is empty for checks of a whole pool."""
    found: list[tuple[str, str, str]] = []
    names = [(t.pool, t.name) for t in thresholds(plan)]
    present = {node.pool for node in plan.by_role("gpu")}
    names += [(p.name, "diag") for p in plan.pools if p.sharing == "none" and p.name in present]
    for pool, name in names:
        if name.startswith(EVERYWHERE):
            found += [(pool, name, node.name) for node in plan.by_role("gpu") if node.pool == pool]
        else:
            found.append((pool, name, ""))
    return tuple(found)
