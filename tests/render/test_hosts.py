"""The files of machines: by role, and what must hold whatever the plan."""

from __future__ import annotations

import json
import re
import tomllib
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daiku.lab.hosts.guest.netplan_files import devices, merge
from daiku.plan.model import NodePlan, Route
from daiku.render.bundle import HostBundle
from daiku.render.host_kubernetes import (
    first_control_plane,
    node_registration,
    reservation,
    reserved_cpus,
    reserved_gib,
)
from daiku.render.hosts import host_bundle, host_bundles
from daiku.render.triggers import TRIGGERS
from tests.render.plans import facts, plan

PLAN = plan()
BUNDLES = {bundle.host: bundle for bundle in host_bundles(PLAN, facts(PLAN))}
NODES = [pytest.param(node, id=node.name) for node in PLAN.nodes]
CONTROL, MANAGEMENT, SERVER = "ishikari-cp-1", "ishikari-mgmt-1", "ishikari-h100-001"

EVERY = {
    "/etc/apt/apt.conf.d/99daiku",
    "/etc/apt/preferences.d/daiku.pref",
    "/etc/chrony/conf.d/daiku.conf",
    "/etc/chrony/sources.d/daiku.sources",
    "/etc/cloud/cloud.cfg.d/99-daiku-network.cfg",
    "/etc/containerd/config.toml",
    "/etc/crictl.yaml",
    "/etc/daiku/kubeadm/join.yaml",
    "/etc/daiku/packages.selections",
    "/etc/daiku/release.json",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/modules-load.d/daiku.conf",
    "/etc/netplan/00-installer-config.yaml",
    "/etc/netplan/01-netcfg.yaml",
    "/etc/netplan/50-cloud-init.yaml",
    "/etc/netplan/50-daiku.yaml",
    "/etc/ssh/authorized_keys.d/daiku",
    "/etc/ssh/sshd_config.d/10-daiku.conf",
    "/etc/sysctl.d/90-daiku.conf",
    "/etc/sysctl.d/91-daiku-bridge.conf",
    "/etc/systemd/system-preset/10-daiku.preset",
}
VIPS = "/etc/netplan/60-daiku-vips.yaml"
CONTROL_PLANE = {
    "/etc/daiku/kubeadm/encryption/config.yaml",
    "/etc/systemd/system/daiku-certificate-expiry.service",
    "/etc/systemd/system/daiku-certificate-expiry.timer",
    "/etc/systemd/system/daiku-etcd-backup.service",
    "/etc/systemd/system/daiku-etcd-backup.timer",
    "/usr/local/lib/daiku/certificate-expiry",
    "/usr/local/lib/daiku/etcd-backup",
}
ONLY = {
    CONTROL: {VIPS, "/etc/daiku/kubeadm/init.yaml", *CONTROL_PLANE},
    "ishikari-cp-2": {VIPS, *CONTROL_PLANE},
    MANAGEMENT: {VIPS},
    SERVER: {
        "/etc/daiku/kubeadm/patches/kubeletconfiguration+merge.yaml",
        "/etc/systemd/system/containerd.service.d/10-daiku.conf",
        "/etc/systemd/system/daiku-fast-disks.service",
        "/etc/systemd/system/var-lib-daiku-fast-disk0.mount",
        "/usr/local/lib/daiku/fast-disks",
    },
}


def text(bundle: HostBundle, path: str) -> str:
    return bundle.file(path).content.decode()


def documents(bundle: HostBundle, path: str) -> dict[str, Any]:
    return {d["kind"]: d for d in yaml.safe_load_all(text(bundle, path))}


def netplan(bundle: HostBundle) -> dict[str, Any]:
    return yaml.safe_load(text(bundle, "/etc/netplan/50-daiku.yaml"))["network"]["ethernets"]


def sysctls(bundle: HostBundle) -> dict[str, str]:
    lines = text(bundle, "/etc/sysctl.d/90-daiku.conf").splitlines()
    pairs = [line.partition(" = ") for line in lines if line and not line.startswith("#")]
    assert all(separator for _, separator, _ in pairs)
    return {key: value for key, _, value in pairs}


def arguments(registration: dict[str, Any]) -> dict[str, str]:
    return {a["name"]: a["value"] for a in registration["kubeletExtraArgs"]}


@pytest.mark.parametrize("host", [CONTROL, "ishikari-cp-2", MANAGEMENT, SERVER])
def test_a_role_has_exactly_these_files(host: str) -> None:
    assert {f.path for f in BUNDLES[host].files} == EVERY | ONLY.get(host, set())


