"""From one minor version of Kubernetes to the next as upstream's own guide has it, with the real programs of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest

from daiku.lab.tools.catalog import BEFORE, KUBERNETES
from tests.lab_kubernetes.kit import NAMES, Cluster, running, until
from tests.render.plans import plan

pytestmark = [
    pytest.mark.lab,
    pytest.mark.kubernetes,
    pytest.mark.slow,
    # Where the older programs are not built yet, they are built first.
    pytest.mark.timeout(3600),
]

FIRST, SERVER = NAMES[0], NAMES[-1]
OLD, NEW = (next(t.version for t in tools if t.name == "kubeadm") for tools in (BEFORE, KUBERNETES))
ETCD_OLD, ETCD_NEW = (next(t.version for t in tools if t.name == "etcd") for tools in (BEFORE, KUBERNETES))
PATCHES = "/etc/daiku/kubeadm/patches"
CURL_REFUSED = "7"


@pytest.fixture
def older(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of the minor version before, with the configuration that daiku renders for it."""
    newest = plan()
    versions = {"kubernetes": OLD, "etcd": ETCD_OLD}
    made = newest.model_copy(update={"release": newest.release.model_copy(update=versions)})

    def prepare(built: Cluster) -> None:
        built.hosts.programs.provide((*KUBERNETES, *BEFORE), lambda _: None)
        for name in built.names:
            built.ssh(name, f"lab-packages kubeadm={OLD} kubelet={OLD}")

    with running(tmp_path_factory.mktemp("older"), made, 221, prepare) as built:
        yield built


@dataclass(frozen=True)
class Write:
    """One write through the balancer. `away`: whether each control plane refused connections to its own API server just
    before, so that none ran there."""

    key: str
    acknowledged: bool
    at: float
    away: tuple[bool, ...]


@contextmanager
def writing(cluster: Cluster) -> Generator[list[Write]]:
    """Write from the GPU server all the time, over a new connection each; the list is filled at the end."""
    cluster.kubectl("create configmap writes")
    for name in ("certificate", "key"):
        pem = cluster.ssh(
            FIRST, f"sed -n 's/.*client-{name}-data: //p' /etc/kubernetes/admin.conf | base64 -d"
        )
        cluster.write(SERVER, f"/run/writer/{name}", pem)
    url = f"https://{cluster.plan.api_endpoint}/api/v1/namespaces/default/configmaps/writes"
    script = f"""\
cd /run/writer; n=0
while [ ! -e stop ]; do
  n=$((n + 1)); exits=
  for address in {" ".join(addresses(cluster))}; do
    curl -sk -m 3 -o /dev/null https://$address:6443/readyz; exits="$exits $?"
  done
  code=$(curl -s -m 5 -o /dev/null -w '%{{http_code}}' --cacert /etc/kubernetes/pki/ca.crt \\
    --cert certificate --key key -X PATCH -H 'Content-Type: application/merge-patch+json' \\
    -d "{{\\"data\\": {{\\"w$n\\": \\"\\"}}}}" {url})
  echo "w$n $code $(cut -d ' ' -f 1 /proc/uptime)$exits" >> log
  sleep 0.2
done
touch stopped
"""
    cluster.write(SERVER, "/run/writer/run", script)
    cluster.ssh(SERVER, "setsid sh /run/writer/run < /dev/null > /dev/null 2>&1 &")
    seen: list[Write] = []
    try:
        yield seen
    finally:
        cluster.ssh(SERVER, "touch /run/writer/stop")
        until(lambda: "stopped" in cluster.ssh(SERVER, "ls /run/writer"), "the writer's end")
    for line in cluster.ssh(SERVER, "cat /run/writer/log").splitlines():
        key, code, at, *exits = line.split()
        away = tuple(word == CURL_REFUSED for word in exits)
        seen.append(Write(key, code == "200", float(at), away))


def without(seen: list[Write], plane: int) -> list[Write]:
    """What was written while one control plane had no API server: neither before the write nor after it."""
    return [write for write, later in pairwise(seen) if write.away[plane] and later.away[plane]]


def addresses(cluster: Cluster) -> list[str]:
    return [node.address for node in cluster.nodes if node.role == "control-plane"]


def api_versions(cluster: Cluster) -> set[str]:
    """What each control plane's own API server says that it is."""
    return {
        json.loads(cluster.ssh(SERVER, f"curl -sk -m 5 https://{address}:6443/version"))["gitVersion"]
        for address in addresses(cluster)
    }


def kubelet_versions(cluster: Cluster) -> set[str]:
    return {node["status"]["nodeInfo"]["kubeletVersion"] for node in cluster.get("nodes")["items"]}


