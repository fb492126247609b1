"""Ranges of pods and services against what has to fit in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from daiku.errors import Fault
from daiku.plan.proof.rule import Case, Rule

MAX_PODS = 110
"""Of a kubelet, unless told otherwise."""
TAKEN_OF_A_SHARE = 4
"""First and last address, and Cilium's own router and health endpoint."""

DNS_OFFSET = 10
"""kubeadm gives the cluster's DNS the tenth address of the service network."""
FEW_SERVICES = 128
SPARE_SHARES = 10
"""Tell when fewer than a tenth of the shares is left."""


def shares_hold_pods(case: Case) -> Iterator[Fault]:
    mask = case.plan.pods_node_mask
    room = 2 ** (32 - mask) - TAKEN_OF_A_SHARE
    if room < MAX_PODS:
        yield case.view.source.fault(
            ("network", "pods", "nodeMask"),
            f"a /{mask} has {room} addresses for pods; the kubelet takes up to {MAX_PODS} pods",
        )


def shares_left(case: Case) -> Iterator[Fault]:
    shares = 2 ** (case.plan.pods_node_mask - IPv4Network(case.plan.pods_cidr).prefixlen)
    nodes = len(case.plan.nodes)
    if shares - nodes < shares / SPARE_SHARES:
        yield case.view.clash(
            ("network", "pods", "nodeMask"),
            f"{nodes} of {shares} shares are taken",
            ("network", "pods", "cidr"),
            "pod network",
        )


def services_hold_dns(case: Case) -> Iterator[Fault]:
    network = IPv4Network(case.plan.services_cidr)
    if network.num_addresses <= DNS_OFFSET + 1:
        yield case.view.source.fault(
            ("network", "services", "cidr"),
            f"{network} has no address number {DNS_OFFSET}, which is the cluster DNS's",
        )


def services_enough(case: Case) -> Iterator[Fault]:
    network = IPv4Network(case.plan.services_cidr)
    if DNS_OFFSET + 1 < network.num_addresses < FEW_SERVICES:
        yield case.view.source.fault(
            ("network", "services", "cidr"),
            f"{network} has {network.num_addresses - 2} addresses for services; the platform takes about 60",
        )


ERRORS = (
    Rule(
        "pod-share-under-max-pods",
        shares_hold_pods,
        "The scheduler sends more pods to a node than it has addresses: they stay in ContainerCreating.",
        "Take a node mask of 25 or less; it cannot change later.",
    ),
    Rule(
        "service-range-without-dns",
        services_hold_dns,
        "kubeadm cannot place the cluster's DNS and stops.",
        "Take a service network of a /20 or wider; it cannot change later.",
    ),
)

WARNINGS = (
    Rule(
        "pod-shares-tight",
        shares_left,
        "The next nodes get no pod addresses, and the pod network of a running cluster cannot change.",
        "Take a wider pod network now.",
    ),
    Rule(
        "service-range-small",
        services_enough,
        "Services of tenants are refused once the platform's own have the addresses.",
        "Take a service network of a /20 or wider; it cannot change later.",
    ),
)
