"""Jobs that prove a cluster, by pool and in their order. They are rendered beside it and never applied with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.acceptance import usable_rails
from daiku.plan.model import Plan, PoolPlan, RailPlan
from daiku.plan.namespaces import ACCEPTANCE, RAILS
from daiku.render.cluster_cache import LOCAL, has_fast
from daiku.render.cluster_gpu import nccl_environment
from daiku.render.cluster_parts import Files, gpu_pools
from daiku.render.cluster_storage import FILES, has_reliable
from daiku.render.engine import render
from daiku.render.images import image
from daiku.render.rail_cni import rail_name
from daiku.render.tree import File, Tree

WRITTEN_GIB = 32
"""What each machine writes: four files of 8 GiB."""


SCRIPTS = ("diag.sh", "nvlink.sh", "port.sh", "rank.sh", "remote.py", "ring.sh", "storage.sh")


@dataclass(frozen=True, slots=True)
class Common:
    """`shared_class` is empty without a reliable tier; `shared_size` is a Kubernetes quantity."""

    template: ClassVar[str] = "cluster/acceptance/common.yaml.j2"
    namespace: str
    scripts: tuple[tuple[str, str], ...]
    shared_class: str
    shared_size: str


@dataclass(frozen=True, slots=True)
class Job:
    """One pod a machine. `networks` and `claims` are how it gets rails, `data` the volume that it writes to."""

    template: ClassVar[str] = "cluster/acceptance/job.yaml.j2"
    title: str
    name: str
    namespace: str
    pool: str
    nodes: int
    deadline: int
    image: str
    script: str
    environment: tuple[tuple[str, str], ...]
    networks: str
    claims: tuple[str, ...]
    requests: dict[str, str]
    limits: dict[str, str]
    data: dict[str, Any] | None


def acceptance_tree(plan: Plan) -> Tree:
    """`common.yaml` and a folder a pool, its jobs numbered: one is to end before the next begins, or they measure each
    other. Empty without GPU servers. ValueError: the release lacks an image."""
    pools = gpu_pools(plan)
    if not pools:
        return Tree({})
    nodes = len(plan.by_role("gpu"))
    scripts = tuple((name, render(f"cluster/acceptance/{name}.j2").decode()) for name in SCRIPTS)
    shared = FILES if has_reliable(plan) else ""
    common = Common(ACCEPTANCE, scripts, shared, f"{2 * WRITTEN_GIB * nodes}Gi")
    files: Files = {"common.yaml": render(common)}
    for name in pools:
        for number, job in enumerate(_jobs(plan, plan.pool(name)), 1):
            files[f"{name}/{number}-{job.name.removeprefix(f'{name}-')}.yaml"] = render(job)
    return Tree({path: File(content) for path, content in files.items()})


def _jobs(plan: Plan, pool: PoolPlan) -> list[Job]:
    usable = usable_rails(plan, pool)
    nodes = sum(1 for node in plan.by_role("gpu") if node.pool == pool.name)
    whole = {"nvidia.com/gpu": str(pool.gpus)}
    jobs: list[Job] = []
    if pool.sharing == "none":
        jobs.append(_job(plan, pool, "diag", "NVIDIA's diagnosis of every GPU", nodes, "dcgm", whole))
        if pool.gpus > 1:
            jobs.append(
                _job(plan, pool, "nvlink", "a collective in each machine", nodes, "nccl-tests", whole)
            )
    if usable and nodes > 1:
        title = "the bandwidth of each port to the next machine"
        jobs.append(_job(plan, pool, "port", title, nodes, "perftest", {}, usable))
        if pool.sharing == "none":
            title = "a ring over all machines, by each rail alone and by all"
            jobs.append(_job(plan, pool, "ring", title, nodes, "nccl-tests", whole, usable))
    if has_fast(plan):
        volume = {
            "storageClassName": LOCAL,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{2 * WRITTEN_GIB}Gi"}},
        }
        data = {"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": volume}}}
        title = "writing to the local disks of all machines"
        jobs.append(_job(plan, pool, "storage-fast", title, nodes, "fio", {}, data=data))
    if has_reliable(plan):
        data = {"name": "data", "persistentVolumeClaim": {"claimName": "shared"}}
        title = "writing to the reliable tier from all machines"
        jobs.append(_job(plan, pool, "storage-reliable", title, nodes, "fio", {}, data=data))
    return jobs


def _job(
    plan: Plan,
    pool: PoolPlan,
    check: str,
    title: str,
    nodes: int,
    tool: str,
    devices: dict[str, str],
    rails: tuple[RailPlan, ...] = (),
    *,
    data: dict[str, Any] | None = None,
) -> Job:
    names = [rail_name(rail.pool, rail.rail) for rail in rails]
    claimed = pool.attach == "dranet"
    environment = {"POOL": pool.name, "CHECK": check, "NODES": str(nodes), "GPUS": str(pool.gpus)}
    if rails:
        # A claimed NIC keeps its name; Multus numbers interfaces in the order of the annotation.
        interfaces = [rail.nic if claimed else f"net{place}" for place, rail in enumerate(rails, 1)]
        environment["INTERFACES"] = " ".join(interfaces)
    if tool == "nccl-tests":
        environment |= nccl_environment(plan, pool)
    limits = devices | ({} if claimed else {name.full_resource: "1" for name in names})
    return Job(
        title=title,
        name=f"{pool.name}-{check}",
        namespace=ACCEPTANCE,
        pool=pool.name,
        nodes=nodes,
        deadline=3600,
        image=image(plan.release, tool),
        script=f"/scripts/{check.partition('-')[0]}.sh",
        environment=tuple(sorted(environment.items())),
        networks="" if claimed else ",".join(f"{RAILS}/{name.network}" for name in names),
        claims=tuple(name.network for name in names) if claimed else (),
        requests={"cpu": "8", "memory": "32Gi"} | limits,
        limits=limits,
        data=data,
    )
