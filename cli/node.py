"""`daiku node`: one machine of the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option, yes_option

if TYPE_CHECKING:
    from daiku.cli.job import Job
    from daiku.ledger.host_keys import PinnedHostKeys


@click.group()
def node() -> None:
    """One machine of the cluster."""


@node.command(short_help="Accept the SSH host key that a machine shows now.")
@click.argument("name")
@file_option
@yes_option
@json_option
def trust(name: str, file: Path, yes: bool, as_json: bool) -> None:
    """Accept the SSH host key that NAME shows now, instead of the pinned one.

    A key changes by right when a machine was reinstalled outside daiku (a reinstall by daiku is known). Compare the
    new fingerprint with what the machine's console says: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.
    """
    from daiku.cli.fleet import need_names
    from daiku.cli.job import open_job
    from daiku.wire.ssh_types import fingerprint

    job = open_job(file)
    facts = job.need_facts()
    need_names([name], (node.name for node in facts.nodes))
    keys = job.host_keys(facts)
    progress = output.Progress(quiet=as_json)
    with job.exclusively("node trust"):
        with progress.waiting(f"asking {name} for its key"):
            shown = _shown_key(job, keys, name)
        pinned = keys.pinned(name)
        if pinned != shown:
            before = fingerprint(pinned) if pinned else "none"
            output.confirm(
                f"{name}: the pinned key is {before}, the host shows {fingerprint(shown)}. Trust the new one?",
                yes=yes,
            )
            keys.pin(name, shown)
    if as_json:
        before = fingerprint(pinned) if pinned else None
        output.emit_json({"host": name, "before": before, "after": fingerprint(shown)})
    elif pinned == shown:
        output.say(f"{name}: the pinned key {fingerprint(shown)} is the one that it shows: nothing to change")
    else:
        output.say(f"{name}: {fingerprint(shown)} is pinned")
        output.note("next: the command that this key stopped goes on now")


@dataclass
class _Asking:
    """Pinned keys, less that of one host: what it shows is noted and not pinned."""

    keys: PinnedHostKeys
    asked: str
    shown: str = ""

    def pinned(self, host: str) -> str | None:
        return None if host == self.asked else self.keys.pinned(host)

    def pin(self, host: str, key: str) -> None:
        if host == self.asked:
            self.shown = key
        else:
            self.keys.pin(host, key)


def _shown_key(job: Job, keys: PinnedHostKeys, name: str) -> str:
    """The key that the host shows when our key is let in."""
    from contextlib import ExitStack

    from daiku.apply.targets import targets_of
    from daiku.wire.ssh import connect

    targets = targets_of(job.plan, job.need_facts())
    hosts = {target.name: target for target in targets.hosts}
    bastion = targets.bastion
    login = job.login()
    asking = _Asking(keys, name)
    with ExitStack() as open_sessions:
        jump = None
        if bastion is not None:
            jump = open_sessions.enter_context(
                connect(bastion.name, bastion.endpoint, key_file=login, host_keys=asking)
            )
        if name in hosts:
            open_sessions.enter_context(
                connect(name, hosts[name].endpoint, key_file=login, jump=jump, host_keys=asking)
            )
    return asking.shown
