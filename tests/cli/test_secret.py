"""`daiku secret`: values come by a file or standard input, are kept for the owner alone, and are shown nowhere."""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
import sys
from pathlib import Path

import pytest

from daiku.cli.job import open_job
from daiku.plan.given import ALERTMANAGER, BACKUP, PREFIX, as_kept
from daiku.render.host_backup import CREDENTIALS
from daiku.render.hosts import host_bundles
from daiku.wire.sealing import pyrage
from tests.cli.conftest import Daiku, Done
from tests.render.plans import facts

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
CANARY = "c+/anary/of/the/bucket0"
VALUE = f"[default]\naws_access_key_id = AKIAEXAMPLE000000\naws_secret_access_key = {CANARY}\n"
OTHER = VALUE.replace("anary", "another")


@pytest.fixture
def cluster(daiku: Daiku, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("IDENTITY", "RECIPIENTS"):
        monkeypatch.delenv(f"DAIKU_AGE_{name}", raising=False)
    for name in ("FILE", "COMMAND"):
        monkeypatch.delenv(f"DAIKU_PASSPHRASE_{name}", raising=False)
    shutil.copytree(EXAMPLE.parent, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    (tmp_path / "key").write_text(VALUE)
    return tmp_path


def given(cluster: Path) -> Path:
    (place,) = (cluster / ".daiku").glob("*/keys/given")
    return place


def everything(cluster: Path, but: Path) -> bytes:
    """All that lies below the folder, less what the operator brought and the one place of the secret."""
    files = [path for path in cluster.rglob("*") if path.is_file() and path not in (but, cluster / "key")]
    assert len(files) > 3
    return b"".join(path.read_bytes() for path in files)


def test_a_value_is_kept_for_its_owner_alone_and_shown_nowhere(daiku: Daiku, cluster: Path) -> None:
    done = [
        daiku("secret", "set", BACKUP, "--from", "key"),
        daiku("secret", "list"),
        daiku("secret", "list", "--json"),
        daiku("check"),
        daiku("render", "--out", "rendered"),
        daiku("history"),
        daiku("audit", "show", "--json"),
    ]
    assert [one.code for one in done] == [0] * len(done)
    assert not [one for one in done if CANARY in one.out + one.err]
    place = given(cluster) / BACKUP
    assert place.read_bytes() == VALUE.encode().rstrip()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert CANARY.encode() not in everything(cluster, place)
    assert (cluster / f"rendered/hosts/ishikari-cp-1{CREDENTIALS}").read_text() == "@SECRET@\n"
    assert "secret set" in done[-2].out
    (listed,) = (one for one in json.loads(done[2].out) if one["set"])
    assert listed["name"] == BACKUP
    assert listed["set"].endswith("+00:00")


def test_the_hosts_get_it_and_only_by_its_own_name(daiku: Daiku, cluster: Path) -> None:
    daiku("secret", "set", BACKUP, "--from", "key")
    job = open_job(cluster / "cluster.yaml")
    (name,) = {
        f.secret for b in host_bundles(job.plan, facts(job.plan)) for f in b.files if f.path == CREDENTIALS
    }
    assert name == f"{PREFIX}{BACKUP}"
    assert job.secrets().text(name) == as_kept(BACKUP, VALUE.encode())


def test_check_says_in_one_line_what_waits_and_makes_nothing(daiku: Daiku, cluster: Path) -> None:
    line = f"backups of etcd wait for a key to the bucket: daiku secret set {BACKUP} --from FILE"
    assert daiku("check").err.splitlines().count(line) == 1
    assert json.loads(daiku("check", "--json").out)["waiting"][0] == line
    assert not (cluster / ".daiku").exists()
    daiku("secret", "set", BACKUP, "--from", "key")
    assert "backups of etcd wait" not in daiku("check").err
    assert line not in json.loads(daiku("check", "--json").out)["waiting"]


def piped(daiku: Daiku, monkeypatch: pytest.MonkeyPatch, value: str, *arguments: str) -> Done:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(value.encode())))
    return daiku("secret", "set", BACKUP, *arguments)


