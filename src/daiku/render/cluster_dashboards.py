"""Dashboards as Grafana reads them: rows of time series, two side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daiku.plan.model import Plan
from daiku.render.cluster_parts import gpu_pools

SCHEMA = 39
"""Version of the dashboard model that these are written in; Grafana raises older ones itself."""
_WIDTH, _HEIGHT = 12, 8
_SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True, slots=True)
class Series:
    """One panel: `unit` is Grafana's name of a unit, `legend` names labels as `{{label}}`."""

    title: str
    expr: str
    unit: str
    legend: str


GPU = (
    Series("GPU use", 'DCGM_FI_DEV_GPU_UTIL{Hostname=~"$node"}', "percent", "{{Hostname}} {{gpu}}"),
    Series(
        "Tensor cores active",
        'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{Hostname=~"$node"}',
        "percentunit",
        "{{Hostname}} {{gpu}}",
    ),
    Series(
        "Memory in use",
        'DCGM_FI_DEV_FB_USED{Hostname=~"$node"} / (DCGM_FI_DEV_FB_USED{Hostname=~"$node"} + '
        'DCGM_FI_DEV_FB_FREE{Hostname=~"$node"})',
        "percentunit",
        "{{Hostname}} {{gpu}}",
    ),
    Series("Power", 'sum by (Hostname) (DCGM_FI_DEV_POWER_USAGE{Hostname=~"$node"})', "watt", "{{Hostname}}"),
    Series("Temperature", 'DCGM_FI_DEV_GPU_TEMP{Hostname=~"$node"}', "celsius", "{{Hostname}} {{gpu}}"),
    Series(
        "Throttled because of heat",
        'rate(DCGM_FI_DEV_THERMAL_VIOLATION{Hostname=~"$node"}[5m])',
        "none",
        "{{Hostname}} {{gpu}}",
    ),
    Series(
        "NVLink traffic",
        'sum by (Hostname) (rate(DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL{Hostname=~"$node"}[5m]))',
        "none",
        "{{Hostname}}",
    ),
    Series(
        "XID errors",
        'sum by (Hostname, gpu, xid) (DCGM_EXP_XID_ERRORS_COUNT{Hostname=~"$node", xid!=""}) > 0',
        "none",
        "{{Hostname}} {{gpu}} XID {{xid}}",
    ),
    Series(
        "Uncorrectable memory errors",
        'DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{Hostname=~"$node"}',
        "none",
        "{{Hostname}} {{gpu}}",
    ),
    Series(
        "PCIe retries",
        'rate(DCGM_FI_DEV_PCIE_REPLAY_COUNTER{Hostname=~"$node"}[5m])',
        "ops",
        "{{Hostname}} {{gpu}}",
    ),
)
RDMA = (
    Series(
        "Received",
        'rate(node_infiniband_port_data_received_bytes_total{node=~"$node"}[1m])',
        "Bps",
        "{{node}} {{device}}",
    ),
    Series(
        "Sent",
        'rate(node_infiniband_port_data_transmitted_bytes_total{node=~"$node"}[1m])',
        "Bps",
        "{{node}} {{device}}",
    ),
    Series(
        "Part of time stopped by PFC",
        'rate(node_ethtool_received_prio3_pause_duration{node=~"$node"}[1m]) / 1e6',
        "percentunit",
        "{{node}} {{device}}",
    ),
    Series(
        "PFC pauses sent",
        'rate(node_ethtool_transmitted_prio3_pause{node=~"$node"}[1m])',
        "ops",
        "{{node}} {{device}}",
    ),
    Series(
        "ECN marks received",
        'rate(node_infiniband_np_ecn_marked_roce_packets_received_total{node=~"$node"}[1m])',
        "ops",
        "{{node}} {{device}}",
    ),
    Series(
        "Congestion notices sent",
        'rate(node_infiniband_np_cnp_packets_sent_total{node=~"$node"}[1m])',
        "ops",
        "{{node}} {{device}}",
    ),
    Series(
        "Packets sent again",
        'rate(node_infiniband_packet_sequence_errors_total{node=~"$node"}[5m]) + '
        'rate(node_infiniband_local_ack_timeout_errors_total{node=~"$node"}[5m])',
        "ops",
        "{{node}} {{device}}",
    ),
    Series(
        "Dropped at the port",
        'rate(node_ethtool_received_discards_phy{node=~"$node"}[5m])',
        "ops",
        "{{node}} {{device}}",
    ),
    Series(
        "Symbol errors",
        'rate(node_ethtool_received_symbol_err_phy{node=~"$node"}[5m])',
        "ops",
        "{{node}} {{device}}",
    ),
    Series(
        "Port state (4: active)", 'node_infiniband_state_id{node=~"$node"}', "none", "{{node}} {{device}}"
    ),
)


def dashboards(plan: Plan) -> dict[str, dict[str, Any]]:
    """Dashboards by name, of what this cluster has."""
    found: dict[str, dict[str, Any]] = {}
    if gpu_pools(plan):
        nodes = "label_values(DCGM_FI_DEV_GPU_TEMP, Hostname)"
        found["gpu"] = dashboard("daiku-gpu", f"GPUs of {plan.cluster}", nodes, GPU)
    if plan.rails:
        nodes = "label_values(node_infiniband_state_id, node)"
        found["rdma"] = dashboard("daiku-rdma", f"Rails of {plan.cluster}", nodes, RDMA)
    return found


def dashboard(uid: str, title: str, nodes: str, panels: tuple[Series, ...]) -> dict[str, Any]:
    """The JSON model. `nodes` is the query that fills the choice of nodes."""
    choice = {
        "name": "node",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": nodes, "refId": "nodes"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": uid,
        "title": title,
        "schemaVersion": SCHEMA,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "tags": ["daiku"],
        "templating": {"list": [choice]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, series: Series) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": series.title,
        "datasource": _SOURCE,
        "gridPos": {"x": number % 2 * _WIDTH, "y": number // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": series.unit, "custom": {"fillOpacity": 10}}, "overrides": []},
        "targets": [
            {"refId": "A", "datasource": _SOURCE, "expr": series.expr, "legendFormat": series.legend}
        ],
    }
