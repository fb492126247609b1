"""200 secrets are planted, the whole life of a cluster is lived, and every byte that the tool wrote is searched."""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from daiku.lab.hosts import supports_namespaces
from daiku.plan.facts import Facts
from daiku.plan.given import ALERTMANAGER, BACKUP, with_given
from daiku.plan.make import make
from daiku.render.host_backup import CREDENTIALS
from daiku.render.hosts import host_bundles
from daiku.spec.load import load
from tests.canaries.needles import Needles, Watch
from tests.main_job.kit import PUBLIC, Rehearsal

pytestmark = [
    pytest.mark.lab,
    pytest.mark.engine,
    pytest.mark.timeout(1800),
    pytest.mark.allow_hosts(["127.0.0.1", PUBLIC]),
]
PORT = 25026
USERS = 40
DISK = "/etc /home /opt /root /run /srv /tmp /var"
"""All of a lab host that is its own."""
PRIVATE_FILES = {
    "ishikari-cp-1": ("/etc/daiku/kubeadm/init.yaml", "/etc/netplan/50-daiku.yaml"),
    "ishikari-mgmt-1": ("/etc/daiku/kubeadm/join.yaml", "/etc/netplan/50-daiku.yaml"),
    "ishikari-h100-002": ("/etc/daiku/kubeadm/join.yaml", "/etc/netplan/50-daiku.yaml"),
}


def canary(length: int = 24) -> str:
    """A secret with characters that every encoding changes."""
    return f"c+/{secrets.token_urlsafe(length)}=&"


@dataclass
class Life:
    """What was planted and what came out."""

    lab: Rehearsal
    planted: dict[str, str] = field(default_factory=dict[str, str])
    said: dict[str, bytes] = field(default_factory=dict[str, bytes])
    watch: Watch | None = None

    def run(self, *arguments: str, code: int = 0) -> None:
        done = self.lab.run(*arguments)
        self.said[f"{len(self.said)} daiku {' '.join(arguments)}"] = (done.out + done.err).encode()
        assert done.code == code, f"daiku {' '.join(arguments)}: {done.code}\n{done.out}\n{done.err}"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    folder = tmp_path_factory.mktemp("secrets")
    lab = Rehearsal.prepare(folder, PORT)
    try:
        lab.ok("lab", "up", "--scale", "3000", "--spares", "0")
        lived = Life(lab)
        _plant_in_the_environment(lived)
        temporary = folder / "tmp"
        temporary.mkdir()
        lab.environ["TMPDIR"] = str(temporary)
        with Watch(temporary) as lived.watch:
            _live(lived)
        yield lived
    finally:
        lab.run("lab", "down")


def _plant_in_the_environment(life: Life) -> None:
    client = life.lab.client
    life.planted |= {
        "Sakura's secret": client["SAKURACLOUD_ACCESS_TOKEN_SECRET"],
        "connect secret": client["DAIKU_AWS_CONNECT_SECRET"],
    }
    for number in range(120):
        name = f"OPERATORS_{('TOKEN', 'PASSWORD', 'SECRET', 'API_KEY')[number % 4]}_{number}"
        life.planted[name] = life.lab.environ[name] = canary()


