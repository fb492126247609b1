"""What the zones sell: public archives, and the plans of servers, disks and routers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicArchive:
    """`login` is the account that SSH keys open; `editable`: disk edits work (cloud-init images refuse them)."""

    name: str
    tags: tuple[str, ...]
    login: str
    size_mb: int = 20_480
    editable: bool = True
    cloud_init: bool = False


def _linux(
    name: str, distro: str, version: str, login: str, *extra: str, cloud: bool = False
) -> PublicArchive:
    tags = [
        "@size-extendable",
        "arch-64bit",
        f"distro-{distro}",
        f"distro-ver-{version}",
        "os-linux",
        "os-unix",
        *extra,
    ]
    if cloud:
        tags.append("cloud-init")
    return PublicArchive(name, tuple(sorted(tags)), login, editable=not cloud, cloud_init=cloud)


PUBLIC_ARCHIVES = (
    _linux(
        "Ubuntu Server 24.04.3 LTS 64bit",
        "ubuntu",
        "24.04.3",
        "ubuntu",
        "ubuntu-24.04-latest",
        "current-stable",
    ),
    _linux("Ubuntu Server 22.04.5 LTS 64bit", "ubuntu", "22.04.5", "ubuntu", "ubuntu-22.04-latest"),
    _linux(
        "Ubuntu Server 24.04.3 LTS 64bit (cloudimg)",
        "ubuntu",
        "24.04.3",
        "ubuntu",
        "ubuntu-24.04-cloudimg",
        cloud=True,
    ),
    _linux("Debian GNU/Linux 12.11 64bit", "debian", "12.11", "root", "debian-12-latest", "current-stable"),
    _linux("AlmaLinux 9.6 64bit", "alma", "9.6", "root", "alma-9-latest", "current-stable"),
    _linux("Rocky Linux 9.6 64bit", "rocky", "9.6", "root", "rocky-9-latest", "current-stable"),
)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    id: int
    cpu: int
    memory_gb: int
    commitment: str = "standard"
    generation: int = 100
    gpu: int = 0
    gpu_model: str = ""
    cpu_model: str = ""
    zones: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        kind = (
            f"GPUプラン/{self.gpu}GPU-"
            if self.gpu
            else "コア専有プラン/"
            if self.commitment == "dedicatedcpu"
            else "プラン/"
        )
        return f"{kind}{self.cpu}Core-{self.memory_gb}GB"


_STANDARD = {
    1: (1, 2, 3, 4, 5),
    2: (2, 3, 4, 5, 6, 8, 12),
    3: (3, 4, 5, 6, 8, 12),
    4: (4, 5, 6, 8, 12, 16, 20, 32),
    5: (5, 6, 8, 12, 16, 20, 24, 32),
    6: (6, 8, 12, 16, 20, 24, 32, 48),
    8: (8, 12, 16, 20, 24, 32, 48, 64),
    10: (16, 20, 24, 32, 48, 64, 96),
    12: (16, 20, 24, 32, 48, 64, 96, 128),
    16: (32, 48, 64, 96, 128),
    20: (96, 112, 128, 192, 224),
    24: (192, 224),
}
_DEDICATED = {
    2: (4, 8),
    4: (8, 16),
    6: (16, 32),
    8: (16, 32, 64),
    10: (32, 64),
    16: (96,),
    24: (192,),
    32: (120, 224),
}


def _plans() -> dict[int, ServerPlan]:
    plans: list[ServerPlan] = []
    for generation in (100, 200):
        prefix = 1000 * generation
        for cpu, sizes in _STANDARD.items():
            plans += [
                ServerPlan(prefix * 1000 + gb * 1000 + cpu, cpu, gb, generation=generation) for gb in sizes
            ]
        for cpu, sizes in _DEDICATED.items():
            ids = prefix * 1000 + 500_000
            plans += [ServerPlan(ids + gb * 1000 + cpu, cpu, gb, "dedicatedcpu", generation) for gb in sizes]
    plans.append(
        ServerPlan(
            205_056_004, 4, 56, generation=200, gpu=1, gpu_model="nvidia_v100_32gbvram", zones=("is1a",)
        )
    )
    plans.append(
        ServerPlan(
            205_240_024, 24, 240, generation=200, gpu=1, gpu_model="nvidia_h100_80gbvram", zones=("is1a",)
        )
    )
    return {plan.id: plan for plan in plans}


SERVER_PLANS = _plans()


@dataclass(frozen=True, slots=True)
class PrivateHostPlan:
    id: int
    name: str
    cpu: int
    memory_gb: int
    kind: str = "dynamic"


PRIVATE_HOST_PLANS = {
    plan.id: plan
    for plan in (
        PrivateHostPlan(112_900_526_366, "224Core 2TB 標準", 224, 2048),
        PrivateHostPlan(112_900_526_367, "224Core 2TB Windows", 224, 2048, "ms_windows"),
    )
}
"""The classes are the API's; the numbers of the second are the lab's."""

PUBLIC_IMAGES = ("Ubuntu Server 24.04.3 LTS", "Debian GNU/Linux 12.11", "Rocky Linux 9.6")
"""ISO images that every zone offers."""
PUBLIC_ICONS = {112_901_627_749: "Ubuntu", 112_901_627_750: "Debian", 112_901_627_751: "Rocky Linux"}

SSD = 4
DISK_PLANS = {SSD: ("SSDプラン", "iscsi9999"), 2: ("標準プラン", "iscsi1204")}
DISK_KINDS = {4: "ssd", 2: "hdd"}
DISK_SIZES_GB = (20, 40, 60, 80, 100, 250, 500, 750, 1024, 2048, 4096, 8192, 12288)
BANDWIDTHS_MBPS = (100, 250, *range(500, 10_001, 500))


def disk_sizes_gb(plan: int) -> tuple[int, ...]:
    """Sizes of a disk plan; the hard-disk plan starts at 40 GB."""
    return tuple(size for size in DISK_SIZES_GB if plan == SSD or 40 <= size <= 4096)


def server_plans(zone: str) -> list[ServerPlan]:
    """The plans of a zone by id."""
    return [plan for _, plan in sorted(SERVER_PLANS.items()) if not plan.zones or zone in plan.zones]
