"""Codes of the checks that come before a plan can be made (`daiku.plan.checks`): what each prevents, the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from daiku.errors import Fault
from daiku.plan.checks import addresses, connection, control, pools, rails, ranges, sharing, workloads
from daiku.plan.proof.rule import Rule
from daiku.plan.view import View

Check = Callable[[View], Iterator[Fault]]

CLASHES: tuple[Rule[View], ...] = (
    Rule(
        "release-unknown",
        control.release,
        "No version of any package, chart or image is known.",
        "Name a release that this daiku has.",
    ),
    Rule(
        "etcd-members",
        control.quorum,
        "An even number of etcd members survives no more failures than one less, and stops more easily; more than "
        "seven slow every write.",
        "Take 1, 3, 5 or 7 control planes.",
    ),
    Rule(
        "egress-bandwidth",
        control.bandwidth,
        "Sakura refuses to create the router+switch.",
        "Take a bandwidth of the price list, and none with router plan standard.",
    ),
    Rule(
        "vrrp-group-shared",
        control.vrrp,
        "Two redundant pairs on one L2 take each other for the same pair: their virtual addresses flap.",
        "Give every pair a VRID of its own.",
    ),
    Rule(
        "ingress-port-of-host",
        control.ingress_ports,
        "The management nodes' own service answers on the ingress VIP, to the whole world.",
        "Serve the ingress on another port.",
    ),
    Rule(
        "registry-source-twice",
        control.registries,
        "Images come from one of the two, and nobody sees which.",
        "Name each source once.",
    ),
    Rule(
        "authorized-key-form",
        control.keys,
        "sshd ignores the line, or a private key lies in a file that many people read.",
        "Put the contents of a .pub file there.",
    ),
    Rule(
        "range-overlap",
        ranges.overlaps,
        "Packets for one network end in the other: hosts send pods' or services' traffic out of the wrong interface.",
        "Give every network a range of its own.",
    ),
    Rule(
        "pod-shares-too-few",
        ranges.pod_shares,
        "The last nodes get no pod addresses and never become Ready.",
        "Take a wider pod network or a longer node mask.",
    ),
    Rule(
        "service-range-too-wide",
        ranges.services_size,
        "The API server does not start.",
        "Take a service network of at most a /12.",
    ),
    Rule(
        "address-outside",
        addresses.outside,
        "Nobody on the node network can reach the address by ARP.",
        "Take an address inside the node network.",
    ),
    Rule(
        "address-twice",
        addresses.doubles,
        "Two machines answer ARP for one address: connections go to either of them.",
        "Give one of them another address.",
    ),
    Rule(
        "address-in-pool-block",
        addresses.inside_blocks,
        "GPU nodes look for the address on their rails, where it is not.",
        "Take an address outside the blocks of GPU pools.",
    ),
    Rule(
        "pool-name",
        pools.names,
        "Two machines get one host name, or a host name longer than DNS allows.",
        "Give the pool another name.",
    ),
    Rule(
        "node-identity-twice",
        pools.identities,
        "One server is installed as two nodes, or two servers get one name and address.",
        "Give every node its own server and index.",
    ),
    Rule(
        "pool-block-place",
        pools.blocks,
        "Nodes of the pool have addresses that the node network does not route to them.",
        "Give the pool a block of its own inside the node network.",
    ),
    Rule(
        "node-index-too-high",
        pools.block_places,
        "The node has no address on the node network.",
        "Widen the pool's block or take a smaller index.",
    ),
    Rule(
        "hybrid-missing",
        pools.hybrid,
        "GPU servers never reach the control plane: they are on another L2.",
        "Order the hybrid connection and name its private network.",
    ),
    Rule(
        "nic-twice",
        pools.interfaces,
        "One port gets the settings of two networks; the second one wins and the first is dead.",
        "Name a NIC of its own for every use.",
    ),
    Rule(
        "rail-too-small-for-nodes",
        rails.places,
        "The node has no address on the rail; its RDMA jobs hang at start.",
        "Widen the rail's subnet.",
    ),
    Rule(
        "rail-too-small-for-vfs",
        rails.virtual_functions,
        "Whereabouts runs out of addresses: the last pods stay in ContainerCreating.",
        "Widen the rail's subnet or take fewer virtual functions.",
    ),
    Rule(
        "rail-nic-twice",
        rails.pci,
        "Two rails share one port, and half of the bandwidth that jobs count on is not there.",
        "Name the PCI address of another NIC.",
    ),
    Rule(
        "mtu-node-over-rail",
        rails.carries_node_traffic,
        "Node-to-node packets leave by a rail that drops the large ones: connections open and transfers hang.",
        "Raise the rail's MTU to at least the node network's.",
    ),
    Rule(
        "rail-gateway",
        rails.gateways,
        "Pods send what leaves the rail to a machine that is no router, or nowhere.",
        "Name the rail's router, at an address that nobody else gets.",
    ),
    Rule(
        "rail-nic-unknown",
        rails.whole_nics,
        "The device plugin offers no such NIC: pods that ask for it are never scheduled.",
        "Name the rail's PCI address.",
    ),
    Rule(
        "mig-layout",
        sharing.mig,
        "The MIG manager cannot lay the GPUs out: the node stays cordoned with nvidia.com/mig.config.state=failed.",
        "Take profiles that the model has and that fit one GPU together.",
    ),
    Rule(
        "mig-without-manager",
        sharing.manager,
        "The GPUs stay whole: pods that ask for MIG devices are never scheduled.",
        "Take NVIDIA's operator.",
    ),
    Rule(
        "bgp-speakers",
        sharing.speakers,
        "No machine opens a session: the routers learn nothing.",
        "Name control-plane, management or a GPU pool.",
    ),
    Rule(
        "disks-too-few",
        workloads.disks,
        "Two tiers claim one disk: Ceph finds a file system on it and takes none, or data is overwritten.",
        "Give the tiers fewer disks, or turn one off.",
    ),
    Rule(
        "ceph-replicas-over-hosts",
        workloads.replicas,
        "Placement groups never become active: every write to the pool hangs.",
        "Take at most as many replicas as there are GPU nodes.",
    ),
    Rule(
        "ceph-pool-unknown",
        workloads.data_pools,
        "Ceph finds no machine for its data: no OSD is made and every claim stays Pending.",
        "Name pools that are in the file.",
    ),
    Rule(
        "tenant-name-twice",
        workloads.tenant_names,
        "Two tenants share one namespace, queue and quota.",
        "Give each tenant its own name.",
    ),
    Rule(
        "tenant-namespace-of-platform",
        workloads.tenant_namespaces,
        "The tenant may read and change what runs there: secrets of the storage, of queues, of the API server.",
        "Take a name of its own.",
    ),
    Rule(
        "quota-over-pools",
        workloads.quotas,
        "Kueue admits jobs for GPUs that do not exist: they hold their quota and stay Pending.",
        "Promise at most the GPUs that there are.",
    ),
    Rule(
        "topology-rejects-pods",
        workloads.placement,
        "The kubelet rejects the pods that the pool is for (TopologyAffinityError); their controller makes new ones "
        "without end.",
        "Take best-effort for pools of whole-server pods.",
    ),
    Rule(
        "aws-link-ends",
        connection.link,
        "The BGP session over the Direct Connect link never comes up.",
        "Take both addresses from the paperwork: two hosts of one /30 or /31.",
    ),
    Rule(
        "aws-asn",
        connection.asns,
        "AWS refuses the interface, or both sides take the other's routes for their own and drop them.",
        "Take a private ASN for the AWS side and another one for Sakura's.",
    ),
    Rule(
        "aws-gateway-kind",
        connection.gateway_kind,
        "The virtual interface cannot be accepted.",
        "Take gateway direct-connect.",
    ),
    Rule(
        "aws-subnets",
        connection.subnets,
        "AWS refuses the VPC or one of its subnets.",
        "Cut the subnets from the VPC, at most one an availability zone.",
    ),
    Rule(
        "aws-user-target",
        connection.targets,
        "The user load balancer has no healthy target: users get no answer.",
        "Serve the port on the ingress VIP.",
    ),
)
"""Refused before a plan is made."""

DOUBTS: tuple[Rule[View], ...] = (
    Rule(
        "production-single",
        control.production,
        "One machine's failure stops the API or every way in.",
        "Take three control planes and a redundant load balancer.",
    ),
    Rule(
        "etcd-snapshots-inside",
        control.snapshots,
        "When the control plane is lost, so is the cluster's whole state.",
        "Give the snapshots a bucket outside.",
    ),
    Rule(
        "mtu-node-over-switch",
        control.wide_l2,
        "The cloud switch drops larger frames: small requests work, large answers never arrive.",
        "Leave the node network's MTU at 1500.",
    ),
    Rule(
        "mtu-rail-under-roce",
        rails.roce,
        "RoCE falls back to 1024-byte packets: about 185 instead of 196 Gbps a 200 Gbps port, and more CPU a byte.",
        "Take an MTU of 9000 on the rails.",
    ),
    Rule(
        "cache-without-bucket",
        workloads.cache_source,
        "There is no shared cache: every pod reads its data over the slow way again.",
        "Name a bucket in `fast.source`, or set `fast: null`.",
    ),
    Rule(
        "aws-image-placeholder",
        connection.image,
        "AWS does not find the image: the management cluster's host is never made.",
        "Name an Ubuntu image of the region.",
    ),
)
"""Told as warnings."""

_RULES = {rule.check: rule for rule in (*CLASHES, *DOUBTS)}


def rule_of(check: Check) -> Rule[View]:
    """The rule that a check belongs to; a check without one is found by the name of its function."""
    return _RULES.get(check) or Rule(check.__name__.replace("_", "-"), check, "", "")
