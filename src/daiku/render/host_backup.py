"""A control plane's snapshots of etcd as files: the script, its service and timer, and the certificates' expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.given import BACKUP as BACKUP_SECRET
from daiku.plan.given import PREFIX
from daiku.plan.model import NodePlan, Plan
from daiku.render.bundle import SECRET_MARK, HostFile
from daiku.render.engine import render

BACKUP = "/etc/daiku/backup"
CREDENTIALS = f"{BACKUP}/credentials"
"""An AWS credentials file of the bucket's owner, there once the operator has given it. Never rendered."""
SCRIPTS = "/usr/local/lib/daiku"
SNAPSHOTS = "/var/lib/daiku/snapshots"
METRICS = "/var/lib/daiku/metrics"
KEPT_ON_HOST = 4
_MINUTES_APART = 10


@dataclass(frozen=True, slots=True)
class BackupScript:
    template: ClassVar[str] = "host/etcd-backup.sh.j2"
    region: str
    url: str
    credentials: str
    node: str
    snapshots: str
    metrics: str
    kept: int


@dataclass(frozen=True, slots=True)
class BackupService:
    template: ClassVar[str] = "host/etcd-backup.service.j2"
    script: str


@dataclass(frozen=True, slots=True)
class BackupTimer:
    """`calendar` as systemd has it."""

    template: ClassVar[str] = "host/etcd-backup.timer.j2"
    calendar: str


@dataclass(frozen=True, slots=True)
class CertificatesScript:
    template: ClassVar[str] = "host/certificate-expiry.sh.j2"
    metrics: str


@dataclass(frozen=True, slots=True)
class CertificatesService:
    template: ClassVar[str] = "host/certificate-expiry.service.j2"
    script: str


@dataclass(frozen=True, slots=True)
class CertificatesTimer:
    template: ClassVar[str] = "host/certificate-expiry.timer.j2"
    calendar: str


def backup_files(plan: Plan, node: NodePlan) -> tuple[HostFile, ...]:
    """The files of one machine; none but on control planes. Snapshots need a bucket, which a cluster without AWS has
    not."""
    if node.role != "control-plane":
        return ()
    expiry = f"{SCRIPTS}/certificate-expiry"
    units = "/etc/systemd/system/daiku-certificate-expiry"
    files = [
        HostFile(expiry, render(CertificatesScript(METRICS)), mode=0o755),
        HostFile(f"{units}.service", render(CertificatesService(expiry)), trigger="timers"),
        HostFile(f"{units}.timer", render(CertificatesTimer("*-*-* 05:30:00")), trigger="timers"),
    ]
    if plan.aws is None:
        return tuple(files)
    script, units = f"{SCRIPTS}/etcd-backup", "/etc/systemd/system/daiku-etcd-backup"
    url = f"https://{plan.aws.bucket}.s3.{plan.aws.region}.amazonaws.com/etcd/{node.name}"
    what = BackupScript(plan.aws.region, url, CREDENTIALS, node.name, SNAPSHOTS, METRICS, KEPT_ON_HOST)
    if BACKUP_SECRET in plan.given_secrets:
        files.append(
            HostFile(CREDENTIALS, SECRET_MARK + b"\n", mode=0o600, secret=f"{PREFIX}{BACKUP_SECRET}")
        )
    return (
        *files,
        HostFile(script, render(what), mode=0o755),
        HostFile(f"{units}.service", render(BackupService(script)), trigger="timers"),
        HostFile(f"{units}.timer", render(BackupTimer(calendar(plan, node))), trigger="timers"),
    )


def calendar(plan: Plan, node: NodePlan) -> str:
    """When a control plane takes its snapshot: each at another time, so that one is never far."""
    step = plan.snapshot_hours
    hours = "*" if step == 1 else ",".join(f"{hour:02d}" for hour in range(0, 24, step))
    return f"*-*-* {hours}:{node.index * _MINUTES_APART % 60:02d}:00"
