"""A machine's system as files: modules, time, package pins, who may log in, what release it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.model import NodePlan, Plan, Release
from daiku.render.bundle import HostFile
from daiku.render.engine import render
from daiku.render.triggers import MODULES, SELECTIONS_FILE, UNITS

TIME_SERVERS = ("ntp1.sakura.ad.jp",)
"""Sakura's own, inside the datacentre's network."""
KEYS_FILE = "/etc/ssh/authorized_keys.d/daiku"
_GPU_PACKAGES = ("nvidia", "libnvidia", "cuda", "datacenter-gpu", "doca", "mlnx", "ofed", "rdma")
"""Beginnings of names of packages that only machines with GPUs and rails have."""


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class AptPreferences:
    template: ClassVar[str] = "host/apt.pref.j2"
    release: str
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class AptConf:
    template: ClassVar[str] = "host/apt.conf.j2"
    release: str


@dataclass(frozen=True, slots=True)
class Selections:
    template: ClassVar[str] = "host/selections.j2"
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class Modules:
    template: ClassVar[str] = "host/modules.conf.j2"
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChronySources:
    template: ClassVar[str] = "host/chrony.sources.j2"
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChronyConf:
    """`steps` is the number of first measurements that may step the clock."""

    template: ClassVar[str] = "host/chrony.conf.j2"
    steps: int


@dataclass(frozen=True, slots=True)
class UnitsPreset:
    template: ClassVar[str] = "host/units.preset.j2"
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SshdConf:
    template: ClassVar[str] = "host/sshd.conf.j2"
    keys_file: str


@dataclass(frozen=True, slots=True)
class AuthorizedKeys:
    template: ClassVar[str] = "host/authorized-keys.j2"
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    template: ClassVar[str] = "host/release.json.j2"
    release: dict[str, Any]


def packages(release: Release, node: NodePlan) -> tuple[Package, ...]:
    """The release's packages that this machine can have, by name. A new GPU driver leaves the VMs' files
    alone."""
    return tuple(
        Package(name, version)
        for name, version in sorted(release.packages)
        if node.role == "gpu" or not name.startswith(_GPU_PACKAGES)
    )


def system_files(plan: Plan, node: NodePlan) -> tuple[HostFile, ...]:
    """The system files of one machine."""
    release = plan.release
    wanted = packages(release, node)
    return (
        HostFile("/etc/modules-load.d/daiku.conf", render(Modules(MODULES)), trigger="modules"),
        HostFile(
            "/etc/chrony/sources.d/daiku.sources", render(ChronySources(TIME_SERVERS)), trigger="chrony"
        ),
        HostFile("/etc/chrony/conf.d/daiku.conf", render(ChronyConf(steps=3)), trigger="chrony"),
        HostFile("/etc/apt/preferences.d/daiku.pref", render(AptPreferences(release.name, wanted))),
        HostFile("/etc/apt/apt.conf.d/99daiku", render(AptConf(release.name))),
        HostFile(SELECTIONS_FILE, render(Selections(wanted)), trigger="hold"),
        HostFile("/etc/systemd/system-preset/10-daiku.preset", render(UnitsPreset(UNITS)), trigger="units"),
        HostFile("/etc/ssh/sshd_config.d/10-daiku.conf", render(SshdConf(KEYS_FILE)), trigger="sshd"),
        HostFile(KEYS_FILE, render(AuthorizedKeys(plan.authorized_keys))),
        HostFile("/etc/daiku/release.json", render(ReleaseNote(_note(plan, node, wanted)))),
    )


def _note(plan: Plan, node: NodePlan, wanted: tuple[Package, ...]) -> dict[str, Any]:
    # No digest of the plan or the specification: it would change every machine whenever any other one
    # changes.
    release = plan.release
    versions = {
        "kubernetes": release.kubernetes,
        "containerd": release.containerd,
        "runc": release.runc,
        "kernel": release.kernel,
    }
    if node.role == "gpu":
        versions |= {
            "gpu_driver": release.gpu_driver,
            "nic_driver": release.nic_driver,
            "container_toolkit": release.container_toolkit,
        }
    return {
        "cluster": plan.cluster,
        "node": node.name,
        "role": node.role,
        "pool": node.pool,
        "release": release.name,
        "versions": versions,
        "packages": {package.name: package.version for package in wanted},
    }
