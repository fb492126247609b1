"""Tenants: a fenced namespace each, with limits, roles and the only ways in and out."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import ClassVar

from daiku.plan.model import Plan, TenantPlan
from daiku.plan.namespaces import CEPH, FAST, INGRESS
from daiku.render.cluster_cache import DATASET, has_cache
from daiku.render.cluster_ingress import has_ingress
from daiku.render.cluster_parts import Files, gpu_pools
from daiku.render.cluster_queues import PRIORITIES, TENANT_LABEL, Priority, gpu_quota, queue_parts, shares
from daiku.render.cluster_storage import has_reliable
from daiku.render.engine import render

LINK_LOCAL = "169.254.0.0/16"
"""Where clouds keep the credentials of their machines."""
ADMIN_ROLE, USER_ROLE = "daiku-tenant-admin", "daiku-tenant-user"


@dataclass(frozen=True, slots=True)
class Roles:
    """What tenants may do, once for all of them, and what no tenant may do."""

    template: ClassVar[str] = "cluster/tenants/roles.yaml.j2"
    admin: str
    user: str
    tenant_label: str
    priorities: tuple[Priority, ...]


@dataclass(frozen=True, slots=True)
class Tenant:
    """`gpus` are hard limits by resource, none for a tenant that may borrow; `storage` limits all volumes, empty: none.
    `admins` and `users` are groups. `shared_dataset` is empty without a read cache."""

    template: ClassVar[str] = "cluster/tenants/tenant.yaml.j2"
    name: str
    tenant_label: str
    gpus: tuple[tuple[str, str], ...]
    storage: str
    admin_role: str
    user_role: str
    admins: tuple[str, ...]
    users: tuple[str, ...]
    allow_from: tuple[str, ...]
    object_namespace: str
    ingress_namespace: str
    inside: tuple[str, ...]
    dataset: str
    shared_dataset: str


def has_tenants(plan: Plan) -> bool:
    """There are GPUs, and somebody to share them."""
    return bool(plan.tenants and gpu_pools(plan))


def tenant_parts(plan: Plan) -> Files:
    """Queues and namespaces of the tenants; nothing without GPUs to share."""
    if not has_tenants(plan):
        return {}
    classes = tuple(Priority(f"tenant-{name}", value) for name, (value, _) in PRIORITIES.items())
    files = {"62-roles/roles.yaml": render(Roles(ADMIN_ROLE, USER_ROLE, TENANT_LABEL, classes))}
    files |= {f"70-tenants/{t.name}.yaml": render(tenant(plan, t)) for t in plan.tenants}
    return queue_parts(plan) | files


def inside(plan: Plan) -> tuple[str, ...]:
    """Ranges that are not the internet: every network that a pod of this cluster could reach. A private network joined
    with the cloud switch has no range of its own: it is the node network."""
    found = {LINK_LOCAL, plan.node_network.cidr, plan.pods_cidr, plan.services_cidr}
    for rail in plan.rails:
        found |= {rail.subnet, *rail.routes}
    if plan.aws:
        link = str(IPv4Interface(plan.aws.connect.amazon_address).network)
        found |= {plan.aws.vpc_cidr, *plan.aws.connect.prefixes_from_aws, link}
    return tuple(sorted(found))


def tenant(plan: Plan, owner: TenantPlan) -> Tenant:
    """The namespace of a tenant: nothing comes in or goes out but what is named."""
    return Tenant(
        name=owner.name,
        tenant_label=TENANT_LABEL,
        gpus=() if owner.borrow else _limits(plan, owner),
        storage=f"{owner.storage_gib}Gi" if owner.storage_gib else "",
        admin_role=ADMIN_ROLE,
        user_role=USER_ROLE,
        admins=owner.admins,
        users=owner.users,
        allow_from=owner.allow_from,
        object_namespace=CEPH if has_reliable(plan) else "",
        ingress_namespace=INGRESS if has_ingress(plan) else "",
        inside=inside(plan),
        dataset=DATASET,
        shared_dataset=f"dataset://{FAST}/{DATASET}" if has_cache(plan) else "",
    )


def _limits(plan: Plan, owner: TenantPlan) -> tuple[tuple[str, str], ...]:
    owned, _ = shares(plan)
    return tuple((name, str(number)) for name, number in gpu_quota(plan, owned[owner.name]).items())
