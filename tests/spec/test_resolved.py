"""The resolved form, the JSON Schema, the releases, and what an edit disturbs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from daiku.spec import disruption, locks
from daiku.spec.base import Disruption, OnChange
from daiku.spec.cluster import Cluster
from daiku.spec.explain import as_yaml, resolve
from daiku.spec.load import load, parse
from daiku.spec.schema import json_schema
from daiku.spec.walk import settings
from tests.spec.cases import EXAMPLES, changed, example


def cluster(change: dict[str, str] | None = None) -> Cluster:
    return parse(changed({"change": change or {}}), "cluster.yaml").cluster


@pytest.mark.parametrize("name", ["cluster.yaml", "production.yaml"])
def test_the_resolved_form_loads_to_the_same_cluster(name: str) -> None:
    loaded = load(EXAMPLES / name)
    again = parse(as_yaml(loaded), "explained.yaml")
    assert again.digest == loaded.digest
    assert "# default" not in "\n".join(line for line in as_yaml(again).split("\n") if "null" not in line)


def test_the_resolved_form_marks_what_nobody_wrote() -> None:
    lines = as_yaml(load(EXAMPLES / "cluster.yaml")).split("\n")
    assert '    gateway: "10.10.0.1"  # default' in lines
    assert '    addresses: "10.10.1.0/24"  # default' in lines
    assert "phase: verification" in lines
    assert "    bandwidthMbps: 500" in lines
    assert '      - { id: "113600000001", index: 1, rack: r01 }' in lines


def test_marks_follow_the_nodes_when_their_order_in_the_file_is_another() -> None:
    first, last = '{ index: 1, id: "113600000001", rack: r01 }', '{ index: 4, id: "113600000004", rack: r02 }'
    swapped = parse(
        changed({"change": {first: "@", last: '{ index: 1, id: "113600000001" }'}}).replace("@", last), "x"
    )
    nodes = [line.strip() for line in as_yaml(swapped).split("\n") if "index:" in line]
    assert nodes[0] == '- { id: "113600000001", index: 1, rack: null }  # default: rack'
    assert nodes[3] == '- { id: "113600000004", index: 4, rack: r02 }'


def test_plain_values_have_the_keys_of_the_file() -> None:
    values = resolve(parse(example(), "x"))
    assert values["network"]["node"]["gateway"] == "10.10.0.1"
    assert Cluster.model_validate_json(json.dumps(values), by_name=False).name == "ishikari"


def test_the_schema_is_valid_and_takes_the_examples() -> None:
    document = json_schema()
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document)
    for file in EXAMPLES.glob("*.yaml"):
        assert list(validator.iter_errors(yaml.safe_load(file.read_text()))) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("phase",), "staging"),
        (("network", "node", "cidr"), "ten"),
        (("network", "node", "colour"), "red"),
        (("controlPlane", "count"), 0),
        (("gpuPools", 0, "nodes", 0, "id"), 113600000001),
        (("name",), "Ishikari"),
    ],
)
def test_the_schema_refuses_what_loading_refuses(path: tuple[Any, ...], value: Any) -> None:
    values = yaml.safe_load(example())
    target = values
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    errors = list(jsonschema.Draft202012Validator(json_schema()).iter_errors(values))
    assert errors


def test_the_schema_says_what_a_change_does_and_what_a_setting_is() -> None:
    rail = json_schema()["$defs"]["Rail"]["properties"]
    assert rail["cidr"]["x-on-change"] == "nodes are drained and reinstalled: all RDMA workloads stop"
    assert rail["cidr"]["description"].startswith("Subnet of this rail")


def test_every_setting_says_what_its_change_does() -> None:
    silent = []
    for setting in settings(Cluster):
        marked = any(isinstance(m, OnChange) for m in setting.field.metadata)
        if setting.model is None and not marked:
            silent.append(".".join(map(str, setting.path)))
    assert silent == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("network", "node", "cidr"), Disruption.REBUILD),
        (("gpuPools", 0, "nodes", 3, "id"), Disruption.REINSTALL),
        (("gpuPools", "h100", "nodes", 7, "rack"), Disruption.APPLY),
        (("gpuPools", "*", "fabric", "vfs"), Disruption.ROLLING_REBOOT),
        (("phase",), Disruption.NONE),
    ],
)
def test_what_changing_a_setting_does(path: tuple[Any, ...], expected: Disruption) -> None:
    assert disruption.on_change(path).disruption is expected


def test_a_setting_that_does_not_exist_disturbs_nothing_silently() -> None:
    with pytest.raises(KeyError, match=r"network\.colour"):
        disruption.on_change(("network", "colour"))


@pytest.mark.parametrize(
    ("change", "path", "before", "after", "expected"),
    [
        ({"cpu: 4": "cpu: 8"}, "controlPlane.cpu", 4, 8, Disruption.ROLLING_REBOOT),
        ({"mode: vxlan": "mode: native"}, "network.pods.mode", "vxlan", "native", Disruption.ROLLING_RESTART),
        ({"cidr: 10.32.48.0/20": "cidr: 10.33.0.0/20"}, "gpuPools.h100.fabric.rails.3.cidr", "10.32.48.0/20",
         "10.33.0.0/20", Disruption.REINSTALL),
        ({"type: nvme": "type: ssd"}, "gpuPools.h100.disks.type", "nvme", "ssd", Disruption.NONE),
        ({'id: "113600000004", rack: r02': 'id: "113600000004", rack: r03'}, "gpuPools.h100.nodes.4.rack", "r02",
         "r03", Disruption.APPLY),
        ({"gpus: 24": "gpus: 8"}, "tenants.plamo.gpus", 24, 8, Disruption.APPLY),
        ({"ports: [80, 443]": "ports: [443]"}, "loadBalancer.ingress.ports", [80, 443], [443], Disruption.APPLY),
    ],
)  # fmt: skip
def test_one_edit_is_one_change(
    change: dict[str, str], path: str, before: Any, after: Any, expected: Disruption
) -> None:
    (found,) = disruption.compare(cluster(), cluster(change))
    assert (found.path, found.before, found.after, found.disruption) == (path, before, after, expected)


def test_a_node_that_comes_disturbs_nothing_and_one_that_goes_is_drained() -> None:
    line = '      - { index: 4, id: "113600000004", rack: r02 }\n'
    four, three = cluster(), cluster({line: ""})
    (gone,) = disruption.compare(four, three)
    (came,) = disruption.compare(three, four)
    assert (gone.path, gone.after, gone.disruption) == ("gpuPools.h100.nodes.4", None, Disruption.REMOVE)
    assert (came.path, came.before, came.disruption) == ("gpuPools.h100.nodes.4", None, Disruption.NONE)


def test_a_wider_network_changes_the_defaults_that_follow_from_it() -> None:
    found = disruption.compare(cluster(), cluster({"addresses: [10.10.0.8, 10.10.0.9]": "plan: highspec"}))
    assert [c.path for c in found] == ["loadBalancer.plan"]
    moved = disruption.compare(cluster(), cluster({"cidr: 10.10.0.0/20": "cidr: 10.12.0.0/20"}))
    assert [c.path for c in moved] == ["network.node.cidr", "network.node.gateway", "gpuPools.h100.addresses"]


def test_a_section_that_goes_and_comes() -> None:
    without = {"  ingress: { vip: 10.10.0.101, ports: [80, 443] }\n": ""}
    (gone,) = disruption.compare(cluster(), cluster(without))
    (came,) = disruption.compare(cluster(without), cluster())
    assert (gone.path, gone.disruption) == ("loadBalancer.ingress", Disruption.APPLY)
    assert (came.path, came.disruption, came.note) == ("loadBalancer.ingress", Disruption.NONE, "is added")


def test_a_release_pins_one_exact_version_of_everything() -> None:
    assert locks.names() == ("2026.11",)
    lock = locks.lock("2026.11")
    assert lock["kubernetes"] == "1.36.3"
    pins = [v for section in ("packages", "charts", "images") for v in lock[section].values()]
    pins += [v for v in lock.values() if isinstance(v, str)]
    assert all(isinstance(pin, str) and any(c.isdigit() for c in pin) for pin in pins)
    assert not [pin for pin in pins if any(word in pin for word in ("latest", "*", "~=", ">", "snapshot"))]
    with pytest.raises(KeyError):
        locks.lock("../cluster")


def test_a_releases_parts_agree_with_each_other() -> None:
    lock = locks.lock("2026.11")
    version = lock["kubernetes"]
    for name in ("kubeadm", "kubectl", "kubelet"):
        assert lock["packages"][name].startswith(f"{version}-")
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        assert lock["images"][name] == f"{name}:v{version}"
    assert lock["images"]["pause"] == f"pause:{lock['pause']}"
    assert lock["images"]["etcd"].startswith(f"etcd:{lock['etcd']}-")
    assert lock["packages"]["nvidia-open"].startswith(lock["gpu_driver"])
    assert lock["packages"]["nvidia-fabricmanager"].startswith(lock["gpu_driver"])
    assert lock["packages"]["containerd.io"].startswith(lock["containerd"])
    assert f"linux-image-{lock['kernel']}" in lock["packages"]


def test_a_path_of_the_source_that_the_file_lacks_is_shown_at_what_is_around_it() -> None:
    source = load(EXAMPLES / "cluster.yaml").source
    fault = source.fault(("network", "egress", "vrid"), "x")
    assert fault.source.strip().startswith("egress:")
    assert Path(fault.file).name == "cluster.yaml"
