"""What makes a changed file live: one command for each kind, in the order in which they must run.

A unit may not be installed yet when the first files arrive. Its trigger then has nothing to do: the package
starts the unit with the files already in place.
"""

from __future__ import annotations

from daiku.render.bundle import Trigger

SYSCTL_FILE = "/etc/sysctl.d/90-daiku.conf"
SYSCTL_BRIDGE_FILE = "/etc/sysctl.d/91-daiku-bridge.conf"
QOS_SCRIPT = "/usr/local/lib/daiku/rail-qos"
QOS_UNIT = "daiku-rail-qos.service"
UNIT_FOLDER = "/etc/systemd/system"
QOS_UNIT_FILE = f"{UNIT_FOLDER}/{QOS_UNIT}"
FAST_SCRIPT = "/usr/local/lib/daiku/fast-disks"
FAST_UNIT = "daiku-fast-disks.service"
SELECTIONS_FILE = "/etc/daiku/packages.selections"

INSTALL = (
    "apt-get",
    "-q",
    "-y",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "install",
    "--allow-downgrades",
    "--allow-change-held-packages",
    "--no-install-recommends",
)
"""The command of a trigger with packages. It waits for another apt; configuration files that are there stay."""
MODULES = ("overlay", "br_netfilter")
"""Kernel modules that every node loads."""
UNITS = ("chrony.service", "containerd.service", "kubelet.service")
"""Units that every node starts at boot."""
ACTIVE_UNITS = (("chrony.service", "chrony"), ("containerd.service", "containerd"))
"""Units that must run, and the trigger that starts them. Not the kubelet: it fails until the machine has joined."""


def _shell(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def _units(verb: str, *units: str) -> tuple[str, ...]:
    return _shell(
        f"systemctl daemon-reload || exit; for unit in {' '.join(units)}; do "
        f"test ! -e /usr/lib/systemd/system/$unit || systemctl {verb} $unit || exit; done"
    )


def _timers() -> tuple[str, ...]:
    return _shell(
        "systemctl daemon-reload || exit; for unit in /etc/systemd/system/daiku-*.timer; do "
        'test ! -e "$unit" || systemctl enable --now "${unit##*/}" || exit; done'
    )


def _fast_disks() -> tuple[str, ...]:
    # The script itself, for its words: systemctl would only say that there are some in the journal. A disk that is
    # ready is mounted even when another one is not.
    return _shell(
        f"systemctl daemon-reload || exit; {FAST_SCRIPT}; code=$?; "
        f"for unit in {UNIT_FOLDER}/var-lib-daiku-fast-disk*.mount; do "
        'test -e "$unit" || continue; systemctl enable "${unit##*/}" || exit; '
        'test ! -e "$(sed -n s/^What=//p "$unit")" || systemctl start "${unit##*/}" || exit; done; exit $code'
    )


_ALL = (
    Trigger("modules", ("modprobe", "-a", *MODULES), 20),
    Trigger("sysctl", ("sysctl", "-q", "-p", SYSCTL_FILE), 30),
    Trigger(
        "sysctl-bridge",
        _shell(f"test ! -d /proc/sys/net/bridge || sysctl -q -p {SYSCTL_BRIDGE_FILE}"),
        31,
    ),
    Trigger("hostname", ("hostname", "-F", "/etc/hostname"), 40),
    Trigger("netplan", ("netplan", "apply"), 50, guarded=True),
    # dpkg passes over a package that is not installed yet, with a warning: installing sets the selections
    # again.
    Trigger("hold", _shell(f"dpkg --set-selections < {SELECTIONS_FILE}"), 60),
    Trigger("units", _units("enable", *UNITS), 70),
    Trigger(
        "rail-qos",
        # Without the NIC's tools there is nothing to set yet: their package comes with the drivers, and the unit
        # runs at the next start.
        _shell(
            f"systemctl daemon-reload && systemctl enable {QOS_UNIT} && "
            f"{{ ! command -v mlnx_qos >/dev/null || systemctl restart {QOS_UNIT}; }}"
        ),
        75,
    ),
    # Enabled and started whenever a timer of ours has changed; their services run when it is time.
    Trigger("timers", _timers(), 75),
    Trigger("sshd", _units("reload-or-restart", "ssh.service"), 80),
    Trigger("chrony", _units("restart", "chrony.service"), 81),
    Trigger("containerd", _units("restart", "containerd.service"), 82),
    # After all that a machine needs first: a disk with something on it waits for a person.
    Trigger("fast-disks", _fast_disks(), 90),
)
TRIGGERS = {trigger.name: trigger for trigger in _ALL}
"""By name. There is none for the kubelet: `kubeadm` writes its configuration from ours, after a drain."""
