"""The Plan: every decision about a cluster, as one frozen value. Everything after it reads this, not the spec.

Units are in the names. Addresses are text; `*_cidr` carries a prefix length, and an interface address carries the
host's own address (`10.10.0.11/20`). Tuples are sorted, so that equal plans have equal bytes.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["control-plane", "management", "gpu"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Route(Frozen):
    """A static route of a host. `via` is None for an on-link route (the next hop is found by ARP on `dev`)."""

    to: str
    dev: str
    via: str | None = None
    source: str | None = None
    metric: int | None = None
    mtu: int | None = None


class RailPort(Frozen):
    """One interconnect NIC of one node. `address_cidr` is the host's own; `pods_cidr` is left to virtual functions,
    of which this node's take `pods_first` to `pods_last` where they are not leased in the whole cluster (else "")."""

    rail: int
    nic: str
    address_cidr: str
    subnet: str
    pods_cidr: str
    mtu: int
    vfs: int
    numa: int
    pci: str | None
    pods_first: str = ""
    pods_last: str = ""


class NodePlan(Frozen):
    """One machine of the cluster.

    `address_cidr` is on the node network, through `interface`. `phy_id` is set for GPU servers. `vips` are addresses
    that the host carries on its loopback because a DSR load balancer sends to it. `disk_gib` is the system disk of a
    VM and 0 on a GPU server, whose equal data disks are `local_disks` of `local_disk_gb` each.
    """

    name: str
    role: Role
    pool: str
    index: int
    interface: str
    address: str
    address_cidr: str
    gateway: str
    mtu: int
    dns: tuple[str, ...]
    cpu: int
    memory_gib: int
    disk_gib: int
    image: str
    phy_id: str | None = None
    rack: str | None = None
    provisioning_interface: str | None = None
    rails: tuple[RailPort, ...] = ()
    routes: tuple[Route, ...] = ()
    vips: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[str, ...] = ()
    gpus: int = 0
    local_disks: int = 0
    local_disk_gb: int = 0
    release_policy: str | None = None


class RailPlan(Frozen):
    """One rail of a pool: the subnet and its two halves.

    `rdma` is the RDMA device, "" when the file does not say. A rail without `gateway` ("") reaches no other subnet;
    `routes` are ranges that pods reach through it.
    """

    pool: str
    rail: int
    nic: str
    subnet: str
    hosts_cidr: str
    pods_cidr: str
    mtu: int
    vfs: int
    numa: int
    rdma: str = ""
    gateway: str = ""
    routes: tuple[str, ...] = ()


class MtuPlan(Frozen):
    """MTU of every layer, in bytes. `pods` is an interface inside a pod: `node` less VXLAN's 50 when tunnelled.

    `rails` gives it by pool, since all rails of a pool are equal.
    """

    node: int
    pods: int
    tunnel_overhead: int
    rails: tuple[tuple[str, int], ...]


class RealServer(Frozen):
    node: str
    address: str
    port: int


class VirtualIpPlan(Frozen):
    """One VIP and port of the load balancer with its real servers. `check` tcp|http|https|ping with `path`."""

    name: Literal["api", "ingress"]
    address: str
    port: int
    check: Literal["tcp", "http", "https", "ping"]
    path: str
    servers: tuple[RealServer, ...]


class LoadBalancerPlan(Frozen):
    plan: str
    addresses: tuple[str, ...]
    prefix_length: int
    gateway: str
    vrid: int
    vips: tuple[VirtualIpPlan, ...]


class RouterPlan(Frozen):
    """The VPC router: NAT egress, and one forwarded port to the bastion.

    `addresses` are the private leg's: one for plan standard; VIP first, then two real ones, for redundant plans.
    `bandwidth_mbps` is of the router+switch in front of it; None for plan standard, which has none.
    `allow_from` limits who reaches the forwarded port.
    """

    plan: str
    bandwidth_mbps: int | None
    addresses: tuple[str, ...]
    prefix_length: int
    vrid: int
    bastion_port: int
    bastion_address: str
    allow_from: tuple[str, ...]
    routes: tuple[Route, ...] = ()


class NodeNetworkPlan(Frozen):
    cidr: str
    gateway: str
    mtu: int
    private_network: str | None
    dns: tuple[str, ...]


class LocalRouterPlan(Frozen):
    vip: str
    addresses: tuple[str, ...]
    prefix_length: int
    vrid: int
    routes: tuple[str, ...]


class ConnectPlan(Frozen):
    """The AWS connection option. `secret_env` names the environment variable that holds the peer's secret key."""

    resource_id: str
    secret_env: str
    virtual_interface_id: str
    type: str
    gateway: str
    vlan: int
    amazon_asn: int
    customer_asn: int
    amazon_address: str
    customer_address: str
    bandwidth_mbps: int
    prefixes_to_aws: tuple[str, ...]
    prefixes_from_aws: tuple[str, ...]
    local_router: LocalRouterPlan


class SubnetPlan(Frozen):
    cidr: str
    zone: str


class AwsPlan(Frozen):
    region: str
    account_id: str
    vpc_cidr: str
    subnets: tuple[SubnetPlan, ...]
    connect: ConnectPlan
    user_ports: tuple[int, ...]
    user_internal: bool
    user_targets: tuple[str, ...]
    management_instance_type: str
    management_image_id: str
    management_address: str
    bucket: str
    snapshot_keep_days: int
    zone_name: str
    records: tuple[tuple[str, str], ...]


