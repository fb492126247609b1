"""Secrets at rest."""

from __future__ import annotations

from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan.proof.rule import Case, Rule


def encrypted(case: Case) -> Iterator[Fault]:
    if case.view.cluster.kubernetes.etcd.encryption == "none":
        yield case.view.source.fault(
            ("kubernetes", "etcd", "encryption"), "Secrets are written into etcd as they are"
        )


WARNINGS = (
    Rule(
        "etcd-secrets-plain",
        encrypted,
        "Whoever gets hold of a snapshot or of a control plane's disk has every password of every tenant.",
        "Take secretbox; it cannot be turned on later.",
    ),
)