@pytest.mark.parametrize("node", NODES)
def test_every_file_belongs_to_root_and_private_ones_are_private(node: NodePlan) -> None:
    for file in BUNDLES[node.name].files:
        private = (
            file.path.startswith(("/etc/netplan/", "/etc/daiku/kubeadm/")) and "patches" not in file.path
        )
        mode = 0o755 if file.path.startswith("/usr/local/lib/daiku/") else 0o600 if private else 0o644
        assert (file.mode, file.owner, file.group) == (mode, "root", "root"), file.path


@pytest.mark.parametrize("node", NODES)
def test_text_files_end_with_one_line_break(node: NodePlan) -> None:
    for file in BUNDLES[node.name].files:
        content = file.content.decode()
        assert not content or (content.endswith("\n") and not content.endswith("\n\n")), file.path
        assert not re.search(r"[ \t]$|\n\n\n", content, re.MULTILINE), file.path


@pytest.mark.parametrize("node", NODES)
def test_triggers_are_those_of_the_files_in_their_order(node: NodePlan) -> None:
    bundle = BUNDLES[node.name]
    assert {t.name for t in bundle.triggers} == {f.trigger for f in bundle.files if f.trigger}
    names = [t.name for t in bundle.triggers]
    for first, then in (
        ("modules", "sysctl-bridge"),
        ("sysctl", "netplan"),
        ("hostname", "containerd"),
        ("netplan", "containerd"),
    ):
        assert names.index(first) < names.index(then)


def test_every_trigger_is_used_by_some_machine() -> None:
    # The rails' quality of service is nobody's unless the specification has it.
    assert {t.name for b in BUNDLES.values() for t in b.triggers} == set(TRIGGERS) - {"rail-qos"}


# Network
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", NODES)
def test_the_lab_follows_the_netplan_files_and_the_images_leave_nothing_behind(node: NodePlan) -> None:
    files = [f for f in BUNDLES[node.name].files if f.path.startswith("/etc/netplan/")]
    merged = merge([yaml.safe_load(f.content) for f in sorted(files, key=lambda f: f.path)])
    found = {device.key: device for device in devices(merged)}
    assert found.keys() == {
        node.interface,
        *(rail.nic for rail in node.rails),
        *(["lo"] if node.vips else []),
        *([node.provisioning_interface] if node.provisioning_interface else []),
    }
    assert found[node.interface].addresses == (node.address_cidr,)
    assert ("default", "via", node.gateway) in found[node.interface].routes


@pytest.mark.parametrize("node", NODES)
def test_only_the_node_interface_holds_up_the_boot_and_leads_out(node: NodePlan) -> None:
    ports = netplan(BUNDLES[node.name])
    assert [name for name, port in ports.items() if not port["optional"]] == [node.interface]
    defaults = [name for name, port in ports.items() for r in port.get("routes", []) if r["to"] == "default"]
    assert defaults == [node.interface]
    assert ports[node.interface]["nameservers"]["addresses"] == list(node.dns)
    assert ports[node.interface]["mtu"] == node.mtu
    assert all(port["dhcp4"] is port["dhcp6"] is port["accept-ra"] is False for port in ports.values())


def test_a_gpu_server_has_four_rails_with_routes_to_its_pool() -> None:
    ports = netplan(BUNDLES[SERVER])
    node = PLAN.node(SERVER)
    assert len(node.rails) == 4
    for rail in node.rails:
        port = ports[rail.nic]
        assert (port["addresses"], port["mtu"]) == ([rail.address_cidr], 9000)
        assert IPv4Interface(rail.address_cidr).ip not in IPv4Network(rail.pods_cidr)
        (route,) = port["routes"]
        assert route["to"] == "10.10.1.0/24"
        assert (route["scope"], route["from"]) == ("link", node.address)
        assert "via" not in route
    assert len({port["routes"][0]["metric"] for port in (ports[r.nic] for r in node.rails)}) == 4


def test_the_provisioning_port_is_there_without_address() -> None:
    port = netplan(BUNDLES[SERVER])["eno1"]
    assert port["optional"] is True
    assert not {"addresses", "routes", "nameservers"} & port.keys()
    assert port["link-local"] == []


def test_traffic_to_aws_takes_the_local_router_on_every_machine() -> None:
    for bundle in BUNDLES.values():
        routes = netplan(bundle)[PLAN.node(bundle.host).interface]["routes"]
        assert {"to": "10.64.0.0/16", "via": "10.10.0.5"} in routes


