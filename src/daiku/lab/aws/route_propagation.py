"""Route propagation from a virtual private gateway, as moto's EC2 lacks it."""

from __future__ import annotations

from moto.core.responses import EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.responses import EC2Response


class GatewayNotAttachedError(EC2ClientError):
    def __init__(self, gateway: str, vpc: str) -> None:
        super().__init__(
            "Gateway.NotAttached", f"VpnGateway {gateway} is not attached to the route table's VPC {vpc}"
        )


def _gateways(table: RouteTable) -> list[str]:
    """The gateways whose routes the table takes; kept on moto's own object."""
    return vars(table).setdefault("daiku_propagating", [])


def _shown(table: RouteTable) -> list[dict[str, str]]:
    return [{"GatewayId": gateway} for gateway in _gateways(table)]


def _wanted(response: EC2Response) -> tuple[RouteTable, str]:
    parameter = response._get_param  # pyright: ignore[reportPrivateUsage] - how every operation of moto reads
    return response.ec2_backend.get_route_table(parameter("RouteTableId")), str(parameter("GatewayId"))


def enable_vgw_route_propagation(self: EC2Response) -> EmptyResult:
    table, gateway = _wanted(self)
    vgw = self.ec2_backend.get_vpn_gateway(gateway)
    if table.vpc_id not in vgw.attachments:
        raise GatewayNotAttachedError(gateway, table.vpc_id)
    if gateway not in _gateways(table):
        _gateways(table).append(gateway)
    return EmptyResult()


def disable_vgw_route_propagation(self: EC2Response) -> EmptyResult:
    table, gateway = _wanted(self)
    if gateway in _gateways(table):
        _gateways(table).remove(gateway)
    return EmptyResult()


def install() -> None:
    """Add the operations to moto. Doing it again changes nothing."""
    for operation in (enable_vgw_route_propagation, disable_vgw_route_propagation):
        setattr(EC2Response, operation.__name__, operation)
    RouteTable.propagating_vgws = property(_shown)  # pyright: ignore[reportAttributeAccessIssue]
