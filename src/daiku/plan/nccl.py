"""NCCL's environment for the hardware of a pool. Pure; docs/gpu.md gives the reason of each.

Only what follows from the inventory is set. What NCCL finds out better itself (algorithm, protocol, GID, channels) is
left to it: a value that fits one version or one size of job costs another one its speed.
"""

from __future__ import annotations

from daiku.plan.model import PoolPlan, RailPlan

POD_INTERFACE = "eth0"
"""The interface of the pod network inside pods, as Cilium names it."""


def environment(pool: PoolPlan, rails: tuple[RailPlan, ...]) -> tuple[tuple[str, str], ...]:
    """Names and values, sorted. `rails` are the pool's own."""
    values = {"NCCL_SOCKET_IFNAME": f"={POD_INTERFACE}"}
    if not rails:
        # There is no fabric: a NIC that NCCL found would be the node network's.
        return tuple(sorted((values | {"NCCL_IB_DISABLE": "1"}).items()))
    values["NCCL_IB_HCA"] = _devices(pool, rails)
    if isolated(rails):
        values["NCCL_CROSS_NIC"] = "0"
    if pool.qos is not None:
        values["NCCL_IB_TC"] = str(pool.qos.dscp << 2 | (2 if pool.qos.ecn else 0))
    if pool.gid_index is not None:
        values["NCCL_IB_GID_INDEX"] = str(pool.gid_index)
    return tuple(sorted(values.items()))


def isolated(rails: tuple[RailPlan, ...]) -> bool:
    """Whether some rail cannot reach the others: two NICs on different rails then never connect."""
    return len(rails) > 1 and any(not rail.gateway for rail in rails)


def _devices(pool: PoolPlan, rails: tuple[RailPlan, ...]) -> str:
    named = [rail.rdma for rail in rails if rail.rdma]
    if pool.attach != "sriov" and len(named) == len(rails):
        # Exactly these, in the order of the rails: another Mellanox NIC of the machine is no rail.
        return "=" + ",".join(f"{name}:1" for name in named)
    # A virtual function's device has another name in each pod, and a pod sees no devices but its own.
    return "mlx5"
