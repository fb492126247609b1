"""How long a change should take and what it disturbs. Estimates, for people who choose the hour of a change.

A range is seconds at the real APIs' pace. Its basis is one of: the platform team's own figures (a VM is made or removed
in about 15 minutes, a GPU server in about an hour with the installation), the API's documented limits (five network
changes in five minutes a PHY server), or how long the public clients wait. AWS's are what its documentation says for
gateways and what interactive use shows for the rest. The most that a step of Kubernetes takes is what daiku gives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MINUTE = 60


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low` and `high` are seconds; `disturbs` is what users of the cluster notice, "" for nothing.

    `stage` orders what waits for each other: networks, machines, hosts. Changes of one stage run side by side.
    """

    low: int
    high: int
    disturbs: str = ""
    stage: int = 0


_NETWORK, _MACHINES, _WIRING, _HOSTS, _PLANES, _WORKERS, _OBJECTS = range(7)

_MADE: dict[str, tuple[int, int, int]] = {
    "sakura:cloud:Switch": (5, 30, _NETWORK),
    "sakura:cloud:Bridge": (5, 30, _NETWORK),
    "sakura:cloud:SshKey": (1, 5, _NETWORK),
    "sakura:cloud:Note": (1, 5, _NETWORK),
    "sakura:cloud:PacketFilter": (1, 10, _NETWORK),
    "sakura:cloud:Internet": (30, 3 * MINUTE, _NETWORK),
    "sakura:cloud:VpcRouter": (2 * MINUTE, 10 * MINUTE, _NETWORK),
    "sakura:cloud:LoadBalancer": (2 * MINUTE, 10 * MINUTE, _NETWORK),
    "sakura:cloud:LocalRouter": (10, 2 * MINUTE, _NETWORK),
    "sakura:cloud:AwsConnect": (10, 2 * MINUTE, _NETWORK),
    "sakura:cloud:Disk": (5 * MINUTE, 12 * MINUTE, _NETWORK),
    "sakura:cloud:Server": (2 * MINUTE, 5 * MINUTE, _MACHINES),
    "sakura:phy:PhyServer": (45 * MINUTE, 60 * MINUTE, _MACHINES),
    "sakura:phy:PhyNetwork": (1 * MINUTE, 5 * MINUTE, _WIRING),
    "aws:ec2/vpnGateway:VpnGateway": (30, 5 * MINUTE, _NETWORK),
    "aws:ec2transitgateway/transitGateway:TransitGateway": (1 * MINUTE, 5 * MINUTE, _NETWORK),
    "aws:directconnect/gatewayAssociation:GatewayAssociation": (5 * MINUTE, 20 * MINUTE, _MACHINES),
    "aws:lb/loadBalancer:LoadBalancer": (2 * MINUTE, 5 * MINUTE, _MACHINES),
    "aws:ec2/instance:Instance": (30, 2 * MINUTE, _MACHINES),
    "aws:route53/zone:Zone": (30, 2 * MINUTE, _NETWORK),
}
"""Seconds to create, and the stage."""

_OTHER = (1, 30, _NETWORK)
"""A thing of an API that answers at once."""

_CHANGED: dict[str, tuple[int, int, str]] = {
    "sakura:cloud:VpcRouter": (10, 2 * MINUTE, "new settings are applied; open connections may be cut"),
    "sakura:cloud:LoadBalancer": (10, 2 * MINUTE, "new settings are applied; open connections may be cut"),
    "sakura:cloud:Server": (
        2 * MINUTE,
        10 * MINUTE,
        "the VM is stopped and started for what it cannot change live",
    ),
    "sakura:phy:PhyServer": (10, 60 * MINUTE, "a new image or disk layout reinstalls the server"),
    "sakura:phy:PhyNetwork": (1 * MINUTE, 5 * MINUTE, "the server's links go down for a moment"),
    "sakura:cloud:AwsConnect": (10, 2 * MINUTE, "the connection to AWS is negotiated anew"),
    "sakura:cloud:LocalRouter": (10, 2 * MINUTE, "traffic to AWS may be cut for a moment"),
}
"""Seconds to update, and what that disturbs."""

_LOST: dict[str, str] = {
    "sakura:cloud:Switch": "every VM on it is cut off",
    "sakura:cloud:VpcRouter": "no way out to the internet and none in through the bastion while it is gone",
    "sakura:cloud:LoadBalancer": "the Kubernetes API's address does not answer while it is gone",
    "sakura:cloud:LocalRouter": "no traffic to AWS while it is gone",
    "sakura:cloud:AwsConnect": "no traffic to AWS while it is gone",
    "sakura:cloud:Disk": "the data on it is lost",
    "sakura:cloud:Server": "the node is gone while it is made anew",
    "sakura:phy:PhyServer": "the node leaves the cluster, its disks as the release policy says",
    "sakura:phy:PhyNetwork": "the node leaves the node network",
    "aws:directconnect/gatewayAssociation:GatewayAssociation": "no traffic to AWS while it is gone",
    "aws:ec2/instance:Instance": "the management cluster's machine and its disk are gone",
    "aws:lb/loadBalancer:LoadBalancer": "users' addresses do not answer while it is gone",
    "aws:s3/bucket:Bucket": "the snapshots in it are lost",
}
"""What the end of a thing disturbs."""

