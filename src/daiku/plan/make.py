"""From a specification to its Plan, or to every reason why it cannot be one."""

from __future__ import annotations

from daiku.errors import SpecError
from daiku.plan import gpus
from daiku.plan import nodes as machines
from daiku.plan.aws import aws_plan
from daiku.plan.load_balancing import API_PORT, load_balancer
from daiku.plan.model import (
    BgpPlan,
    MonitoringPlan,
    NodeNetworkPlan,
    NodePlan,
    Plan,
    PoolPlan,
    QosPlan,
    RouterPlan,
    StoragePlan,
    TenantPlan,
)
from daiku.plan.mtu import mtu_plan
from daiku.plan.proof.prove import broken
from daiku.plan.review import refusals
from daiku.plan.view import View, release_of
from daiku.spec import defaults
from daiku.spec.cluster import Cluster
from daiku.spec.load import Loaded

BASTION_INDEX = 1


def make(loaded: Loaded) -> Plan:
    """Decide everything. Raises SpecError with every clash, each with the lines that take part in it.

    First what keeps a plan from being made; once there is nothing of that kind, what its proof refuses.
    """
    faults = refusals(loaded)
    if faults:
        raise SpecError(faults)
    plan = _plan(View.of(loaded))
    faults = broken(loaded, plan)
    if faults:
        raise SpecError(faults)
    return plan


def _plan(view: View) -> Plan:
    cluster = view.cluster
    nodes = machines.nodes(view)
    return Plan(
        cluster=cluster.name,
        zone=cluster.sakura.zone,
        phase=cluster.phase,
        spec_digest=view.digest,
        release=release_of(cluster, view.lock),
        node_network=_node_network(cluster),
        pods_cidr=cluster.network.pods.cidr,
        pods_node_mask=cluster.network.pods.node_mask,
        pods_mode=cluster.network.pods.mode,
        services_cidr=cluster.network.services.cidr,
        service_domain=cluster.network.services.domain,
        mtu=mtu_plan(cluster),
        nodes=nodes,
        rails=machines.rails(view),
        router=_router(cluster, nodes),
        load_balancer=load_balancer(cluster, nodes),
        aws=aws_plan(cluster),
        api_endpoint=f"{cluster.load_balancer.api_vip}:{API_PORT}",
        api_names=_api_names(cluster),
        authorized_keys=tuple(sorted(set(cluster.access.authorized_keys))),
        pools=_pools(view),
        storage=_storage(cluster),
        monitoring=_monitoring(cluster),
        tenants=_tenants(cluster),
        topology_policy=cluster.kubernetes.topology_policy,
        gpu_stack=cluster.kubernetes.gpu_stack,
        bgp=_bgp(cluster),
        snapshot_hours=cluster.kubernetes.etcd.snapshot_hours,
        encrypt_secrets=cluster.kubernetes.etcd.encryption == "secretbox",
    )


def _node_network(cluster: Cluster) -> NodeNetworkPlan:
    node = cluster.network.node
    return NodeNetworkPlan(
        cidr=node.cidr,
        gateway=defaults.gateway(cluster),
        mtu=node.mtu,
        private_network=node.hybrid.private_network if node.hybrid else None,
        dns=cluster.network.egress.dns,
    )


def _router(cluster: Cluster, nodes: tuple[NodePlan, ...]) -> RouterPlan:
    egress = cluster.network.egress
    bastion = next(n for n in nodes if n.role == "management" and n.index == BASTION_INDEX)
    return RouterPlan(
        plan=egress.router,
        bandwidth_mbps=defaults.bandwidth_mbps(cluster),
        addresses=defaults.router_addresses(cluster),
        prefix_length=defaults.node_network(cluster).prefixlen,
        vrid=egress.vrid,
        bastion_port=cluster.access.bastion_port,
        bastion_address=bastion.address,
        allow_from=tuple(sorted(set(cluster.access.allow_from))),
    )


def _api_names(cluster: Cluster) -> tuple[str, ...]:
    names = {cluster.load_balancer.api_vip, *cluster.kubernetes.api_names}
    if cluster.aws is not None:
        names.add(f"api.{cluster.aws.zone_name}")
    return tuple(sorted(names))


def _pools(view: View) -> tuple[PoolPlan, ...]:
    return tuple(
        PoolPlan(
            name=pool.name,
            addresses_cidr=str(view.block(position)),
            gpu_model=pool.gpu.model,
            gpus=pool.gpu.count,
            sharing=pool.sharing,
            rail_speed_gbps=pool.fabric.speed_gbps,
            numa_nodes=len({rail.numa for rail in pool.fabric.rails}) or 1,
            mig=gpus.mig_devices(pool),
            replicas=pool.replicas,
            topology_policy=pool.topology_policy or view.cluster.kubernetes.topology_policy,
            topology_scope=pool.topology_scope,
            attach=pool.fabric.attach,
            ipam=pool.fabric.ipam,
            sysctls=tuple(sorted({s.name: s.value for s in pool.fabric.sysctls}.items())),
            qos=QosPlan(**pool.fabric.qos.model_dump()) if pool.fabric.qos else None,
            gid_index=pool.fabric.gid_index,
        )
        for position, _, pool in view.pools()
    )


def _bgp(cluster: Cluster) -> BgpPlan | None:
    bgp = cluster.network.bgp
    if bgp is None:
        return None
    return BgpPlan(
        local_asn=bgp.local_asn,
        peers=tuple(sorted({(peer.address, peer.asn, peer.multihop) for peer in bgp.peers})),
        advertise=tuple(sorted(set(bgp.advertise))),
        pool=bgp.pool,
    )


def _storage(cluster: Cluster) -> StoragePlan:
    reliable, fast = cluster.storage.reliable, cluster.storage.fast
    return StoragePlan(
        reliable_disks=reliable.osd_disks_per_node if reliable else 0,
        reliable_replicas=reliable.replicas if reliable else 0,
        reliable_network=reliable.network if reliable else "node",
        reliable_pools=_data_pools(cluster),
        fast_disks=fast.disks_per_node if fast else 0,
        fast_quota_gib=fast.quota_gib if fast else 0,
        scratch_disks=cluster.storage.scratch_disks_per_node,
        fast_endpoint=fast.source.endpoint if fast and fast.source else "",
        fast_bucket=fast.source.bucket if fast and fast.source else "",
    )


def _data_pools(cluster: Cluster) -> tuple[str, ...]:
    reliable = cluster.storage.reliable
    if reliable is None:
        return ()
    return tuple(sorted(set(reliable.pools) or {pool.name for pool in cluster.gpu_pools}))


def _monitoring(cluster: Cluster) -> MonitoringPlan | None:
    wanted = cluster.monitoring
    if wanted is None:
        return None
    return MonitoringPlan(retention_days=wanted.retention_days, storage_gib=wanted.storage_gib)


def _tenants(cluster: Cluster) -> tuple[TenantPlan, ...]:
    return tuple(
        TenantPlan(
            name=t.name,
            gpus=t.gpus,
            borrow=t.borrow,
            priority=t.priority,
            allow_from=tuple(sorted(set(t.allow_from))),
            admins=tuple(sorted(set(t.admins))),
            users=tuple(sorted(set(t.users))),
            storage_gib=t.storage_gib or 0,
        )
        for t in sorted(cluster.tenants, key=lambda t: t.name)
    )