def _live(life: Life) -> None:
    life.run("check")
    _give(life)
    life.run("--lab", "plan", "--out", "first.json")
    life.run("--lab", "up", "--yes", "--plan", "first.json")
    private = (life.lab.state / "keys" / "deploy").read_text()
    for number, line in enumerate(private.splitlines()[1:-1]):
        if len(line) > 40 and "AAAA" not in line[:30]:
            life.planted[f"deploy key {number}"] = line
    life.planted["passphrase"] = (life.lab.state / "passphrase").read_text().strip()
    for place in sorted((life.lab.state / "keys" / "secrets").glob("*")):
        life.planted[f"secret {place.name}"] = base64.b64encode(place.read_bytes()).decode()
    _plant_in_the_router(life)
    _plant_on_the_hosts(life)
    life.run("--lab", "diff")
    life.run("--lab", "plan", "--out", "second.json")
    life.run("--lab", "plan", "--json")
    life.run("--lab", "status")
    life.run("--lab", "status", "--json")
    life.run("--lab", "up", "--yes", "--plan", "first.json", code=5)
    life.run("--lab", "up", "--yes", "--plan", "second.json")
    life.run("--lab", "render", "--out", "rendered")
    life.run("--lab", "history", "show", "last")
    life.run("--lab", "audit", "show", "--json")
    # Failures are told at length, and that is where secrets slip out.
    life.planted["wrong secret"] = canary()
    life.lab.environ |= life.lab.client
    for name in ("SAKURA_ACCESS_TOKEN_SECRET", "SAKURACLOUD_ACCESS_TOKEN_SECRET"):
        life.lab.environ[name] = life.planted["wrong secret"]
    life.run("plan", code=10)


def _give(life: Life) -> None:
    """The key to the bucket and Alertmanager's configuration, as an operator gives them."""
    key = life.planted["secret given"] = canary().rstrip("&")
    source = life.lab.folder / "key"
    source.write_text(f"[default]\naws_access_key_id = AKIAEXAMPLE000000\naws_secret_access_key = {key}\n")
    life.run("--lab", "secret", "set", BACKUP, "--from", "key")
    hook = life.planted["receivers given"] = canary()
    source.write_text(
        f'route: {{receiver: a}}\nreceivers: [{{name: a, webhook_configs: [{{url: "https://b/{hook}"}}]}}]\n'
    )
    life.run("--lab", "secret", "set", ALERTMANAGER, "--from", "key")
    source.unlink()
    life.run("--lab", "secret", "list")


def _plant_in_the_router(life: Life) -> None:
    """By hand, behind daiku's back: passwords and keys that the API gives to whoever may read the router."""

    def planted(name: str, length: int) -> str:
        life.planted[name] = secrets.token_hex(length)
        return life.planted[name]

    (router,) = (item for item in life.lab.listed("appliance") if item["Class"] == "vpcrouter")
    settings: dict[str, Any] = router["Settings"]
    settings["Router"] |= {
        "RemoteAccessUsers": {
            "Enabled": "True",
            "Config": [
                {"UserName": f"user{n}", "Password": planted(f"password of user {n}", 9)}
                for n in range(USERS)
            ],
        },
        "L2TPIPsecServer": {
            "Enabled": "True",
            "Config": {
                "RangeStart": "10.10.9.10",
                "RangeStop": "10.10.9.20",
                "PreSharedSecret": planted("pre-shared secret of L2TP", 12),
            },
        },
        "SiteToSiteIPsecVPN": {
            **settings["Router"]["SiteToSiteIPsecVPN"],
            "Enabled": "True",
            "Config": [
                {
                    "Peer": f"203.0.113.{n}",
                    "PreSharedSecret": planted(f"pre-shared secret of peer {n}", 12),
                    "RemoteID": f"203.0.113.{n}",
                    "Routes": [f"192.0.{n}.0/24"],
                    "LocalPrefix": ["10.10.0.0/20"],
                }
                for n in range(1, 5)
            ],
        },
    }
    place = f"appliance/{router['ID']}"
    life.lab.cloud("PUT", place, {"Appliance": {"Settings": settings}})
    life.lab.cloud("PUT", f"{place}/config", {})


def _plant_on_the_hosts(life: Life) -> None:
    """In private files that daiku manages: their old content must not come back in a diff."""
    for host, paths in PRIVATE_FILES.items():
        for path in paths:
            for number in range(6):
                name = f"{host}:{path} {number}"
                life.planted[name] = canary()
                life.lab.on(host, f"printf '# %s\\n' '{life.planted[name]}' >> {path}")


def test_two_hundred_were_planted(life: Life) -> None:
    assert len(life.planted) >= 200
    assert len(set(life.planted.values())) == len(life.planted)


