"""Control plane, virtual IPs and the way out."""

from __future__ import annotations

from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan.view import View
from daiku.spec import locks
from daiku.spec.defaults import MAX_CONTROL_PLANES
from daiku.spec.faults import suggestion
from daiku.spec.source import Path

BANDWIDTHS = (100, 250, 500, *range(1000, 10_001, 500))
"""Mbps of the router+switch, as on the price list."""

HOST_PORTS = {22: "SSH", 10250: "the kubelet", 10256: "health checks"}
"""Ports that a management node itself listens on: on the ingress VIP they would answer in its place."""


def quorum(view: View) -> Iterator[Fault]:
    """etcd on an even number of members survives no more than on one less, and stops more easily."""
    count = view.cluster.control_plane.count
    if count > MAX_CONTROL_PLANES:
        hint = "etcd gets slower with every member"
        yield view.source.fault(
            ("controlPlane", "count"), f"at most {MAX_CONTROL_PLANES} control planes", hint
        )
    elif count % 2 == 0:
        yield view.source.fault(
            ("controlPlane", "count"),
            f"{count} control planes: etcd needs an odd number",
            f"{count - 1} survive as many failures as {count}; take {count - 1} or {count + 1}",
        )


def release(view: View) -> Iterator[Fault]:
    name, known = view.cluster.release, locks.names()
    if name not in known:
        hint = suggestion(name, known) or f"this daiku has: {', '.join(known)}"
        yield view.source.fault(("release",), f"there is no release {name}", hint)


def registries(view: View) -> Iterator[Fault]:
    """One address for one source: a second would only seem to count."""
    first: dict[str, Path] = {}
    for place, registry in enumerate(view.cluster.registries):
        here: Path = ("registries", place, "source")
        if first.setdefault(registry.source, here) != here:
            other = first[registry.source]
            yield view.clash(here, f"two registries for source {registry.source}", other, "the other one")


def bandwidth(view: View) -> Iterator[Fault]:
    egress, path = view.cluster.network.egress, ("network", "egress", "bandwidthMbps")
    if egress.bandwidth_mbps is None:
        return
    if egress.router == "standard":
        yield view.clash(
            path,
            "plan standard has no bandwidth to choose: it is on the shared segment",
            ("network", "egress", "router"),
            "plan standard",
            "remove it, or take plan premium",
        )
    elif egress.bandwidth_mbps not in BANDWIDTHS:
        hint = "100, 250, 500 or 1000 to 10000 by 500"
        yield view.source.fault(path, f"{egress.bandwidth_mbps} Mbps is not on the price list", hint)


def vrrp(view: View) -> Iterator[Fault]:
    """Redundant pairs on one L2 find each other by their VRRP group: two pairs in one group fight for the address."""
    cluster = view.cluster
    groups: list[tuple[int, str, Path]] = [
        (cluster.load_balancer.vrid, "load balancer", ("loadBalancer", "vrid"))
    ]
    if cluster.network.egress.router != "standard":
        groups.append((cluster.network.egress.vrid, "VPC router", ("network", "egress", "vrid")))
    if cluster.aws is not None:
        vrid = cluster.aws.connect.local_router.vrid
        groups.append((vrid, "local router", ("aws", "connect", "localRouter", "vrid")))
    first: dict[int, tuple[str, Path]] = {}
    for vrid, what, path in groups:
        other, where = first.setdefault(vrid, (what, path))
        if where != path:
            default = "" if view.source.given(where) else f" ({vrid} by default)"
            yield view.clash(path, f"VRID {vrid} is the {other}'s too", where, f"{other}{default}")


def ingress_ports(view: View) -> Iterator[Fault]:
    ingress = view.cluster.load_balancer.ingress
    for place, port in enumerate(ingress.ports if ingress else ()):
        if port in HOST_PORTS:
            yield view.source.fault(
                ("loadBalancer", "ingress", "ports", place),
                f"port {port} is taken on the management nodes by {HOST_PORTS[port]}",
            )


def keys(view: View) -> Iterator[Fault]:
    """Public keys only, one a line."""
    kinds = ("ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-nistp", "sk-ssh-ed25519@", "sk-ecdsa-sha2-nistp")
    for place, key in enumerate(view.cluster.access.authorized_keys):
        if not key.startswith(kinds) or "\n" in key.strip() or len(key.split()) < 2:
            # Not the source line: a private key pasted here by mistake must not be shown.
            found = view.source.fault(
                ("access", "authorizedKeys", place),
                "not a public key in OpenSSH form",
                "the contents of a .pub file; the line is not shown",
            )
            yield Fault(found.path, found.message, found.hint, found.file, found.line, found.column)


def production(view: View) -> Iterator[Fault]:
    """Warnings: what a production cluster has twice."""
    cluster = view.cluster
    if cluster.phase != "production":
        return
    if cluster.control_plane.count < 3:
        yield view.clash(
            ("controlPlane", "count"),
            "one control plane in production: its loss stops the API",
            ("phase",),
            "phase",
        )
    if len(cluster.load_balancer.addresses) < 2 and cluster.load_balancer.plan == "standard":
        yield view.clash(
            ("loadBalancer",),
            "a single load balancer in production",
            ("phase",),
            "phase",
            "give it two `addresses`",
        )


def snapshots(view: View) -> Iterator[Fault]:
    """A warning: the snapshots' bucket is on AWS."""
    if view.cluster.aws is None:
        path = ("kubernetes", "etcd")
        yield view.source.fault(
            path, "no `aws`: etcd has no snapshots outside the cluster", "add `aws`, or copy them"
        )


def wide_l2(view: View) -> Iterator[Fault]:
    """A warning: cloud switches carry 1500 bytes."""
    node = view.cluster.network.node
    if node.mtu > 1500:
        message = f"MTU {node.mtu} on the node network: Sakura's cloud switch carries 1500"
        yield view.source.fault(
            ("network", "node", "mtu"), message, "leave it at 1500 unless it was measured"
        )