def test_standard_input_will_do_and_a_new_value_takes_the_old_ones_place(
    daiku: Daiku, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert piped(daiku, monkeypatch, VALUE).code == 0
    assert piped(daiku, monkeypatch, OTHER, "--from", "-").code == 0
    assert [path.name for path in given(cluster).iterdir()] == [BACKUP]
    assert (given(cluster) / BACKUP).read_bytes() == OTHER.encode().rstrip()


def test_sealed_when_the_operator_seals(daiku: Daiku, cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daiku("secret", "set", BACKUP, "--from", "key")
    (cluster / "me.txt").write_text(f"{pyrage.x25519.Identity.generate()}\n")
    monkeypatch.setenv("DAIKU_AGE_IDENTITY", str(cluster / "me.txt"))
    (cluster / "key").write_text(OTHER)
    daiku("secret", "set", BACKUP, "--from", "key")
    (place,) = given(cluster).iterdir()
    assert place.name == f"{BACKUP}.age"
    assert b"another" not in place.read_bytes()
    assert [one["name"] for one in json.loads(daiku("secret", "list", "--json").out) if one["set"]] == [
        BACKUP
    ]
    secrets = open_job(cluster / "cluster.yaml").secrets()
    assert secrets.text(f"{PREFIX}{BACKUP}") == OTHER.encode().rstrip()
    assert daiku("secret", "remove", BACKUP, "--yes").code == 0
    assert list(given(cluster).iterdir()) == []


def test_who_removes_is_asked_and_the_file_leaves_the_bundles(daiku: Daiku, cluster: Path) -> None:
    daiku("secret", "set", BACKUP, "--from", "key")
    assert daiku("secret", "remove", BACKUP).code == 4
    assert open_job(cluster / "cluster.yaml").plan.given_secrets == (BACKUP,)
    assert daiku("secret", "remove", BACKUP, "--yes").code == 0
    assert open_job(cluster / "cluster.yaml").plan.given_secrets == ()
    again = daiku("secret", "remove", BACKUP)
    assert (again.code, again.out) == (0, f"{BACKUP}: was not set: nothing to change\n")


def test_a_bad_value_keeps_the_good_one_and_is_not_repeated(daiku: Daiku, cluster: Path) -> None:
    daiku("secret", "set", BACKUP, "--from", "key")
    (cluster / "key").write_text(f"oops {CANARY}")
    done = daiku("secret", "set", BACKUP, "--from", "key")
    assert done.code == 8
    assert f"error: key: {BACKUP}: not an AWS credentials file" in done.err
    assert "next: " in done.err
    assert CANARY not in done.err + done.out
    assert (given(cluster) / BACKUP).read_bytes() == VALUE.encode().rstrip()


@pytest.mark.parametrize("arguments", [("nobodys",), (BACKUP, VALUE), (BACKUP, "--value", VALUE), ()])
def test_a_wrong_command_line_takes_no_value(daiku: Daiku, cluster: Path, arguments: tuple[str, ...]) -> None:
    assert daiku("secret", "set", *arguments).code == 2
    assert not (cluster / ".daiku").exists()


def test_what_was_not_given_is_never_made_up(daiku: Daiku, cluster: Path) -> None:
    from daiku.errors import StateError

    with pytest.raises(StateError, match="was not given"):
        open_job(cluster / "cluster.yaml").secrets().text(f"{PREFIX}{BACKUP}")
    assert not list((cluster / ".daiku").glob("*/keys/given/*"))


RECEIVERS = f"""\
route: {{receiver: people}}
receivers: [{{name: people, webhook_configs: [{{url: "https://hooks.example.net/{CANARY}"}}]}}]
"""


@pytest.fixture
def receivers(daiku: Daiku, cluster: Path) -> Done:
    """Given, and its file removed as the page says."""
    (cluster / "key").write_text(RECEIVERS)
    done = daiku("secret", "set", ALERTMANAGER, "--from", "key")
    (cluster / "key").unlink()
    return done


def test_what_the_cluster_gets_is_rendered_as_a_mark(daiku: Daiku, cluster: Path, receivers: Done) -> None:
    assert receivers.code == 0
    assert "next: daiku apply --cluster" in receivers.err
    assert "whom" not in daiku("check").err
    assert daiku("render", "--out", "rendered").code == 0
    assert "'@SECRET@'" in (cluster / "rendered/cluster/82-alerts/receivers.yaml").read_text()
    assert CANARY.encode() not in everything(cluster, given(cluster) / ALERTMANAGER)
    job = open_job(cluster / "cluster.yaml")
    assert job.given(ALERTMANAGER) == {"alertmanager.yaml": RECEIVERS.encode()}
    assert daiku("secret", "remove", ALERTMANAGER, "--yes").err == (
        "next: daiku apply --cluster, which removes it where it is\n"
    )
    assert daiku("render", "--out", "rendered").code == 0
    assert not (cluster / "rendered/cluster/82-alerts/receivers.yaml").exists()


@pytest.mark.parametrize("verb", [("up", "--yes"), ("apply",), ("apply", "--cluster")], ids=" ".join)
@pytest.mark.parametrize("how", ["damaged", "gone sealed"])
def test_what_cannot_be_read_stops_a_run_before_anything_is_touched(
    daiku: Daiku, cluster: Path, receivers: Done, verb: tuple[str, ...], how: str
) -> None:
    place = given(cluster) / BACKUP
    (cluster / "key").write_text(VALUE)
    daiku("secret", "set", BACKUP, "--from", "key")
    if how == "damaged":
        (given(cluster) / ALERTMANAGER).write_text(f"cut off {CANARY}")
    else:
        place.rename(place.with_name(f"{BACKUP}.age"))
    runs = len(open_job(cluster / "cluster.yaml").journal().runs())
    done = daiku(*verb)
    assert done.code == 8
    assert (ALERTMANAGER if how == "damaged" else BACKUP) in done.err
    assert CANARY not in done.err + done.out
    assert len(open_job(cluster / "cluster.yaml").journal().runs()) == runs


def test_what_is_too_long_is_refused_and_not_cut_off(daiku: Daiku, cluster: Path) -> None:
    (cluster / "key").write_text(RECEIVERS + "# more\n" * 100_000)
    done = daiku("secret", "set", ALERTMANAGER, "--from", "key")
    assert done.code == 8
    assert "longer than" in done.err
    assert not list((cluster / ".daiku").glob("*/keys/given/*"))


def test_what_to_do_next_is_a_command_line_for_this_file(daiku: Daiku, cluster: Path) -> None:
    (cluster / "cluster.yaml").rename(cluster / "other.yaml")
    done = daiku("secret", "set", BACKUP, "--from", "key", "-f", "other.yaml")
    assert "next: daiku apply -f other.yaml, which" in done.err
    text = (cluster / "other.yaml").read_text()
    (cluster / "other.yaml").write_text(re.sub(r"(?m)^aws:\n(?:[ #].*\n)*", "", text))
    done = daiku("secret", "set", BACKUP, "--from", "key", "-f", "other.yaml")
    assert (done.code, "nothing of the cluster file takes it" in done.err) == (0, True), done.err