def test_a_route_through_a_device_that_is_not_there_is_refused() -> None:
    node = PLAN.node(CONTROL)
    broken = node.model_copy(update={"routes": (Route(to="10.0.0.0/8", dev="eth7", via="10.10.0.9"),)})
    with pytest.raises(ValueError, match=r"ishikari-cp-1: the route to 10\.0\.0\.0/8 leaves by eth7"):
        host_bundle(PLAN, facts(PLAN), broken)


def test_a_route_keeps_its_own_mtu_and_gateway() -> None:
    node = PLAN.node(CONTROL)
    route = Route(to="10.9.0.0/16", dev="eth0", via="10.10.0.9", metric=0, mtu=1400)
    bundle = host_bundle(PLAN, facts(PLAN), node.model_copy(update={"routes": (route,)}))
    assert netplan(bundle)["eth0"]["routes"][1] == {
        "to": "10.9.0.0/16",
        "via": "10.10.0.9",
        "metric": 0,
        "mtu": 1400,
    }


@pytest.mark.parametrize(
    ("host", "vip"), [(CONTROL, "10.10.0.100"), (MANAGEMENT, "10.10.0.101"), (SERVER, None)]
)
def test_the_virtual_address_is_on_loopback_and_silent(host: str, vip: str | None) -> None:
    bundle, node = BUNDLES[host], PLAN.node(host)
    # Apart from the rest, because a control plane must not have it before it has joined.
    assert "lo" not in netplan(bundle)
    assert (VIPS in {f.path for f in bundle.files}) == (vip is not None)
    if vip:
        expected = {"network": {"version": 2, "ethernets": {"lo": {"addresses": [f"{vip}/32"]}}}}
        assert yaml.safe_load(text(bundle, VIPS)) == expected
    keys = sysctls(bundle)
    assert keys.get(f"net.ipv4.conf.{node.interface}.arp_ignore") == ("1" if vip else None)
    assert keys.get(f"net.ipv4.conf.{node.interface}.arp_announce") == ("2" if vip else None)
    # The kernel takes the higher of `all` and the device: `all` would silence rails too.
    arp = [key for key in keys if key.rsplit(".", 1)[1].startswith("arp_")]
    assert not [key for key in arp if key.startswith(("net.ipv4.conf.all.", "net.ipv4.conf.default."))]


def test_rails_answer_for_the_node_address_and_name_their_own() -> None:
    keys = sysctls(BUNDLES[SERVER])
    for rail in PLAN.node(SERVER).rails:
        settings = [
            keys[f"net.ipv4.conf.{rail.nic}.{key}"] for key in ("rp_filter", "arp_ignore", "arp_announce")
        ]
        assert settings == ["2", "0", "2"]
    # Else a rail that lost its carrier keeps its route, and the traffic with it.
    assert keys["net.ipv4.conf.all.ignore_routes_with_linkdown"] == "1"
    assert not [key for key in sysctls(BUNDLES[CONTROL]) if "linkdown" in key]


def test_settings_of_bridges_are_apart_and_harmless_without_the_module() -> None:
    assert not [key for key in sysctls(BUNDLES[CONTROL]) if "bridge" in key]
    assert "/proc/sys/net/bridge" in " ".join(TRIGGERS["sysctl-bridge"].command)


@pytest.mark.parametrize("node", NODES)
def test_hosts_names_itself_control_planes_and_virtual_addresses_only(node: NodePlan) -> None:
    lines = [line.split() for line in text(BUNDLES[node.name], "/etc/hosts").splitlines() if line[0] != "#"]
    named = {name: address for address, *names in lines for name in names if "localhost" not in name}
    named.pop("ip6-loopback")
    expected = {n.name: n.address for n in PLAN.by_role("control-plane")} | {node.name: node.address}
    assert named == expected | {
        "ishikari-api": "10.10.0.100",
        "api.ishikari.internal": "10.10.0.100",
        "ishikari-ingress": "10.10.0.101",
    }
    assert len(lines) == len({line[0] for line in lines})


