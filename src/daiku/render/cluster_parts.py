"""What the parts of the cluster's tree share: names, labels, and the note of a chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import Plan
from daiku.plan.nodes import DOMAIN
from daiku.render.engine import render
from daiku.render.images import chart_sha256, chart_version

POOL_LABEL = f"{DOMAIN}/pool"
RAIL_GROUP_LABEL = f"{DOMAIN}/rail-group"
MANAGEMENT_POOL = "management"

Files = dict[str, bytes]
"""Contents by path below the cluster's folder."""


@dataclass(frozen=True, slots=True)
class Chart:
    """`release` is helm's name of the installation; `sha256` the archive's, empty while the release is not locked."""

    template: ClassVar[str] = "cluster/chart.yaml.j2"
    chart: str
    version: str
    release: str
    namespace: str
    sha256: str = ""


def chart_note(plan: Plan, chart: str, namespace: str) -> bytes:
    """The note beside a chart's values. ValueError: the release does not lock the chart."""
    version, sha256 = chart_version(plan.release, chart), chart_sha256(plan.release, chart)
    return render(Chart(chart, version, chart, namespace, sha256))


def gpu_pools(plan: Plan) -> tuple[str, ...]:
    """Names of the pools that have machines, sorted."""
    return tuple(sorted({node.pool for node in plan.by_role("gpu")}))
