"""kubeadm of the pinned release, with the configurations that daiku renders, on the lab's hosts."""

from __future__ import annotations

import pytest

from daiku.render.host_kubernetes import KUBEADM
from tests.lab_kubernetes.kit import Cluster, until

pytestmark = [pytest.mark.lab, pytest.mark.kubernetes, pytest.mark.timeout(600)]

FIRST, SECOND, THIRD, SERVER = "ishikari-cp-1", "ishikari-cp-2", "ishikari-cp-3", "ishikari-h100-001"
PROGRAMS = {"etcd", "kube-apiserver", "kube-controller", "kube-scheduler"}
"""As the kernel names them, in fifteen characters."""


def ready(cluster: Cluster, on: str = FIRST) -> dict[str, str]:
    """Status of each node's Ready condition."""
    return {
        node["metadata"]["name"]: condition["status"]
        for node in cluster.get("nodes", on=on)["items"]
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    }


def all_ready(cluster: Cluster, on: str = FIRST) -> None:
    wanted = dict.fromkeys(cluster.names, "True")
    until(lambda: ready(cluster, on) == wanted, "every node Ready")


def ups(cluster: Cluster) -> set[str]:
    return {row.address for row in cluster.hosts.lb_status() if row.up and row.vip_port == 6443}


def test_every_machine_is_a_ready_node_with_what_the_plan_gives_it(cluster: Cluster) -> None:
    all_ready(cluster)
    nodes = {node["metadata"]["name"]: node for node in cluster.get("nodes")["items"]}
    for planned in cluster.nodes:
        node = nodes[planned.name]
        assert node["spec"]["providerID"].startswith("sakura://")
        assert set(planned.labels) <= set(node["metadata"]["labels"].items())
        addresses = {entry["type"]: entry["address"] for entry in node["status"]["addresses"]}
        assert addresses == {"InternalIP": planned.address, "Hostname": planned.name}
        assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{cluster.plan.release.kubernetes}"
        taints = {
            f"{t['key']}{'=' + t['value'] if t.get('value') else ''}:{t['effect']}"
            for t in node["spec"]["taints"]
        }
        assert taints == set(planned.taints)
    # The GPU server's own kubelet fields came through kubeadm's patch, and are not the cluster's.
    config = cluster.ssh(SERVER, "cat /var/lib/kubelet/config.yaml")
    assert "memoryManagerPolicy: Static" in config
    assert "memoryManagerPolicy: Static" not in cluster.ssh(FIRST, "cat /var/lib/kubelet/config.yaml")


def test_static_pods_are_reported_and_etcd_has_three_members(cluster: Cluster) -> None:
    def reported() -> bool:
        pods = cluster.get("pods -n kube-system -l tier=control-plane")["items"]
        return len(pods) == 12 and all(
            status["ready"] for pod in pods for status in pod["status"]["containerStatuses"]
        )

    until(reported, "twelve ready static pods")
    for name in cluster.control_planes:
        assert set(cluster.processes(name)) == PROGRAMS
    assert cluster.processes(SERVER) == {}
    certificates = "--cacert {0}/ca.crt --cert {0}/server.crt --key {0}/server.key".format(
        "/etc/kubernetes/pki/etcd"
    )
    members = cluster.ssh(FIRST, f"etcdctl {certificates} member list").splitlines()
    assert len([line for line in members if ", started, " in line]) == 3


def test_the_balancer_serves_the_address_from_all_control_planes_and_each_answers_its_own(
    cluster: Cluster,
) -> None:
    until(lambda: ups(cluster) == {"10.10.0.11", "10.10.0.12", "10.10.0.13"}, "three real servers up")
    ask = f"curl -sk -m 5 https://{cluster.plan.api_endpoint}/readyz"
    assert cluster.ssh(SERVER, ask) == "ok"
    vip = cluster.plan.api_endpoint.partition(":")[0]
    cluster.ssh(SECOND, f"ip address replace {vip}/32 dev lo")
    try:
        before = {row.address: row.connections for row in cluster.hosts.lb_status()}
        assert cluster.ssh(SECOND, ask) == "ok"
        assert f"local {vip} dev lo" in cluster.ssh(SECOND, f"ip route get {vip}")
        assert before.keys() == {row.address for row in cluster.hosts.lb_status()}
    finally:
        cluster.ssh(SECOND, f"ip address delete {vip}/32 dev lo")


def test_a_restarted_kubelet_takes_over_what_runs(cluster: Cluster) -> None:
    before = cluster.processes(SECOND)
    cluster.ssh(SECOND, "systemctl restart kubelet && systemctl is-active kubelet")
    assert cluster.processes(SECOND) == before
    victim = before["kube-scheduler"]
    cluster.ssh(SECOND, f"kill -9 {victim}")
    until(lambda: cluster.processes(SECOND).get("kube-scheduler", victim) != victim, "a new scheduler")
    assert cluster.processes(SECOND)["kube-apiserver"] == before["kube-apiserver"]


