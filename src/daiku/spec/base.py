"""The base of every model of the specification, and what changing a field does to a running cluster."""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
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
    REPLACE = "the resource is replaced"
    REBUILD = "the cluster must be built anew"


@dataclass(frozen=True, slots=True)
class OnChange:
    """Marks a field with its disruption: `cpu: Annotated[int, OnChange(Disruption.ROLLING_REBOOT)]`."""

    disruption: Disruption
    note: str = ""


def _cidr(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("write it as a string, for example 10.10.0.0/20")
    try:
        ipaddress.IPv4Network(value)
    except ValueError as error:
        try:
            network = ipaddress.IPv4Network(value, strict=False)
        except ValueError:
            raise ValueError(f"{value!r} is not an IPv4 range such as 10.10.0.0/20") from error
        raise ValueError(f"{value} has host bits set; did you mean {network}?") from error
    return value


def _address(value: Any) -> Any:
    try:
        ipaddress.IPv4Address(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an IPv4 address") from error
    return value


_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("use 1 to 32 lower-case letters, digits and '-', starting with a letter")
    return value


def _text(value: Any) -> Any:
    # YAML reads 2026.11 as a float and 113600000001 as an integer: both lose what was meant (2026.10 -> 2026.1).
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'write it in quotes: "{value}"')
    return value


Cidr = Annotated[str, BeforeValidator(_cidr)]
"""An IPv4 range with no host bits set, as text: `10.10.0.0/20`."""
Address = Annotated[str, BeforeValidator(_address)]
"""One IPv4 address, as text."""
Name = Annotated[str, AfterValidator(_name)]
"""A DNS label of at most 32 characters."""
Text = Annotated[str, BeforeValidator(_text)]
ServiceId = Annotated[str, BeforeValidator(_text), Field(pattern=r"^\d{12}$")]
"""A 12-digit Sakura resource or service ID, as text."""
Port = Annotated[int, Field(ge=1, le=65535)]


class SecretRef(Model):
    """Where a secret is found at run time. The file never holds the secret itself."""

    from_env: Annotated[
        str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$", description="Name of an environment variable.")
    ]
