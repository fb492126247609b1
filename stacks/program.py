"""The whole program: every component of a cluster, and the Facts that come out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from daiku.errors import DaikuError, SpecError
from daiku.plan.model import AwsPlan, Plan
from daiku.provider import sdk
from daiku.stacks.aws_interconnect import AwsInterconnect, AwsInterconnectArgs
from daiku.stacks.aws_network import AwsNetwork, AwsNetworkArgs
from daiku.stacks.aws_provider import explicit_provider
from daiku.stacks.backup import Backup, BackupArgs
from daiku.stacks.control_plane import ControlPlane
from daiku.stacks.dns import Dns, DnsArgs
from daiku.stacks.exports import Made, facts
from daiku.stacks.gpu_pool import GpuPool, GpuPoolArgs
from daiku.stacks.inputs import Inputs, gather
from daiku.stacks.interconnect import Interconnect, InterconnectArgs
from daiku.stacks.load_balancer import LoadBalancer, LoadBalancerArgs
from daiku.stacks.management import Management
from daiku.stacks.management_cluster import ManagementCluster, ManagementClusterArgs
from daiku.stacks.network import Network, NetworkArgs
from daiku.stacks.user_load_balancer import UserLoadBalancer, UserLoadBalancerArgs
from daiku.stacks.vm import VmPoolArgs

LOGIN = "ubuntu"
"""The administrator's account on the public Ubuntu images of Sakura Cloud and PHY."""


def declare(inputs: Inputs) -> None:
    """Declare everything that the plan needs, and export the facts as the stack's output `facts`."""
    plan = inputs.plan
    sakura = sdk.Provider("sakura", {"zone": plan.zone})
    opts = pulumi.ResourceOptions(providers=[sakura])
    network = Network(
        "network",
        NetworkArgs(cluster=plan.cluster, network=plan.node_network, router=plan.router),
        opts,
    )
    made = Made(router_address=network.router_address)
    made.resources |= {"switch": network.switch_id, "router": network.router_id}

    control_plane = ControlPlane("control-plane", _pool(inputs, network, "control-plane"), opts)
    management = Management("management", _pool(inputs, network, "management"), opts)
    for name, vm in (control_plane.vms | management.vms).items():
        made.add_vm(plan, name, vm)

    balancer = LoadBalancer(
        "load-balancer",
        LoadBalancerArgs(cluster=plan.cluster, plan=plan.load_balancer, switch_id=network.switch_id),
        opts,
    )
    made.resources["loadBalancer"] = balancer.resource_id
    _gpu_pools(inputs, network, management, made)
    if plan.aws is not None:
        _sakura_to_aws(inputs, plan.aws, network, opts, made)
        _aws(inputs, plan.aws, made)
    pulumi.export("facts", facts(plan, made))


def run() -> None:
    """The program as the stock CLI runs it: the cluster file decides, daiku's state beside it holds the key."""
    try:
        declare(_from_file())
    except DaikuError as error:
        raise pulumi.RunError(told(error)) from error


def told(error: DaikuError) -> str:
    """All that a user needs to know of an error, in lines."""
    faults = error.faults if isinstance(error, SpecError) else ()
    lines = [str(error), *(f"  {f.location()} {f.path}: {f.message}" for f in faults), error.hint]
    return "\n".join(line for line in lines if line)


def _from_file() -> Inputs:
    from daiku.ledger.keys import ensure_deploy_key
    from daiku.ledger.paths import State
    from daiku.plan.make import make
    from daiku.spec.load import load

    file = Path(os.environ.get("DAIKU_FILE") or pulumi.Config("daiku").get("file") or "cluster.yaml")
    # The CLI starts the program in stacks/; a relative name is meant from the project's root.
    file = Path(pulumi.get_root_directory()) / file
    plan = make(load(file))
    state = State.of(file, plan.cluster)
    private, public = ensure_deploy_key(state.keys)
    return gather(plan, public, os.environ, key_file=private, host_keys=state.database)


def _pool(inputs: Inputs, network: Network, role: str) -> VmPoolArgs:
    return VmPoolArgs(
        cluster=inputs.plan.cluster,
        nodes=tuple(node for node in inputs.plan.nodes if node.role == role),
        switch_id=network.switch_id,
        ssh_keys=inputs.ssh_keys,
    )


