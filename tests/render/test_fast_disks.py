"""The local disks of the fast tier: formatted only when empty, mounted by label, and closed while one is away."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daiku.plan.model import Plan
from daiku.render.bundle import Expectation, HostBundle
from daiku.render.cluster_cache import disk_paths
from daiku.render.host_disks import fast_disks
from daiku.render.hosts import host_bundles
from daiku.render.triggers import FAST_SCRIPT, TRIGGERS
from tests.render.plans import facts, plan

SERVER = "ishikari-h100-001"
PLACE, LABEL, DISK = "/var/lib/daiku/fast/disk0", "daiku-fast0", "/dev/nvme2n1"
MOUNT = "/etc/systemd/system/var-lib-daiku-fast-disk0.mount"


def bundle(made: Plan) -> HostBundle:
    return next(b for b in host_bundles(made, facts(made)) if b.host == SERVER)


def script(**tiers: Any) -> str:
    return bundle(plan(storage=tiers) if tiers else plan()).file(FAST_SCRIPT).content.decode()


# Files
# ----------------------------------------------------------------------------------------------------------


def test_ceph_takes_the_first_disks_and_the_fast_tier_the_next() -> None:
    made = plan(storage={"reliable": {"osdDisksPerNode": 1}, "fast": {"disksPerNode": 2}})
    disks = fast_disks(made, made.node(SERVER))
    assert [disk.device for disk in disks] == [f"/dev/nvme{n}n1" for n in (1, 2)]
    assert made.storage is not None
    assert tuple(disk.place for disk in disks) == disk_paths(made.storage)
    alone = plan(storage={"reliable": None, "fast": {"disksPerNode": 2}})
    assert [d.device for d in fast_disks(alone, alone.node(SERVER))] == ["/dev/nvme0n1", "/dev/nvme1n1"]


def test_a_pool_without_data_of_ceph_gives_all_its_disks() -> None:
    made = plan()
    assert made.storage is not None
    elsewhere = made.storage.model_copy(update={"reliable_pools": ("other",)})
    made = made.model_copy(update={"storage": elsewhere})
    assert [disk.device for disk in fast_disks(made, made.node(SERVER))] == ["/dev/nvme0n1"]


def test_only_gpu_servers_of_a_cluster_with_a_fast_tier_have_them() -> None:
    made = plan()
    assert all(not fast_disks(made, node) for node in made.nodes if node.role != "gpu")
    off = plan(storage={"fast": None})
    assert not [f.path for b in host_bundles(off, facts(off)) for f in b.files if "fast" in f.path]


def test_a_disk_is_mounted_by_its_label_and_holds_up_no_boot() -> None:
    made = bundle(plan())
    lines = made.file(MOUNT).content.decode().splitlines()
    assert {f"What=/dev/disk/by-label/{LABEL}", f"Where={PLACE}", "Options=noatime,nofail"} <= {*lines}
    assert len(f"{LABEL[:-1]}23") <= 12, "XFS has no more room for a label"
    assert Expectation("mount", PLACE, "xfs", "fast-disks", DISK) in made.expectations
    assert max(TRIGGERS.values(), key=lambda t: t.order).name == "fast-disks"


# The script, with programs that answer as they are told
# ----------------------------------------------------------------------------------------------------------

TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0")" in
  blkid) case "$*" in
    *LABEL=*) printf '%s' "${LABELLED:-}" ;;
    *) printf '%s' "${PROBED:-}"; exit "${PROBE:-2}" ;;
    esac ;;
  wipefs) printf '%s' "${SIGNATURES:-}"; exit "${WIPEFS:-0}" ;;
  lsblk) printf '%b\\n' "${LISTED:-disk}"; exit "${LSBLK:-0}" ;;
  mountpoint) exit "${MOUNTED:-32}" ;;
  chattr) exit "${CHATTR:-0}" ;;
  mkfs.xfs) exit "${MKFS:-0}" ;;
esac
"""
TOOLS = ("blkid", "wipefs", "lsblk", "mountpoint", "chattr", "mkfs.xfs", "udevadm")


def here(folder: Path, text: str, disk: str, label: str) -> str:
    """The script on a machine whose paths are below `folder`."""
    for real, ours in (
        ("/run/", f"{folder}/"),
        (PLACE, f"{folder}/disk0"),
        ("/dev/nvme*n1", disk),
        (DISK, disk),
        (LABEL, label),
    ):
        assert real in text
        text = text.replace(real, ours)
    return text