def test_nothing_was_said(life: Life) -> None:
    needles = Needles(life.planted)
    assert {what: found for what, data in life.said.items() if (found := needles.found(data))} == {}
    said = b"".join(life.said.values())
    assert b"RemoteAccessUsers" in said or b"l2tp" in said, "the plan did not even see the router's drift"


def test_nothing_stood_in_arguments_or_temporary_files(life: Life) -> None:
    assert life.watch is not None
    assert life.watch.looks > 100
    assert any(b"pulumi" in line for line in life.watch.seen)
    needles = Needles(life.planted)
    assert [found for line in life.watch.seen if (found := needles.found(line))] == []
    assert {place: found for place, data in life.watch.files.items() if (found := needles.found(data))} == {}


def test_nothing_was_written_but_the_key_and_the_passphrase_in_their_places(life: Life) -> None:
    needles = Needles(life.planted)
    state = life.lab.state
    # The lab's own files hold its keys, as the account's control panel would; they are not daiku's state.
    own = {life.lab.folder / "lab" / name for name in ("config.json", "lab.json")}
    found = dict(needles.below(life.lab.folder))
    found = {path: names for path, names in found.items() if path not in own}
    assert (
        b"alertmanager-config" in (life.lab.folder / "rendered/cluster/82-alerts/receivers.yaml").read_bytes()
    )
    allowed = {
        state / "keys" / "deploy": "deploy key",
        state / "keys" / "given" / BACKUP: "secret given",
        state / "keys" / "given" / ALERTMANAGER: "receivers given",
        state / "passphrase": "passphrase",
    }
    for path, kind in allowed.items():
        names = found.pop(path)
        assert all(name.startswith(kind) for name in names)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert found == {}
    assert len([p for p in state.rglob("*") if p.is_file()]) > 10


def test_on_the_hosts_secrets_stand_where_they_belong(life: Life) -> None:
    """What the hosts' disks hold: the cluster's secrets in the files made for them, and our former content of private
    files, which only root may read."""
    needles = Needles(life.planted)
    plan = with_given(make(load(life.lab.file)), [ALERTMANAGER, BACKUP])
    facts = Facts.model_validate_json((life.lab.state / "facts.json").read_text())
    bundles = {bundle.host: bundle for bundle in host_bundles(plan, facts)}
    # The needles come by standard input, so that the search leaves none of them behind.
    search = f"grep -rlsF -f - {DISK} <<'NEEDLES' || test $? -le 2\n{needles.lines()}NEEDLES\n"
    seen, delivered = 0, set[str]()
    for node in facts.nodes:
        secret = {file.path for file in bundles[node.name].files if file.secret}
        ours = PRIVATE_FILES.get(node.name, ())
        kept = {f"/var/lib/daiku/previous/{path.replace('/', '%2F')}": path for path in ours}
        for path in life.lab.on(node.name, search).splitlines():
            rights = life.lab.on(node.name, f"stat -c '%a %U' '{path}'").strip()
            found = needles.found(base64.b64decode(life.lab.on(node.name, f"base64 '{path}'")))
            assert rights == "600 root", (node.name, path, rights)
            names = (f"{node.name}:{kept[path]} ",) if path in kept else ("secret ",)
            assert path in kept or path in secret, (node.name, path, found)
            assert all(name.startswith(names) for name in found), (node.name, path, found)
            seen += 1
            delivered |= {node.name} if path == CREDENTIALS else set()
    assert delivered == {node.name for node in plan.by_role("control-plane")}
    assert seen >= sum(map(len, PRIVATE_FILES.values())), "the search found not even what must be there"


def test_nothing_is_open_to_others(life: Life) -> None:
    state = life.lab.state
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for name in ("first.json", "second.json"):
        assert stat.S_IMODE((life.lab.folder / name).stat().st_mode) == 0o600
    owners = {path.stat().st_uid for path in state.rglob("*")}
    assert owners == {os.getuid()}
