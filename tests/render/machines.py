"""The example's machines and how their files are read, for the tests of what machines get."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from daiku.render.bundle import HostBundle
from daiku.render.hosts import host_bundles
from tests.render.plans import facts, plan

PLAN = plan()
BUNDLES = {bundle.host: bundle for bundle in host_bundles(PLAN, facts(PLAN))}
NODES = [pytest.param(node, id=node.name) for node in PLAN.nodes]
CONTROL, MANAGEMENT, SERVER = "ishikari-cp-1", "ishikari-mgmt-1", "ishikari-h100-001"
VIPS = "/etc/netplan/60-daiku-vips.yaml"


def text(bundle: HostBundle, path: str) -> str:
    return bundle.file(path).content.decode()


def netplan(bundle: HostBundle) -> dict[str, Any]:
    return yaml.safe_load(text(bundle, "/etc/netplan/50-daiku.yaml"))["network"]["ethernets"]
