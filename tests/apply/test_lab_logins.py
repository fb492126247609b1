"""Logging in to real sshd: by an agent, by a certificate of an authority, through a chain of bastions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daiku.apply.fleet import Settings, run
from daiku.apply.targets import Target, Targets
from daiku.errors import HostAuthError
from daiku.lab.topology import Machine
from daiku.render.bundle import HostBundle, HostFile
from daiku.wire.ssh import connect
from daiku.wire.ssh_login import Login
from daiku.wire.ssh_types import Endpoint
from tests.apply.lab_fleet import LOOPBACKS
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

pytestmark = [pytest.mark.lab, pytest.mark.allow_hosts(LOOPBACKS)]


def keygen(*words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, timeout=60, stdin=subprocess.DEVNULL)


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    sock = str(folder / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        process.stdout.readline()  # it says where it listens once it does
        environ = {**os.environ, "SSH_AUTH_SOCK": sock}
        subprocess.run(["ssh-add", "-q", *keys], check=True, timeout=60, env=environ)
        yield sock
    finally:
        process.terminate()
        process.wait()
        assert process.stdout
        process.stdout.close()


def signed(lab: Lab, folder: Path, kind: str) -> Path:
    """A new key of `kind`, which no host knows, with a certificate of an authority that host3 trusts."""
    authority, key = folder / "authority", folder / "mine"
    keygen("-t", "ed25519", "-N", "", "-f", authority)
    keygen("-t", kind, "-N", "", "-f", key)
    keygen("-s", authority, "-I", "an operator", "-n", "root", "-V", "+1h", key.with_suffix(".pub"))
    lab.write(3, "/etc/ssh/authority.pub", authority.with_suffix(".pub").read_text())
    lab.write(3, "/etc/ssh/sshd_config.d/authority.conf", "TrustedUserCAKeys /etc/ssh/authority.pub\n")
    lab.ssh(3, "systemctl reload ssh")
    return key


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_beside_the_key(
    lab: Lab, machines: dict[int, Machine], tmp_path: Path, kind: str
) -> None:
    key = signed(lab, tmp_path, kind)
    host3 = Endpoint(lab.address, 2203, "root")
    with connect("host3", host3, key_file=Login((key,)), host_keys=Pins()) as session:
        assert session.run("whoami").stdout == b"root\n"
    (tmp_path / "mine-cert.pub").unlink()
    with pytest.raises(HostAuthError):
        connect("host3", host3, key_file=Login((key,)), host_keys=Pins())


def test_the_agents_certificate(
    lab: Lab, machines: dict[int, Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = signed(lab, tmp_path, "ed25519")
    with agent(tmp_path, key) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", sock)
        key.unlink()
        host3 = Endpoint(lab.address, 2203, "root")
        with connect("host3", host3, key_file=Login((), agent=True), host_keys=Pins()) as session:
            assert session.run("whoami").stdout == b"root\n"


def test_a_fleet_by_the_agent_alone_behind_a_chain_of_bastions(
    lab: Lab, machines: dict[int, Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way: host5 by its forwarded port, from there host4, and only from there the cluster's own bastion."""
    with agent(tmp_path, lab.key) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", sock)
        gates = (Endpoint(lab.address, 2205, "ubuntu"), Endpoint("10.10.0.4", 22, "ubuntu"))
        bundles = {
            f"host{n}": HostBundle(f"host{n}", (HostFile("/etc/motd", b"ours\n"),), ()) for n in (2, 3)
        }
        pins, login = Pins(), Login((), agent=True, via=gates)
        behind = Targets(
            Target("host2", Endpoint("10.10.0.2", 22, "ubuntu")),
            (Target("host3", Endpoint("10.10.0.3", 22, "root")),),
        )
        report = run(behind, bundles, key_file=login, host_keys=pins, settings=Settings(timeout=30))
        assert report.failures == ()
        assert [r.host for r in report.reports if r.changed] == ["host2", "host3"]
        assert report.connections == 4
        assert set(pins.keys) == {
            f"ubuntu@{lab.address}:2205", "ubuntu@10.10.0.4:22", "host2", "host3"
        }  # fmt: skip