def run(text: str, tools: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", text],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        env={"PATH": f"{tools}:{os.environ['PATH']}:/usr/sbin:/sbin"} | environment,
    )
    return done.returncode, done.stdout


def scripted(folder: Path, **environment: str) -> tuple[int, str, list[str]]:
    tools, disk, calls = folder / "bin", folder / "nvme", folder / "calls"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).write_text(TOOL)
        (tools / name).chmod(0o755)
    disk.write_text("")
    text = here(folder, script(), str(disk), LABEL)
    # A plain file stands for the disk.
    assert "[ ! -b" in text
    code, said = run(text.replace("[ ! -b", "[ ! -e"), tools, CALLS=str(calls), **environment)
    return code, said, [line.split()[0] for line in calls.read_text().splitlines()]


def test_an_empty_disk_is_formatted_below_a_closed_place(tmp_path: Path) -> None:
    code, said, calls = scripted(tmp_path)
    assert (code, said) == (0, f"fast tier: formatted {tmp_path}/nvme as {LABEL}\n")
    assert calls.index("chattr") < calls.index("mkfs.xfs") < calls.index("udevadm")


def test_a_labelled_disk_is_ready_wherever_the_kernel_shows_it(tmp_path: Path) -> None:
    code, said, calls = scripted(tmp_path, LABELLED="/dev/nvme5n1", SIGNATURES="xfs")
    assert (code, said) == (0, "")
    assert "mkfs.xfs" not in calls


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"SIGNATURES": "ceph_bluestore"}, "is not empty: ceph_bluestore."),
        ({"PROBE": "0", "PROBED": "x: PTTYPE=gpt"}, "PTTYPE=gpt"),
        ({"PROBE": "8"}, "unknown to blkid"),
        ({"PROBED": "error: I/O"}, "error: I/O"),
        ({"LISTED": "nvme2n1\\nnvme2n1p1"}, "nvme2n1p1"),
        ({"LSBLK": "1", "LISTED": "no device"}, "lsblk cannot read it"),
        ({"WIPEFS": "1"}, "wipefs cannot read it"),
        ({"MOUNTED": "0"}, "is mounted from a disk without the label"),
        ({"LABELLED": "/dev/a\n/dev/b"}, "more than one disk is labelled daiku-fast0: /dev/a /dev/b"),
    ],
)
def test_whatever_is_in_doubt_is_left_alone(tmp_path: Path, what: dict[str, str], told: str) -> None:
    code, said, calls = scripted(tmp_path, **what)
    assert code == 1
    assert told in said
    assert len(said.splitlines()) == 1
    assert "mkfs.xfs" not in calls


def test_the_line_says_what_a_person_may_do(tmp_path: Path) -> None:
    _, said, _ = scripted(tmp_path, SIGNATURES="ext4 old")
    assert said == (
        f"fast tier: {tmp_path}/nvme is not empty: ext4 old. It is left as it is. If nobody needs that any more: "
        f"wipefs --all {tmp_path}/nvme && systemctl start var-lib-daiku-fast-disk0.mount\n"
    )


@pytest.mark.parametrize("what", [{"CHATTR": "1"}, {"MKFS": "1"}])
def test_what_fails_is_told(tmp_path: Path, what: dict[str, str]) -> None:
    code, said, _ = scripted(tmp_path, **what)
    assert code == 1
    assert "fast tier: " in said


def test_files_of_the_system_disk_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "disk0/volumes").mkdir(parents=True)
    code, said, _ = scripted(tmp_path)
    assert code == 1
    assert f"{tmp_path}/disk0 holds files of the system disk" in said


def test_a_machine_without_such_disks_closes_the_places_and_goes_on(tmp_path: Path) -> None:
    tools, calls = tmp_path / "bin", tmp_path / "calls"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).write_text(TOOL)
        (tools / name).chmod(0o755)
    text = here(tmp_path, script(), f"{tmp_path}/none", LABEL)
    code, said = run(text, tools, CALLS=str(calls))
    assert (code, said) == (0, "fast tier: this machine has no NVMe disk\n")
    assert "chattr" in calls.read_text()


# The script on real block devices
# ----------------------------------------------------------------------------------------------------------


