"""The inside of a freshly installed PHY server, over SSH through the bastion: whose installation it is, its address."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daiku.errors import HostAuthError, HostError, HostUnreachableError, StateError
from daiku.provider.context import SshSettings
from daiku.provider.fields import Props
from daiku.provider.host_pins import OneKey
from daiku.provider.phy_flow import Evidence
from daiku.wire.ssh_types import Endpoint

if TYPE_CHECKING:
    from daiku.wire.ssh import Session

SSH_PORT = 22
STEP_SECONDS = 15.0
APPLY_SECONDS = 120.0
NETPLAN = "/etc/netplan/50-daiku.yaml"

# Written beside and moved, so that a lost connection leaves the old file or the new one. JSON is YAML.
_APPLY = """set -eu
umask 077
new=$(mktemp {path}.XXXXXX)
cat > "$new" <<'DAIKU-END'
{content}
DAIKU-END
if cmp -s "$new" {path}; then rm -f "$new"; else mv -f "$new" {path}; fi
netplan apply
"""
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi'


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe saw. `key` is the host's key where it let us in."""

    evidence: Evidence
    key: str = ""


class PhyHost:
    """One server, at one of some addresses. `key` is its pinned host key, empty to trust the first one seen."""

    def __init__(self, ssh: SshSettings, server_id: str, user: str, addresses: list[str], key: str) -> None:
        self._ssh = ssh
        self._name = f"phy-{server_id}"
        self._user = user
        self._addresses = addresses
        self._pin = OneKey(key)

    def probe(self, token: str) -> Found:
        """Whether the host carries `token` in the keys that opened it. What the bastion refuses says nothing about the
        host: that is raised.
        """
        try:
            with self.session() as session:
                result = session.run('cat "$HOME/.ssh/authorized_keys"', timeout=STEP_SECONDS)
                shows = f"daiku-install={token}".encode() in result.stdout
                return Found(Evidence.NEW if shows else Evidence.OLD, session.host_key)
        except HostAuthError as error:
            if error.host != self._name:
                raise
            return Found(Evidence.OLD)
        except HostUnreachableError:
            return Found(Evidence.SILENT)

    def set_address(self, local: Props) -> str:
        """Write the netplan file and apply it; the host's key. The same content is applied again: a crash may have
        come between the file and its effect.
        """
        script = _APPLY.format(content=netplan(local), path=NETPLAN)
        with self.session() as session:
            result = session.run(_AS_ROOT, script.encode(), timeout=APPLY_SECONDS)
            if result.status != 0:
                words = result.stderr.decode(errors="replace").strip().splitlines()
                raise HostError(
                    f"the address could not be set: {words[-1] if words else f'exit status {result.status}'}",
                    host=self._name,
                    step="netplan",
                    hint=f"the file is {NETPLAN}; run the same command again once the cause is gone",
                )
            return session.host_key

    @contextlib.contextmanager
    def session(self) -> Generator[Session]:
        """A connection, by the first address that answers. The bastion is asked anew each time."""
        if self._ssh.key_file is None:
            raise StateError(
                "no key to log in with", where=self._name, hint="set sshKeyFile of the sakura provider"
            )
        with contextlib.ExitStack() as stack:
            jump = self._bastion(stack)
            yield stack.enter_context(self._host(jump))

    def _bastion(self, stack: contextlib.ExitStack) -> Session | None:
        from daiku.wire.ssh import connect  # most runs log in nowhere, and it is slow to load

        ssh = self._ssh
        if not ssh.bastion_host:
            return None
        assert ssh.key_file is not None
        return stack.enter_context(
            connect(
                ssh.bastion_name,
                Endpoint(ssh.bastion_host, ssh.bastion_port, ssh.bastion_user),
                key_file=ssh.key_file,
                host_keys=ssh.bastion_keys,
                timeout=STEP_SECONDS,
            )
        )

    def _host(self, jump: Session | None) -> Session:
        from daiku.wire.ssh import connect

        assert self._ssh.key_file is not None
        failure: HostUnreachableError | None = None
        for address in self._addresses:
            try:
                return connect(
                    self._name,
                    Endpoint(address, SSH_PORT, self._user),
                    key_file=self._ssh.key_file,
                    jump=jump,
                    host_keys=self._pin,
                    timeout=STEP_SECONDS,
                )
            except HostUnreachableError as error:
                failure = error
        if failure is None:
            raise HostUnreachableError("the server has no address to log in to", host=self._name)
        raise failure


def netplan(local: Props) -> str:
    """The netplan document of a local address, as JSON on one line."""
    device: Props = {"dhcp4": False, "addresses": [local["address"]], "mtu": local["mtu"]}
    if "gateway" in local:
        device["routes"] = [{"to": "default", "via": local["gateway"]}]
    if local["nameservers"]:
        device["nameservers"] = {"addresses": local["nameservers"]}
    name = local.get("interface", "")
    if not name:
        name = "daiku0"
        device["match"] = {"macaddress": local["macAddress"]}
    document = {"network": {"version": 2, "ethernets": {name: device}}}
    return json.dumps(document, sort_keys=True)


def require_own_key(ssh: SshSettings, public_keys: list[str]) -> None:
    """Fail before anything is wiped if the key that is to log in would not be installed."""
    if ssh.key_file is None:
        return
    from daiku.wire.ssh_login import load_key

    key = load_key(ssh.key_file)
    if not any(line.split()[:2] == [key.get_name(), key.get_base64()] for line in public_keys):
        raise StateError(
            "its public half is not among install.sshPublicKeys: the installed server could not be reached",
            where=str(ssh.key_file),
            hint="add the public key, or leave sshKeyFile out to install without logging in",
        )


def stamped(public_key: str, token: str) -> str:
    """A public key line whose comment names the installation."""
    words = public_key.split()
    return " ".join([*words[:2], f"daiku-install={token}"])
