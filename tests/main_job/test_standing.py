"""The cluster stands: nothing to do, drift on a host and in the cloud, one node more and one less."""

from __future__ import annotations

from typing import Any

import pytest

from tests.main_job.kit import Done, Rehearsal

GPU = [f"ishikari-h100-00{n}" for n in range(1, 5)]
VMS = ["ishikari-cp-1", "ishikari-cp-2", "ishikari-cp-3", "ishikari-mgmt-1", "ishikari-mgmt-2"]
HOSTS = sorted([*GPU, *VMS])


def changed(fleet: dict[str, Any]) -> list[str]:
    assert fleet["failures"] == []
    return sorted(host["host"] for host in fleet["hosts"] if host["changed"])


def names(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((change["op"], change["name"]) for change in changes)


def test_everything_was_made_and_is_read_back_live(cluster: Rehearsal, first_up: Done) -> None:
    assert set(first_up.json["counts"]) == {"create"}
    assert changed(first_up.json["fleet"]) == HOSTS
    status = cluster.ok("--lab", "status", "--json").json
    assert {host: seen["state"] for host, seen in status["hosts"].items()} == dict.fromkeys(
        HOSTS, "configured"
    )
    states = {part["name"]: part["state"] for part in status["parts"]}
    assert {name: states[name] for name in HOSTS} == {**dict.fromkeys(VMS, "up"), **dict.fromkeys(GPU, "on")}
    assert set(states.values()) <= {"up", "on", "available", "active", "running"}
    kinds = [part["kind"] for part in status["parts"]]
    assert (kinds.count("VM"), kinds.count("GPU node"), kinds.count("load balancer")) == (5, 4, 3)
    assert {"VPC router", "local router", "AWS connection", "virtual interface", "VPC"} <= set(kinds)
    table = cluster.ok("--lab", "status").out
    assert all(name in table for name in HOSTS)
    assert "\x1b" not in table


def test_a_second_up_writes_nothing_and_asks_each_host_once(cluster: Rehearsal) -> None:
    before = cluster.writes()
    again = cluster.ok("--lab", "up", "--yes", "--json").json
    assert again["changes"] == []
    assert changed(again["fleet"]) == []
    assert again["fleet"]["connections"] == len(HOSTS)
    assert {host["round_trips"] for host in again["fleet"]["hosts"]} == {1}
    plan = cluster.ok("--lab", "plan", "--json").json
    assert (plan["infrastructure"], plan["new_hosts"], plan["settings"]) == ([], [], [])
    assert changed(plan["hosts"]) == []
    assert changed(cluster.ok("--lab", "diff", "--json").json) == []
    assert cluster.writes() == before


def test_drift_on_a_host_is_shown_as_content_and_mended_there_alone(cluster: Rehearsal) -> None:
    cluster.on(
        "ishikari-cp-2",
        "echo vm.swappiness = 1 >> /etc/sysctl.d/90-daiku.conf; rm /etc/daiku/release.json",
    )
    for verb in (["diff"], ["plan", "--no-refresh"]):
        shown = cluster.ok("--lab", *verb).out
        assert "-vm.swappiness = 1" in shown
        assert "ishikari-cp-2: /etc/daiku/release.json (create)" in shown
        assert changed(cluster.ok("--lab", "diff", "--json").json) == ["ishikari-cp-2"]
    mended = cluster.ok("--lab", "apply", "ishikari-cp-2", "--json").json
    assert [host["host"] for host in mended["hosts"]] == ["ishikari-cp-2"]
    assert mended["connections"] == 2  # the bastion's, and the host's
    assert sorted(file["path"] for file in mended["hosts"][0]["files"]) == [
        "/etc/daiku/release.json",
        "/etc/sysctl.d/90-daiku.conf",
    ]
    assert changed(cluster.ok("--lab", "diff", "--json").json) == []


def test_drift_in_the_cloud_is_seen_and_mended(cluster: Rehearsal) -> None:
    balancer = cluster.named("appliance", "ishikari-lb")
    settings = cluster.cloud("GET", f"appliance/{balancer['ID']}")["Appliance"]["Settings"]
    settings["LoadBalancer"][0]["DelayLoop"] = "77"
    cluster.cloud("PUT", f"appliance/{balancer['ID']}", {"Appliance": {"Settings": settings}})
    cluster.cloud("PUT", f"appliance/{balancer['ID']}/config")
    cluster.power("ishikari-mgmt-2", on=False)
    server = cluster.named("server", "ishikari-mgmt-2")
    cluster.cloud("DELETE", f"server/{server['ID']}", {"WithDisk": [disk["ID"] for disk in server["Disks"]]})
    plan = cluster.ok("--lab", "plan", "--json").json
    assert names(plan["infrastructure"]) == [
        ("create", "ishikari-mgmt-2"),
        ("create", "ishikari-mgmt-2-ubuntu-24.04-latest"),
        ("update", "load-balancer"),
    ]
    mended = cluster.ok("--lab", "up", "--yes", "--json").json
    assert names(mended["changes"]) == names(plan["infrastructure"])
    assert changed(mended["fleet"]) == ["ishikari-mgmt-2"]
    assert [item["Name"] for item in cluster.listed("server")].count("ishikari-mgmt-2") == 1


def test_what_a_standing_cluster_cannot_change_is_shown_as_refused_and_stops_up(cluster: Rehearsal) -> None:
    other = cluster.folder / "other.yaml"
    other.write_text(cluster.file.read_text() + "\nkubernetes: {etcd: {encryption: none}}\n")
    looking = ("--lab", "plan", "-f", other.name, "--no-refresh", "--until", "hosts")
    (setting,) = cluster.ok(*looking, "--json").json["settings"]
    assert (setting["path"], setting["refused"]) == ("kubernetes.etcd.encryption", True)
    assert "refused: the cluster must be built anew" in " ".join(cluster.ok(*looking).out.split())
    before = cluster.writes()
    changing = (("up", "--yes"), ("apply",), ("plan", "--out", "saved.json"))
    for verb, *more in changing:
        refused = cluster.run("--lab", verb, "-f", other.name, *more)
        assert (refused.code, "the cluster stands with secretbox" in refused.err) == (3, True), refused.err
    assert cluster.writes() == before


@pytest.fixture
def grown(cluster: Rehearsal) -> str:
    """The file with one GPU node more."""
    last = '      - { index: 4, id: "113600000004", rack: r02 }\n'
    more = '      - { index: 5, id: "113600000005", rack: r03 }\n'
    text = cluster.file.read_text()
    assert last in text
    (cluster.folder / "grown.yaml").write_text(text.replace(last, last + more))
    return "grown.yaml"


def test_one_node_more_touches_that_node_only_and_one_less_releases_it(
    cluster: Rehearsal, grown: str
) -> None:
    new = "ishikari-h100-005"

    before = cluster.bare_metal(5)
    plan = cluster.ok("--lab", "plan", "-f", grown, "--json").json
    assert plan["nodes"]["added"] == plan["new_hosts"] == [new]
    assert plan["nodes"]["removed"] == plan["nodes"]["changed"] == []
    assert names(plan["infrastructure"]) == [("create", new), ("create", f"{new}-wiring")]
    up = cluster.ok("--lab", "up", "-f", grown, "--yes", "--json").json
    assert names(up["changes"]) == names(plan["infrastructure"])
    assert changed(up["fleet"]) == [new]
    assert cluster.bare_metal(5) != before
    refused = cluster.run("--lab", "up")
    refused.failed(4, new, "--yes")
    down = cluster.ok("--lab", "up", "--yes", "--json").json
    assert names(down["changes"]) == [("delete", new), ("delete", f"{new}-wiring")]
    assert changed(down["fleet"]) == []
    assert cluster.bare_metal(5) == before
