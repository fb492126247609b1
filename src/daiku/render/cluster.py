"""What the cluster is given once it runs: manifests and chart values, in numbered folders in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import Plan
from daiku.plan.namespaces import CEPH, FAST, FLUID, GPU, INGRESS, KUEUE, MONITORING, RAILS, SRIOV
from daiku.render.cluster_cache import cache_parts, has_cache, has_fast
from daiku.render.cluster_cilium import cilium_parts
from daiku.render.cluster_gpu import gpu_parts
from daiku.render.cluster_ingress import has_ingress, ingress_parts
from daiku.render.cluster_monitoring import monitoring_parts
from daiku.render.cluster_parts import Files, gpu_pools
from daiku.render.cluster_rails import has_functions, has_networks, rail_parts
from daiku.render.cluster_storage import has_reliable, storage_parts
from daiku.render.cluster_tenants import has_tenants, tenant_parts
from daiku.render.engine import render
from daiku.render.tree import File, Tree

GROWS_WITH_GPU_NODES = ("51-fast-tier/fast-tier.yaml", "61-queues/queues.yaml")
"""The only files that change when a GPU node is added: the cache's workers and the GPUs to share."""


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str
    security: str


@dataclass(frozen=True, slots=True)
class Namespaces:
    template: ClassVar[str] = "cluster/namespaces.yaml.j2"
    namespaces: tuple[Namespace, ...]


def cluster_tree(plan: Plan) -> Tree:
    """Folders by number: a folder may be applied when those before it are ready. A folder with `chart.yaml`
    is an installation by helm with `values.yaml`; the others hold manifests. ValueError: the release lacks a
    version."""
    parts: Files = {"00-namespaces/namespaces.yaml": render(Namespaces(_namespaces(plan)))}
    parts |= cilium_parts(plan) | rail_parts(plan) | gpu_parts(plan)
    parts |= storage_parts(plan) | cache_parts(plan) | tenant_parts(plan)
    parts |= ingress_parts(plan) | monitoring_parts(plan)
    return Tree({path: File(content) for path, content in parts.items()})


def _namespaces(plan: Plan) -> tuple[Namespace, ...]:
    needed = {
        RAILS: ("restricted", has_networks(plan)),
        SRIOV: ("privileged", has_functions(plan)),
        GPU: ("privileged", bool(gpu_pools(plan))),
        CEPH: ("privileged", has_reliable(plan)),
        FLUID: ("privileged", has_cache(plan)),
        FAST: ("privileged", has_fast(plan)),
        # Pods with ports of the machine, and with eyes on it.
        INGRESS: ("privileged", has_ingress(plan)),
        MONITORING: ("privileged", plan.monitoring is not None),
        KUEUE: ("baseline", has_tenants(plan)),
    }
    return tuple(Namespace(name, security) for name, (security, wanted) in sorted(needed.items()) if wanted)
