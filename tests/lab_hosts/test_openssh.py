"""Finding sshd and sudo, or saying exactly what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.errors import MissingToolError
from daiku.lab.tools import openssh


def test_nothing_is_fetched_where_the_machine_has_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "sshd"
    program.touch()
    monkeypatch.setattr(openssh, "PROGRAMS", {"openssh-server": str(program)})
    said: list[str] = []
    assert openssh.fetch_missing_programs(said.append) is None
    assert openssh.find_or_fetch_sshd(said.append) == program
    assert said == []


def test_what_was_fetched_once_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAIKU_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(openssh, "PROGRAMS", {"openssh-server": "/usr/sbin/no-such-sshd"})
    cached = tmp_path / "openssh/openssh-server/usr/sbin/no-such-sshd"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert openssh.fetch_missing_programs(pytest.fail) == tmp_path / "openssh/openssh-server"


def test_without_apt_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAIKU_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(openssh, "PROGRAMS", {"openssh-server": "/usr/sbin/no-such-sshd"})
    with pytest.raises(MissingToolError) as caught:
        openssh.fetch_missing_programs(pytest.fail)
    assert "openssh-server" in caught.value.message
    assert "install openssh-server" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
