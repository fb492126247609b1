"""Instances and key pairs."""

from __future__ import annotations

from daiku.lab.aws.kinds.base import NUMBER, SET, TAGS, TRUTH, Cloud, Kind, fixed, kind, live, output, record
from daiku.lab.aws.kinds.ec2 import Ec2Kind
from daiku.provider.fields import Props
from daiku.provider.handler import Hint
from daiku.wire.aws import Json

ROOT_DEVICE = "/dev/sda1"


class KeyPair(Ec2Kind):
    """Its ID in Pulumi is its name."""

    type = kind("ec2/keyPair:KeyPair", fixed("keyName"), fixed("publicKey"), TAGS, output("keyPairId"))
    noun, creates, described = "key-pair", "import_key_pair", "describe_key_pairs"
    listed, ids, id = "KeyPairs", "KeyNames", "KeyName"

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {"KeyName": inputs["keyName"], "PublicKeyMaterial": inputs["publicKey"].encode()}

    def made(self, answer: Json) -> str:
        return str(answer["KeyName"])

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        return {
            "keyName": ident,
            "publicKey": known.get("publicKey", ""),
            "tags": self.tags_of(item),
            "keyPairId": item["KeyPairId"],
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        super().change(cloud, str(olds["keyPairId"]), olds, news)

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self.item(cloud, ident)
        cloud.call("ec2", "delete_key_pair", KeyName=ident)


class Instance(Ec2Kind):
    type = kind(
        "ec2/instance:Instance",
        fixed("ami"),
        live("instanceType", required=True),
        fixed("subnetId"),
        fixed("privateIp", required=False),
        fixed("associatePublicIpAddress", TRUTH, default=False),
        fixed("keyName", required=False),
        live("vpcSecurityGroupIds", SET, required=True),
        live("metadataOptions", record("MetadataOptions", live("httpEndpoint"), live("httpTokens"))),
        fixed(
            "rootBlockDevice",
            record(
                "RootBlockDevice", live("encrypted", TRUTH), live("volumeSize", NUMBER), live("volumeType")
            ),
            required=False,
        ),
        TAGS,
        output("arn"),
        output("publicIp"),
        output("instanceState"),
    )
    noun, creates, described = "instance", "run_instances", "describe_instances"
    listed, ids, id = "Reservations", "InstanceIds", "InstanceId"
    gone = frozenset({"terminated", "shutting-down"})

    def found(self, cloud: Cloud, hint: Hint) -> str | None:
        filters = [{"Name": "tag:daiku:made-by", "Values": [hint.urn]}]
        for item in _instances(cloud.call("ec2", self.described, Filters=filters)):
            if self.state_of(item) not in self.gone:
                return str(item["InstanceId"])
        return None

    def item(self, cloud: Cloud, ident: str) -> Json:
        items = _instances(cloud.call("ec2", self.described, InstanceIds=[ident]))
        return self.alive(ident, items)

    def state_of(self, item: Json) -> str:
        return str(item["State"]["Name"])

    def order(self, hint: Hint, inputs: Props) -> Json:
        nic = {
            "DeviceIndex": 0,
            "SubnetId": inputs["subnetId"],
            "Groups": inputs["vpcSecurityGroupIds"],
            "AssociatePublicIpAddress": inputs["associatePublicIpAddress"],
            "DeleteOnTermination": True,  # AWS's default; moto keeps the address in use without it
        }
        if "privateIp" in inputs:
            nic["PrivateIpAddress"] = inputs["privateIp"]
        more: Json = {}
        if "keyName" in inputs:
            more["KeyName"] = inputs["keyName"]
        if disk := inputs.get("rootBlockDevice"):
            ebs = {key[0].upper() + key[1:]: value for key, value in disk.items()}
            ebs["DeleteOnTermination"] = True  # as pulumi-aws asks for; moto keeps the volume without it
            more["BlockDeviceMappings"] = [{"DeviceName": ROOT_DEVICE, "Ebs": ebs}]
        return {
            "ImageId": inputs["ami"],
            "InstanceType": inputs["instanceType"],
            "MinCount": 1,
            "MaxCount": 1,
            "NetworkInterfaces": [nic],
            **more,
        }

    def made(self, answer: Json) -> str:
        return str(answer["Instances"][0]["InstanceId"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        cloud.wait(f"instance {ident}", lambda: self.state_of(self.item(cloud, ident)) == "running")

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        # moto keeps neither metadata options nor what it was told of the disk: those are as they were asked for.
        given = {
            k: known[k]
            for k in ("keyName", "metadataOptions", "rootBlockDevice", "associatePublicIpAddress")
            if k in known
        }
        return given | {
            "ami": item["ImageId"],
            "instanceType": item["InstanceType"],
            "subnetId": item["SubnetId"],
            "privateIp": item["PrivateIpAddress"],
            "vpcSecurityGroupIds": sorted(
                group["GroupId"] for group in item["NetworkInterfaces"][0]["Groups"]
            ),
            "tags": self.tags_of(item),
            "arn": f"arn:aws:ec2:{cloud.region}::instance/{ident}",
            "publicIp": item.get("PublicIpAddress", ""),
            "instanceState": self.state_of(item),
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        super().change(cloud, ident, olds, news)
        if olds["vpcSecurityGroupIds"] != news["vpcSecurityGroupIds"]:
            cloud.call(
                "ec2", "modify_instance_attribute", InstanceId=ident, Groups=news["vpcSecurityGroupIds"]
            )
        if olds["instanceType"] != news["instanceType"]:
            cloud.call("ec2", "stop_instances", InstanceIds=[ident])
            cloud.call(
                "ec2",
                "modify_instance_attribute",
                InstanceId=ident,
                InstanceType={"Value": news["instanceType"]},
            )
            cloud.call("ec2", "start_instances", InstanceIds=[ident])

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self.item(cloud, ident)
        cloud.call("ec2", "terminate_instances", InstanceIds=[ident])


def _instances(answer: Json) -> list[Json]:
    return [item for reservation in answer["Reservations"] for item in reservation["Instances"]]


KINDS: tuple[Kind, ...] = (KeyPair(), Instance())
