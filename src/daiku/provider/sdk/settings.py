"""The explicit provider, and look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, cast

import pulumi

from daiku.provider.sdk.base import camel


class ProviderArgs(TypedDict):
    """Settings of the provider; what is not given comes from the environment (SAKURA_*)."""

    zone: NotRequired[pulumi.Input[str]]
    token: NotRequired[pulumi.Input[str]]
    secret: NotRequired[pulumi.Input[str]]
    api_root_url: NotRequired[pulumi.Input[str]]
    phy_api_root_url: NotRequired[pulumi.Input[str]]
    rate_limit: NotRequired[pulumi.Input[str]]
    poll_interval: NotRequired[pulumi.Input[str]]
    namespace: NotRequired[pulumi.Input[str]]
    ssh_key_file: NotRequired[pulumi.Input[str]]
    bastion_host: NotRequired[pulumi.Input[str]]
    bastion_port: NotRequired[pulumi.Input[int]]
    bastion_user: NotRequired[pulumi.Input[str]]
    bastion_host_key: NotRequired[pulumi.Input[str]]
    bastion_name: NotRequired[pulumi.Input[str]]
    bastion_incarnation: NotRequired[pulumi.Input[str]]
    host_keys_file: NotRequired[pulumi.Input[str]]


class Provider(pulumi.ProviderResource):
    """The sakura provider with explicit settings. The access token secret is always kept as a secret."""

    def __init__(
        self, resource_name: str, args: ProviderArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props: dict[str, Any] = {camel(key): value for key, value in args.items()}
        if "secret" in props:
            props["secret"] = pulumi.Output.secret(props["secret"])
        super().__init__("sakura", resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class Archive:
    """An OS image. `size_gb` is the least size of a disk that is copied from it."""

    id: str
    name: str
    size_gb: int
    tags: tuple[str, ...]


class GetArchiveArgs(TypedDict):
    """Inputs of `get_archive`. `scope` is shared (default) or user."""

    tags: pulumi.Input[Sequence[pulumi.Input[str]]]
    zone: NotRequired[pulumi.Input[str]]
    scope: NotRequired[pulumi.Input[str]]


def get_archive(args: GetArchiveArgs, opts: pulumi.InvokeOptions | None = None) -> pulumi.Output[Archive]:
    """The newest available archive that has all of `tags`, such as ubuntu-24.04-latest."""
    inputs = {camel(key): value for key, value in args.items()}
    answer = pulumi.runtime.invoke_output("sakura:cloud:getArchive", inputs, opts)
    return cast("pulumi.Output[dict[str, Any]]", answer).apply(
        lambda found: Archive(
            id=found["id"], name=found["name"], size_gb=int(found["sizeGb"]), tags=tuple(found["tags"])
        )
    )
