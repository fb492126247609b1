"""The AWS API of the lab: moto's server in a thread, with what it lacks and with what exists before the first call."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass

from daiku.plan.model import AwsPlan

CONNECT_REGION = "ap-northeast-1"


@dataclass(frozen=True, slots=True)
class HostedInterface:
    """A hosted virtual interface that the partner made and that waits to be accepted.

    It is in the region of the place where Sakura and AWS meet, whatever the VPC's.
    """

    id: str
    type: str
    vlan: int
    customer_asn: int
    amazon_asn: int
    amazon_address: str
    customer_address: str

    @classmethod
    def of_plan(cls, aws: AwsPlan) -> HostedInterface:
        """The interface that a cluster's plan refers to."""
        connect = aws.connect
        return cls(
            id=connect.virtual_interface_id,
            type=connect.type,
            vlan=connect.vlan,
            customer_asn=connect.customer_asn,
            amazon_asn=connect.amazon_asn,
            amazon_address=connect.amazon_address,
            customer_address=connect.customer_address,
        )


class AwsServer:
    """A running server. `url` is the endpoint of every service; state lives as long as this process."""

    def __init__(self, host: str, port: int) -> None:
        # Read when moto is imported: thousands of machine images would be loaded otherwise.
        os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        from moto.moto_server.threaded_moto_server import ThreadedMotoServer

        from daiku.lab.aws import direct_connect, route_propagation

        direct_connect.install()
        route_propagation.install()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
        self._server.start()
        name, number = self._server.get_host_and_port()
        self.url = f"http://{name}:{number}"

    def seed(self, interfaces: Iterable[HostedInterface]) -> None:
        """Let these interfaces wait for their acceptance; those that are there already are left as they are."""
        from daiku.lab.aws.direct_connect import Interface, seed_interface

        for one in interfaces:
            interface = Interface(
                id=one.id,
                type=one.type,
                vlan=one.vlan,
                customer_asn=one.customer_asn,
                amazon_asn=one.amazon_asn,
                amazon_address=one.amazon_address,
                customer_address=one.customer_address,
            )
            seed_interface(CONNECT_REGION, interface)

    def stop(self) -> None:
        """Close the port and end the thread."""
        self._server.stop()


def start(
    host: str = "127.0.0.1", port: int = 0, virtual_interfaces: Iterable[HostedInterface | str] = ()
) -> AwsServer:
    """A server on loopback; port 0 takes a free one. A bare ID stands for a private interface with made-up values."""
    server = AwsServer(host, port)
    server.seed(_made_up(one) if isinstance(one, str) else one for one in virtual_interfaces)
    return server


def _made_up(ident: str) -> HostedInterface:
    return HostedInterface(
        id=ident,
        type="private",
        vlan=100,
        customer_asn=65000,
        amazon_asn=64512,
        amazon_address="169.254.0.1/30",
        customer_address="169.254.0.2/30",
    )
