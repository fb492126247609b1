"""What the handlers get: the clients of both APIs, and how to reach hosts."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from daiku.provider.host_pins import OneKey
from daiku.provider.identity import mark
from daiku.wire.listings import Listings
from daiku.wire.phy import Phy
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.ssh_types import HostKeys


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How to log in to freshly installed servers. `bastion_host` empty: straight.

    `bastion_name` is the bastion's in `bastion_keys`, where its pinned host key is.
    """

    key_file: Path | None = None
    bastion_host: str = ""
    bastion_port: int = 22
    bastion_user: str = "root"
    bastion_name: str = "bastion"
    bastion_keys: HostKeys = field(default_factory=OneKey)


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Context:
    """One configured provider. Shared by all threads.

    `locks` serialise changes to things that several resources write: a local router's peers, a PHY server's
    ports, one lock an ID. `utc` is the wall clock.
    """

    cloud: SakuraCloud
    phy: Phy
    listings: Listings
    zone: str
    namespace: str = ""
    ssh: SshSettings = field(default_factory=SshSettings)
    utc: Callable[[], datetime] = _utc
    locks: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def identity(self, urn: str) -> str:
        return mark(self.namespace, urn)
