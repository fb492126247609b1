"""What stands on Sakura Cloud and PHY, in as few calls as there are kinds: one listing each, not a call an object."""

from __future__ import annotations

from typing import Any

from daiku.observe.parts import Part
from daiku.plan.model import Plan
from daiku.wire.phy import Phy
from daiku.wire.phy_models import PhyServer
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import INTERNET, LOAD_BALANCER, LOCAL_ROUTER, SERVER, SWITCH, VPC_ROUTER
from daiku.wire.sakura_models import Appliance, Internet, LocalRouter, Server, Switch

MISSING = "missing"


def cluster_tag(cluster: str) -> str:
    """The tag that the stack puts on every object of a cluster."""
    return f"cluster={cluster}"[:32]


def cloud_parts(cloud: SakuraCloud, plan: Plan) -> tuple[Part, ...]:
    """Switch, uplink, VPC router, load balancer, local router and VMs, as they are now."""
    tag = cluster_tag(plan.cluster)
    return (
        *_network(cloud, plan, tag),
        *_load_balancer(cloud, plan, tag),
        *_local_router(cloud, plan, tag),
        *_vms(cloud, plan, tag),
    )


def _network(cloud: SakuraCloud, plan: Plan, tag: str) -> list[Part]:
    parts: list[Part] = []
    switches = [Switch.of(item) for item in cloud.find_by_tag(SWITCH, tag)]
    switch = next((s for s in switches if s.name == f"{plan.cluster}-nodes"), None)
    if switch:
        joined = "joined with PHY" if switch.hybrid_connection else ""
        parts.append(Part("switch", switch.name, switch.id, plan.node_network.cidr, "available", joined))
    else:
        parts.append(Part("switch", f"{plan.cluster}-nodes", "", plan.node_network.cidr, MISSING))
    if plan.router.bandwidth_mbps is not None:
        uplinks = [Internet.of(item) for item in cloud.find_by_tag(INTERNET, tag)]
        for uplink in uplinks:
            subnet = uplink.switch.subnets[0] if uplink.switch.subnets else None
            address = f"{subnet.network_address}/{subnet.network_mask_len}" if subnet else ""
            parts.append(
                Part(
                    "router+switch",
                    uplink.name,
                    uplink.id,
                    address,
                    "available",
                    f"{uplink.bandwidth_mbps} Mbps",
                )
            )
        if not uplinks:
            parts.append(Part("router+switch", f"{plan.cluster}-uplink", "", "", MISSING))
    routers = [Appliance.of(item) for item in cloud.find_by_tag(VPC_ROUTER, tag)]
    for router in routers:
        public = _public_address(router)
        parts.append(
            Part(
                "VPC router",
                router.name,
                router.id,
                public,
                router.instance.status or router.availability,
                f"NAT for {plan.node_network.cidr}; {public}:{plan.router.bastion_port} to the bastion",
            )
        )
    if not routers:
        parts.append(Part("VPC router", f"{plan.cluster}-router", "", "", MISSING))
    return parts


def _public_address(router: Appliance) -> str:
    settings: dict[str, Any] = router.settings.get("Router") or {}
    interfaces: list[Any] = settings.get("Interfaces") or []
    first: dict[str, Any] = interfaces[0] if interfaces and isinstance(interfaces[0], dict) else {}
    if first.get("VirtualIPAddress"):
        return str(first["VirtualIPAddress"])
    outer = router.interfaces[0] if router.interfaces else None
    return outer.ip_address if outer else ""


def _load_balancer(cloud: SakuraCloud, plan: Plan, tag: str) -> list[Part]:
    parts: list[Part] = []
    for item in cloud.find_by_tag(LOAD_BALANCER, tag):
        balancer = Appliance.of(item)
        state = balancer.instance.status or balancer.availability
        vips = sorted({(vip.name, vip.address, vip.port) for vip in plan.load_balancer.vips})
        for name, address, port in vips:
            parts.append(Part("load balancer", balancer.name, balancer.id, f"{address}:{port}", state, name))
    return parts or [Part("load balancer", f"{plan.cluster}-lb", "", "", MISSING)]


def _local_router(cloud: SakuraCloud, plan: Plan, tag: str) -> list[Part]:
    if plan.aws is None:
        return []
    parts: list[Part] = []
    for item in cloud.find_by_tag(LOCAL_ROUTER, tag):
        router = LocalRouter.of(item)
        health = cloud.act("GET", LOCAL_ROUTER, router.id, "health")
        peers: list[dict[str, Any]] = (health.get("LocalRouter") or {}).get("Peers") or []
        state = ",".join(sorted({str(peer.get("Status", "")) for peer in peers})) or "no peer"
        routes = sorted({str(route) for peer in peers for route in peer.get("Routes") or []})
        vip = plan.aws.connect.local_router.vip
        parts.append(Part("local router", router.name, router.id, vip, "available"))
        parts.append(
            Part(
                "AWS connection",
                "aws-connect",
                plan.aws.connect.resource_id,
                plan.aws.connect.customer_address,
                state,
                f"routes {' '.join(routes)}" if routes else "",
            )
        )
    return parts or [Part("local router", f"{plan.cluster}-local-router", "", "", MISSING)]


def _vms(cloud: SakuraCloud, plan: Plan, tag: str) -> list[Part]:
    servers = {server.name: server for server in map(Server.of, cloud.find_by_tag(SERVER, tag))}
    parts: list[Part] = []
    for node in plan.nodes:
        if node.role == "gpu":
            continue
        server = servers.get(node.name)
        if server is None:
            parts.append(Part("VM", node.name, "", node.address, MISSING, node.role))
            continue
        shown = server.interfaces[0].user_ip_address if server.interfaces else ""
        size = f"{node.role}, {server.plan.cpu} CPU, {server.plan.memory_mb // 1024} GiB"
        parts.append(Part("VM", node.name, server.id, shown, server.instance.status or "down", size))
    return parts


def phy_parts(phy: Phy, plan: Plan) -> tuple[Part, ...]:
    """The GPU nodes, from one listing of the account's servers."""
    nodes = plan.by_role("gpu")
    if not nodes:
        return ()
    servers = {server.server_id: server for server in phy.servers()}
    return tuple(
        _gpu(node.name, node.phy_id or "", node.address, servers.get(node.phy_id or ""), plan)
        for node in nodes
    )


def _gpu(name: str, service: str, address: str, server: PhyServer | None, plan: Plan) -> Part:
    if server is None:
        return Part("GPU node", name, service, address, MISSING)
    power = server.cached_power_status.status if server.cached_power_status else "unknown"
    network = plan.node_network.private_network
    joined = any(network in port.private_network_ids for port in server.ports)
    public = any(port.internet and port.enabled for port in server.ports)
    detail = ", ".join(
        text
        for text in (
            "on the node network" if joined else "not on the node network",
            "public port open" if public else "public port sealed",
            f"locked: {server.lock_status}" if server.lock_status else "",
        )
        if text
    )
    return Part("GPU node", name, service, address, power, detail)