def test_a_changed_manifest_replaces_the_process_and_its_mirror(cluster: Cluster) -> None:
    before = cluster.processes(THIRD)

    def digest() -> str:
        pod = cluster.get(f"pod -n kube-system kube-scheduler-{THIRD}")
        return str(pod["metadata"]["annotations"]["kubernetes.io/config.hash"])

    old = digest()
    manifest = "/etc/kubernetes/manifests/kube-scheduler.yaml"
    cluster.ssh(THIRD, f"sed -i 's/- --leader-elect=true/&\\n    - --v=1/' {manifest}")
    until(lambda: digest() != old, "a mirror of the new manifest")
    until(
        lambda: cluster.processes(THIRD).get("kube-scheduler", 0) not in {0, before["kube-scheduler"]},
        "replaced",
    )
    assert "--v=1" in cluster.ssh(THIRD, "tr '\\0' ' ' < /proc/$(pgrep '^kube-scheduler')/cmdline")


def test_ordinary_pods_are_reported_as_if_they_ran(cluster: Cluster) -> None:
    cluster.kubectl("create deployment web --image=web:1 --replicas=2")
    # Nodes are tainted: whoever is to be bound there must say so.
    tolerate = '{"spec":{"template":{"spec":{"tolerations":[{"operator":"Exists"}]}}}}'
    cluster.kubectl(f"patch deployment web -p '{tolerate}'")
    cluster.kubectl("rollout status deployment web --timeout=60s")
    pod = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"once"},"spec":{"restartPolicy":"Never",'
    pod += '"tolerations":[{"operator":"Exists"}],"containers":[{"name":"c","image":"once:1"}]}}'
    cluster.write(FIRST, "/run/once.json", pod)
    cluster.kubectl("create -f /run/once.json")
    cluster.kubectl("wait pod once --for=jsonpath={.status.phase}=Succeeded --timeout=60s")
    cluster.kubectl("delete pod once")
    cluster.kubectl("delete deployment web")
    until(lambda: cluster.get("pods -l app=web")["items"] == [], "no pods left")


def test_kubeadm_upgrades_a_control_plane(cluster: Cluster) -> None:
    """To its own version: kubeadm's health check is a Job, and it waits for CoreDNS."""
    all_ready(cluster)
    version = f"v{cluster.plan.release.kubernetes}"
    said = cluster.ssh(FIRST, f"kubeadm upgrade apply {version} --yes --force", limit=240)
    assert "[upgrade] SUCCESS!" in said
    all_ready(cluster)


def test_the_api_outlives_the_first_control_plane(cluster: Cluster) -> None:
    all_ready(cluster)
    try:
        cluster.power(FIRST, on=False)
        until(lambda: ups(cluster) == {"10.10.0.12", "10.10.0.13"}, "the dead one out of the balancer")
        # kubectl on the second speaks to the VIP, and so through the balancer: it does not carry the VIP itself.
        assert cluster.plan.api_endpoint in cluster.ssh(SECOND, "grep server: /etc/kubernetes/admin.conf")
        took = until(
            lambda: "alive" in cluster.kubectl("create configmap alive -o name", on=SECOND), "a write", 60
        )
        cluster.seconds["write after power-off"] = round(took, 1)
    finally:
        cluster.power(FIRST, on=True)
    all_ready(cluster, SECOND)
    until(lambda: len(ups(cluster)) == 3, "all three in the balancer again")
    cluster.kubectl("delete configmap alive")


def test_reset_leaves_no_process_and_the_machine_can_join_again(cluster: Cluster) -> None:
    all_ready(cluster)
    cluster.ssh(THIRD, "kubeadm reset --force", limit=120)
    assert cluster.processes(THIRD) == {}
    assert cluster.ssh(THIRD, "ls /etc/kubernetes/manifests /var/lib/etcd").split() == [
        "/etc/kubernetes/manifests:",
        "/var/lib/etcd:",
    ]
    assert cluster.ssh(THIRD, "systemctl is-active kubelet", check=False) == "inactive\n"
    cluster.kubectl(f"delete node {THIRD}")
    cluster.join(THIRD)
    all_ready(cluster)
    assert set(cluster.processes(THIRD)) == PROGRAMS


def test_preflight_still_looks_at_the_host(cluster: Cluster) -> None:
    cluster.ssh(FIRST, "sysctl -qw net.ipv4.ip_forward=0")
    try:
        said = cluster.ssh(FIRST, f"kubeadm init phase preflight --config {KUBEADM}/init.yaml", check=False)
    finally:
        cluster.ssh(FIRST, "sysctl -qw net.ipv4.ip_forward=1")
    assert "[ERROR FileContent--proc-sys-net-ipv4-ip_forward]" in said
    assert "[ERROR Port-6443]" in said
    assert "[ERROR CRI]" not in said
