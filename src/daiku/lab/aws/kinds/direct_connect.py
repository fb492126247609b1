"""Direct Connect gateways, their associations, and the acceptance of hosted virtual interfaces."""

from __future__ import annotations

from daiku.errors import NotFoundError
from daiku.lab.aws.kinds.base import SET, TAGS, Cloud, Kind, fixed, kind, live, output
from daiku.provider.fields import Props
from daiku.provider.handler import Hint
from daiku.wire.aws import Json

SERVICE = "directconnect"


class DxGateway(Kind):
    """Found by its name, as it has no tags."""

    type = kind("directconnect/gateway:Gateway", fixed("name"), fixed("amazonSideAsn"))

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        for gateway in cloud.call(SERVICE, "describe_direct_connect_gateways")["directConnectGateways"]:
            if gateway["directConnectGatewayName"] == inputs["name"]:
                return str(gateway["directConnectGatewayId"])
        made = cloud.call(
            SERVICE,
            "create_direct_connect_gateway",
            directConnectGatewayName=inputs["name"],
            amazonSideAsn=int(inputs["amazonSideAsn"]),
        )
        return str(made["directConnectGateway"]["directConnectGatewayId"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        cloud.wait(
            f"Direct Connect gateway {inputs['name']}",
            lambda: self._item(cloud, ident)["directConnectGatewayState"] == "available",
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self._item(cloud, ident)
        return {"name": item["directConnectGatewayName"], "amazonSideAsn": str(item["amazonSideAsn"])}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self._item(cloud, ident)
        cloud.call(SERVICE, "delete_direct_connect_gateway", directConnectGatewayId=ident)

    def _item(self, cloud: Cloud, ident: str) -> Json:
        answer = cloud.call(SERVICE, "describe_direct_connect_gateways", directConnectGatewayId=ident)
        if not answer["directConnectGateways"]:
            raise NotFoundError("the Direct Connect gateway is gone", where=ident)
        return answer["directConnectGateways"][0]


class DxGatewayAssociation(Kind):
    type = kind(
        "directconnect/gatewayAssociation:GatewayAssociation",
        fixed("dxGatewayId"),
        fixed("associatedGatewayId"),
        live("allowedPrefixes", SET, required=True),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        for item in self._items(
            cloud,
            directConnectGatewayId=inputs["dxGatewayId"],
            associatedGatewayId=inputs["associatedGatewayId"],
        ):
            return str(item["associationId"])
        made = cloud.call(
            SERVICE,
            "create_direct_connect_gateway_association",
            directConnectGatewayId=inputs["dxGatewayId"],
            gatewayId=inputs["associatedGatewayId"],
            addAllowedPrefixesToDirectConnectGateway=_prefixes(inputs["allowedPrefixes"]),
        )
        return str(made["directConnectGatewayAssociation"]["associationId"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        cloud.wait(
            "the Direct Connect gateway's association",
            lambda: self._item(cloud, ident)["associationState"] == "associated",
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self._item(cloud, ident)
        return {
            "dxGatewayId": item["directConnectGatewayId"],
            "associatedGatewayId": item["associatedGateway"]["id"],
            "allowedPrefixes": sorted(p["cidr"] for p in item["allowedPrefixesToDirectConnectGateway"]),
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        before, after = set(olds["allowedPrefixes"]), set(news["allowedPrefixes"])
        cloud.call(
            SERVICE,
            "update_direct_connect_gateway_association",
            associationId=ident,
            addAllowedPrefixesToDirectConnectGateway=_prefixes(sorted(after - before)),
            removeAllowedPrefixesToDirectConnectGateway=_prefixes(sorted(before - after)),
        )

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self._item(cloud, ident)
        cloud.call(SERVICE, "delete_direct_connect_gateway_association", associationId=ident)

    def _items(self, cloud: Cloud, **by: str) -> list[Json]:
        answer = cloud.call(SERVICE, "describe_direct_connect_gateway_associations", **by)
        return answer["directConnectGatewayAssociations"]

    def _item(self, cloud: Cloud, ident: str) -> Json:
        items = self._items(cloud, associationId=ident)
        if not items:
            raise NotFoundError("the association is gone", where=ident)
        return items[0]


class Accepter(Kind):
    """Like the real plugin, deletion leaves the interface as it is: only its owner can delete it."""

    operation: str

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        ident = str(inputs["virtualInterfaceId"])
        item = self._item(cloud, ident, inputs)
        gateway = self._gateway(inputs)
        if item["virtualInterfaceState"] == "confirming" or any(item.get(k) != v for k, v in gateway.items()):
            aws = cloud.at(inputs.get("region", cloud.region))
            aws.call(SERVICE, self.operation, virtualInterfaceId=ident, **gateway)
        return ident

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        cloud.wait(
            f"the virtual interface {ident}",
            lambda: self._item(cloud, ident, inputs)["virtualInterfaceState"] == "available",
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self._item(cloud, ident, known)
        if item["virtualInterfaceState"] == "confirming":
            raise NotFoundError("the virtual interface is not accepted", where=ident)
        names = {"virtualGatewayId": "vpnGatewayId", "directConnectGatewayId": "dxGatewayId"}
        given = {k: known[k] for k in ("region", "tags") if k in known}
        return given | {
            "virtualInterfaceId": ident,
            "arn": f"arn:aws:directconnect:{item['region']}:{item['ownerAccount']}:dxvif/{ident}",
            **{name: item[key] for key, name in names.items() if item.get(key)},
        }

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self._item(cloud, ident, state)

    def _gateway(self, inputs: Props) -> dict[str, str]:
        names = {"vpnGatewayId": "virtualGatewayId", "dxGatewayId": "directConnectGatewayId"}
        return {key: inputs[name] for name, key in names.items() if name in inputs}

    def _item(self, cloud: Cloud, ident: str, known: Props) -> Json:
        aws = cloud.at(known.get("region", cloud.region))
        items = aws.call(SERVICE, "describe_virtual_interfaces", virtualInterfaceId=ident)[
            "virtualInterfaces"
        ]
        if not items:
            raise NotFoundError(
                "there is no such virtual interface in this account",
                where=ident,
                hint="Sakura makes it when the AWS connection option is ordered",
            )
        return items[0]


class PrivateAccepter(Accepter):
    type = kind(
        "directconnect/hostedPrivateVirtualInterfaceAccepter:HostedPrivateVirtualInterfaceAccepter",
        fixed("virtualInterfaceId"),
        fixed("vpnGatewayId", required=False),
        fixed("dxGatewayId", required=False),
        fixed("region", required=False),
        TAGS,
        output("arn"),
    )
    operation = "confirm_private_virtual_interface"


class TransitAccepter(Accepter):
    type = kind(
        "directconnect/hostedTransitVirtualInterfaceAcceptor:HostedTransitVirtualInterfaceAcceptor",
        fixed("virtualInterfaceId"),
        fixed("dxGatewayId"),
        fixed("region", required=False),
        TAGS,
        output("arn"),
    )
    operation = "confirm_transit_virtual_interface"


def _prefixes(cidrs: list[str]) -> list[dict[str, str]]:
    return [{"cidr": cidr} for cidr in cidrs]


KINDS: tuple[Kind, ...] = (DxGateway(), DxGatewayAssociation(), PrivateAccepter(), TransitAccepter())
