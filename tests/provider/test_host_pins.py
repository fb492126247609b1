"""The bastion's host key: pinned once, for every run and for `daiku apply`. What the bastion refuses is its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daiku.errors import HostAuthError, HostKeyError
from daiku.ledger.database import Database
from daiku.ledger.host_keys import PinnedHostKeys
from daiku.provider import phy_host
from daiku.provider.checking import accept
from daiku.provider.config import CONFIG
from daiku.provider.context import SshSettings
from daiku.provider.phy_flow import Evidence
from daiku.provider.phy_host import PhyHost
from daiku.provider.plugin import ssh_settings
from daiku.wire.ssh_login import load_key
from tests.ssh.server import Sshd, key_text, make_key


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    make_key(tmp_path / "deploy")
    return tmp_path / "deploy"


@contextlib.contextmanager
def bastion(folder: Path, name: str, *public: str) -> Iterator[Sshd]:
    server = Sshd(make_key(folder / name), set(public), {"HOME": str(folder)})
    try:
        yield server
    finally:
        server.close()


def settings(server: Sshd, key_file: Path, **more: Any) -> SshSettings:
    endpoint = server.endpoint("ubuntu")
    given = {
        "bastionHost": endpoint.host,
        "bastionPort": endpoint.port,
        "bastionUser": endpoint.user,
        "bastionName": "mgmt-1",
        "sshKeyFile": str(key_file),
        "hostKeysFile": str(key_file.parent / "ledger.sqlite"),
        **more,
    }
    accepted, failures = accept(CONFIG, given, {})
    assert not failures
    return ssh_settings(accepted)


def public_of(file: Path) -> str:
    return key_text(load_key(file))


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hosts are at a port that is taken and where nobody listens. Another address of loopback will not do: the bastion
    is in this process, where pytest-socket lets none but 127.0.0.1 be dialled."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(phy_host, "SSH_PORT", taken.getsockname()[1])
        yield


def reach(ssh: SshSettings) -> None:
    """Through the bastion to a host that is not there: only the way is of interest."""
    found = PhyHost(ssh, "113000000101", "root", ["127.0.0.1"], "").probe("token")
    assert found.evidence == Evidence.SILENT


def pinned(key_file: Path, incarnation: str) -> str | None:
    with contextlib.closing(Database(key_file.parent / "ledger.sqlite")) as database:
        return PinnedHostKeys(database, {"mgmt-1": incarnation}).pinned("mgmt-1")


def test_the_first_contact_pins_for_the_other_side_and_the_next_run(tmp_path: Path, key_file: Path) -> None:
    public = public_of(key_file)
    with bastion(tmp_path, "one", public) as first:
        reach(settings(first, key_file, bastionIncarnation="disk-1"))
    assert pinned(key_file, "disk-1") == public_of(tmp_path / "one")
    with bastion(tmp_path, "two", public) as other:
        with pytest.raises(HostKeyError) as caught:
            reach(settings(other, key_file, bastionIncarnation="disk-1"))
        assert "daiku node trust mgmt-1" in caught.value.hint
        # Made anew: another disk has another key by right.
        reach(settings(other, key_file, bastionIncarnation="disk-2"))
    assert pinned(key_file, "disk-2") == public_of(tmp_path / "two")


def test_a_given_key_goes_before_the_ledger(tmp_path: Path, key_file: Path) -> None:
    with bastion(tmp_path, "one", public_of(key_file)) as server:
        make_key(tmp_path / "other")
        with pytest.raises(HostKeyError):
            reach(settings(server, key_file, bastionHostKey=public_of(tmp_path / "other")))
    assert pinned(key_file, "") is None


def test_without_a_ledger_the_key_holds_for_the_whole_run(tmp_path: Path, key_file: Path) -> None:
    with bastion(tmp_path, "one", public_of(key_file)) as server:
        ssh = settings(server, key_file, hostKeysFile=None)
        reach(ssh)
    assert ssh.bastion_keys.pinned("mgmt-1") == public_of(tmp_path / "one")


def test_a_bastion_that_refuses_us_says_nothing_about_the_server_behind_it(
    tmp_path: Path, key_file: Path
) -> None:
    """Else a server that is fine would be taken for one that was never installed, and be wiped."""
    with bastion(tmp_path, "one") as server, pytest.raises(HostAuthError) as caught:
        reach(settings(server, key_file))
    assert caught.value.host == "mgmt-1"
