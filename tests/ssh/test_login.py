"""What the operator's environment says of logging in, and keys that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.errors import HostAuthError, HostUnreachableError, StateError
from daiku.wire.ssh import connect
from daiku.wire.ssh_login import Login, login_from_environment
from daiku.wire.ssh_types import Endpoint
from tests.ssh.server import Pins, Sshd, key_text, make_key, serving

OWN = Path("deploy")


def test_without_a_word_of_the_operator_it_is_the_clusters_key_alone() -> None:
    assert login_from_environment(OWN, {"SSH_AUTH_SOCK": "/run/agent"}) == Login((OWN,))


def test_what_the_environment_says(tmp_path: Path) -> None:
    key = tmp_path / "mine"
    make_key(key)
    environ = {
        "DAIKU_SSH_KEY": str(key),
        "DAIKU_SSH_AGENT": "1",
        "DAIKU_SSH_VIA": "me@gate.example.com, ops@[2001:db8::7]:2022",
    }
    ways = (Endpoint("gate.example.com", 22, "me"), Endpoint("2001:db8::7", 2022, "ops"))
    assert login_from_environment(OWN, environ) == Login((key, OWN), True, ways)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DAIKU_SSH_KEY", "no-such-file"),
        ("DAIKU_SSH_AGENT", "yes"),
        ("DAIKU_SSH_VIA", "gate.example.com"),
        ("DAIKU_SSH_VIA", "me@gate:0"),
        ("DAIKU_SSH_VIA", "me@gate:70000"),
        ("DAIKU_SSH_VIA", "-oProxyCommand=x@gate"),
    ],
)
def test_a_wrong_word_is_named(name: str, value: str) -> None:
    with pytest.raises(StateError, match=name):
        login_from_environment(OWN, {name: value})


def test_an_agent_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "nobody"))
    with pytest.raises(StateError, match="no SSH agent"), Login((), agent=True).keys():
        pass


def test_the_second_key_is_tried_and_both_are_named_when_none_opens(tmp_path: Path) -> None:
    with serving(tmp_path) as (sshd, right):
        wrong = tmp_path / "wrong"
        other = key_text(make_key(wrong))
        with connect("n1", sshd.endpoint(), key_file=Login((wrong, right)), host_keys=Pins()) as session:
            assert session.run("echo in").stdout == b"in\n"
        sshd.authorized = {other + "x"}
        with pytest.raises(HostAuthError, match=r"each of our keys SHA256:.*, SHA256:"):
            connect("n1", sshd.endpoint(), key_file=Login((wrong, right)), host_keys=Pins())


def test_through_a_chain_of_bastions_which_closes_with_the_session(tmp_path: Path) -> None:
    with serving(tmp_path) as (first, key):
        second = Sshd(make_key(tmp_path / "second"), first.authorized)
        last = Sshd(make_key(tmp_path / "last"), first.authorized)
        pins, made = Pins(), list[str]()
        login = Login((key,), via=(first.endpoint("a"), second.endpoint("b")))
        with connect(
            "n1", last.endpoint(), key_file=login, host_keys=pins, on_connect=lambda n, _: made.append(n)
        ) as session:
            assert session.run("echo in").stdout == b"in\n"
            assert (first.forwards, second.forwards, last.connections) == (1, 1, 1)
            way = session._below
            assert [bastion.alive for bastion in way] == [True, True]
        gates = [f"a@127.0.0.1:{first.port}", f"b@127.0.0.1:{second.port}"]
        assert made == [*gates, "n1"]
        assert set(pins.keys) == {*gates, "n1"}
        assert [bastion.alive for bastion in way] == [False, False]
        last.close()
        with pytest.raises(HostUnreachableError, match=r"via bastion b@.*via bastion a@"):
            connect("n1", last.endpoint(), key_file=login, host_keys=pins)
        second.close()
