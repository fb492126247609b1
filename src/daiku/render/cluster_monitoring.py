"""What watches the cluster: Prometheus and its alerts, dashboards, GPU metrics, and the detectors of node problems."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

import yaml

from daiku.plan.given import ALERTMANAGER
from daiku.plan.model import MonitoringPlan, Plan
from daiku.plan.namespaces import CEPH, GPU, KUEUE, MONITORING
from daiku.render.cluster_dashboards import dashboards
from daiku.render.cluster_detectors import detector_parts
from daiku.render.cluster_parts import MANAGEMENT_POOL, POOL_LABEL, Files, chart_parts, gpu_pools
from daiku.render.cluster_secrets import given_secret
from daiku.render.cluster_storage import BLOCK, has_reliable
from daiku.render.cluster_tenants import has_tenants
from daiku.render.engine import render

DCGM_COUNTERS = "daiku-dcgm-counters"
"""ConfigMap in the GPU operator's namespace that its exporter reads: which fields of DCGM are exported."""
RECEIVERS = "daiku-alertmanager"
"""Secret with Alertmanager's configuration: whom to call."""
METRICS_DIRECTORY = "/var/lib/daiku/metrics"
"""Where a machine's own scripts leave metrics for the node exporter."""
COUNTERS = (
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock (MHz)."),
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (C)."),
    ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Memory temperature (C)."),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (W)."),
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (%)."),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "Free memory (MiB)."),
    ("DCGM_FI_DEV_FB_USED", "gauge", "Used memory (MiB)."),
    ("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "counter", "PCIe retries."),
    ("DCGM_FI_DEV_THERMAL_VIOLATION", "counter", "Time of throttling because of heat."),
    ("DCGM_FI_DEV_POWER_VIOLATION", "counter", "Time of throttling because of power."),
    ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "counter", "Corrected memory errors."),
    ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "counter", "Uncorrectable memory errors."),
    ("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "counter", "Rows remapped for uncorrectable errors."),
    ("DCGM_FI_DEV_ROW_REMAP_FAILURE", "gauge", "Whether remapping of rows has failed."),
    ("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "counter", "NVLink traffic of all lanes."),
    ("DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "counter", "NVLink CRC errors."),
    ("DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", "counter", "NVLink retries."),
    ("DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", "counter", "NVLink recoveries."),
    ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "Part of time that the graphics engine is active."),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Part of cycles that the tensor cores are active."),
    ("DCGM_FI_PROF_DRAM_ACTIVE", "gauge", "Part of cycles that memory is active."),
    ("DCGM_EXP_XID_ERRORS_COUNT", "gauge", "XID errors of each code within the exporter's window."),
)
"""Field, kind and help of what the exporter gives: its own default leaves out errors of memory and NVLink."""
ETHTOOL = (
    "^(rx_prio3_pause|rx_prio3_pause_duration|tx_prio3_pause|tx_pause_storm_error_events|link_down_events_phy"
    "|rx_symbol_err_phy|rx_discards_phy|rx_bytes_phy|tx_bytes_phy)$"
)
"""Counters of the NICs' driver, of hundreds."""
_FILESYSTEMS = (
    "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|run/containerd/.+|var/lib/kubelet/.+)($|/)",
    (
        "--collector.filesystem.fs-types-exclude=^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs"
        "|erofs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs"
        "|squashfs|sysfs|tracefs)$"
    ),
)
"""Mounts of pods and of the kernel are no file systems to watch. The chart says so too; its list gives way to ours."""


@dataclass(frozen=True, slots=True)
class PrometheusValues:
    """`storage_class` is empty where no reliable tier keeps the volume: the history is lost with the pod."""

    template: ClassVar[str] = "cluster/monitoring/prometheus-values.yaml.j2"
    cluster: str
    pool_label: str
    management_pool: str
    retention: str
    retention_size: str
    storage_class: str
    storage: str
    receivers: str
    node_exporter_arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """One service to read metrics from. `token` adds the service account's, over TLS with a certificate of its own."""

    name: str
    namespace: str
    labels: dict[str, str]
    port: str
    token: bool


@dataclass(frozen=True, slots=True)
class Targets:
    template: ClassVar[str] = "cluster/monitoring/targets.yaml.j2"
    namespace: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Counters:
    template: ClassVar[str] = "cluster/monitoring/dcgm-counters.yaml.j2"
    name: str
    namespace: str
    csv: str


@dataclass(frozen=True, slots=True)
class Rules:
    """`groups` as the Prometheus operator has them."""

    template: ClassVar[str] = "cluster/monitoring/rules.yaml.j2"
    name: str
    namespace: str
    groups: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Dashboard:
    template: ClassVar[str] = "cluster/monitoring/dashboard.yaml.j2"
    name: str
    namespace: str
    file: str
    dashboard: dict[str, Any]


def monitoring_parts(plan: Plan) -> Files:
    """Everything that watches; nothing when it is turned off."""
    wanted = plan.monitoring
    if wanted is None:
        return {}
    values = prometheus_values(plan, wanted)
    found = chart_parts(plan, "80-prometheus", "kube-prometheus-stack", MONITORING, values)
    found |= {
        "82-alerts/targets.yaml": render(Targets(MONITORING, targets(plan))),
        "82-alerts/rules.yaml": render(Rules("daiku", MONITORING, alerts(plan))),
    }
    if gpu_pools(plan):
        csv = "".join(f"{field}, {kind}, {text}\n" for field, kind, text in COUNTERS)
        found["29-gpu-counters/counters.yaml"] = render(Counters(DCGM_COUNTERS, GPU, csv))
    for name, board in dashboards(plan).items():
        found[f"83-dashboards/{name}.yaml"] = render(
            Dashboard(f"daiku-{name}", MONITORING, f"daiku-{name}.json", board)
        )
    found |= given_secret(plan, "82-alerts/receivers.yaml", ALERTMANAGER, RECEIVERS, MONITORING)
    return found | detector_parts(plan)


def prometheus_values(plan: Plan, wanted: MonitoringPlan) -> PrometheusValues:
    """Values of the Prometheus stack. Its data may fill nine tenths of its volume: then the oldest goes."""
    arguments = [*_FILESYSTEMS, f"--collector.textfile.directory=/host/root{METRICS_DIRECTORY}"]
    if plan.rails:
        arguments += [
            "--collector.ethtool",
            f"--collector.ethtool.device-include=^({rails_pattern(plan)})$",
            f"--collector.ethtool.metrics-include={ETHTOOL}",
        ]
    return PrometheusValues(
        cluster=plan.cluster,
        pool_label=POOL_LABEL,
        management_pool=MANAGEMENT_POOL,
        retention=f"{wanted.retention_days}d",
        retention_size=f"{max(wanted.storage_gib * 9 // 10, 1)}GiB",
        storage_class=BLOCK if has_reliable(plan) else "",
        storage=f"{wanted.storage_gib}Gi",
        receivers=RECEIVERS,
        node_exporter_arguments=tuple(arguments),
    )


def targets(plan: Plan) -> tuple[Target, ...]:
    """Services that have metrics, of the parts that this cluster has."""
    found: list[Target] = []
    if gpu_pools(plan):
        found.append(Target("dcgm", GPU, {"app": "nvidia-dcgm-exporter"}, "gpu-metrics", token=False))
    if has_reliable(plan):
        found.append(
            Target("ceph", CEPH, {"app": "rook-ceph-mgr", "rook_cluster": CEPH}, "http-metrics", token=False)
        )
    if has_tenants(plan):
        # The same chart's service for pending jobs has a port of the same name, and no metrics.
        labels = {"app.kubernetes.io/instance": "kueue", "app.kubernetes.io/component": "metrics-service"}
        found.append(Target("kueue", KUEUE, labels, "https", token=True))
    return tuple(found)


def alerts(plan: Plan) -> list[dict[str, Any]]:
    """The groups of alerts that make sense here, as Prometheus reads them."""
    has = {
        "always": True,
        "gpu": bool(gpu_pools(plan)),
        "rails": bool(plan.rails),
        "ceph": has_reliable(plan),
        "queues": has_tenants(plan),
        "backup": plan.aws is not None,
    }
    return [
        {"name": group["group"], "rules": [_rule(plan, rule) for rule in group["rules"]]}
        for group in _all_alerts()
        if has[group["needs"]]
    ]


def rails_pattern(plan: Plan) -> str:
    """The interconnect NICs' names as alternatives of a regular expression."""
    return "|".join(sorted({rail.nic for rail in plan.rails}))


def _rule(plan: Plan, rule: dict[str, str]) -> dict[str, Any]:
    expression = rule["expr"].replace("RAILS", rails_pattern(plan))
    expression = expression.replace("SNAPSHOT_SECONDS", str(2 * 3600 * plan.snapshot_hours))
    made: dict[str, Any] = {"alert": rule["alert"], "expr": expression}
    if "for" in rule:
        made["for"] = rule["for"]
    return made | {
        "labels": {"severity": rule["severity"]},
        "annotations": {"summary": rule["summary"], "runbook": rule["runbook"]},
    }


@cache
def _all_alerts() -> list[dict[str, Any]]:
    text = (files("daiku.render.data") / "alerts.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)
