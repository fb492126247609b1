"""What every component shares: its base class and the names and tags that find its objects in a control panel."""

from __future__ import annotations

import pulumi


class Component(pulumi.ComponentResource):
    """A concern of the cluster. `kind` ends its type token `daiku:cluster:<kind>`."""

    def __init__(self, kind: str, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"daiku:cluster:{kind}", name, None, opts)

    def child(
        self,
        *,
        after: list[pulumi.Resource] | None = None,
        ignore: list[str] | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of a child: it inherits the component's explicit providers. `after` must exist before it does."""
        return pulumi.ResourceOptions(parent=self, depends_on=after, ignore_changes=ignore)


def sakura_tags(cluster: str, *more: str) -> list[str]:
    """Tags of an object on Sakura Cloud."""
    return [f"cluster={cluster}"[:32], *more]


def aws_tags(cluster: str, name: str) -> dict[str, str]:
    """Tags of an object on AWS."""
    return {"Name": name, "daiku:cluster": cluster}
