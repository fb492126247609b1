"""Asking a host over a real SSH connection, and what a failed kubeadm is told as."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from daiku.apply.phases import remote
from daiku.apply.phases.facts import HostFacts
from daiku.apply.phases.remote import Kubeadm
from daiku.errors import HostError
from daiku.wire.ssh import connect
from tests.ssh.server import Pins, serving


@pytest.mark.skipif(os.path.exists("/etc/kubernetes"), reason="this machine is a node itself")  # noqa: PTH110
def test_a_machine_that_kubernetes_never_touched(tmp_path: Path) -> None:
    with (
        serving(tmp_path, exec_prefix=b"Welcome!\n") as (server, key),
        connect("n1", server.endpoint(), key_file=key, host_keys=Pins()) as session,
    ):
        facts = remote.look(session, "127.0.0.1")
        assert not facts.touched
        assert (facts.api, facts.members, facts.busy) == ("", (), False)
        assert remote.read(session, "/etc/kubernetes/admin.conf") == ""
        assert server.sessions == 2


def test_a_host_without_the_right_to_be_root_says_so(tmp_path: Path) -> None:
    with (
        serving(tmp_path, env={"PATH": str(tmp_path)}) as (server, key),
        connect("n1", server.endpoint(), key_file=key, host_keys=Pins()) as session,
        pytest.raises(HostError, match="without an answer") as caught,
    ):
        remote.look(session, "127.0.0.1")
    assert "python3" in caught.value.hint


@pytest.mark.parametrize("line", ["systemd: a word of another", "[1, 2]", "7"])
def test_what_others_write_into_the_answer_is_told_and_no_crash(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"import sys; sys.stdout.buffer.write({remote.MARK!r} + {line.encode()!r} + b'\\n')\n"

    def nothing(*_: str) -> bytes:
        return b""

    def command(_user: str) -> str:
        return f'python3 -c "{program}"'

    monkeypatch.setattr(remote, "packed_program", nothing)
    monkeypatch.setattr(remote, "python_command", command)
    with (
        serving(tmp_path) as (server, key),
        connect("n1", server.endpoint(), key_file=key, host_keys=Pins()) as session,
        pytest.raises(HostError, match="without an answer") as caught,
    ):
        remote.look(session, "127.0.0.1")
    assert line in caught.value.message


ANSWER: dict[str, Any] = {
    "busy": False,
    "status": 1,
    "timed_out": False,
    "last": [
        "[preflight] Running pre-flight checks",
        "error: port 6443 is in use",
        "",
        "To see the stack trace ...",
    ],
}


class _Session:
    name = "cp-1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ["`kubeadm init --config` ended with status 1", "port 6443 is in use"]),
        ({"timed_out": True}, ["said nothing for 300 s", "[preflight] Running"]),
        ({"busy": True}, ["another kubeadm works on it"]),
        ({"last": ["token abcdef.s3cr3ts3cr3ts3cr was refused"]}, ["abcdef.*** was refused"]),
    ],
)
def test_a_failure_names_host_step_cause_and_next_command(
    change: dict[str, Any], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> dict[str, Any]:
        return {**ANSWER, **change}

    monkeypatch.setattr(remote, "ask", answer)
    call = Kubeadm(("init", "--config", "x"), 300.0, secrets=("s3cr3ts3cr3ts3cr",))
    with pytest.raises(HostError) as caught:
        remote.kubeadm(_Session(), "10.0.0.1", call, "kubeadm init", again="daiku up -f x.yaml")  # type: ignore[arg-type]
    error = caught.value
    assert (error.host, error.step, error.exit_code) == ("cp-1", "kubeadm init", 22)
    assert "daiku up -f x.yaml" in error.hint
    for word in words:
        assert word in error.message
    assert "stack trace" not in error.message


def test_facts_come_as_the_host_tells_them() -> None:
    told = {
        "busy": False,
        "kubelet": "active",
        "joined": True,
        "joining": False,
        "manifests": ["etcd"],
        "etcd_data": True,
        "ca": ["c"],
        "vip_file": False,
        "api": "ok",
        "etcd": {
            "members": [
                {"id": "7", "name": "", "peers": ["https://10.0.0.3:2380"], "learner": True, "healthy": False}
            ],
            "quorum": True,
            "failure": "",
        },
    }
    facts = HostFacts.of(told)
    (member,) = facts.members
    assert member.is_of("cp-3", "10.0.0.3")
    assert member.learner
    assert facts.touched
