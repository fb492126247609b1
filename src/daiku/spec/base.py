"""The base of every model of the specification, and what changing a field does to a running cluster."""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Strict, frozen, camelCase in files, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        validate_default=True,
    )


class Disruption(enum.Enum):
    """What a change of a field does to a cluster that runs, from nothing to replacement."""

    NONE = "nothing is disturbed"
    APPLY = "settings are applied live"
    ROLLING_RESTART = "services restart, node by node"
    ROLLING_REBOOT = "nodes reboot, one after the other"
    REINSTALL = "nodes are drained and reinstalled"
    REMOVE = "it is drained and removed"
    REPLACE = "the resource is replaced"
    REBUILD = "the cluster must be built anew"


@dataclass(frozen=True, slots=True)
class OnChange:
    """Marks a field with its disruption: `cpu: Annotated[int, OnChange(Disruption.ROLLING_REBOOT)]`."""

    disruption: Disruption
    note: str = ""


def _cidr(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        try:
            network = ipaddress.IPv4Network(value, strict=False)
        except ValueError:
            raise ValueError(f"`{value}` is not an IPv4 range; for example 10.10.0.0/20") from error
        raise ValueError(f"`{value}` has host bits set; did you mean {network}?") from error
    if "/" not in value:
        raise ValueError(f"`{value}` has no prefix length; did you mean {value}/32?")
    return str(network)


def _unicast(value: str) -> str:
    first = ipaddress.IPv4Network(value).network_address
    if first.is_multicast or first.is_loopback or first.is_reserved or int(first) >> 24 == 0:
        raise ValueError(f"`{value}` is reserved; take a private range, for example 10.10.0.0/20")
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise ValueError(f"`{value}` is not an IPv4 address; for example 10.10.0.100") from error


def _link_address(value: str) -> str:
    address, slash, length = value.partition("/")
    if not slash or length not in {"30", "31"}:
        raise ValueError(f"`{value}` is not an address of a /30 or /31; for example 169.254.10.1/30")
    return f"{_address(address)}/{length}"


_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_DOMAIN = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)


_CIDR = r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}"


def _form(pattern: str) -> WithJsonSchema:
    # For editors only: our own messages say more than "does not match the pattern".
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"`{value}` is no name here; 1 to 32 of a-z, 0-9 and '-', starting with a letter")
    return value


def _domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise ValueError(f"`{value}` is not a DNS name; for example ishikari.internal")
    return value


AnyCidr = Annotated[str, AfterValidator(_cidr), _form(_CIDR)]
"""An IPv4 range with no host bits set, as text: `0.0.0.0/0` too."""
Cidr = Annotated[str, AfterValidator(_cidr), AfterValidator(_unicast), _form(_CIDR)]
"""A range that hosts can have addresses in: `10.10.0.0/20`."""
Address = Annotated[str, AfterValidator(_address), WithJsonSchema({"type": "string", "format": "ipv4"})]
"""One IPv4 address, as text."""
LinkAddress = Annotated[str, AfterValidator(_link_address), _form(_CIDR)]
"""One end of a point-to-point link with its prefix length, /30 or /31."""
Name = Annotated[str, AfterValidator(_name), _form(_NAME.pattern)]
"""A DNS label of at most 32 characters."""
Domain = Annotated[str, AfterValidator(_domain), WithJsonSchema({"type": "string", "format": "hostname"})]
"""A DNS name in lower case."""
ServiceId = Annotated[str, Field(pattern=r"^\d{12}$", examples=['"113600000001"'])]
"""A 12-digit Sakura resource or service ID, as text."""
Port = Annotated[int, Field(ge=1, le=65535)]


class SecretRef(Model):
    """Where a secret is found at run time. The file never holds the secret itself."""

    from_env: Annotated[
        str,
        OnChange(Disruption.NONE),
        Field(
            pattern=r"^[A-Z_][A-Z0-9_]*$",
            description="Name of an environment variable.",
            examples=["DAIKU_AWS_CONNECT_SECRET"],
        ),
    ]
