"""The private DNS zone: names of the API server's VIP and of ingress, seen from the VPC."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from daiku.stacks.common import Component, aws_tags

TTL_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class DnsArgs:
    """`records` are full names and IPv4 addresses."""

    cluster: str
    zone_name: str
    records: tuple[tuple[str, str], ...]
    vpc_id: pulumi.Input[str]


class Dns(Component):
    zone_id: pulumi.Output[str]

    def __init__(self, name: str, args: DnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Dns", name, opts)
        zone = aws.route53.Zone(
            "zone",
            name=args.zone_name,
            comment=f"{args.cluster}: names inside the cluster's networks",
            vpcs=[aws.route53.ZoneVpcArgs(vpc_id=args.vpc_id)],
            tags=aws_tags(args.cluster, args.zone_name),
            opts=self.child(),
        )
        for record, address in args.records:
            aws.route53.Record(
                record,
                zone_id=zone.zone_id,
                name=record,
                type="A",
                ttl=TTL_SECONDS,
                records=[address],
                opts=self.child(),
            )
        self.zone_id = zone.zone_id
        self.register_outputs({"zoneId": self.zone_id})
