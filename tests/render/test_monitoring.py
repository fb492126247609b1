"""Alerts and dashboards ask for metrics that exist, in expressions that Prometheus reads; detectors see faults."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.render.cluster_detectors import FATAL_XIDS, gpu_kernel_monitor, kernel_monitor
from daiku.render.cluster_monitoring import COUNTERS, ETHTOOL, alerts
from daiku.render.tree import Tree
from tests.render.plans import objects, plan, read

PLAN = plan()
TREE = cluster_tree(PLAN)
RULES = [rule for group in alerts(PLAN) for rule in group["rules"]]
METRICS: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("metrics.yaml").read_text())
KNOWN = {name for names in METRICS.values() for name in names}
METRIC = re.compile(r"\b(?:DCGM|node|etcd|apiserver|kube|ceph|kueue|daiku)_[A-Za-z0-9_]+|\bup\b")


def boards() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for config in objects(TREE, "ConfigMap"):
        if "grafana_dashboard" in config["metadata"].get("labels", {}):
            ((_, text),) = config["data"].items()
            found[config["metadata"]["name"]] = json.loads(text)
    return found


def panels() -> list[Any]:
    return [
        pytest.param(target["expr"], id=f"{name} {panel['title']}")
        for name, board in boards().items()
        for panel in board["panels"]
        for target in panel["targets"]
    ]


EXPRESSIONS = [*(pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES), *panels()]


def metrics_of(expression: str) -> set[str]:
    """Names of metrics; label names and quoted text are no metrics."""
    return set(METRIC.findall(re.sub(r'"[^"]*"|\bby \([^)]*\)|\bon \([^)]*\)', "", expression)))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_metrics_that_exist(expression: str) -> None:
    assert metrics_of(expression)
    assert metrics_of(expression) <= KNOWN


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_prometheus_reads_the_expression(expression: str) -> None:
    parser = pytest.importorskip("promql_parser")
    parser.parse(expression.replace("$node", ".+"))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_brackets_and_quotes_of_an_expression_close(expression: str) -> None:
    assert expression.count('"') % 2 == 0
    open_now: list[str] = []
    for sign in re.sub(r'"[^"]*"', "", expression):
        if sign in "([{":
            open_now.append({"(": ")", "[": "]", "{": "}"}[sign])
        elif sign in ")]}":
            assert open_now.pop() == sign
    assert not open_now


def test_every_alert_says_what_to_do_and_how_bad_it_is() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert len(rule["annotations"]["runbook"]) > 20, rule["alert"]
        assert rule["annotations"]["summary"]
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) > 20


def test_alerts_watch_the_plans_rails_and_its_snapshots() -> None:
    by_name = {rule["alert"]: rule["expr"] for rule in RULES}
    assert 'device=~"ens1f0np0|ens2f0np0|ens3f0np0|ens4f0np0"' in by_name["RailDown"]
    assert f"> {2 * 3600 * PLAN.snapshot_hours} " in by_name["EtcdSnapshotOld"]
    assert not [
        name for name, expression in by_name.items() if "RAILS" in expression or "SNAPSHOT" in expression
    ]


@pytest.mark.parametrize(
    ("without", "groups"),
    [
        ({"aws": None}, {"daiku-backup"}),
        ({"rails": ()}, {"daiku-rails"}),
        ({"tenants": ()}, {"daiku-queues"}),
        ({"storage": None}, {"daiku-ceph"}),
    ],
)
def test_what_the_cluster_lacks_is_not_watched(without: dict[str, Any], groups: set[str]) -> None:
    less: Plan = PLAN.model_copy(update=without)
    assert {g["name"] for g in alerts(PLAN)} - {g["name"] for g in alerts(less)} == groups


def test_the_exporters_give_what_is_asked_for() -> None:
    counters = {name for name, _, _ in COUNTERS}
    assert {m for m in KNOWN if m.startswith("DCGM_")} <= counters
    (config,) = [c for c in objects(TREE, "ConfigMap") if c["metadata"]["name"] == "daiku-dcgm-counters"]
    lines = config["data"]["dcgm-metrics.csv"].splitlines()
    assert {line.split(", ")[0] for line in lines} == counters
    assert {line.split(", ")[1] for line in lines} == {"gauge", "counter"}
    assert all(line.count(",") == 2 for line in lines)
    values = read(TREE, "31-gpu/values.yaml")
    assert values["dcgmExporter"]["config"]["name"] == config["metadata"]["name"]
    assert config["metadata"]["namespace"] == read(TREE, "31-gpu/chart.yaml")["namespace"]
    spelt = {"received": "rx", "transmitted": "tx"}
    for metric in METRICS["node_exporter ethtool"]:
        words = metric.removeprefix("node_ethtool_").split("_")
        assert re.match(ETHTOOL, "_".join(spelt.get(word, word) for word in words)), metric


def test_only_the_rails_of_a_machine_are_read_with_ethtool() -> None:
    arguments = read(TREE, "80-prometheus/values.yaml")["prometheus-node-exporter"]["extraArgs"]
    (include,) = [
        a.partition("=")[2] for a in arguments if a.startswith("--collector.ethtool.device-include=")
    ]
    assert re.match(include, "ens1f0np0")
    assert not re.match(include, "eno2")


def test_dashboards_are_whole() -> None:
    found = boards()
    assert set(found) == {"daiku-gpu", "daiku-rdma"}
    for board in found.values():
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
        assert len(set(places)) == len(places) >= 8
        assert [v["name"] for v in board["templating"]["list"]] == ["node"]
        assert all(p["datasource"]["uid"] == "prometheus" for p in board["panels"])


def test_the_history_lies_on_the_reliable_tier_when_there_is_one() -> None:
    def claim(tree: Tree) -> Any:
        spec = read(tree, "80-prometheus/values.yaml")["prometheus"]["prometheusSpec"]
        return (
            spec.get("storageSpec", {}).get("volumeClaimTemplate", {}).get("spec", {}).get("storageClassName")
        )

    assert claim(TREE) == "reliable-block"
    assert claim(cluster_tree(plan(storage={"reliable": None, "fast": None}))) is None


def test_monitoring_can_be_turned_off() -> None:
    tree = cluster_tree(PLAN.model_copy(update={"monitoring": None}))
    assert not [path for path in tree if path.startswith(("29-", "8"))]
    assert "monitoring" not in {n["metadata"]["name"] for n in objects(tree, "Namespace")}
    assert "config" not in read(tree, "31-gpu/values.yaml")["dcgmExporter"]


# Detectors
# -----------------------------------------------------------------------------------------------------------


def script(name: str) -> str:
    (config,) = [c for c in objects(TREE, "ConfigMap") if "rails.sh" in c["data"]]
    return config["data"][name]


def checked(name: str, root: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", script(name)],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
        env={"PATH": os.environ["PATH"], "HOST_SYS": str(root), "HOST_PROC": str(root)} | environment,
    )
    return done.returncode, done.stdout.strip()


def rail(root: Path, nic: str, carrier: str, state: str) -> None:
    port = root / "class/net" / nic / "device/infiniband/mlx5_0/ports/1"
    port.mkdir(parents=True)
    (root / "class/net" / nic / "carrier").write_text(carrier)
    (port / "state").write_text(state)


def test_rails_that_are_up(tmp_path: Path) -> None:
    rail(tmp_path, "a", "1\n", "4: ACTIVE\n")
    rail(tmp_path, "b", "1\n", "4: ACTIVE\n")
    assert checked("rails.sh", tmp_path, RAILS="a b") == (0, "all rails up")


def test_a_rail_without_link_or_nic_or_port_is_named(tmp_path: Path) -> None:
    rail(tmp_path, "a", "0\n", "1: DOWN\n")
    rail(tmp_path, "b", "1\n", "2: INIT\n")
    said = checked("rails.sh", tmp_path, RAILS="a b gone")
    assert said == (1, "bad: a:no-link b:rdma-port-not-active gone:no-link")


@pytest.mark.parametrize(("there", "status"), [(8, 0), (7, 1), (0, 1)])
def test_missing_gpus_are_counted(tmp_path: Path, there: int, status: int) -> None:
    for number in range(there):
        (tmp_path / f"driver/nvidia/gpus/0000:0{number}:00.0").mkdir(parents=True)
    code, said = checked("gpu.sh", tmp_path, GPUS="8")
    assert (code, said.split()[0]) == (status, str(there))


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        ("NVRM: Xid (PCI:0000:1b:00): 79, pid=1234, name=python, GPU has fallen off the bus.", "GpuFatal"),
        ("NVRM: Xid (PCI:0000:1b:00): 95, pid='<unknown>', name=<unknown>, Uncontained: LTC", "GpuFatal"),
        ("NVRM: Xid (PCI:0000:1b:00): 13, pid=99, name=python, Graphics Exception", "Xid"),
        ("NVRM: Xid (PCI:0000:1b:00): 948, pid=99, name=python, unheard of", "Xid"),
    ],
)
def test_kernel_messages_of_gpus(line: str, condition: str) -> None:
    rules = gpu_kernel_monitor()["rules"]
    met = [r.get("condition", r["reason"]) for r in rules if re.search(r["pattern"], line)]
    assert met[0] == condition


def test_every_condition_of_a_rule_is_declared() -> None:
    for monitor in (kernel_monitor(), gpu_kernel_monitor()):
        declared = {c["type"] for c in monitor["conditions"]}
        assert {r["condition"] for r in monitor["rules"] if r["type"] == "permanent"} == declared
    watched = next(r["expr"] for r in RULES if r["alert"] == "NodeProblem")
    conditions = {"GpuMissing", "GpuFatal", "RailLinkDown", "ReadonlyFilesystem", "KernelDeadlock"}
    assert all(c in watched for c in conditions)
    fatal = next(r["expr"] for r in RULES if r["alert"] == "GpuXidFatal")
    assert "|".join(str(code) for code in FATAL_XIDS) in fatal


def test_each_kind_of_machine_has_its_detector() -> None:
    found = {
        d["metadata"]["name"]: d["spec"]["template"]["spec"]
        for d in objects(TREE, "DaemonSet")
        if d["metadata"]["name"].startswith("node-problem")
    }
    assert set(found) == {"node-problem-detector", "node-problem-detector-h100"}
    (container,) = found["node-problem-detector-h100"]["containers"]
    environment = {e["name"]: e.get("value") for e in container["env"]}
    assert environment["GPUS"] == "8"
    assert environment["RAILS"] == "ens1f0np0 ens2f0np0 ens3f0np0 ens4f0np0"
    (config,) = [c for c in objects(TREE, "ConfigMap") if "rails.sh" in c["data"]]
    named = re.findall(r"/config/([a-z-]+\.json)", " ".join(container["command"]))
    assert set(named) <= set(config["data"])
    for name in named:
        json.loads(config["data"][name])
