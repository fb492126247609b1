"""One row of `daiku status`: a part of the cluster as its API describes it now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """`kind` as a user calls it (VM, GPU node, VPC router ...); `state` is one word; `detail` is for people."""

    kind: str
    name: str
    id: str
    address: str
    state: str
    detail: str = ""
