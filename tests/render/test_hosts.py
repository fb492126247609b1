"""The files of machines: by role, and what must hold whatever the plan."""

from __future__ import annotations

import json
import re

import pytest

from daiku.plan.model import NodePlan
from daiku.render.hosts import host_bundle
from daiku.render.triggers import TRIGGERS
from tests.render.machines import BUNDLES, CONTROL, MANAGEMENT, NODES, PLAN, SERVER, VIPS, text
from tests.render.plans import facts

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
