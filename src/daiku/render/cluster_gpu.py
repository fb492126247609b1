"""GPUs for pods: NVIDIA's operator or its device plugin alone, MIG layouts and sharing by pool; NCCL's environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan import nccl
from daiku.plan.model import Plan, PoolPlan
from daiku.plan.namespaces import GPU, RAILS
from daiku.render.cluster_monitoring import DCGM_COUNTERS
from daiku.render.cluster_parts import Files, chart_parts, gpu_pools
from daiku.render.cluster_rails import has_networks
from daiku.render.engine import render

MIG_CONFIG, SHARING_CONFIG = "mig-layouts", "gpu-sharing"
RUNTIME_CLASS = "nvidia"
"""Containerd's second runtime on GPU servers, and the class that names it."""
WHOLE, NO_MIG = "whole", "all-disabled"
"""Configurations of machines whose pool shares nothing, and has no MIG: those without a label of a pool."""


@dataclass(frozen=True, slots=True)
class GpuConfig:
    """Configurations by pool, which nodes choose by label. None: nobody needs it."""

    template: ClassVar[str] = "cluster/gpu/config.yaml.j2"
    namespace: str
    mig_name: str
    mig: dict[str, Any] | None
    sharing_name: str
    sharing: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class OperatorValues:
    """Names of ConfigMaps are empty where there is none; `counters` names the one with the exporter's metrics."""

    template: ClassVar[str] = "cluster/gpu/operator-values.yaml.j2"
    mig_config: str
    no_mig: str
    sharing_config: str
    whole: str
    counters: str


@dataclass(frozen=True, slots=True)
class PluginValues:
    template: ClassVar[str] = "cluster/gpu/device-plugin-values.yaml.j2"
    runtime_class: str
    sharing_config: str
    whole: str


@dataclass(frozen=True, slots=True)
class RuntimeClass:
    """`name` is also the handler's, in containerd's configuration."""

    template: ClassVar[str] = "cluster/gpu/runtime-class.yaml.j2"
    name: str


@dataclass(frozen=True, slots=True)
class Environment:
    """NCCL's settings of one pool, for one namespace."""

    name: str
    namespace: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Nccl:
    template: ClassVar[str] = "cluster/gpu/nccl.yaml.j2"
    environments: tuple[Environment, ...]


def gpu_parts(plan: Plan) -> Files:
    """Nothing without GPU servers."""
    pools = _pools(plan)
    if not pools:
        return {}
    mig, sharing = mig_layouts(pools), sharing_configs(pools)
    files: Files = {}
    if mig or sharing:
        config = GpuConfig(GPU, MIG_CONFIG, mig, SHARING_CONFIG, sharing)
        files["30-gpu-config/config.yaml"] = render(config)
    sharing_name = SHARING_CONFIG if sharing else ""
    if plan.gpu_stack == "operator":
        counters = DCGM_COUNTERS if plan.monitoring else ""
        values = OperatorValues(MIG_CONFIG if mig else "", NO_MIG, sharing_name, WHOLE, counters)
        files |= chart_parts(plan, "31-gpu", "gpu-operator", GPU, values)
    else:
        # The operator would make the class itself.
        files["30-gpu-config/runtime-class.yaml"] = render(RuntimeClass(RUNTIME_CLASS))
        values = PluginValues(RUNTIME_CLASS, sharing_name, WHOLE)
        files |= chart_parts(plan, "31-gpu", "nvidia-device-plugin", GPU, values)
    environments = _environments(plan, pools)
    return files | ({"90-nccl/nccl.yaml": render(Nccl(environments))} if environments else {})


def mig_layouts(pools: tuple[PoolPlan, ...]) -> dict[str, Any] | None:
    """The MIG manager's configurations: one a pool with MIG, and one for all other machines."""
    sliced = [pool for pool in pools if pool.mig]
    if not sliced:
        return None
    layouts: dict[str, Any] = {NO_MIG: [{"devices": "all", "mig-enabled": False}]}
    for pool in sliced:
        layouts[pool.name] = [{"devices": "all", "mig-enabled": True, "mig-devices": dict(pool.mig)}]
    return {"version": "v1", "mig-configs": layouts}


def sharing_configs(pools: tuple[PoolPlan, ...]) -> dict[str, Any] | None:
    """The device plugin's configurations: one a pool that shares by MPS or time slices, and one for the others.

    A shared GPU is a resource of another name, `nvidia.com/gpu.shared`: a quota of GPUs never counts parts. A pod may
    ask for one only, because two parts can be of the same GPU.
    """
    configs: dict[str, Any] = {WHOLE: {"version": "v1"}}
    for pool in pools:
        shared: dict[str, Any] = {
            "renameByDefault": True,
            "failRequestsGreaterThanOne": True,
            "resources": [{"name": "nvidia.com/gpu", "replicas": pool.replicas}],
        }
        if pool.sharing == "mps":
            configs[pool.name] = {"version": "v1", "sharing": {"mps": shared}}
        elif pool.sharing == "time-slicing":
            configs[pool.name] = {"version": "v1", "sharing": {"timeSlicing": shared}}
    return configs if len(configs) > 1 else None


def nccl_name(pool: str) -> str:
    """The ConfigMap with NCCL's environment of a pool."""
    return f"nccl-{pool}"


def nccl_environment(plan: Plan, pool: PoolPlan) -> dict[str, str]:
    """NCCL's environment for pods of a pool."""
    return dict(nccl.environment(pool, tuple(rail for rail in plan.rails if rail.pool == pool.name)))


def _environments(plan: Plan, pools: tuple[PoolPlan, ...]) -> tuple[Environment, ...]:
    namespaces = sorted({tenant.name for tenant in plan.tenants})
    if has_networks(plan):
        namespaces.insert(0, RAILS)
    return tuple(
        Environment(nccl_name(pool.name), namespace, nccl_environment(plan, pool))
        for namespace in namespaces
        for pool in pools
    )


def _pools(plan: Plan) -> tuple[PoolPlan, ...]:
    return tuple(plan.pool(name) for name in gpu_pools(plan))
