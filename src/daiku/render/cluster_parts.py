"""What the parts of the cluster's tree share: names, labels, and the note of a chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import Plan
from daiku.plan.nodes import DOMAIN
from daiku.render.chart_values import check_values
from daiku.render.engine import Context, render
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


def chart_parts(
    plan: Plan, folder: str, chart: str, namespace: str, values: Context | str, *, release: str = ""
) -> Files:
    """A folder that helm installs: the note which chart it is, and its values. `release` is helm's name of the
    installation, the chart's own unless it is given.

    ValueError: the release does not lock the chart. RenderError: the chart does not have one of these values."""
    version, sha256 = chart_version(plan.release, chart), chart_sha256(plan.release, chart)
    note, content = f"{folder}/chart.yaml", f"{folder}/values.yaml"
    files = {
        note: render(Chart(chart, version, release or chart, namespace, sha256)),
        content: render(values),
    }
    check_values(chart, files[content], content)
    return files


def gpu_pools(plan: Plan) -> tuple[str, ...]:
    """Names of the pools that have machines, sorted."""
    return tuple(sorted({node.pool for node in plan.by_role("gpu")}))