def etcd(cluster: Cluster) -> list[str]:
    """Version of each member that is healthy, by a read that needs the quorum."""
    folder = "/etc/kubernetes/pki/etcd"
    client = f"etcdctl --cacert {folder}/ca.crt --cert {folder}/server.crt --key {folder}/server.key"
    health = json.loads(cluster.ssh(FIRST, f"{client} endpoint health --cluster -w json 2>/dev/null"))
    status = json.loads(cluster.ssh(FIRST, f"{client} endpoint status --cluster -w json"))
    healthy = {row["endpoint"] for row in health if row["health"]}
    return [row["Status"]["version"] for row in status if row["Endpoint"] in healthy]


def upgraded(cluster: Cluster, name: str, command: str) -> None:
    """One machine: kubeadm first, then what it does, then the kubelet of the drained node."""
    cluster.ssh(name, f"lab-packages kubeadm={NEW}")
    cluster.timed(f"upgrade {name}", name, command, 400)
    cluster.kubectl(f"drain {name} --ignore-daemonsets --timeout=60s")
    cluster.ssh(name, f"lab-packages kubelet={NEW} && systemctl daemon-reload && systemctl restart kubelet")
    cluster.kubectl(f"uncordon {name}")
    until(lambda: f"v{NEW}" in node_version(cluster, name), f"{name}'s kubelet reports {NEW}")


def node_version(cluster: Cluster, name: str) -> str:
    return str(cluster.get(f"node {name}")["status"]["nodeInfo"]["kubeletVersion"])


def test_a_cluster_goes_to_the_next_minor_version_while_it_is_written_to(
    older: Cluster, record_property: Callable[[str, object], None]
) -> None:
    cluster = older
    assert cluster.plan.release.kubernetes == OLD
    assert (api_versions(cluster), kubelet_versions(cluster)) == ({f"v{OLD}"}, {f"v{OLD}"})
    until(lambda: etcd(cluster) == [ETCD_OLD] * 3, "three healthy members of the older etcd")
    cluster.kubectl("create secret generic kept --from-literal=word=hinoki")
    cluster.kubectl("create deployment kept --image=kept:1")
    dns = cluster.get("deployment -n kube-system coredns")["spec"]["template"]["spec"]["containers"][0][
        "image"
    ]

    refused = cluster.ssh(FIRST, f"kubeadm upgrade apply v{NEW} --yes", check=False, limit=180)
    assert "higher than the kubeadm minor release" in refused
    assert api_versions(cluster) == {f"v{OLD}"}

    with writing(cluster) as seen:
        cluster.ssh(FIRST, f"lab-packages kubeadm={NEW}")
        planned = cluster.ssh(FIRST, f"kubeadm upgrade plan v{NEW}", limit=180)
        steps = [line.split() for line in planned.splitlines()]
        for name in cluster.control_planes:
            assert ["kube-apiserver", name, f"v{OLD}", f"v{NEW}"] in steps
            assert ["etcd", name, f"{ETCD_OLD}-0", f"{ETCD_NEW}-0"] in steps
        upgraded(cluster, FIRST, f"kubeadm upgrade apply v{NEW} --yes")
        assert api_versions(cluster) == {f"v{OLD}", f"v{NEW}"}
        for name in cluster.control_planes[1:]:
            upgraded(cluster, name, "kubeadm upgrade node")
        upgraded(cluster, SERVER, f"kubeadm upgrade node --patches {PATCHES}")
    acknowledged = [write for write in seen if write.acknowledged]
    pauses = [after.at - before.at for before, after in pairwise(acknowledged)]
    record_property("writes", f"{len(acknowledged)} acknowledged, {len(seen) - len(acknowledged)} failed")
    record_property("seconds", cluster.seconds)
    record_property("longest pause", f"{max(pauses):.1f} s")

    assert (api_versions(cluster), kubelet_versions(cluster)) == ({f"v{NEW}"}, {f"v{NEW}"})
    until(lambda: etcd(cluster) == [ETCD_NEW] * 3, "three healthy members of the newer etcd")
    # The API answered while each of its servers was away, and what it acknowledged is there.
    for plane in range(3):
        assert any(write.acknowledged for write in without(seen, plane)), f"control plane {plane + 1}"
    assert {write.key for write in acknowledged} <= set(cluster.get("configmap writes")["data"])
    word = cluster.kubectl("get secret kept -o jsonpath='{.data.word}' | base64 -d")
    assert word == "hinoki"
    assert cluster.get("deployment kept")["metadata"]["name"] == "kept"
    pods = cluster.get("deployment -n kube-system coredns")["spec"]["template"]["spec"]["containers"]
    assert pods[0]["image"] != dns
    # What only a GPU node's kubelet has comes from daiku's patch: kubeadm wrote the file anew.
    assert "memoryManagerPolicy: Static" in cluster.ssh(SERVER, "cat /var/lib/kubelet/config.yaml")
