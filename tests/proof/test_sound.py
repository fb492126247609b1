"""Sound clusters raise nothing, and a large one is proven in a moment."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from daiku.plan.make import make
from daiku.plan.proof.prove import Findings, prove
from daiku.spec.load import parse
from tests.proof.cases import text_of
from tests.proof.clusters import sound

NOTHING = Findings((), ())

sweep = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def proven(values: dict[str, Any]) -> Findings:
    loaded = parse(json.dumps(values, indent=1), "generated.yaml")
    return prove(loaded, make(loaded))


@settings(sweep, max_examples=25)
@given(sound())
def test_a_sound_cluster_raises_no_finding(values: dict[str, Any]) -> None:
    assert proven(values) == NOTHING


@pytest.mark.slow
@settings(sweep, max_examples=300)
@given(sound())
def test_three_hundred_sound_clusters_raise_no_finding(values: dict[str, Any]) -> None:
    assert proven(values) == NOTHING


def test_a_thousand_nodes_are_proven_in_a_moment() -> None:
    text = text_of(
        {
            "nodes": 1000,
            "set": {
                "gpuPools.0.addresses": "10.10.8.0/21",
                "gpuPools.0.fabric.vfs": 0,
                "network.pods.cidr": "10.128.0.0/12",
                "controlPlane.cpu": 16,
            },
        }
    )
    loaded = parse(text, "cluster.yaml")
    plan = make(loaded)
    start = time.process_time()
    assert prove(loaded, plan) == NOTHING
    assert time.process_time() - start < 2
