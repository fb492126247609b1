"""A GPU server's disks of the fast tier as files: what formats empty ones, and what mounts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import NodePlan, Plan
from daiku.render.bundle import Expectation, HostFile
from daiku.render.cluster_cache import disk_paths
from daiku.render.engine import render
from daiku.render.triggers import FAST_SCRIPT, FAST_UNIT, UNIT_FOLDER

_TYPE = "xfs"


@dataclass(frozen=True, slots=True)
class FastDisk:
    """`device` is the disk that is taken when it is empty and none has the label yet: the kernel's names may change
    with a restart, so the label decides from then on. XFS has room for 12 characters of it."""

    number: int
    place: str
    label: str
    device: str

    @property
    def unit(self) -> str:
        """As systemd names the mount of `place`, which has nothing to escape."""
        return f"{self.place.strip('/').replace('/', '-')}.mount"


@dataclass(frozen=True, slots=True)
class FastDisksScript:
    template: ClassVar[str] = "host/fast-disks.sh.j2"
    disks: tuple[FastDisk, ...]


@dataclass(frozen=True, slots=True)
class FastDisksService:
    template: ClassVar[str] = "host/fast-disks.service.j2"
    script: str


@dataclass(frozen=True, slots=True)
class FastDiskMount:
    template: ClassVar[str] = "host/fast-disk.mount.j2"
    number: int
    place: str
    label: str
    type: str
    service: str


def disk_files(plan: Plan, node: NodePlan) -> tuple[HostFile, ...]:
    """None but on GPU servers whose disks the fast tier has."""
    disks = fast_disks(plan, node)
    if not disks:
        return ()
    return (
        HostFile(FAST_SCRIPT, render(FastDisksScript(disks)), mode=0o755, trigger="fast-disks"),
        HostFile(f"{UNIT_FOLDER}/{FAST_UNIT}", render(FastDisksService(FAST_SCRIPT)), trigger="fast-disks"),
        *(
            HostFile(
                f"{UNIT_FOLDER}/{disk.unit}",
                render(FastDiskMount(disk.number, disk.place, disk.label, _TYPE, FAST_UNIT)),
                trigger="fast-disks",
            )
            for disk in disks
        ),
    )


def disk_expectations(plan: Plan, node: NodePlan) -> tuple[Expectation, ...]:
    """Every disk is mounted, on a machine that has it."""
    return tuple(
        Expectation("mount", disk.place, _TYPE, "fast-disks", disk.device) for disk in fast_disks(plan, node)
    )


def fast_disks(plan: Plan, node: NodePlan) -> tuple[FastDisk, ...]:
    """The NVMe disks after those of Ceph, which takes the first ones where the pool holds its data."""
    storage = plan.storage
    if storage is None or node.role != "gpu":
        return ()
    first = storage.reliable_disks if node.pool in (storage.reliable_pools or (node.pool,)) else 0
    return tuple(
        FastDisk(number, place, f"daiku-fast{number}", f"/dev/nvme{first + number}n1")
        for number, place in enumerate(disk_paths(storage))
    )
