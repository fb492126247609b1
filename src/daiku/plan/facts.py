"""Facts: what the providers answered after `up`, frozen. Together with the Plan they are all that rendering needs.

They hold no secret: the stack exports them as plain values, and they are kept in the state and printed by `status`.
"""

from __future__ import annotations

import hashlib

from pydantic import Field

from daiku.plan.model import Frozen


class NodeFacts(Frozen):
    """One machine as it was made. `incarnation` changes when its disk is new (reinstall, new disk): a host key
    pinned for another incarnation is void. `host_key` is set where the provider saw it (PHY install)."""

    name: str
    resource_id: str
    provider_id: str
    incarnation: str
    host_key: str = ""


class Facts(Frozen):
    """Outputs of the stack. `router_address` is where the bastion's forwarded port is reached."""

    cluster: str
    plan_digest: str
    router_address: str
    bastion_port: int
    nodes: tuple[NodeFacts, ...]
    resources: dict[str, str] = Field(default_factory=dict[str, str])
    """Names of the other parts (switch, router, load balancer, VPC ...) and their IDs."""

    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def node(self, name: str) -> NodeFacts | None:
        """The facts of that node, None when it was not made yet."""
        return next((n for n in self.nodes if n.name == name), None)
