"""The lab's `pulumi-resource-aws`: the same resource types and inputs as the real one, for what the stack uses.

It only ever calls an endpoint on loopback, with dummy keys: it cannot reach the real AWS.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from daiku.errors import LabError
from daiku.lab.aws.kinds import balancing, compute, direct_connect, gateways, names, network, storage
from daiku.lab.aws.kinds.base import Cloud
from daiku.provider.fields import BOOLEAN, STRING, Field, Props
from daiku.provider.handler import Handler, Interrupt, Plugin
from daiku.wire.aws import Aws
from daiku.wire.credentials import is_loopback

HANDLERS: tuple[Handler[Cloud], ...] = (
    *network.KINDS,
    *gateways.KINDS,
    *direct_connect.KINDS,
    *compute.KINDS,
    *balancing.KINDS,
    *storage.KINDS,
    *names.KINDS,
)
_IGNORED = (
    "s3UsePathStyle",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
)
_CONFIG = (
    Field(name="region", type=STRING, description="Region.", required=True),
    Field(name="endpoints", type=STRING, description="Endpoints by service, as JSON.", required=True),
    Field(name="accessKey", type=STRING, description="Dummy access key.", required=True),
    Field(name="secretKey", type=STRING, description="Dummy secret key.", required=True, secret=True),
    *(Field(name=name, type=BOOLEAN, description="Of the real plugin.") for name in _IGNORED),
)


def configure(settings: Props, interrupt: Interrupt) -> Cloud:
    """One endpoint for all services, and that on loopback; LabError otherwise."""
    given: list[dict[str, str]] = json.loads(settings["endpoints"])
    urls = {url for endpoints in given for url in endpoints.values()}
    if len(urls) != 1 or not all(is_loopback(url) for url in urls):
        raise LabError(
            "this AWS plugin is the lab's: it needs one endpoint, on loopback",
            hint="for the real AWS install the real plugin: pulumi plugin install resource aws",
        )
    (url,) = urls

    def connect(region: str) -> Aws:
        return Aws(
            region,
            endpoint_url=url,
            access_key=settings["accessKey"],
            secret_key=settings["secretKey"],
            attempts=2,
        )

    return Cloud(region=settings["region"], connect=connect, interrupt=interrupt)


PLUGIN = Plugin(
    name="aws",
    version=version("pulumi-aws"),
    description="The AWS resource types that daiku's stack uses, for the lab.",
    config=_CONFIG,
    handlers=HANDLERS,
    functions=(),
    defaults=lambda _: {},
    configure=configure,
)


def main() -> None:
    """Serve the plugin: the engine starts it and reads its port from standard output."""
    from daiku.provider.adapter import serve

    serve(PLUGIN, sys.argv[1:])


if __name__ == "__main__":
    main()
