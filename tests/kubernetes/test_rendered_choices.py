"""What no example chooses, and the jobs of acceptance, shown to the real API server as a strict rehearsal."""

from __future__ import annotations

import pytest

from daiku.apply.cluster.model import Wanted
from daiku.errors import ApiError
from daiku.plan.model import Plan
from daiku.render.acceptance import acceptance_tree
from daiku.render.cluster import cluster_tree
from daiku.render.tree import Tree
from daiku.wire.kubernetes import KubernetesApi
from tests.kubernetes.test_rendered import api, judged, pytestmark
from tests.render.plans import example, fabric, plan

__all__ = ["api", "pytestmark"]


def choices() -> dict[str, Plan]:
    """One plan a choice of the network and of the GPUs."""
    (pool,) = example()["gpuPools"]
    routed = {"gateway": "10.32.8.0", "routes": ["10.99.0.0/16"]}
    return {
        "per-node": fabric(ipam="per-node", rail=routed),
        "host-device": fabric(attach="host-device"),
        "dranet": fabric(attach="dranet"),
        "mig": plan(gpuPools=[pool | {"sharing": "mig"}]),
        "mps": plan(gpuPools=[pool | {"sharing": "mps"}], kubernetes={"gpuStack": "device-plugin"}),
    }


CHOICES = choices()


def rendered(made: Plan) -> tuple[Wanted, ...]:
    """Everything for the cluster, and what proves it, as one list."""
    jobs = {f"99-{path.replace('/', '-')}/job.yaml": file for path, file in acceptance_tree(made).items()}
    return judged(Tree({**cluster_tree(made), **jobs}))


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_passes_a_strict_rehearsal(api: KubernetesApi, name: str) -> None:
    refused: list[str] = []
    objects = rendered(CHOICES[name])
    assert {"Job", "Service"} <= {one.ref.kind for one in objects}
    for one in objects:
        if one.ref.kind == "Namespace":
            api.apply(one.body)
    for one in objects:
        try:
            api.apply(one.body, dry_run=True)
        except ApiError as error:
            refused.append(f"{one.source} {one.ref}: {error} ({error.hint})")
    assert not refused, "\n".join(refused)
