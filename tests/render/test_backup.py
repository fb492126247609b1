"""Snapshots of etcd: taken, checked, stored, in this order or not at all; the bucket's key is nobody's argument."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.plan.given import BACKUP, PREFIX, as_kept, waiting, with_given
from daiku.render.bundle import SECRET_MARK, HostBundle
from daiku.render.host_backup import CREDENTIALS, calendar
from daiku.render.host_kubernetes import ENCRYPTION, ENCRYPTION_FILE, ENCRYPTION_KEY, KUBEADM
from daiku.render.hosts import host_bundles
from tests.render.plans import example, facts, plan

PLAN = plan()
BUNDLES = {bundle.host: bundle for bundle in host_bundles(PLAN, facts(PLAN))}
FIRST = "ishikari-cp-1"
KEY = b"[default]\naws_access_key_id = AKIAEXAMPLE000000\naws_secret_access_key = not/a+real/key0000\n"
TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
  "etcdctl "*"snapshot save "*) for last in "$@"; do :; done; echo snapshot > "$last" ;;
  "etcdutl snapshot status "*) exit "${STATUS:-0}" ;;
  curl*) cat >> "$CALLS"; exit "${CURL:-0}" ;;
esac
"""


def paths(bundle: HostBundle) -> set[str]:
    return {file.path for file in bundle.files}


