"""DSR load balancing: packets arrive unchanged, so real servers listen on the VIP's own port and carry the VIP."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from daiku.errors import Fault
from daiku.plan.model import VirtualIpPlan
from daiku.plan.proof.rule import Case, Rule
from daiku.spec.source import Path

CILIUM_PORTS = {
    4240: "health checks between nodes",
    4244: "Hubble",
    9878: "Envoy's health",
    9879: "the agent's health",
    9890: "the agent's gops",
    9891: "the operator's gops",
    9962: "the agent's metrics",
    9963: "the operator's metrics",
    9964: "Envoy's metrics",
}
"""TCP ports that Cilium takes on every node."""
NODE_EXPORTER_PORT = 9100
"""On every node's own network."""
NODE_PORTS = range(30_000, 32_768)


def ports_of_cilium(case: Case) -> Iterator[Fault]:
    for path, port in _ingress_ports(case):
        if port in CILIUM_PORTS:
            yield case.view.source.fault(
                path, f"port {port} is taken on every node by Cilium: {CILIUM_PORTS[port]}"
            )


def ports_of_monitoring(case: Case) -> Iterator[Fault]:
    for path, port in _ingress_ports(case):
        if port == NODE_EXPORTER_PORT and case.plan.monitoring is not None:
            yield case.view.source.fault(
                path, f"port {port} is taken on every node by the node exporter of `monitoring`"
            )


def ports_of_services(case: Case) -> Iterator[Fault]:
    for path, port in _ingress_ports(case):
        if port in NODE_PORTS:
            yield case.view.source.fault(
                path, f"port {port} is one of {NODE_PORTS[0]} to {NODE_PORTS[-1]}, which services get"
            )


def one_way_in(case: Case) -> Iterator[Fault]:
    production = case.plan.phase == "production"
    served = any(vip.name == "ingress" for vip in case.plan.load_balancer.vips)
    if production and served and len(case.plan.by_role("management")) == 1:
        yield case.view.clash(
            ("management", "count"), "one management node serves the ingress", ("phase",), "production"
        )


def same_port(case: Case) -> Iterator[Fault]:
    for vip in case.plan.load_balancer.vips:
        for server in vip.servers:
            if server.port != vip.port:
                yield case.view.source.fault(
                    _setting(vip),
                    f"real server {server.node} listens on {server.port}, its VIP's port is {vip.port}",
                )


def vip_on_loopback(case: Case) -> Iterator[Fault]:
    carried = {node.name: node.vips for node in case.plan.nodes}
    found: dict[str, Fault] = {}
    for vip in case.plan.load_balancer.vips:
        for server in vip.servers:
            if vip.address not in carried.get(server.node, ()):
                message = f"{server.node} is a real server of {vip.address} and does not carry it"
                found.setdefault(server.node + vip.address, case.view.source.fault(_setting(vip), message))
    yield from found.values()


def one_segment(case: Case) -> Iterator[Fault]:
    network = IPv4Network(case.plan.node_network.cidr)
    for vip in case.plan.load_balancer.vips:
        for server in vip.servers:
            if IPv4Address(server.address) not in network:
                message = f"real server {server.node} ({server.address}) is not on {network}"
                yield case.view.source.fault(_setting(vip), message)


def somebody_answers(case: Case) -> Iterator[Fault]:
    for vip in case.plan.load_balancer.vips:
        if not vip.servers:
            yield case.view.source.fault(_setting(vip), f"{vip.address}:{vip.port} has no real server")


def _ingress_ports(case: Case) -> Iterator[tuple[Path, int]]:
    ingress = case.view.cluster.load_balancer.ingress
    for place, port in enumerate(ingress.ports if ingress else ()):
        yield ("loadBalancer", "ingress", "ports", place), port


def _setting(vip: VirtualIpPlan) -> Path:
    return ("loadBalancer", "apiVip") if vip.name == "api" else ("loadBalancer", "ingress", "vip")


ERRORS = (
    Rule(
        "ingress-port-of-cilium",
        ports_of_cilium,
        "The ingress controller cannot listen, or Cilium cannot: nodes fail their health checks.",
        "Serve the ingress on another port.",
    ),
    Rule(
        "ingress-port-of-monitoring",
        ports_of_monitoring,
        "One of both cannot listen: the ingress is down, or the machines are not watched; or the world reads their "
        "metrics.",
        "Serve the ingress on another port.",
    ),
    Rule(
        "ingress-port-of-services",
        ports_of_services,
        "Cilium's kube-proxy replacement answers first: the day a service gets this port the ingress is gone.",
        "Serve the ingress on a port under 30000.",
    ),
    Rule(
        "dsr-port-differs",
        same_port,
        "A DSR load balancer does not rewrite ports: every connection is refused.",
        "Let the real server listen on the VIP's port.",
    ),
    Rule(
        "dsr-vip-not-carried",
        vip_on_loopback,
        "The server drops the packets: they are not addressed to it.",
        "Put the VIP on its loopback, with arp_ignore 1 and arp_announce 2.",
    ),
    Rule(
        "dsr-other-segment",
        one_segment,
        "A DSR load balancer hands frames on by MAC address: they never arrive.",
        "Give the server an address on the node network.",
    ),
    Rule(
        "dsr-no-server",
        somebody_answers,
        "Connections to the VIP time out.",
        "Give the VIP at least one real server.",
    ),
)

WARNINGS = (
    Rule(
        "ingress-single",
        one_way_in,
        "One node's reboot stops every service that users reach.",
        "Take two management nodes or more.",
    ),
)
