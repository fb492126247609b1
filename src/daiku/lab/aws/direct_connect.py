"""Direct Connect as moto lacks it: gateways, associations and hosted virtual interfaces, with their state machines.

The operations are added to moto's own classes, named and shaped like the rest of it, so that they work in process
(`mock_aws`), in its server, and with its resets and its state manager (`directconnect::virtual-interface` and so on:
by default a thing is ready the second time that it is looked at).

One thing is chosen, because AWS does not say: an interface whose gateway was deleted waits to be accepted again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from moto.core.exceptions import JsonRESTError
from moto.directconnect.models import DirectConnectBackend, directconnect_backends
from moto.directconnect.responses import DirectConnectResponse
from moto.ec2.models import ec2_backends
from moto.moto_api import state_manager
from moto.moto_api._internal.managed_state_model import ManagedState

ACCOUNT: Final = "123456789012"
"""moto's account for callers with dummy keys."""

INTERFACE_MODEL: Final = "directconnect::virtual-interface"
GATEWAY_MODEL: Final = "directconnect::gateway"
ASSOCIATION_MODEL: Final = "directconnect::gateway-association"
_READY_AT_SECOND_LOOK: Final = {"progression": "manual", "times": 1}


class DirectConnectClientError(JsonRESTError):
    """What AWS answers to a request that makes no sense in the present state."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("DirectConnectClientException", message)


class Waiting(ManagedState):
    """A thing that takes a while: from `begins` to `ends`. `describe` counts as a look."""

    def __init__(self, model: str, begins: str, ends: str) -> None:
        super().__init__(model, [(begins, ends)])

    def look(self) -> str:
        self.advance()
        return str(self.status)


@dataclass(kw_only=True)
class Interface:
    """A hosted virtual interface: made by the partner in the customer's account, usable once it is accepted."""

    id: str
    type: str
    vlan: int
    customer_asn: int
    amazon_asn: int
    amazon_address: str
    customer_address: str
    gateway: dict[str, str] = field(default_factory=dict[str, str])
    accepted: Waiting | None = None

    def accept(self, gateway: dict[str, str]) -> None:
        if self.accepted is not None:
            raise DirectConnectClientError(f"Virtual Interface {self.id} is not awaiting confirmation")
        self.gateway = gateway
        self.accepted = Waiting(INTERFACE_MODEL, "pending", "available")

    def release(self) -> None:
        self.gateway, self.accepted = {}, None

    def view(self, account: str, region: str) -> dict[str, Any]:
        state = self.accepted.look() if self.accepted else "confirming"
        peer = {
            "bgpPeerId": f"dxpeer-{self.id.removeprefix('dxvif-')}",
            "asn": self.customer_asn,
            "addressFamily": "ipv4",
            "amazonAddress": self.amazon_address,
            "customerAddress": self.customer_address,
            "bgpPeerState": "available" if state == "available" else "pending",
            "bgpStatus": "up" if state == "available" else "down",
        }
        return {
            "ownerAccount": account,
            "virtualInterfaceId": self.id,
            "virtualInterfaceName": "sakura",
            "virtualInterfaceType": self.type,
            "virtualInterfaceState": state,
            "location": "EqTY2",
            "connectionId": "dxcon-hosted",
            "vlan": self.vlan,
            "asn": self.customer_asn,
            "amazonSideAsn": self.amazon_asn,
            "addressFamily": "ipv4",
            "amazonAddress": self.amazon_address,
            "customerAddress": self.customer_address,
            "mtu": 1500,
            "region": region,
            "bgpPeers": [peer],
            **self.gateway,
        }


@dataclass(kw_only=True)
class Gateway:
    id: str
    name: str
    asn: int
    state: Waiting

    def view(self, account: str) -> dict[str, Any]:
        return {
            "directConnectGatewayId": self.id,
            "directConnectGatewayName": self.name,
            "amazonSideAsn": self.asn,
            "ownerAccount": account,
            "directConnectGatewayState": self.state.look(),
        }


