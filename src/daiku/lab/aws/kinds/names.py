"""Private DNS zones and their records."""

from __future__ import annotations

from daiku.errors import NotFoundError
from daiku.lab.aws.kinds.base import (
    NUMBER,
    SET,
    TAGS,
    Cloud,
    Kind,
    fixed,
    kind,
    live,
    output,
    record,
    tags_given,
    tags_shown,
)
from daiku.provider.fields import ListOf, Props
from daiku.provider.handler import Hint
from daiku.wire.aws import Json

SERVICE = "route53"


class Zone(Kind):
    type = kind(
        "route53/zone:Zone",
        fixed("name"),
        live("comment", default="Managed by Pulumi"),
        fixed(
            "vpcs", ListOf(record("ZoneVpc", fixed("vpcId"), fixed("vpcRegion", required=False))), default=[]
        ),
        live("forceDestroy"),
        TAGS,
        output("zoneId"),
        output("arn"),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        name = f"{inputs['name']}."
        vpcs = {vpc["vpcId"] for vpc in inputs["vpcs"]}
        for zone in cloud.call(SERVICE, "list_hosted_zones")["HostedZones"]:
            ident = _short(zone["Id"])
            if zone["Name"] == name and {v["VPCId"] for v in self._zone(cloud, ident)["VPCs"]} == vpcs:
                return ident
        first = inputs["vpcs"][0]
        made = cloud.call(
            SERVICE,
            "create_hosted_zone",
            Name=inputs["name"],
            CallerReference=hint.urn[-128:],
            HostedZoneConfig={"Comment": inputs["comment"], "PrivateZone": True},
            VPC={"VPCId": first["vpcId"], "VPCRegion": first.get("vpcRegion", cloud.region)},
        )
        return _short(made["HostedZone"]["Id"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        have, want = self._tags(cloud, ident), inputs.get("tags", {})
        if have != want:
            cloud.call(
                SERVICE,
                "change_tags_for_resource",
                ResourceType="hostedzone",
                ResourceId=ident,
                **({"AddTags": tags_given(want)} if want else {}),
                **({"RemoveTagKeys": lost} if (lost := sorted(set(have) - set(want))) else {}),
            )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        answer = self._zone(cloud, ident)
        return {
            "name": answer["HostedZone"]["Name"].rstrip("."),
            "comment": answer["HostedZone"]["Config"].get("Comment", ""),
            "vpcs": [{"vpcId": vpc["VPCId"]} for vpc in answer["VPCs"]],
            "tags": self._tags(cloud, ident),
            "zoneId": ident,
            "arn": f"arn:aws:route53:::hostedzone/{ident}",
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        if olds["comment"] != news["comment"]:
            cloud.call(SERVICE, "update_hosted_zone_comment", Id=ident, Comment=news["comment"])

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call(SERVICE, "delete_hosted_zone", Id=ident)

    def _zone(self, cloud: Cloud, ident: str) -> Json:
        return cloud.call(SERVICE, "get_hosted_zone", Id=ident)

    def _tags(self, cloud: Cloud, ident: str) -> dict[str, str]:
        answer = cloud.call(SERVICE, "list_tags_for_resource", ResourceType="hostedzone", ResourceId=ident)
        return tags_shown(answer["ResourceTagSet"]["Tags"])


class Record(Kind):
    type = kind(
        "route53/record:Record",
        fixed("zoneId"),
        fixed("name"),
        fixed("type"),
        live("ttl", NUMBER, required=True),
        live("records", SET, required=True),
        output("fqdn"),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        return f"{inputs['zoneId']}_{inputs['name']}_{inputs['type']}"

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        self._change(cloud, "UPSERT", inputs)

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        answer = cloud.call(
            SERVICE,
            "list_resource_record_sets",
            HostedZoneId=known["zoneId"],
            StartRecordName=known["name"],
            StartRecordType=known["type"],
        )
        for item in answer["ResourceRecordSets"]:
            if (item["Name"].rstrip("."), item["Type"]) == (known["name"], known["type"]):
                return {
                    "zoneId": known["zoneId"],
                    "name": known["name"],
                    "type": known["type"],
                    "ttl": item["TTL"],
                    "records": sorted(r["Value"] for r in item["ResourceRecords"]),
                    "fqdn": known["name"],
                }
        raise NotFoundError("the record is gone", where=ident)

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self._change(cloud, "DELETE", self.look(cloud, ident, state))

    def _change(self, cloud: Cloud, action: str, inputs: Props) -> None:
        record_set = {
            "Name": inputs["name"],
            "Type": inputs["type"],
            "TTL": inputs["ttl"],
            "ResourceRecords": [{"Value": value} for value in inputs["records"]],
        }
        cloud.call(
            SERVICE,
            "change_resource_record_sets",
            HostedZoneId=inputs["zoneId"],
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set}]},
        )


def _short(ident: str) -> str:
    """`/hostedzone/Z123` -> `Z123`."""
    return ident.rpartition("/")[2]


KINDS: tuple[Kind, ...] = (Zone(), Record())
