"""The nodes that KWOK plays look like those of the plan's pool. Pure."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from daiku.errors import LabError
from daiku.lab.hosts.guest.kwok import fake_node, write_stages
from daiku.lab.kwok import lab_nodes_command
from tests.render.plans import plan


def test_they_have_the_pools_gpus_rails_labels_and_taints() -> None:
    words = shlex.split(lab_nodes_command(plan(), "", 1000))
    assert words[:2] == ["lab-nodes", "1000"]
    options = list(zip(words[2::2], words[3::2], strict=True))
    given = [value for name, value in options if name == "--resource"]
    assert "nvidia.com/gpu=8" in given
    assert [value.partition("=")[0] for value in given[1:]] == [f"daiku.io/h100_rail{n}" for n in range(4)]
    assert ("--taint", "nvidia.com/gpu=present:NoSchedule") in options
    assert ("--label", "daiku.io/rail-group=h100") in options


def test_an_unknown_pool_is_refused() -> None:
    with pytest.raises(LabError, match="no GPU pool 'b200'"):
        lab_nodes_command(plan(), "b200", 1)


def test_a_fake_node_is_kwoks_and_nobody_elses() -> None:
    node = fake_node("kwok-00001", {"nvidia.com/gpu": "8"}, {"daiku.io/pool": "h100"}, [])
    assert node["metadata"]["annotations"] == {"kwok.x-k8s.io/node": "fake"}
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert json.loads(json.dumps(node)) == node


def test_kwoks_stages_are_documents_for_nodes_and_pods(tmp_path: Path) -> None:
    write_stages(tmp_path / "stages.yaml")
    documents = list(yaml.safe_load_all((tmp_path / "stages.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["KwokConfiguration", *["Stage"] * 4]
    assert {document["spec"]["resourceRef"]["kind"] for document in documents[1:]} == {"Node", "Pod"}
