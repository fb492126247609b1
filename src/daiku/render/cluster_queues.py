"""Kueue: a queue with quotas for each tenant in one cohort, priorities, and where on the fabric a job lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.gpus import resources
from daiku.plan.model import NodePlan, Plan, TenantPlan
from daiku.plan.namespaces import KUEUE
from daiku.plan.nodes import DOMAIN
from daiku.render.cluster_parts import POOL_LABEL, RAIL_GROUP_LABEL, Files, chart_parts, gpu_pools
from daiku.render.engine import render
from daiku.render.host_kubernetes import reserved_cpus, reserved_gib

COHORT = "gpus"
RACK_LABEL = f"{DOMAIN}/rack"
TENANT_LABEL = f"{DOMAIN}/tenant"
HOST_LABEL = "kubernetes.io/hostname"
PRIORITIES = {"low": (-100, "500m"), "normal": (0, "1"), "high": (100, "2")}
"""Value of the priority class of that name, and weight of a queue whose tenant has that priority."""


@dataclass(frozen=True, slots=True)
class Flavor:
    """The machines of a pool. `levels` are node labels from the widest to the narrowest domain; every machine of the
    pool carries all of them, since Kueue leaves out one that lacks any."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Priority:
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Queue:
    """`flavors` as Kueue writes them: a list of names with a quota for each resource."""

    name: str
    weight: str
    flavors: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Queues:
    template: ClassVar[str] = "cluster/kueue/queues.yaml.j2"
    pool_label: str
    flavors: tuple[Flavor, ...]
    priorities: tuple[Priority, ...]
    cohort: str
    resources: tuple[str, ...]
    spare: list[dict[str, Any]]
    queues: tuple[Queue, ...]


@dataclass(frozen=True, slots=True)
class KueueValues:
    template: ClassVar[str] = "cluster/kueue/kueue-values.yaml.j2"
    service_domain: str
    replicas: int
    configuration: dict[str, Any]


def queue_parts(plan: Plan) -> Files:
    """Kueue itself, and the queues."""
    values = KueueValues(plan.service_domain, replicas=2, configuration=_configuration())
    files = chart_parts(plan, "60-kueue", "kueue", KUEUE, values)
    return files | {"61-queues/queues.yaml": render(queues(plan))}


def queues(plan: Plan) -> Queues:
    """A queue for each tenant with its GPUs and their share of processors and memory; the rest is the
    cohort's.

    ValueError: the tenants own more GPUs than there are.
    """
    owned, left = shares(plan)
    made = [
        Queue(
            owner.name,
            PRIORITIES[owner.priority][1],
            _flavors(plan, owned[owner.name], borrow=owner.borrow),
        )
        for owner in plan.tenants
    ]
    return Queues(
        pool_label=POOL_LABEL,
        flavors=tuple(Flavor(pool, levels(plan, pool)) for pool in sorted(left)),
        priorities=tuple(Priority(name, value) for name, (value, _) in PRIORITIES.items()),
        cohort=COHORT,
        resources=("cpu", "memory", *gpu_names(plan)),
        spare=_flavors(plan, left, borrow=True),
        queues=tuple(made),
    )


def levels(plan: Plan, pool: str) -> tuple[str, ...]:
    """Where the machines of a pool are near each other: rail group, rack, machine. A level that not every machine of
    the pool has is left out."""
    labels = [{key for key, _ in node.labels} for node in plan.by_role("gpu") if node.pool == pool]
    wanted = (RAIL_GROUP_LABEL, RACK_LABEL)
    return (*(level for level in wanted if all(level in own for own in labels)), HOST_LABEL)


def capacity(plan: Plan) -> dict[str, int]:
    """GPUs of each pool, by the pool's name in order."""
    return {pool: sum(n.gpus for n in plan.by_role("gpu") if n.pool == pool) for pool in gpu_pools(plan)}


def shares(plan: Plan) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """The GPUs of each tenant by pool, and those of each pool that are nobody's own. ValueError: there are too few."""
    left = capacity(plan)
    return {owner.name: _take(left, owner) for owner in plan.tenants}, left