class Release(Frozen):
    """The locked versions of everything that a node or the cluster runs. Nothing floats.

    `images` are repository and tag by name, and `sources` says of each where it comes from, in one word; `registries`
    gives the addresses of these words, from the cluster file. Digests (`sha256:...`) are those of the lock file:
    `image_digests` of images, `chart_archives` of the files that helm installs; empty while there is no lock.
    """

    name: str
    kubernetes: str
    containerd: str
    runc: str
    pause: str
    etcd: str
    kernel: str
    gpu_driver: str
    nic_driver: str
    container_toolkit: str
    packages: tuple[tuple[str, str], ...]
    charts: tuple[tuple[str, str], ...]
    images: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str], ...] = ()
    registries: tuple[tuple[str, str], ...] = ()
    image_digests: tuple[tuple[str, str], ...] = ()
    chart_archives: tuple[tuple[str, str], ...] = ()


class QosPlan(Frozen):
    """Quality of service of RoCE: how ports classify, and the classes of RoCE and of its congestion notifications."""

    trust: str
    dscp: int
    priority: int
    cnp_dscp: int
    cnp_priority: int
    ecn: bool


class BgpPlan(Frozen):
    """What the machines of `pool` tell the outside routers `peers`: (address, AS number, hops)."""

    local_asn: int
    peers: tuple[tuple[str, int, int], ...]
    advertise: tuple[str, ...]
    pool: str


class PoolPlan(Frozen):
    """What the nodes of a GPU pool have in common. `addresses_cidr` is the pool's block of the node network.

    `gpus` counts one server's. `sharing` none|mig|mps|time-slicing: `mig` are profiles and their number on each GPU,
    `replicas` the pods on a GPU. `attach` sriov|host-device|dranet and `ipam` whereabouts|per-node say how pods get
    rails and addresses on them; `sysctls` are further settings of their interfaces.
    """

    name: str
    addresses_cidr: str
    gpu_model: str
    gpus: int
    sharing: str
    rail_speed_gbps: int
    numa_nodes: int
    mig: tuple[tuple[str, int], ...] = ()
    replicas: int = 2
    topology_policy: str = "best-effort"
    topology_scope: str = "pod"
    attach: str = "sriov"
    ipam: str = "whereabouts"
    sysctls: tuple[tuple[str, str], ...] = ()
    qos: QosPlan | None = None
    gid_index: int | None = None


class StoragePlan(Frozen):
    """Local disks of each GPU node by use, and the tiers made of them. 0 disks: the tier is off.

    `reliable_network` is what Ceph's own traffic uses: node|rails; `reliable_pools` are the GPU pools that hold the
    data, in order. `fast_endpoint` and `fast_bucket` name the outside
    bucket that the fast tier caches, empty for one of the reliable tier.
    """

    reliable_disks: int
    reliable_replicas: int
    reliable_network: str
    fast_disks: int
    fast_quota_gib: int
    scratch_disks: int
    reliable_pools: tuple[str, ...] = ()
    fast_endpoint: str = ""
    fast_bucket: str = ""


class MonitoringPlan(Frozen):
    retention_days: int
    storage_gib: int


class TenantPlan(Frozen):
    """`admins` and `users` are groups; `storage_gib` limits all volumes together, 0: no limit."""

    name: str
    gpus: int
    borrow: bool
    priority: str
    allow_from: tuple[str, ...]
    admins: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    storage_gib: int = 0


class Plan(Frozen):
    """Every decision about one cluster. `spec_digest` is the SHA-256 of the resolved specification. `given_secrets` are
    the names of the secrets that the operator has given and that the plan uses: some files and objects are there only
    with theirs."""

    cluster: str
    zone: str
    phase: str
    spec_digest: str
    release: Release
    node_network: NodeNetworkPlan
    pods_cidr: str
    pods_node_mask: int
    pods_mode: str
    services_cidr: str
    service_domain: str
    mtu: MtuPlan
    nodes: tuple[NodePlan, ...]
    rails: tuple[RailPlan, ...]
    router: RouterPlan
    load_balancer: LoadBalancerPlan
    aws: AwsPlan | None
    api_endpoint: str
    api_names: tuple[str, ...]
    authorized_keys: tuple[str, ...]
    pools: tuple[PoolPlan, ...] = ()
    storage: StoragePlan | None = None
    monitoring: MonitoringPlan | None = None
    tenants: tuple[TenantPlan, ...] = ()
    topology_policy: str = "best-effort"
    snapshot_hours: int = 6
    encrypt_secrets: bool = False
    gpu_stack: str = "operator"
    bgp: BgpPlan | None = None
    given_secrets: tuple[str, ...] = ()

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: the same plan has the same digest on every machine."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def node(self, name: str) -> NodePlan:
        """The node of that name; KeyError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def pool(self, name: str) -> PoolPlan:
        """The GPU pool of that name; KeyError when there is none."""
        for pool in self.pools:
            if pool.name == name:
                return pool
        raise KeyError(name)

    def by_role(self, role: Role) -> tuple[NodePlan, ...]:
        """The nodes of a role, in the plan's order."""
        return tuple(n for n in self.nodes if n.role == role)