# System
# --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "gpu"), [(CONTROL, False), (MANAGEMENT, False), (SERVER, True)])
def test_packages_are_pinned_to_the_release_above_all_else(host: str, gpu: bool) -> None:
    stanzas = text(BUNDLES[host], "/etc/apt/preferences.d/daiku.pref").split("\n\n")[1:]
    pins = {}
    for stanza in stanzas:
        fields = dict(line.split(": ", 1) for line in stanza.strip().splitlines())
        assert fields["Pin-Priority"] == "1001"
        pins[fields["Package"]] = fields["Pin"].removeprefix("version ")
    locked = dict(PLAN.release.packages)
    assert pins.items() <= locked.items()
    assert {"containerd.io", "kubelet", "kubeadm"} <= pins.keys()
    drivers = {"nvidia-open", "doca-ofed", "nvidia-container-toolkit"}
    assert drivers & pins.keys() == (drivers if gpu else set())
    assert pins == locked or not gpu
    held = text(BUNDLES[host], "/etc/daiku/packages.selections").split()
    assert held == [word for name in sorted(pins) for word in (name, "hold")]


def test_the_note_of_the_release_says_nothing_of_other_machines() -> None:
    note = json.loads(text(BUNDLES[SERVER], "/etc/daiku/release.json"))
    assert (note["node"], note["role"], note["release"]) == (SERVER, "gpu", "2026.11")
    assert note["versions"]["gpu_driver"] == PLAN.release.gpu_driver
    assert PLAN.digest() not in json.dumps(note)
    assert PLAN.spec_digest not in json.dumps(note)


def test_peoples_keys_are_next_to_the_deploy_key() -> None:
    keys = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample a@example", "ssh-ed25519 BBBB b@example")
    made = PLAN.model_copy(update={"authorized_keys": keys})
    bundle = host_bundle(made, facts(made), made.node(MANAGEMENT))
    assert text(bundle, "/etc/ssh/authorized_keys.d/daiku").splitlines() == list(keys)
    assert ".ssh/authorized_keys /etc/ssh/authorized_keys.d/daiku" in text(
        bundle, "/etc/ssh/sshd_config.d/10-daiku.conf"
    )


def test_a_key_with_a_line_break_cannot_add_a_second_key() -> None:
    made = PLAN.model_copy(update={"authorized_keys": ("ssh-ed25519 AAAA a\nssh-ed25519 BBBB b",)})
    with pytest.raises(ValueError, match="plain line"):
        host_bundle(made, facts(made), made.node(MANAGEMENT))


# Kubernetes
# ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", NODES)
def test_containerd(node: NodePlan) -> None:
    config = tomllib.loads(text(BUNDLES[node.name], "/etc/containerd/config.toml"))
    plugins = config["plugins"]
    runtimes = plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert config["version"] == 3
    assert plugins["io.containerd.cri.v1.runtime"]["containerd"]["default_runtime_name"] == "runc"
    assert set(runtimes) == ({"runc", "nvidia"} if node.role == "gpu" else {"runc"})
    assert all(runtime["options"]["SystemdCgroup"] is True for runtime in runtimes.values())
    pause = dict(PLAN.release.images)["pause"]
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == pause
    assert plugins["io.containerd.cri.v1.images"]["registry"]["config_path"] == "/etc/containerd/certs.d"
    assert plugins["io.containerd.nri.v1.nri"]["disable"] is False
    assert plugins["io.containerd.cri.v1.runtime"]["enable_cdi"] is True


def test_only_the_first_control_plane_can_begin_a_cluster() -> None:
    holders = [
        b.host for b in BUNDLES.values() if any(f.path.endswith("/kubeadm/init.yaml") for f in b.files)
    ]
    assert holders == [CONTROL] == [first_control_plane(PLAN)]


def test_kubeadm_init_matches_the_plan() -> None:
    made = documents(BUNDLES[CONTROL], "/etc/daiku/kubeadm/init.yaml")
    assert set(made) == {"ClusterConfiguration", "InitConfiguration", "KubeletConfiguration"}
    cluster = made["ClusterConfiguration"]
    assert cluster["controlPlaneEndpoint"] == "10.10.0.100:6443"
    assert cluster["kubernetesVersion"] == f"v{PLAN.release.kubernetes}"
    assert cluster["networking"] == {
        "podSubnet": PLAN.pods_cidr,
        "serviceSubnet": PLAN.services_cidr,
        "dnsDomain": PLAN.service_domain,
    }
    assert cluster["proxy"] == {"disabled": True}
    assert "10.10.0.100" in cluster["apiServer"]["certSANs"]
    assert {d["apiVersion"] for d in made.values()} == {
        "kubeadm.k8s.io/v1beta4",
        "kubelet.config.k8s.io/v1beta1",
    }
    # What every kubelet gets: a VM would not start with a reservation on a NUMA node that it lacks.
    assert not {"reservedMemory", "topologyManagerPolicy"} & made["KubeletConfiguration"].keys()