def gpu_names(plan: Plan) -> tuple[str, ...]:
    """What pods ask for to get a GPU, a part of one or a turn on one, in any pool; sorted."""
    return tuple(sorted({name for pool in gpu_pools(plan) for name, _ in resources(plan.pool(pool))}))


def gpu_quota(plan: Plan, gpus: dict[str, int]) -> dict[str, int]:
    """What so many GPUs of each pool are in the pools' own units: parts with MIG, turns when shared. Every name of
    `gpu_names` has its number, 0 included."""
    found = dict.fromkeys(gpu_names(plan), 0)
    for pool, count in gpus.items():
        made = plan.pool(pool)
        for name, number in resources(made):
            found[name] += number // made.gpus * count
    return found


def gpu_share(node: NodePlan) -> dict[str, str]:
    """What goes with one GPU of a machine, as quantities: an even part of what is not reserved."""
    cpus = max((node.cpu - reserved_cpus()) // node.gpus, 1)
    memory = max((node.memory_gib - reserved_gib(node.memory_gib)) // node.gpus, 1)
    return {"cpu": str(cpus), "memory": f"{memory}Gi"}


def _take(left: dict[str, int], owner: TenantPlan) -> dict[str, int]:
    """Take a tenant's GPUs out of the pools, the first pool first."""
    wanted = owner.gpus
    own: dict[str, int] = {}
    for pool, free in left.items():
        own[pool] = min(free, wanted)
        left[pool] -= own[pool]
        wanted -= own[pool]
    if wanted:
        raise ValueError(f"tenant {owner.name} lacks {wanted} GPUs: the tenants own more than there are")
    return own


def _flavors(plan: Plan, gpus: dict[str, int], *, borrow: bool) -> list[dict[str, Any]]:
    flavors: list[dict[str, Any]] = []
    for pool, count in gpus.items():
        one = gpu_share(next(n for n in plan.by_role("gpu") if n.pool == pool))
        amounts = {name: _times(quantity, count) for name, quantity in one.items()}
        amounts |= {name: str(number) for name, number in gpu_quota(plan, {pool: count}).items()}
        quotas: list[dict[str, str]] = []
        for name, amount in amounts.items():
            quota = {"name": name, "nominalQuota": amount}
            quotas.append(quota if borrow else quota | {"borrowingLimit": "0"})
        flavors.append({"name": pool, "resources": quotas})
    return flavors


def _times(quantity: str, count: int) -> str:
    number = quantity.removesuffix("Gi")
    return str(int(number) * count) + quantity[len(number) :]


def _configuration() -> dict[str, Any]:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": ":8081"},
        "metrics": {"bindAddress": ":8443"},
        "webhook": {"port": 9443},
        "leaderElection": {"leaderElect": True, "resourceName": "c1f6bfd2.kueue.x-k8s.io"},
        # The chart's own, which this file takes the place of: without it each kind has one worker.
        "controller": {
            "groupKindConcurrency": {
                "Job.batch": 5,
                "Pod": 5,
                "Workload.kueue.x-k8s.io": 10,
                "LocalQueue.kueue.x-k8s.io": 5,
                "ClusterQueue.kueue.x-k8s.io": 5,
                "ResourceFlavor.kueue.x-k8s.io": 1,
            }
        },
        # In a tenant's namespace nothing goes past the queues; elsewhere Kueue looks at nothing.
        "manageJobsWithoutQueueName": True,
        "managedJobsNamespaceSelector": {
            "matchExpressions": [{"key": f"{DOMAIN}/tenant", "operator": "Exists"}]
        },
        "integrations": {
            "frameworks": [
                "batch/job",
                "jobset.x-k8s.io/jobset",
                "leaderworkerset.x-k8s.io/leaderworkerset",
                "pod",
                "deployment",
                "statefulset",
            ]
        },
        "fairSharing": {"preemptionStrategies": ["LessThanOrEqualToFinalShare", "LessThanInitialShare"]},
        # Rails go with the GPUs; Kueue would hold back a job for any resource that no queue covers.
        "resources": {"excludeResourcePrefixes": [f"{DOMAIN}/", "ephemeral-storage", "hugepages-"]},
    }
