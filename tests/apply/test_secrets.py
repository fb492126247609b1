"""Files that hold a secret: it reaches the host and nothing else."""

from __future__ import annotations

import base64
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from daiku.apply.planfile import FreshHost, HostMove
from daiku.ledger.secrets import Secrets
from daiku.render.bundle import HostFile
from tests.apply.rehearsal import Rehearsal, bundle_of, file, noted, noting, run

PATH = "/etc/kubernetes/encryption.yaml"
PLAIN = file(PATH, "key: '@SECRET@'\n", 0o600, trigger="restart")
SECRET = replace(PLAIN, secret="etcd")
BUNDLE = bundle_of(SECRET, noting("restart", 1, PATH))


def test_the_host_gets_it_once_and_nobody_else_sees_it(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    root = tmp_path / "root"
    root.mkdir()
    first = run(root, BUNDLE, secrets=secrets.text)
    value = secrets.text("etcd")
    place = root / PATH[1:]
    assert place.read_bytes() == b"key: '" + value + b"'\n"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    unchanged = Rehearsal()
    assert not run(root, BUNDLE, unchanged, secrets=secrets.text).changed
    place.write_bytes(b"key: by hand\n")
    planned = run(root, BUNDLE, secrets=secrets.text, dry_run=True)
    done = run(root, BUNDLE, secrets=secrets.text)
    assert HostMove.of(planned) == HostMove.of(done)
    assert len(noted(root, "restart")) == 2
    told = "".join(map(repr, (first, planned, done, BUNDLE.manifest(), FreshHost.of(BUNDLE, BUNDLE))))
    for form in (
        value.decode(),
        base64.b64decode(value).hex(),
        file(PATH, b"key: '" + value + b"'\n").sha256,
    ):
        assert form not in told
    assert {c.after_sha256 for c in done.changes} == {SECRET.sha256}


def test_another_secret_is_another_bundle_and_another_value_a_change(tmp_path: Path) -> None:
    run(tmp_path, BUNDLE, secrets=lambda _name: b"one")
    assert BUNDLE.digest() != bundle_of(PLAIN, noting("restart", 1, PATH)).digest()
    assert [c.what for c in run(tmp_path, BUNDLE, secrets=lambda _name: b"two").changes] == [("content",)]


def test_without_secrets_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no secrets to ask for etcd"):
        run(tmp_path, BUNDLE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "mode"), [(b"no mark", 0o600), (b"@SECRET@", 0o640), (b"@SECRET@", 0o644)]
)
def test_a_secret_needs_its_mark_and_a_private_file(content: bytes, mode: int) -> None:
    with pytest.raises(ValueError, match="holds its mark and is its owner's alone"):
        HostFile("/etc/x", content, mode, secret="etcd")
