"""One run of the real engine in a process of its own: Pulumi's library keeps state between runs, above all failed ones.

Reads a JSON document from standard input, writes one to standard output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pulumi
from pulumi import automation as auto

from daiku.provider import sdk
from tests.provider.conftest import AWS


def cluster(settings: dict[str, Any], cpu: int, size: int) -> None:
    made = sdk.Provider("sakura", settings)  # pyright: ignore[reportArgumentType]
    opts = pulumi.ResourceOptions(provider=made)
    image = sdk.get_archive({"tags": ["ubuntu-24.04-latest"]}, pulumi.InvokeOptions(provider=made))
    nodes = sdk.Switch("nodes", {"name": "nodes"}, opts)
    root = sdk.Disk(
        "root", {"name": "root", "size_gb": size, "source_archive_id": image.apply(lambda i: i.id)}, opts
    )
    server = sdk.Server(
        "cp",
        {
            "name": "cp",
            "cpu": cpu,
            "memory_gb": 4,
            "network_interfaces": [{"upstream": nodes.resource_id}],
            "disks": [root.resource_id],
            "disk_edit": {"hostname": "cp", "password": "disk-pass-1"},
        },
        opts,
    )
    router = sdk.LocalRouter(
        "aws",
        {
            "name": "aws",
            "switch_id": nodes.resource_id,
            "virtual_ip_address": "10.10.0.241",
            "ip_addresses": ["10.10.0.242", "10.10.0.243"],
            "network_mask_len": 24,
            "vrid": 100,
        },
        opts,
    )
    sdk.AwsConnect(
        "peer", {"local_router_id": router.resource_id, "peer_id": AWS, "secret_key": "peer-secret"}, opts
    )
    pulumi.export("server", server.resource_id)
    pulumi.export("macs", server.mac_addresses)


def main() -> None:
    order = json.load(sys.stdin)
    options = auto.LocalWorkspaceOptions(
        work_dir=order["folder"],
        pulumi_home=order["folder"] + "/home",
        env_vars=order["environ"],
        pulumi_command=auto.PulumiCommand(order["engine"]),
    )
    stack = auto.create_or_select_stack(
        "dev",
        project_name="test",
        program=lambda: cluster(order["settings"], order["cpu"], order["size"]),
        opts=options,
    )
    lines: list[str] = []
    answer: dict[str, Any] = {"error": "", "changes": {}, "outputs": {}}
    try:
        result: Any = getattr(stack, order["verb"])(on_output=lines.append)
    except auto.CommandError as error:
        answer["error"] = str(error)
    else:
        if order["verb"] == "preview":
            answer["changes"] = dict(result.change_summary)
        else:
            answer["changes"] = dict(result.summary.resource_changes or {})
        answer["outputs"] = {name: o.value for name, o in stack.outputs().items()}
    answer["told"] = "\n".join(lines)
    answer["changes"].pop("same", None)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