def run(folder: Path, credentials: bytes = KEY, /, **environment: str) -> tuple[int, list[str]]:
    """The script on a machine whose directories are below `folder`, with tools that note how they are called."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("etcdctl", "etcdutl", "curl"):
        (tools / name).write_text(TOOL)
        (tools / name).chmod(0o755)
    (folder / "etcd").mkdir(exist_ok=True)
    text = BUNDLES[FIRST].file("/usr/local/lib/daiku/etcd-backup").content.decode()
    for real, here in (
        ("/var/lib/etcd/", f"{folder}/etcd/"),
        ("/var/lib/daiku/", f"{folder}/"),
        ("/etc/daiku/backup/", f"{folder}/"),
    ):
        assert real in text
        text = text.replace(real, here)
    if credentials:
        (folder / "credentials").write_bytes(credentials)
    calls = folder / "calls"
    calls.write_text("")
    done = subprocess.run(
        ["sh", "-c", text],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(calls)} | environment,
    )
    return done.returncode, calls.read_text().splitlines()


def test_a_snapshot_is_checked_before_it_is_stored(tmp_path: Path) -> None:
    code, calls = run(tmp_path)
    assert code == 0
    assert [call.split()[0] for call in calls[:3]] == ["etcdctl", "etcdutl", "curl"]
    (kept,) = (tmp_path / "snapshots").glob("*.db")
    assert (
        f"https://ishikari-etcd-123456789012.s3.ap-northeast-1.amazonaws.com/etcd/{FIRST}/{kept.name}"
        in calls[2]
    )
    assert "x-amz-content-sha256: " in calls[2]
    assert "daiku_etcd_snapshot_timestamp_seconds" in (tmp_path / "metrics/etcd-snapshot.prom").read_text()
    assert not (tmp_path / "etcd/daiku-snapshot.db").exists()
    assert kept.stat().st_mode & 0o077 == 0


def test_curl_gets_the_buckets_key_by_its_input_and_not_by_arguments(tmp_path: Path) -> None:
    _, calls = run(tmp_path, as_kept(BACKUP, KEY) + b"\n")
    arguments, given = calls[2], calls[3:]
    assert "--config - " in arguments
    assert "not/a+real" not in arguments
    assert given == ['user = "AKIAEXAMPLE000000:not/a+real/key0000"']


def test_the_key_is_on_control_planes_once_it_was_given() -> None:
    assert not [f for bundle in BUNDLES.values() for f in bundle.files if f.path == CREDENTIALS]
    made = with_given(PLAN, [BACKUP])
    holders = {
        b.host: b.file(CREDENTIALS) for b in host_bundles(made, facts(made)) if CREDENTIALS in paths(b)
    }
    assert holders.keys() == {node.name for node in PLAN.by_role("control-plane")}
    for file in holders.values():
        assert (file.content, file.mode, file.secret) == (SECRET_MARK + b"\n", 0o600, f"{PREFIX}{BACKUP}")


def test_what_waits_is_told_with_the_command_until_it_is_given() -> None:
    (line,) = (line for line in waiting(PLAN) if "backups of etcd wait" in line)
    assert line.endswith(f"daiku secret set {BACKUP} --from FILE")
    for made in (with_given(PLAN, [BACKUP]), plan(aws=None)):
        assert not [line for line in waiting(made) if "backups" in line]


PROFILE = KEY.decode()


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("", "not an AWS credentials file"),
        ('user = "AKIA:canary"', "not an AWS credentials file"),
        ("\xff\xfe", "not an AWS credentials file"),
        (PROFILE.replace("default", "other"), "not an AWS credentials file"),
        (PROFILE + "aws_secret_access_key = canary\n", "not an AWS credentials file"),
        (PROFILE + "aws_session_token = canary\n", "session token"),
        (PROFILE.replace("not/a+real", 'canary"\\'), "does not look like one"),
        (PROFILE.replace("not/a+real", "$(canary) "), "does not look like one"),
    ],
)
def test_what_is_no_key_is_refused_in_words_that_do_not_hold_it(value: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refused:
        as_kept(BACKUP, value.encode("latin-1"))
    assert "canary" not in str(refused.value)


def test_other_profiles_and_comments_do_not_travel() -> None:
    more = PROFILE + "region = x\n# mine\n[other]\naws_secret_access_key = canary\n"
    assert as_kept(BACKUP, more.encode()) == KEY.rstrip()


@pytest.mark.parametrize("broken", [{"STATUS": "1"}, {"CURL": "22"}])
def test_what_fails_is_not_told_as_done(tmp_path: Path, broken: dict[str, str]) -> None:
    code, calls = run(tmp_path, **broken)
    assert code != 0
    assert not (tmp_path / "metrics/etcd-snapshot.prom").exists()
    if "STATUS" in broken:
        assert not [call for call in calls if call.startswith("curl")]


def test_without_a_key_nothing_is_tried(tmp_path: Path) -> None:
    code, calls = run(tmp_path, b"")
    assert (code, calls) == (1, [])


def test_a_machine_keeps_its_last_snapshots_only(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    for day in range(1, 8):
        (tmp_path / f"snapshots/2026010{day}T000000Z.db").write_text("old")
    assert run(tmp_path)[0] == 0
    kept = sorted(path.name for path in (tmp_path / "snapshots").glob("*.db"))
    assert len(kept) == 4
    assert kept[:3] == [f"2026010{day}T000000Z.db" for day in (5, 6, 7)]


def test_the_disk_does_not_fill_while_the_bucket_is_away(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    for day in range(1, 8):
        (tmp_path / f"snapshots/2026010{day}T000000Z.db").write_text("old")
    assert run(tmp_path, CURL="22")[0] != 0
    assert len(list((tmp_path / "snapshots").glob("*.db"))) == 4


def test_a_snapshot_that_hangs_is_ended_after_the_uploads_own_limits() -> None:
    unit = BUNDLES[FIRST].file("/etc/systemd/system/daiku-etcd-backup.service").content.decode()
    (minutes,) = re.findall(r"^TimeoutStartSec=(\d+)min$", unit, re.MULTILINE)
    script = BUNDLES[FIRST].file("/usr/local/lib/daiku/etcd-backup").content.decode()
    (tries,), (seconds,) = re.findall(r"--retry (\d+)", script), re.findall(r"--max-time (\d+)", script)
    assert int(minutes) * 60 > (int(tries) + 1) * int(seconds)


def test_control_planes_take_turns() -> None:
    times = [calendar(PLAN, node) for node in PLAN.by_role("control-plane")]
    assert times == [f"*-*-* 00,06,12,18:{minute}:00" for minute in (10, 20, 30)]
    hourly = PLAN.model_copy(update={"snapshot_hours": 1})
    assert calendar(hourly, PLAN.node(FIRST)) == "*-*-* *:10:00"


def test_without_a_bucket_there_is_no_backup_and_certificates_are_still_watched() -> None:
    bare = plan(aws=None)
    found = paths(host_bundles(bare, facts(bare))[0])
    assert not [path for path in found if "etcd-backup" in path]
    assert "/usr/local/lib/daiku/certificate-expiry" in found


# Encryption
# ----------------------------------------------------------------------------------------------------------


def init(**kubernetes: Any) -> dict[str, Any]:
    made = plan(kubernetes=example().get("kubernetes", {}) | kubernetes)
    bundle = next(b for b in host_bundles(made, facts(made)) if b.host == FIRST)
    return next(iter(yaml.safe_load_all(bundle.file(f"{KUBEADM}/init.yaml").content)))


def test_every_api_server_encrypts_with_one_key_that_no_tree_holds() -> None:
    files = [BUNDLES[n.name].file(ENCRYPTION_FILE) for n in PLAN.by_role("control-plane")]
    assert len(files) == 3
    assert len({f.content for f in files}) == 1
    for file in files:
        assert (file.mode, file.secret) == (0o600, ENCRYPTION_KEY)
        assert file.content.count(SECRET_MARK) == 1
    given = yaml.safe_load(files[0].content.replace(SECRET_MARK, base64.b64encode(bytes(32))))
    (what,) = given["resources"]
    assert what["resources"] == ["secrets"]
    first, last = what["providers"]
    (key,) = first["secretbox"]["keys"]
    assert len(base64.b64decode(key["secret"])) == 32
    assert last == {"identity": {}}


def test_the_api_server_finds_the_file_at_the_same_path_inside() -> None:
    server = init()["apiServer"]
    arguments = {a["name"]: a["value"] for a in server["extraArgs"]}
    assert arguments["encryption-provider-config"] == ENCRYPTION_FILE
    (volume,) = server["extraVolumes"]
    assert (volume["hostPath"], volume["mountPath"], volume["readOnly"]) == (ENCRYPTION, ENCRYPTION, True)


def test_encryption_can_be_turned_off() -> None:
    assert "extraArgs" not in init(etcd={"encryption": "none"})["apiServer"]
    made = plan(kubernetes={"etcd": {"encryption": "none"}})
    assert not [f for b in host_bundles(made, facts(made)) for f in b.files if f.secret]


def test_kubeadm_pulls_from_the_clusters_registry() -> None:
    made = plan(registries=[{"source": "kubernetes", "at": "mirror.example:5000/k8s"}])
    bundle = next(b for b in host_bundles(made, facts(made)) if b.host == FIRST)
    cluster = next(iter(yaml.safe_load_all(bundle.file(f"{KUBEADM}/init.yaml").content)))
    assert cluster["imageRepository"] == "mirror.example:5000/k8s"
    assert cluster["dns"]["imageRepository"] == "mirror.example:5000/k8s/coredns"
    assert b"mirror.example:5000/k8s/pause:3.10.2" in bundle.file("/etc/containerd/config.toml").content
    assert "imageRepository" not in init()
