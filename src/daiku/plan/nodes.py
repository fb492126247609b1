"""The machines: one NodePlan each."""

from __future__ import annotations

from ipaddress import IPv4Network

from daiku.plan import addressing, routes
from daiku.plan.model import NodePlan, RailPlan, RailPort
from daiku.plan.view import View
from daiku.spec import defaults
from daiku.spec.defaults import at
from daiku.spec.machines import GpuNode, GpuPool, VmPool

DOMAIN = "daiku.io"
"""Prefix of our own node labels: kubelets may not set arbitrary kubernetes.io ones on their own node."""

VM_INTERFACE = "eth0"
"""The only NIC of a cloud VM, as Sakura's public archives name it."""

GPU_TAINT = "nvidia.com/gpu=present:NoSchedule"
CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane:NoSchedule"


def nodes(view: View) -> tuple[NodePlan, ...]:
    """Control plane, management, then the pools in file order; each by index."""
    cluster = view.cluster
    ingress = cluster.load_balancer.ingress
    planned = [
        *_vms(view, "control-plane", cluster.control_plane, (cluster.load_balancer.api_vip,)),
        *_vms(view, "management", cluster.management, (ingress.vip,) if ingress else ()),
    ]
    for position, _, pool in view.pools():
        block = view.block(position)
        planned += [_gpu_node(view, pool, block, n) for n in sorted(pool.nodes, key=lambda n: n.index)]
    return tuple(planned)


def rails(view: View) -> tuple[RailPlan, ...]:
    """Every rail of every pool with the two halves of its subnet."""
    planned: list[RailPlan] = []
    for _, _, pool in view.pools():
        for number, rail in enumerate(pool.fabric.rails):
            hosts, pods = addressing.halves(IPv4Network(rail.cidr))
            planned.append(
                RailPlan(
                    pool=pool.name,
                    rail=number,
                    nic=rail.nic,
                    subnet=rail.cidr,
                    hosts_cidr=str(hosts),
                    pods_cidr=str(pods),
                    mtu=pool.fabric.mtu,
                    vfs=_functions(pool),
                    numa=rail.numa,
                    rdma=rail.rdma or "",
                    gateway=rail.gateway or "",
                    routes=tuple(sorted(set(rail.routes))),
                )
            )
    return tuple(planned)


def _functions(pool: GpuPool) -> int:
    # A NIC that pods get as a whole has no virtual functions.
    return pool.fabric.vfs if pool.fabric.attach == "sriov" else 0


def _vms(view: View, role: addressing.VmRole, pool: VmPool, vips: tuple[str, ...]) -> list[NodePlan]:
    cluster, network = view.cluster, view.node_network
    planned: list[NodePlan] = []
    for index in range(1, pool.count + 1):
        address = addressing.vm_address(network, role, index)
        planned.append(
            NodePlan(
                name=addressing.vm_name(cluster.name, role, index),
                role=role,
                pool=role,
                index=index,
                interface=VM_INTERFACE,
                address=address,
                address_cidr=f"{address}/{network.prefixlen}",
                gateway=defaults.gateway(cluster),
                mtu=cluster.network.node.mtu,
                dns=cluster.network.egress.dns,
                cpu=pool.cpu,
                memory_gib=pool.memory_gib,
                disk_gib=pool.disk_gib,
                image=pool.image,
                routes=routes.aws_routes(cluster, VM_INTERFACE),
                vips=vips,
                labels=_labels(cluster.sakura.zone, {"pool": role}),
                taints=(CONTROL_PLANE_TAINT,) if role == "control-plane" else (),
            )
        )
    return planned


def _gpu_node(view: View, pool: GpuPool, block: IPv4Network, node: GpuNode) -> NodePlan:
    cluster, network = view.cluster, view.node_network
    address = at(block, node.index)
    ports = _ports(pool, node.index)
    own = {"pool": pool.name}
    if ports:
        own["rail-group"] = pool.name
    if node.rack is not None:
        own["rack"] = node.rack
    return NodePlan(
        name=addressing.gpu_name(cluster.name, pool.name, node.index),
        role="gpu",
        pool=pool.name,
        index=node.index,
        interface=pool.node_port,
        address=address,
        address_cidr=f"{address}/{network.prefixlen}",
        gateway=defaults.gateway(cluster),
        mtu=cluster.network.node.mtu,
        dns=cluster.network.egress.dns,
        cpu=pool.cpu,
        memory_gib=pool.memory_gib,
        disk_gib=0,
        image=pool.image,
        phy_id=node.id,
        rack=node.rack,
        provisioning_interface=pool.provisioning_port,
        rails=ports,
        routes=(
            *routes.rail_routes(block, ports, node.index, address),
            *routes.aws_routes(cluster, pool.node_port),
        ),
        labels=tuple(sorted((*_labels(cluster.sakura.zone, own), *_gpu_labels(view, pool)))),
        taints=(GPU_TAINT,),
        gpus=pool.gpu.count,
        local_disks=pool.disks.count,
        local_disk_gb=pool.disks.size_gb,
        release_policy=pool.release_policy,
    )


def _ports(pool: GpuPool, index: int) -> tuple[RailPort, ...]:
    ports: list[RailPort] = []
    vfs = _functions(pool)
    for number, rail in enumerate(pool.fabric.rails):
        subnet = IPv4Network(rail.cidr)
        own = vfs and pool.fabric.ipam == "per-node"
        first, last = addressing.pod_share(subnet, index, vfs) if own else ("", "")
        ports.append(
            RailPort(
                rail=number,
                nic=rail.nic,
                address_cidr=f"{at(subnet, index)}/{subnet.prefixlen}",
                subnet=rail.cidr,
                pods_cidr=str(addressing.halves(subnet)[1]),
                mtu=pool.fabric.mtu,
                vfs=vfs,
                numa=rail.numa,
                pci=rail.pci,
                pods_first=first,
                pods_last=last,
            )
        )
    return tuple(ports)


def _labels(zone: str, own: dict[str, str]) -> tuple[tuple[str, str], ...]:
    # Kubelets may set the zone and region labels themselves, but no other topology.kubernetes.io one.
    labels = {f"{DOMAIN}/{k}": v for k, v in own.items()}
    labels |= {"topology.kubernetes.io/region": zone[:3], "topology.kubernetes.io/zone": zone}
    return tuple(sorted(labels.items()))


def _gpu_labels(view: View, pool: GpuPool) -> tuple[tuple[str, str], ...]:
    # NVIDIA's own: by them its programs find the configuration, named after the pool, that holds on a node.
    labels: list[tuple[str, str]] = []
    if view.cluster.kubernetes.gpu_stack == "device-plugin":
        labels.append(("nvidia.com/gpu.present", "true"))
        if pool.sharing == "mps":
            labels.append(("nvidia.com/mps.capable", "true"))
    if pool.sharing == "mig":
        labels.append(("nvidia.com/mig.config", pool.name))
    elif pool.sharing != "none":
        labels.append(("nvidia.com/device-plugin.config", pool.name))
    return tuple(labels)