def _gpu_pools(inputs: Inputs, network: Network, management: Management, made: Made) -> None:
    """Bare metal is first reached through the bastion, so its provider waits for the router and the bastion."""
    plan = inputs.plan
    nodes = plan.by_role("gpu")
    if not nodes:
        return
    private_network = plan.node_network.private_network
    assert private_network is not None, "the plan has GPU nodes and no private network to reach them by"
    bastion = next(node.name for node in plan.nodes if node.address == plan.router.bastion_address)
    settings: sdk.ProviderArgs = {
        "zone": plan.zone,
        "ssh_key_file": str(inputs.key_file),
        "bastion_host": network.router_address,
        "bastion_port": plan.router.bastion_port,
        "bastion_user": LOGIN,
        "bastion_name": bastion,
        "bastion_incarnation": management.bastion.incarnation,
    }
    if inputs.host_keys is not None:
        settings["host_keys_file"] = str(inputs.host_keys)
    bare_metal = sdk.Provider("bare-metal", settings)
    for pool in dict.fromkeys(node.pool for node in nodes):
        machines = GpuPool(
            pool,
            GpuPoolArgs(
                nodes=tuple(node for node in nodes if node.pool == pool),
                private_network=private_network,
                ssh_keys=inputs.ssh_keys,
            ),
            pulumi.ResourceOptions(providers=[bare_metal], depends_on=[management.bastion]),
        )
        for name, server in machines.servers.items():
            made.add_server(plan, name, server)


def _sakura_to_aws(
    inputs: Inputs, aws: AwsPlan, network: Network, opts: pulumi.ResourceOptions, made: Made
) -> None:
    interconnect = Interconnect(
        "interconnect",
        InterconnectArgs(
            cluster=inputs.plan.cluster,
            account_id=aws.account_id,
            plan=aws.connect,
            switch_id=network.switch_id,
            gateway=inputs.plan.node_network.gateway,
            secret_key=inputs.connect_secret,
        ),
        opts,
    )
    made.resources |= {"localRouter": interconnect.local_router_id, "awsConnect": interconnect.connect_id}


def _aws(inputs: Inputs, aws: AwsPlan, made: Made) -> None:
    plan: Plan = inputs.plan
    cluster = plan.cluster
    provider = explicit_provider(aws.region, aws.account_id, inputs.aws_endpoint)
    opts = pulumi.ResourceOptions(providers=[provider])
    vpc = AwsNetwork(
        "aws-network", AwsNetworkArgs(cluster=cluster, vpc_cidr=aws.vpc_cidr, subnets=aws.subnets), opts
    )
    link = AwsInterconnect(
        "aws-interconnect",
        AwsInterconnectArgs(
            cluster=cluster,
            plan=aws.connect,
            vpc_id=vpc.vpc_id,
            route_table_id=vpc.route_table_id,
            subnet_ids=vpc.subnet_ids,
        ),
        opts,
    )
    users = UserLoadBalancer(
        "user-load-balancer",
        UserLoadBalancerArgs(
            cluster=cluster,
            ports=aws.user_ports,
            internal=aws.user_internal,
            targets=aws.user_targets,
            vpc_cidr=aws.vpc_cidr,
            vpc_id=vpc.vpc_id,
            subnet_ids=vpc.subnet_ids,
        ),
        opts,
    )
    management = ManagementCluster(
        "management-cluster",
        ManagementClusterArgs(
            cluster=cluster,
            instance_type=aws.management_instance_type,
            image_id=aws.management_image_id,
            address=aws.management_address,
            deploy_key=inputs.deploy_key,
            trusted=aws.connect.prefixes_to_aws,
            vpc_id=vpc.vpc_id,
            subnet_id=vpc.subnet_ids[0],
        ),
        opts,
    )
    backup = Backup(
        "backup", BackupArgs(cluster=cluster, bucket=aws.bucket, keep_days=aws.snapshot_keep_days), opts
    )
    dns = Dns(
        "dns",
        DnsArgs(cluster=cluster, zone_name=aws.zone_name, records=aws.records, vpc_id=vpc.vpc_id),
        opts,
    )
    made.resources |= {
        "vpc": vpc.vpc_id,
        "awsGateway": link.gateway_id,
        "virtualInterface": link.virtual_interface_id,
        "userLoadBalancer": users.arn,
        "userAddress": users.address,
        "managementInstance": management.instance_id,
        "bucket": backup.bucket_name,
        "dnsZone": dns.zone_id,
    }
