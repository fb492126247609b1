"""What every resource class of the SDK shares: Python's names outside, the provider's camelCase names on the
wire.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pulumi

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_BAR = re.compile(r"_([a-z0-9])")


def snake(name: str) -> str:
    """`networkMaskLen` -> `network_mask_len`."""
    return _HUMP.sub(lambda hump: f"_{hump.group(1).lower()}", name)


def camel(name: str) -> str:
    """`network_mask_len` -> `networkMaskLen`."""
    return _BAR.sub(lambda bar: bar.group(1).upper(), name)


class Resource(pulumi.CustomResource):
    """A resource of the sakura provider. A subclass annotates its outputs; every input is an output too."""

    def __init__(
        self, type_: str, resource_name: str, args: Mapping[str, Any], opts: pulumi.ResourceOptions | None
    ) -> None:
        outputs: dict[str, Any] = dict.fromkeys(type(self).__annotations__)
        super().__init__(type_, resource_name, {**outputs, **args}, opts)

    def translate_input_property(self, prop: str) -> str:
        return camel(prop)

    def translate_output_property(self, prop: str) -> str:
        return snake(prop)