_TRIGGERS: dict[str, tuple[int, int, str]] = {
    "netplan": (5, 60, "the node's addresses and routes are set anew, guarded by a roll-back"),
    "containerd": (2, 30, "containerd restarts; running containers go on"),
    "sshd": (1, 5, ""),
    "packages": (30, 10 * MINUTE, "packages are installed; their services may restart"),
    "units": (1, 60, "services that are not running are started"),
    "reboot": (60, 15 * MINUTE, "the machine restarts: everything that runs on it stops meanwhile"),
}
_TRIGGER = (1, 10, "")
_FILES = (1, 10)
_STEPS: dict[str, tuple[int, int, str]] = {
    "wait": (5, 5 * MINUTE, ""),
    "drain": (10, 10 * MINUTE, "its pods are moved to other machines"),
    "init": (30, 5 * MINUTE, ""),
    "resume init": (10, 5 * MINUTE, ""),
    "forget etcd member": (1, 10, "etcd has a member less"),
    "delete node": (1, 10, "its pods are made anew on other machines"),
    "reset": (5, 2 * MINUTE, "its pods end, and what it holds of the cluster is removed"),
    "join": (10, 5 * MINUTE, ""),
    "restart kubelet": (2, 2 * MINUTE, ""),
    "mark": (1, 5, ""),
    "clean up": (1, 5, ""),
}
"""What is done to a machine of Kubernetes, in seconds, and what that disturbs."""
_OBJECT, _CHART = (1, 1 * MINUTE), (10, 10 * MINUTE)


def of_resource(kind: str, operation: str) -> Estimate:
    """What one resource's change takes: `kind` as in `sakura:cloud:Server`, `operation` create|update|replace|delete
    (import and read take a moment)."""
    low, high, stage = _MADE.get(kind, _OTHER)
    lost = _LOST.get(kind, "")
    match operation:
        case "create":
            return Estimate(low, high, "", stage)
        case "update":
            low, high, disturbs = _CHANGED.get(kind, (*_OTHER[:2], ""))
            return Estimate(low, high, disturbs, stage)
        case "replace":
            return Estimate(low + 5, high + _removal(kind, high), lost, stage)
        case "delete":
            return Estimate(5, _removal(kind, high), lost, stage)
        case _:
            return Estimate(1, 10, "", stage)


def of_host(files: int, triggers: Iterable[str], *, fresh: bool = False) -> Estimate:
    """What bringing one host to its bundle takes; triggers run one after the other. `fresh`: a new machine."""
    low = high = 0
    if files:
        low, high = _FILES
    disturbed: list[str] = []
    for name in triggers:
        kind = "reboot" if name.startswith("reboot") else name
        least, most, disturbs = _TRIGGERS.get(kind, _TRIGGER)
        low, high = low + least, high + most
        if disturbs and not fresh:
            disturbed.append(disturbs)
    return Estimate(low, high, "; ".join(disturbed), _HOSTS)


def of_step(do: str) -> Estimate:
    """What one step of Kubernetes takes; `do` is what `daiku.apply.phases.decide.Do` names. KeyError: it names none."""
    return Estimate(*_STEPS[do], _PLANES)


def of_steps(steps: Iterable[tuple[str, str, str]]) -> tuple[Estimate, ...]:
    """What steps of Kubernetes take together, given as phase, machine and what is done: one after the other, but the
    workers side by side."""
    planes: list[Estimate] = []
    workers: dict[str, list[Estimate]] = {}
    for phase, machine, do in steps:
        (workers.setdefault(machine, []) if phase == "workers" else planes).append(of_step(do))
    return tuple(
        Estimate(sum(one.low for one in each), sum(one.high for one in each), "", stage)
        for each, stage in ((planes, _PLANES), *((one, _WORKERS) for one in workers.values()))
        if each
    )


def of_objects(objects: int, charts: int) -> tuple[Estimate, ...]:
    """What so many changes of the cluster's objects, and of its charts, take: charts one after the other."""
    if not objects and not charts:
        return ()
    low, high = _OBJECT if objects else (0, 0)
    return (Estimate(low + charts * _CHART[0], high + charts * _CHART[1], "", _OBJECTS),)


def total(estimates: Iterable[Estimate]) -> Estimate:
    """All together: the longest of each stage, stages one after the other."""
    longest: dict[int, tuple[int, int]] = {}
    for one in estimates:
        low, high = longest.get(one.stage, (0, 0))
        longest[one.stage] = (max(low, one.low), max(high, one.high))
    return Estimate(sum(low for low, _ in longest.values()), sum(high for _, high in longest.values()))


def words(estimate: Estimate) -> str:
    """`5 to 30 s`, `45 to 60 min`, `about 15 min`."""
    if estimate.high < 2 * MINUTE:
        low, high, unit = estimate.low, estimate.high, "s"
    else:
        low, high, unit = round(estimate.low / MINUTE), -(-estimate.high // MINUTE), "min"
    if low == high:
        return f"about {high} {unit}"
    return f"{low} to {high} {unit}" if low else f"up to {high} {unit}"


def _removal(kind: str, high: int) -> int:
    """Most seconds that removing takes. A GPU server is released, not installed."""
    return 5 * MINUTE if kind == "sakura:phy:PhyServer" else high
