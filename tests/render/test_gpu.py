"""GPUs for pods: who offers them, how they are cut up and shared, and NCCL's environment."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from daiku.plan.gpus import resources
from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.render.cluster_gpu import nccl_environment
from daiku.render.hosts import host_bundle
from tests.render.plans import example, facts, plan


def pool(
    fabric: dict[str, Any] | None = None, kubernetes: dict[str, Any] | None = None, **changed: Any
) -> Plan:
    """The example with settings of its pool, of its fabric or of Kubernetes changed."""
    (values,) = example()["gpuPools"]
    values["fabric"] |= fabric or {}
    return plan(gpuPools=[values | changed], kubernetes=kubernetes or {})


def values(made: Plan) -> dict[str, Any]:
    return yaml.safe_load(cluster_tree(made)["31-gpu/values.yaml"].content)


def config_maps(made: Plan) -> dict[str, dict[str, Any]]:
    content = cluster_tree(made)["30-gpu-config/config.yaml"].content
    return {d["metadata"]["name"]: d["data"] for d in yaml.safe_load_all(content) if d}


def labels(made: Plan) -> dict[str, str]:
    return dict(made.by_role("gpu")[0].labels)


def test_the_gpu_operator_leaves_the_drivers_to_the_machine() -> None:
    given = values(plan())
    assert given["driver"]["enabled"] is given["toolkit"]["enabled"] is False
    assert given["dcgmExporter"]["serviceMonitor"]["enabled"] is False
    assert given["migManager"] == {"enabled": False}
    assert "config" not in given["devicePlugin"]
    assert not [path for path in cluster_tree(plan()) if path.startswith("30-")]


def test_mig_layouts_are_by_pool_and_other_machines_have_none() -> None:
    made = pool(sharing="mig", mig=[{"profile": "3g.40gb", "count": 1}, {"profile": "1g.10gb", "count": 4}])
    given = values(made)
    config = config_maps(made)[given["migManager"]["config"]["name"]]
    layouts = yaml.safe_load(config["config.yaml"])
    assert layouts == {
        "version": "v1",
        "mig-configs": {
            "all-disabled": [{"devices": "all", "mig-enabled": False}],
            "h100": [
                {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 4, "3g.40gb": 1}},
            ],
        },
    }
    # The chart's own list of defaults has this one, and no other.
    assert given["migManager"]["config"]["default"] == "all-disabled"
    assert labels(made)["nvidia.com/mig.config"] in layouts["mig-configs"]
    assert given["mig"]["strategy"] == "mixed"
    assert resources(made.pools[0]) == (("nvidia.com/mig-1g.10gb", 32), ("nvidia.com/mig-3g.40gb", 8))


def test_mig_without_a_layout_is_seven_of_the_smallest() -> None:
    assert resources(pool(sharing="mig").pools[0]) == (("nvidia.com/mig-1g.10gb", 56),)


@pytest.mark.parametrize(("sharing", "key"), [("mps", "mps"), ("time-slicing", "timeSlicing")])
@pytest.mark.parametrize("stack", ["operator", "device-plugin"])
def test_shared_gpus_have_a_name_of_their_own(sharing: str, key: str, stack: str) -> None:
    made = pool(sharing=sharing, replicas=4, kubernetes={"gpuStack": stack})
    given = values(made)
    chosen = (given["devicePlugin"] if stack == "operator" else given)["config"]
    configs = {name: yaml.safe_load(text) for name, text in config_maps(made)[chosen["name"]].items()}
    assert configs[chosen["default"]] == {"version": "v1"}
    mine = configs[labels(made)["nvidia.com/device-plugin.config"]]
    assert mine["sharing"] == {
        key: {
            "renameByDefault": True,
            "failRequestsGreaterThanOne": True,
            "resources": [{"name": "nvidia.com/gpu", "replicas": 4}],
        }
    }
    assert resources(made.pools[0]) == (("nvidia.com/gpu.shared", 32),)


def test_the_device_plugin_alone_finds_its_machines_without_feature_discovery() -> None:
    made = pool(kubernetes={"gpuStack": "device-plugin"})
    chart = yaml.safe_load(cluster_tree(made)["31-gpu/chart.yaml"].content)
    assert chart["chart"] == "nvidia-device-plugin"
    assert values(made)["gfd"]["enabled"] is False
    assert labels(made)["nvidia.com/gpu.present"] == "true"
    assert "nvidia.com/mps.capable" not in labels(made)
    shared = pool(sharing="mps", kubernetes={"gpuStack": "device-plugin"})
    assert labels(shared)["nvidia.com/mps.capable"] == "true"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"NCCL_SOCKET_IFNAME": "=eth0", "NCCL_IB_HCA": "mlx5", "NCCL_CROSS_NIC": "0"}),
        ({"rails": []}, {"NCCL_SOCKET_IFNAME": "=eth0", "NCCL_IB_DISABLE": "1"}),
        (
            {
                "gidIndex": 3,
                "qos": {
                    "trust": "dscp",
                    "dscp": 26,
                    "priority": 3,
                    "cnpDscp": 48,
                    "cnpPriority": 6,
                    "ecn": True,
                },
            },
            {
                "NCCL_SOCKET_IFNAME": "=eth0",
                "NCCL_IB_HCA": "mlx5",
                "NCCL_CROSS_NIC": "0",
                "NCCL_IB_GID_INDEX": "3",
                "NCCL_IB_TC": "106",
            },
        ),
    ],
)
def test_nccls_environment_follows_the_inventory(changed: dict[str, Any], expected: dict[str, str]) -> None:
    made = pool(fabric=changed)
    assert nccl_environment(made, made.pools[0]) == expected


def test_nccl_is_given_the_rails_by_name_where_pods_see_the_machines_devices() -> None:
    rails = example()["gpuPools"][0]["fabric"]["rails"]
    for number, rail in enumerate(rails):
        rail["rdma"] = f"mlx5_{number + 2}"
    made = pool(fabric={"attach": "host-device", "rails": rails})
    assert nccl_environment(made, made.pools[0])["NCCL_IB_HCA"] == "=mlx5_2:1,mlx5_3:1,mlx5_4:1,mlx5_5:1"


def test_rails_that_a_router_joins_may_cross() -> None:
    rails = example()["gpuPools"][0]["fabric"]["rails"]
    for rail, gateway in zip(rails, ("10.32.8.0", "10.32.24.0", "10.32.40.0", "10.32.56.0"), strict=True):
        rail["gateway"] = gateway
    made = pool(fabric={"rails": rails})
    assert "NCCL_CROSS_NIC" not in nccl_environment(made, made.pools[0])


def test_nothing_that_fits_one_job_only_is_set_for_all() -> None:
    made = plan()
    names = nccl_environment(made, made.pools[0]).keys()
    assert not names & {"NCCL_ALGO", "NCCL_PROTO", "NCCL_MIN_NCHANNELS", "NCCL_TOPO_FILE", "NCCL_DEBUG"}


def test_every_tenant_finds_the_environment_in_its_own_namespace() -> None:
    content = cluster_tree(plan())["90-nccl/nccl.yaml"].content
    found = {(d["metadata"]["namespace"], d["metadata"]["name"]) for d in yaml.safe_load_all(content) if d}
    assert found == {("rails", "nccl-h100"), ("plamo", "nccl-h100")}


@pytest.mark.parametrize(
    ("changed", "policy", "scope"),
    [
        ({}, "best-effort", "pod"),
        (
            {"sharing": "mig", "topologyPolicy": "single-numa-node", "fabric": {"vfs": 0}},
            "single-numa-node",
            "pod",
        ),
        ({"topologyPolicy": "none", "topologyScope": "container"}, "none", "container"),
    ],
)
def test_a_pool_has_its_own_placement(changed: dict[str, Any], policy: str, scope: str) -> None:
    made = pool(**changed)
    bundle = host_bundle(made, facts(made), made.by_role("gpu")[0])
    patch = yaml.safe_load(bundle.file("/etc/daiku/kubeadm/patches/kubeletconfiguration+merge.yaml").content)
    assert (patch["topologyManagerPolicy"], patch["topologyManagerScope"]) == (policy, scope)
    assert ("topologyManagerPolicyOptions" in patch) == (policy != "none")
    assert [m["numaNode"] for m in patch["reservedMemory"]] == [0, 1]
    assert patch["cpuManagerPolicy"] == "static"