@dataclass
class Machine:
    folder: Path
    label: str = field(default_factory=lambda: f"t{secrets.token_hex(4)}")
    disks: list[str] = field(default_factory=list[str])

    def disk(self) -> str:
        """A fresh, empty disk of 400 MB."""
        image = self.folder / f"image{len(self.disks)}"
        with image.open("wb") as file:
            file.truncate(400_000_000)
        self.disks.append(call("losetup", "--find", "--show", str(image)).strip())
        return self.disks[-1]

    def prepare(self, disk: str) -> tuple[int, str]:
        tools = self.folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "udevadm").write_text("#!/bin/sh\n")
        (tools / "udevadm").chmod(0o755)
        return run(here(self.folder, script(), disk, self.label), tools)


def call(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout


def start_of(disk: str) -> bytes:
    """The first 16 MiB: every format begins there."""
    with Path(disk).open("rb") as file:
        return file.read(16 << 20)


def refused(folder: Path) -> str:
    """Why there are no block devices here; empty when there are."""
    missing = [
        n for n in ("losetup", "mkfs.xfs", "chattr", "wipefs", "blkid", "lsblk") if not shutil.which(n)
    ]
    if os.geteuid() != 0 or missing:
        return f"needs root and {', '.join(missing) or 'nothing else'}"
    (folder / "probe").write_bytes(bytes(4096))
    done = subprocess.run(
        ["losetup", "--find", "--show", str(folder / "probe")], check=False, capture_output=True, text=True
    )
    if done.returncode == 0:
        call("losetup", "--detach", done.stdout.strip())
    return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    reason = refused(tmp_path)
    if reason:
        pytest.skip(f"no loop devices: {reason}")
    made = Machine(tmp_path)
    place = tmp_path / "disk0"
    try:
        yield made
    finally:
        if place.is_mount():
            call("umount", str(place))
        if place.exists():
            call("chattr", "-i", str(place))
        for disk in made.disks:
            call("losetup", "--detach", disk)


def test_on_a_real_disk_once_and_never_again(machine: Machine) -> None:
    disk, place = machine.disk(), machine.folder / "disk0"
    assert machine.prepare(disk) == (0, f"fast tier: formatted {disk} as {machine.label}\n")
    with pytest.raises(PermissionError):
        (place / "volumes").mkdir()
    before = call("blkid", "-p", disk)
    assert f'LABEL="{machine.label}"' in before
    assert 'TYPE="xfs"' in before
    call("mount", "-t", "xfs", disk, str(place))
    (place / "volumes").mkdir()
    assert machine.prepare(disk) == (0, "")
    assert call("blkid", "-p", disk) == before
    assert (place / "volumes").is_dir()


@pytest.mark.parametrize("kind", ["xfs", "partitions", "swap", "bluestore"])
def test_a_real_disk_with_something_on_it_is_left_as_it_is(machine: Machine, kind: str) -> None:
    disk = machine.disk()
    if kind == "xfs":
        call("mkfs.xfs", "-q", "-L", "precious", disk)
    elif kind == "swap":
        call("mkswap", "-L", "precious", disk)
    else:
        # The first bytes of a disk of Ceph, or the boot record with one partition.
        one = (
            bytes(446) + bytes([0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]) + bytes(48) + b"\x55\xaa"
        )
        Path(disk).write_bytes(b"bluestore block device\n" if kind == "bluestore" else one)
    before = start_of(disk)
    code, said = machine.prepare(disk)
    assert code == 1
    assert f"{disk} is not empty: " in said
    assert f"wipefs --all {disk}" in said
    assert start_of(disk) == before


def test_what_the_person_was_told_helps(machine: Machine) -> None:
    disk = machine.disk()
    call("mkfs.xfs", "-q", disk)
    assert machine.prepare(disk)[0] == 1
    call("wipefs", "--all", disk)
    assert machine.prepare(disk) == (0, f"fast tier: formatted {disk} as {machine.label}\n")


def test_two_real_disks_of_one_label_are_a_persons_business(machine: Machine) -> None:
    first, second = machine.disk(), machine.disk()
    assert machine.prepare(first)[0] == 0
    call("mkfs.xfs", "-q", "-L", machine.label, second)
    code, said = machine.prepare(first)
    assert code == 1
    assert "more than one disk is labelled" in said
    assert first in said
    assert second in said