@dataclass(kw_only=True)
class Association:
    id: str
    dx_gateway: str
    gateway: dict[str, str]
    prefixes: list[str]
    state: Waiting

    def view(self) -> dict[str, Any]:
        return {
            "associationId": self.id,
            "directConnectGatewayId": self.dx_gateway,
            "associatedGateway": self.gateway,
            "allowedPrefixesToDirectConnectGateway": [{"cidr": cidr} for cidr in self.prefixes],
            "associationState": self.state.look(),
        }


@dataclass
class Store:
    """What this module keeps on moto's backend; a reset makes a new backend, and so a new store."""

    interfaces: dict[str, Interface] = field(default_factory=dict[str, Interface])
    gateways: dict[str, Gateway] = field(default_factory=dict[str, Gateway])
    associations: dict[str, Association] = field(default_factory=dict[str, Association])


def store_of(backend: DirectConnectBackend) -> Store:
    kept = backend.__dict__.get("daiku_store")
    if kept is None:
        kept = backend.__dict__["daiku_store"] = Store()
    return kept


def seed_interface(region: str, interface: Interface, account: str = ACCOUNT) -> None:
    """What the partner did before: an interface that waits in the customer's account. One that is there is left."""
    store_of(directconnect_backends[account][region]).interfaces.setdefault(interface.id, interface)


def _answers(operation: Callable[[Store, dict[str, Any], str, str], dict[str, Any]]) -> Any:
    def method(self: DirectConnectResponse) -> str:
        body = json.loads(self.body)
        store = store_of(self.directconnect_backend)
        account, region = self.current_account, self.region
        _release_orphans(store, account, region)
        return json.dumps(operation(store, body, account, region))

    return method


def _release_orphans(store: Store, account: str, region: str) -> None:
    ec2 = ec2_backends[account][region]
    for interface in store.interfaces.values():
        vgw, dx = interface.gateway.get("virtualGatewayId"), interface.gateway.get("directConnectGatewayId")
        gateway = ec2.vpn_gateways.get(vgw) if vgw else None
        if (vgw and (gateway is None or gateway.state == "deleted")) or (dx and dx not in store.gateways):
            interface.release()


def _interface(store: Store, ident: str) -> Interface:
    if ident not in store.interfaces:
        raise DirectConnectClientError(f"Virtual Interface {ident} not found")
    return store.interfaces[ident]


def _gateway(store: Store, ident: str) -> Gateway:
    if ident not in store.gateways:
        raise DirectConnectClientError(f"Direct Connect Gateway {ident} not found")
    return store.gateways[ident]


