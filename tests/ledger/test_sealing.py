"""What daiku keeps, sealed by age: by an identity, by a passphrase from a file or a command."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pyrage
import pytest

from daiku.errors import StateError
from daiku.ledger.keys import ensure_deploy_key
from daiku.ledger.secrets import Secrets
from daiku.wire.sealing import seal_from_environment
from daiku.wire.ssh_login import load_key

VARIABLES = (
    "DAIKU_AGE_IDENTITY",
    "DAIKU_AGE_RECIPIENTS",
    "DAIKU_PASSPHRASE_FILE",
    "DAIKU_PASSPHRASE_COMMAND",
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def identity(path: Path) -> str:
    """A new identity in `path`, as age-keygen writes it; its recipient."""
    new = pyrage.x25519.Identity.generate()
    path.write_text(f"# created: today\n# public key: {new.to_public()}\n{new}\n")
    return str(new.to_public())


def age(folder: Path) -> dict[str, str]:
    identity(folder / "me.txt")
    return {"DAIKU_AGE_IDENTITY": str(folder / "me.txt")}


def file(folder: Path) -> dict[str, str]:
    (folder / "words").write_text("correct horse\n")
    return {"DAIKU_PASSPHRASE_FILE": str(folder / "words")}


def command(folder: Path) -> dict[str, str]:
    file(folder)
    return {"DAIKU_PASSPHRASE_COMMAND": f"cat {folder / 'words'}"}


@pytest.mark.parametrize("way", [age, file])
def test_keys_and_secrets_are_sealed_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: object
) -> None:
    for name, value in way(tmp_path).items():  # type: ignore[operator]
        monkeypatch.setenv(name, value)
    state = tmp_path / "state"
    path, public = ensure_deploy_key(state)
    secret = Secrets(state / "secrets").text("etcd")
    assert path.name == "deploy.age"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_deploy_key(state) == (path, public)
    assert load_key(path).get_base64() == public.split()[1]
    assert Secrets(state / "secrets").text("etcd") == secret
    written = b"".join(p.read_bytes() for p in state.rglob("*") if p.is_file())
    assert b"OPENSSH" not in written
    assert base64.b64decode(secret) not in written
    assert {p.name for p in state.rglob("*") if p.is_file()} == {"deploy.age", "etcd.age"}


def test_a_passphrase_from_a_command_is_the_one_from_a_file(tmp_path: Path) -> None:
    from_file = seal_from_environment(file(tmp_path))
    assert from_file is not None
    assert from_file.passphrase == "correct horse"
    assert seal_from_environment(command(tmp_path)) == from_file


def test_what_was_kept_in_clear_is_sealed_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear, public = ensure_deploy_key(tmp_path / "keys")
    secret = Secrets(tmp_path / "keys").text("etcd")
    for name, value in age(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert ensure_deploy_key(tmp_path / "keys") == (clear.with_name("deploy.age"), public)
    assert Secrets(tmp_path / "keys").text("etcd") == secret
    assert {p.name for p in (tmp_path / "keys").iterdir()} == {"deploy.age", "etcd.age"}


def test_a_second_recipient_reads_it_too_and_a_stranger_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = identity(tmp_path / "other.txt")
    identity(tmp_path / "stranger.txt")
    for name, value in {**age(tmp_path), "DAIKU_AGE_RECIPIENTS": other}.items():
        monkeypatch.setenv(name, value)
    _, public = ensure_deploy_key(tmp_path / "keys")
    monkeypatch.delenv("DAIKU_AGE_RECIPIENTS")
    monkeypatch.setenv("DAIKU_AGE_IDENTITY", str(tmp_path / "other.txt"))
    assert ensure_deploy_key(tmp_path / "keys")[1] == public
    monkeypatch.setenv("DAIKU_AGE_IDENTITY", str(tmp_path / "stranger.txt"))
    with pytest.raises(StateError, match="cannot be unsealed"):
        ensure_deploy_key(tmp_path / "keys")
    monkeypatch.delenv("DAIKU_AGE_IDENTITY")
    with pytest.raises(StateError, match="nothing is said to unseal it with") as caught:
        ensure_deploy_key(tmp_path / "keys")
    assert caught.value.where.endswith("deploy.age")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DAIKU_AGE_IDENTITY": "none"}, "DAIKU_AGE_IDENTITY: no identity"),
        ({"DAIKU_AGE_IDENTITY": "empty"}, "holds no identity"),
        ({"DAIKU_AGE_IDENTITY": "text"}, "no identity can be read"),
        ({"DAIKU_PASSPHRASE_FILE": "empty"}, "passphrase is empty"),
        ({"DAIKU_PASSPHRASE_COMMAND": "false"}, "exit status 1"),
        ({"DAIKU_PASSPHRASE_COMMAND": "no-such-program"}, "no passphrase can be read"),
        ({"DAIKU_PASSPHRASE_FILE": "text", "DAIKU_AGE_IDENTITY": "text"}, "one of them is meant"),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("# nothing\n" if "DAIKU_AGE_IDENTITY" in environ else "\n")
    (tmp_path / "text").write_text("AGE-SECRET-KEY-1WRONG\n")
    with pytest.raises(StateError, match=message) as caught:
        seal_from_environment(environ)
    assert "WRONG" not in str(caught.value)


def test_a_damaged_secret_is_named(tmp_path: Path) -> None:
    Secrets(tmp_path).text("etcd")
    (tmp_path / "etcd").write_bytes(b"short")
    with pytest.raises(StateError, match="damaged: 5 bytes"):
        Secrets(tmp_path).text("etcd")
    with pytest.raises(ValueError, match="not the name"):
        Secrets(tmp_path).text("../deploy")


def test_a_mark_tells_whether_a_secret_is_the_same_and_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = Secrets(tmp_path / "mine" / "secrets"), Secrets(tmp_path / "other" / "secrets")
    for store in (mine, other):
        for name in ("a", "b"):
            store.given.put(name, b"0000")
    marks = [mine.mark("given/a"), mine.mark("given/b"), other.mark("given/a"), mine.mark("made")]
    assert len({*marks}) == 4, "equal values of two names, or of two clusters, are not seen to be equal"
    assert hashlib.sha256(b"0000").hexdigest() not in marks
    for name, value in age(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert [mine.mark(name) for name in ("given/a", "given/b", "made")] == [*marks[:2], marks[3]]
    assert {path.suffix for path in (tmp_path / "mine").rglob("*") if path.is_file()} == {".age"}
    mine.given.put("a", b"0001")
    assert mine.mark("given/a") not in marks
    mine.given.put("a", b"0000")
    assert mine.mark("given/a") == marks[0], "what was put back is as it was"
