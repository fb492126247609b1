"""What a chart does unless it is told otherwise, and what that would do to this cluster: each was seen in the chart."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from daiku.render.cluster import cluster_tree
from daiku.render.hosts import host_bundle
from tests.render.plans import example, facts, objects, plan, read

PLAN = plan()
TREE = cluster_tree(PLAN)
EVERYWHERE = [{"operator": "Exists"}]


def test_volumes_are_mounted_on_gpu_servers_in_spite_of_their_taint() -> None:
    # The chart writes an empty list into every driver, and a driver's own list wins over the defaults for all.
    drivers = read(TREE, "41-ceph-csi/values.yaml")["drivers"]
    enabled = {name: driver for name, driver in drivers.items() if driver["enabled"]}
    assert enabled.keys() == {"rbd", "cephfs"}
    assert [driver["nodePlugin"]["tolerations"] for driver in enabled.values()] == [EVERYWHERE] * 2
    assert PLAN.by_role("gpu")[0].taints


def test_controllers_of_the_fast_tier_leave_gpu_servers_alone() -> None:
    # They tolerate every taint by default; the plugin that mounts must.
    values = read(TREE, "50-fluid/values.yaml")
    controllers = [values["dataset"], values["fluidapp"], values["webhook"], *values["runtime"].values()]
    assert [controller["tolerations"] for controller in controllers] == [[]] * 5
    assert "csi" not in values


def test_no_program_waits_for_snapshots_that_the_cluster_does_not_know() -> None:
    # The default for file systems is another than for block devices.
    assert read(TREE, "41-ceph-csi/values.yaml")["drivers"]["cephfs"]["snapshotPolicy"] == "none"
    assert not [path for path, file in TREE.items() if b"snapshot.storage.k8s.io" in file.content]


def test_virtual_functions_are_made_on_machines_without_the_role_worker() -> None:
    # Without a selector the operator takes nodes of the role `worker`, for its daemon as for its policies.
    (config,) = objects(TREE, "SriovOperatorConfig")
    (label,) = config["spec"]["configDaemonNodeSelector"]
    assert label == f"node-role.kubernetes.io/{PLAN.by_role('gpu')[0].role}"


@pytest.mark.parametrize("sharing", ["none", "mps"])
def test_the_device_plugin_alone_runs_where_it_sees_gpus(sharing: str) -> None:
    # Containerd's usual runtime shows no GPU to the plugin, and ignores the variable that it sets by default.
    (pool,) = example()["gpuPools"]
    made = plan(gpuPools=[pool | {"sharing": sharing}], kubernetes={"gpuStack": "device-plugin"})
    tree = cluster_tree(made)
    values = read(tree, "31-gpu/values.yaml")
    assert values["deviceListStrategy"] == "cdi-cri"
    assert values["nvidiaDriverRoot"] == "/"
    (runtime,) = objects(tree, "RuntimeClass")
    assert values["runtimeClassName"] == runtime["metadata"]["name"]
    bundle = host_bundle(made, facts(made), made.by_role("gpu")[0])
    (config,) = [f.content.decode() for f in bundle.files if f.path == "/etc/containerd/config.toml"]
    assert f".containerd.runtimes.{runtime['handler']}]" in config
    assert 'default_runtime_name = "runc"' in config
    assert "enable_cdi = true" in config


def test_the_operator_makes_its_runtime_class_itself() -> None:
    assert objects(TREE, "RuntimeClass") == []
    assert read(TREE, "31-gpu/values.yaml")["cdi"]["enabled"] is True


def test_mounts_of_pods_are_no_file_systems_to_watch() -> None:
    # Our arguments replace the chart's, which leave these out.
    arguments = read(TREE, "80-prometheus/values.yaml")["prometheus-node-exporter"]["extraArgs"]
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    mounts, kinds = (
        re.compile(given[f"--collector.filesystem.{name}-exclude"]) for name in ("mount-points", "fs-types")
    )
    for path in ("/var/lib/kubelet/pods/1/volumes/x", "/run/containerd/io.containerd.runtime.v2/1", "/proc"):
        assert mounts.match(path), path
    for path in ("/", "/var/lib/daiku/fast/disk0", "/var/lib/kubeletx"):
        assert not mounts.match(path), path
    assert kinds.match("overlay")
    assert not kinds.match("xfs")


def test_metrics_of_kueue_are_read_from_the_service_that_has_them() -> None:
    # Its other service has a port of that name too, and answers it with pending jobs.
    (monitor,) = [m for m in objects(TREE, "ServiceMonitor") if m["metadata"]["name"] == "daiku-kueue"]
    assert monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == "metrics-service"


def test_kueue_keeps_its_workers() -> None:
    # A whole file is given to it; what is left out is one worker a kind.
    text = read(TREE, "60-kueue/values.yaml")["managerConfig"]["controllerManagerConfigYaml"]
    assert yaml.safe_load(text)["controller"]["groupKindConcurrency"]["Workload.kueue.x-k8s.io"] > 1


def test_certificates_of_hubble_are_renewed() -> None:
    tls = read(TREE, "10-cilium/values.yaml")["hubble"]["tls"]
    assert tls["auto"]["method"] == "cronJob"


@pytest.mark.parametrize("domain", ["cluster.local", "gpu.example"])
def test_charts_are_told_the_domain_of_services(domain: str) -> None:
    network: dict[str, Any] = example()["network"]
    network["services"] = (network.get("services") or {}) | {"domain": domain}
    tree = cluster_tree(plan(network=network))
    assert read(tree, "10-cilium/values.yaml")["hubble"]["peerService"]["clusterDomain"] == domain
    assert read(tree, "40-rook/values.yaml")["ceph-csi-operator"]["kubernetesClusterDomain"] == domain
    assert read(tree, "60-kueue/values.yaml")["kubernetesClusterDomain"] == domain
