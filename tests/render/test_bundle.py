"""The contract with applying: what a bundle refuses, how it is ordered, what its digest covers."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from daiku.render.bundle import HostBundle, HostFile, Trigger

FILE = HostFile("/etc/hostname", b"one\n", trigger="hostname")
HOSTNAME = Trigger("hostname", ("hostname", "-F", "/etc/hostname"), 40)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"path": "etc/hostname"}, "path"),
        ({"path": "/etc/../shadow"}, "path"),
        ({"path": "/etc/./hosts"}, "path"),
        ({"path": "/etc//hosts"}, "path"),
        ({"path": "/etc/"}, "path"),
        ({"path": "/etc/a b"}, "path"),
        ({"path": "/etc/a\nb"}, "path"),
        ({"mode": 0o10000}, "mode"),
        ({"mode": -1}, "mode"),
        ({"owner": "Root"}, "account"),
        ({"group": "wheel;"}, "account"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        dataclasses.replace(FILE, **fields)


def test_a_path_twice_a_trigger_twice_and_an_unknown_trigger_are_refused() -> None:
    with pytest.raises(ValueError, match="path"):
        HostBundle("a", (FILE, FILE), (HOSTNAME,))
    with pytest.raises(ValueError, match="trigger"):
        HostBundle("a", (FILE,), (HOSTNAME, HOSTNAME))
    with pytest.raises(ValueError, match="no trigger named hostname"):
        HostBundle("a", (FILE,), ())
    with pytest.raises(ValueError, match="no command"):
        Trigger("hostname", (), 1)


def test_order_of_arguments_means_nothing() -> None:
    files = (HostFile("/etc/b", b""), FILE, HostFile("/etc/a", b""))
    triggers = (HOSTNAME, Trigger("z", ("z",), 1), Trigger("y", ("y",), 40))
    one, other = HostBundle("a", files, triggers), HostBundle("a", files[::-1], triggers[::-1])
    assert one == other
    assert one.digest() == other.digest()
    assert [f.path for f in one.files] == ["/etc/a", "/etc/b", "/etc/hostname"]
    assert [t.name for t in one.triggers] == ["z", "hostname", "y"]


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/etc/hostname2"},
        {"content": b"two\n"},
        {"mode": 0o600},
        {"owner": "daemon"},
        {"group": "daemon"},
        {"trigger": None},
    ],
)
def test_the_digest_covers_every_field_of_a_file(change: dict[str, Any]) -> None:
    changed = HostBundle("a", (dataclasses.replace(FILE, **change),), (HOSTNAME,))
    assert changed.digest() != HostBundle("a", (FILE,), (HOSTNAME,)).digest()


def test_the_digest_covers_triggers_and_host() -> None:
    digests = {
        HostBundle(host, (FILE,), (trigger,)).digest()
        for host in ("a", "b")
        for trigger in (HOSTNAME, dataclasses.replace(HOSTNAME, order=1), Trigger("hostname", ("true",), 40))
    }
    assert len(digests) == 6


def test_the_manifest_names_contents_by_digest_and_blobs_hold_them() -> None:
    bundle = HostBundle("a", (FILE, HostFile("/etc/same", FILE.content)), (HOSTNAME,))
    manifest = json.loads(bundle.to_json())
    assert manifest["files"][0] == {
        "path": "/etc/hostname",
        "sha256": FILE.sha256,
        "size": 4,
        "mode": "0644",
        "owner": "root",
        "group": "root",
        "trigger": "hostname",
    }
    assert bundle.blobs() == {FILE.sha256: b"one\n"}
    assert {f["sha256"] for f in manifest["files"]} == set(bundle.blobs())
    assert bundle.file("/etc/same").content == b"one\n"
    with pytest.raises(KeyError):
        bundle.file("/etc/other")
