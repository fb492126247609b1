"""Every host's own word, read in parallel through the bastion. A host that fails hides no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from daiku.errors import HostError
from daiku.observe.hosts import HostStatus, read
from daiku.wire.ssh import Session, connect
from daiku.wire.ssh_login import Login
from daiku.wire.ssh_types import Endpoint, HostKeys

PARALLEL = 16
TIMEOUT = 20.0
"""Seconds for each stage of a log-in: a host under full load may need many, and `unreachable` must mean it."""


class Way(Protocol):
    """A host and where its SSH server is."""

    @property
    def name(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...


class Ways(Protocol):
    """The hosts of a cluster; all but the bastion are reached through it."""

    @property
    def bastion(self) -> Way | None: ...
    @property
    def hosts(self) -> Sequence[Way]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What one host said, or why it said nothing. `wanted` is the digest of the bundle it should have."""

    status: HostStatus | None
    wanted: str
    failure: str = ""

    def word(self) -> str:
        """The host in one word: configured, outdated (brought to another configuration), fresh, or unreachable."""
        if self.status is None:
            return "unreachable"
        if self.status.unfinished:
            return "unfinished"
        if not self.status.bundle:
            return "fresh"
        return "configured" if self.status.bundle == self.wanted else "outdated"

    def as_dict(self) -> dict[str, Any]:
        return {
            "state": self.word(),
            "failure": self.failure,
            "status": asdict(self.status) if self.status else None,
        }


def read_all(
    ways: Ways, wanted: Mapping[str, str], *, key_file: Path | Login, host_keys: HostKeys
) -> dict[str, Seen]:
    """Ask every host of `wanted` (name -> digest of its bundle). One connection a host; nothing is changed."""

    def look(pair: tuple[Way, Session | None]) -> Seen:
        way, jump = pair
        digest = wanted[way.name]
        try:
            with connect(
                way.name, way.endpoint, key_file=key_file, jump=jump, host_keys=host_keys, timeout=TIMEOUT
            ) as session:
                return Seen(read(session), digest)
        except HostError as error:
            return Seen(None, digest, error.message)

    bastion = ways.bastion
    chosen = [way for way in ways.hosts if way.name in wanted]
    if bastion is None:
        with ThreadPoolExecutor(PARALLEL) as pool:
            return dict(
                zip((w.name for w in chosen), pool.map(look, [(w, None) for w in chosen]), strict=True)
            )
    try:
        with connect(
            bastion.name, bastion.endpoint, key_file=key_file, jump=None, host_keys=host_keys, timeout=TIMEOUT
        ) as jump:
            with ThreadPoolExecutor(PARALLEL) as pool:
                found = dict(
                    zip((w.name for w in chosen), pool.map(look, [(w, jump) for w in chosen]), strict=True)
                )
            if bastion.name in wanted:
                found[bastion.name] = Seen(read(jump), wanted[bastion.name])
            return found
    except HostError as error:
        behind = f"not asked: the bastion {bastion.name} cannot be used"
        return {w.name: Seen(None, wanted[w.name], behind) for w in chosen} | {
            bastion.name: Seen(None, wanted.get(bastion.name, ""), error.message)
        }