def describe_virtual_interfaces(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    wanted = body.get("virtualInterfaceId")
    found = [i for i in store.interfaces.values() if wanted in (None, i.id)]
    return {"virtualInterfaces": [i.view(account, region) for i in found]}


def confirm_private_virtual_interface(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    interface = _interface(store, body["virtualInterfaceId"])
    if interface.type != "private":
        raise DirectConnectClientError(f"Virtual Interface {interface.id} is not private")
    if dx := body.get("directConnectGatewayId"):
        interface.accept({"directConnectGatewayId": _gateway(store, dx).id})
    else:
        ident = str(body.get("virtualGatewayId"))
        gateway = ec2_backends[account][region].vpn_gateways.get(ident)
        if gateway is None or gateway.state == "deleted":
            raise DirectConnectClientError(f"Virtual Gateway {ident} not found")
        interface.accept({"virtualGatewayId": ident})
    return {"virtualInterfaceState": "pending"}


def confirm_transit_virtual_interface(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    del account, region
    interface = _interface(store, body["virtualInterfaceId"])
    if interface.type != "transit":
        raise DirectConnectClientError(f"Virtual Interface {interface.id} is not transit")
    interface.accept({"directConnectGatewayId": _gateway(store, body["directConnectGatewayId"]).id})
    return {"virtualInterfaceState": "pending"}


def create_direct_connect_gateway(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    del region
    gateway = Gateway(
        id=str(uuid.uuid4()),
        name=body["directConnectGatewayName"],
        asn=int(body.get("amazonSideAsn") or 64512),
        state=Waiting(GATEWAY_MODEL, "pending", "available"),
    )
    store.gateways[gateway.id] = gateway
    return {"directConnectGateway": gateway.view(account)}


def describe_direct_connect_gateways(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    del region
    wanted = body.get("directConnectGatewayId")
    return {
        "directConnectGateways": [g.view(account) for g in store.gateways.values() if wanted in (None, g.id)]
    }


def delete_direct_connect_gateway(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    del region
    gateway = _gateway(store, body["directConnectGatewayId"])
    if any(a.dx_gateway == gateway.id for a in store.associations.values()):
        raise DirectConnectClientError(f"Direct Connect Gateway {gateway.id} has associations")
    del store.gateways[gateway.id]
    return {"directConnectGateway": gateway.view(account) | {"directConnectGatewayState": "deleting"}}


def create_direct_connect_gateway_association(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    dx = _gateway(store, body["directConnectGatewayId"])
    ident = str(body.get("gatewayId") or body.get("virtualGatewayId"))
    ec2 = ec2_backends[account][region]
    if ident in ec2.vpn_gateways:
        kind = "virtualPrivateGateway"
    elif ident in ec2.transit_gateways:
        kind = "transitGateway"
        if int(ec2.transit_gateways[ident].options["AmazonSideAsn"]) == dx.asn:
            raise DirectConnectClientError(
                "the ASN of the transit gateway is that of the Direct Connect gateway"
            )
    else:
        raise DirectConnectClientError(f"Gateway {ident} not found")
    association = Association(
        id=str(uuid.uuid4()),
        dx_gateway=dx.id,
        gateway={"id": ident, "type": kind, "ownerAccount": account, "region": region},
        prefixes=_cidrs(body.get("addAllowedPrefixesToDirectConnectGateway")),
        state=Waiting(ASSOCIATION_MODEL, "associating", "associated"),
    )
    store.associations[association.id] = association
    return {"directConnectGatewayAssociation": association.view()}


def describe_direct_connect_gateway_associations(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    del account, region
    wanted, dx, other = (
        body.get(k) for k in ("associationId", "directConnectGatewayId", "associatedGatewayId")
    )
    found = [
        a
        for a in store.associations.values()
        if wanted in (None, a.id) and dx in (None, a.dx_gateway) and other in (None, a.gateway["id"])
    ]
    return {"directConnectGatewayAssociations": [a.view() for a in found]}


def update_direct_connect_gateway_association(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    del account, region
    association = store.associations.get(str(body.get("associationId")))
    if association is None:
        raise DirectConnectClientError("Association not found")
    gone = _cidrs(body.get("removeAllowedPrefixesToDirectConnectGateway"))
    kept = [p for p in association.prefixes if p not in gone]
    association.prefixes = kept + _cidrs(body.get("addAllowedPrefixesToDirectConnectGateway"))
    return {"directConnectGatewayAssociation": association.view()}


def delete_direct_connect_gateway_association(
    store: Store, body: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    del account, region
    association = store.associations.pop(str(body.get("associationId")), None)
    if association is None:
        raise DirectConnectClientError("Association not found")
    return {"directConnectGatewayAssociation": association.view() | {"associationState": "disassociating"}}


def _cidrs(prefixes: list[dict[str, str]] | None) -> list[str]:
    return [prefix["cidr"] for prefix in prefixes or []]


OPERATIONS: Final = (
    describe_virtual_interfaces,
    confirm_private_virtual_interface,
    confirm_transit_virtual_interface,
    create_direct_connect_gateway,
    describe_direct_connect_gateways,
    delete_direct_connect_gateway,
    create_direct_connect_gateway_association,
    describe_direct_connect_gateway_associations,
    update_direct_connect_gateway_association,
    delete_direct_connect_gateway_association,
)


def install() -> None:
    """Add the operations to moto. Doing it again changes nothing."""
    for operation in OPERATIONS:
        setattr(DirectConnectResponse, operation.__name__, _answers(operation))
    for model in (INTERFACE_MODEL, GATEWAY_MODEL, ASSOCIATION_MODEL):
        state_manager.register_default_transition(model, _READY_AT_SECOND_LOOK)