@pytest.mark.parametrize("node", NODES)
def test_kubeadm_join(node: NodePlan) -> None:
    join = documents(BUNDLES[node.name], "/etc/daiku/kubeadm/join.yaml")["JoinConfiguration"]
    assert ("controlPlane" in join) == (node.role == "control-plane")
    assert ("patches" in join) == (node.role == "gpu")
    assert join["discovery"] == {"file": {"kubeConfigPath": "/run/daiku/kubeadm/discovery.conf"}}
    given = arguments(join["nodeRegistration"])
    assert given["node-ip"] == node.address
    assert given["provider-id"] == f"sakura://is1b/{node.name}"
    assert dict(pair.split("=") for pair in given["node-labels"].split(",")) == dict(node.labels)
    assert join["nodeRegistration"]["name"] == node.name
    taints = join["nodeRegistration"]["taints"]
    expected = {"control-plane": ["node-role.kubernetes.io/control-plane"], "gpu": ["nvidia.com/gpu"]}
    assert [taint["key"] for taint in taints] == expected.get(node.role, [])


@pytest.mark.parametrize("node", NODES)
def test_a_kubelet_may_give_itself_every_label(node: NodePlan) -> None:
    allowed = re.compile(
        r"(kubernetes\.io/(hostname|os|arch)|(topology|node|kubelet)\.kubernetes\.io/.+|(?!.*(kubernetes|k8s)\.io/).+)"
    )
    labels = arguments(node_registration(node, ""))["node-labels"]
    assert all(allowed.fullmatch(label.partition("=")[0]) for label in labels.split(","))


def test_before_a_machine_was_made_it_has_no_provider_id() -> None:
    nothing = facts(PLAN).model_copy(update={"nodes": ()})
    join = documents(host_bundle(PLAN, nothing, PLAN.node(SERVER)), "/etc/daiku/kubeadm/join.yaml")
    assert "provider-id" not in arguments(join["JoinConfiguration"]["nodeRegistration"])


@pytest.mark.parametrize(
    ("taint", "read"),
    [
        ("a/b=c:NoSchedule", {"key": "a/b", "value": "c", "effect": "NoSchedule"}),
        ("a/b:NoExecute", {"key": "a/b", "effect": "NoExecute"}),
    ],
)
def test_a_taint_is_read(taint: str, read: dict[str, str]) -> None:
    node = PLAN.node(SERVER).model_copy(update={"taints": (taint,)})
    assert node_registration(node, "")["taints"] == [read]


@pytest.mark.parametrize("taint", ["a/b", "a/b=c", "a/b=c:Sometimes", ":NoSchedule"])
def test_an_odd_taint_is_refused(taint: str) -> None:
    node = PLAN.node(SERVER).model_copy(update={"taints": (taint,)})
    with pytest.raises(ValueError, match="not a taint"):
        node_registration(node, "")


def test_a_control_plane_without_taints_keeps_kubernetes_own() -> None:
    node = PLAN.node(CONTROL).model_copy(update={"taints": ()})
    assert "taints" not in node_registration(node, "")


@given(st.integers(64, 8192), st.integers(1, 8))
def test_reserved_memory_adds_up_and_leaves_the_most_to_pods(memory_gib: int, numa: int) -> None:
    kept = reservation(memory_gib, numa)

    def mebibytes(quantity: str) -> int:
        assert quantity.endswith("Mi")
        return int(quantity.removesuffix("Mi"))

    parts = [mebibytes(m) for m in kept.numa_memory]
    total = sum(mebibytes(m) for m in (kept.system_memory, kept.kube_memory, kept.eviction_memory))
    assert len(parts) == numa
    assert sum(parts) == total == reserved_gib(memory_gib) * 1024
    assert max(parts) - min(parts) <= 1
    assert total <= memory_gib * 1024 // 16
    assert int(kept.system_cpu) + int(kept.kube_cpu) == reserved_cpus()


def test_a_release_without_an_image_is_named() -> None:
    bare = PLAN.model_copy(update={"release": PLAN.release.model_copy(update={"images": ()})})
    with pytest.raises(ValueError, match=r"release 2026\.11 locks no image named 'pause'"):
        host_bundle(bare, facts(bare), bare.node(CONTROL))
