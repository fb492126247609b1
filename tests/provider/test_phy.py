"""PHY servers and their ports: adoption, installation through crashes, the local address, release."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.errors import ConflictError, DaikuError, DeadlineError, HostUnreachableError, StateError
from daiku.lab.sakura.phy.models import PhyServer as Row
from daiku.provider import phy_host
from daiku.provider.context import Context, SshSettings
from daiku.provider.fields import Change
from daiku.provider.handler import IncompleteError
from daiku.provider.phy_flow import Intent, Step, read_intent, token_of, write_intent
from daiku.provider.phy_install import find_image
from daiku.provider.resources.phy_network import PhyNetworkHandler
from daiku.provider.resources.phy_server import PhyServerHandler
from daiku.wire import ssh
from daiku.wire.ssh import Session
from daiku.wire.ssh_types import Endpoint
from tests.provider.conftest import GPU_A, GPU_B, NODE_NETWORK, Lab
from tests.provider.play import Play, without
from tests.ssh.server import Sshd, key_text, make_key

INSTALLS = "/os_install/"


@dataclass
class Machines:
    """What is behind the addresses: an SSH server whose keys are those of the last installation."""

    lab: Lab
    root: Path
    key_file: Path
    public: str
    home: Path
    sshd: Sshd | None = None
    generation: int = -1
    delivered: int = 0
    logins: list[Endpoint] = field(default_factory=list[Endpoint])

    def row(self, server_id: str = GPU_A) -> Row:
        row = self.lab.world.find(Row, int(server_id))
        assert row is not None
        return row

    def endpoint(self, asked: Endpoint) -> Endpoint:
        """Where packets to that address end: nowhere while it is off, locked or sealed."""
        row = self.row()
        sealed = not any(port.enabled and port.internet for port in row.ports)
        if asked.host != "198.51.100.11" or row.power != "on" or row.lock or not row.installed or sealed:
            raise HostUnreachableError("no route", host=asked.host)
        if row.installed.generation != self.generation:
            self.generation = row.installed.generation
            self.close()
            self.home.mkdir(parents=True, exist_ok=True)
            keys = self.home / ".ssh" / "authorized_keys"
            keys.parent.mkdir(exist_ok=True)
            keys.write_text("\n".join(row.installed.authorized_keys) + "\n")
            known = {" ".join(line.split()[:2]) for line in row.installed.authorized_keys}
            tools = self.root / "bin"
            tools.mkdir(exist_ok=True)
            (tools / "netplan").write_text(f'#!/bin/sh\necho "$@" >> {self.root}/netplan.log\n')
            (tools / "netplan").chmod(0o755)
            env = {"HOME": str(self.home), "PATH": f"{tools}:{os.environ['PATH']}"}
            self.sshd = Sshd(make_key(self.root / f"host-{self.generation}"), known, env)
        assert self.sshd is not None
        self.logins.append(asked)
        return self.sshd.endpoint(asked.user)

    def close(self) -> None:
        if self.sshd is not None:
            self.sshd.close()

    def context(self, **more: Any) -> Context:
        ctx = self.lab.context()
        ctx.ssh = SshSettings(key_file=self.key_file, **more)
        return ctx

    def orders(self) -> int:
        """Installations that were really begun."""
        return self.row().generation - self.delivered


@pytest.fixture
def machines(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    key_file = tmp_path / "deploy"
    public = key_text(make_key(key_file))
    found = Machines(lab, tmp_path, key_file, public, tmp_path / "home")
    real = ssh.connect

    def connect(name: str, endpoint: Endpoint, **options: Any) -> Session:
        """The network between us and the machines; everything after it is real SSH."""
        return real(name, found.endpoint(endpoint), **options)

    monkeypatch.setattr(ssh, "connect", connect)
    monkeypatch.setattr(phy_host, "NETPLAN", str(tmp_path / "50-daiku.yaml"))
    yield found
    found.close()


def inputs(machines: Machines, **more: Any) -> dict[str, Any]:
    return {
        "serverId": GPU_A,
        "install": {"image": "ubuntu-24.04", "sshPublicKeys": [f"{machines.public} ops@here"]},
        **more,
    }


LOCAL = {"address": "10.10.0.21/24", "interface": "eno2", "gateway": "10.10.0.1", "nameservers": ["1.1.1.1"]}


def test_a_server_is_adopted_and_left_as_it_was(lab: Lab) -> None:
    play = Play(PhyServerHandler(), lab.context())
    play.up({"serverId": GPU_B})
    assert play.id == GPU_B
    assert play.state["ipAddress"] == "198.51.100.12"
    assert play.state["incarnation"] == ""
    assert play.imported() == play.state
    before = len(lab.calls(writes=True))
    play.handler.delete(play.ctx, play.id, play.state)
    assert len(lab.calls(writes=True)) == before


def test_an_unknown_server_is_refused_in_the_apis_words(lab: Lab) -> None:
    with pytest.raises(DaikuError):
        Play(PhyServerHandler(), lab.context()).up({"serverId": "113000000999"})


def test_an_installation_without_ssh(machines: Machines) -> None:
    ctx = machines.lab.context()
    play = Play(PhyServerHandler(), ctx)
    play.up(inputs(machines))
    assert machines.orders() == 1
    assert play.state["incarnation"]
    assert play.state["installedAt"].startswith("2026-11-01T00:4")
    text, intent = read_intent(ctx.phy.server(GPU_A).service.description)
    assert text == "rack 3, left"
    assert intent is not None
    assert intent.step is Step.DONE
    play.up(inputs(machines))
    assert machines.orders() == 1


def test_an_installation_that_is_looked_at_from_inside(machines: Machines) -> None:
    play = Play(PhyServerHandler(), machines.context())
    play.up(inputs(machines, localAddress=LOCAL))
    assert machines.sshd is not None
    assert play.state["hostKey"] == key_text(machines.sshd.host_key)
    document = yaml.safe_load((machines.root / "50-daiku.yaml").read_text())
    assert document["network"]["ethernets"]["eno2"]["addresses"] == ["10.10.0.21/24"]
    assert (machines.root / "50-daiku.yaml").stat().st_mode & 0o077 == 0
    assert (machines.root / "netplan.log").read_text() == "apply\n"
    logins = len(machines.logins)
    play.up(inputs(machines, localAddress=LOCAL))
    assert len(machines.logins) == logins, "an unchanged server is not logged in to"
    imported = without(play.imported(), "install", "localAddress")
    assert imported == without(play.state, "install", "localAddress")


def test_another_generation_wipes_and_says_so(machines: Machines) -> None:
    play = Play(PhyServerHandler(), machines.context())
    play.up(inputs(machines, localAddress=LOCAL))
    first = play.state
    again = inputs(machines, localAddress=LOCAL)
    again["install"] = {**again["install"], "generation": 2}
    difference = play.plan(again)
    assert difference.gravest is Change.REINSTALL
    assert "wipes" in str(difference.changes[0])
    play.up(again)
    assert machines.orders() == 2
    assert play.state["incarnation"] != first["incarnation"]
    assert play.state["hostKey"] != first["hostKey"]


def test_other_keys_do_not_reinstall(machines: Machines) -> None:
    play = Play(PhyServerHandler(), machines.context())
    play.up(inputs(machines))
    more = inputs(machines)
    more["install"] = {
        **more["install"],
        "sshPublicKeys": [*more["install"]["sshPublicKeys"], "ssh-ed25519 AAAA x"],
    }
    assert play.up(more).gravest is Change.LIVE
    assert play.plan({"serverId": GPU_A}).gravest is Change.LIVE
    assert machines.orders() == 1


@pytest.fixture
def running(machines: Machines) -> Machines:
    """The first server with an OS that our key opens, installed by somebody else."""
    from daiku.lab.sakura.phy.models import PhyInstalled

    row = machines.row()
    machines.delivered = row.generation = 1
    row.power = "on"
    row.installed = PhyInstalled(
        image="ubuntu2204", login="ubuntu", generation=1, authorized_keys=[machines.public]
    )
    return machines


@pytest.mark.parametrize("n", range(3))
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("killed", [False, True])
def test_a_crash_neither_installs_twice_nor_forgets(
    running: Machines, n: int, after: bool, killed: bool
) -> None:
    """The n-th write (intent, order, mark) is the last; before or after the API did it. A kill loses the state."""
    wanted = inputs(running, localAddress=LOCAL)
    if n:
        running.lab.world.faults.add(r"^(POST|PATCH) ", "slow", times=n, seconds=0.0)
    running.lab.world.faults.add(r"^(POST|PATCH) ", "eof", after=after)
    with pytest.raises(IncompleteError):
        (first := Play(PhyServerHandler(), running.context())).up(wanted)
    running.lab.world.faults.clear()
    again = Play(PhyServerHandler(), running.context())
    if not killed:
        again.id, again.state, again.broken = first.id, first.state, True
    again.up(wanted)
    assert running.orders() == 1
    assert again.state["incarnation"]


def test_a_bare_machine_whose_order_was_lost_is_asked_about(machines: Machines) -> None:
    """Nothing inside can tell, so nothing is wiped on a guess."""
    machines.lab.world.faults.add(INSTALLS, "eof")
    with pytest.raises(IncompleteError):
        Play(PhyServerHandler(), machines.lab.context()).up(inputs(machines))
    play = Play(PhyServerHandler(), machines.lab.context())
    with pytest.raises(IncompleteError, match="cannot be known") as caught:
        play.up(inputs(machines))
    assert "generation" in caught.value.hint
    assert machines.orders() == 0


def test_a_host_that_stays_silent_ends_the_wait_and_is_not_ordered_again(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Machines, "endpoint", lambda self, asked: (_ for _ in ()).throw(HostUnreachableError("x", host="h"))
    )
    with pytest.raises(IncompleteError, match="does not answer SSH") as caught:
        Play(PhyServerHandler(), machines.context()).up(inputs(machines))
    assert isinstance(caught.value.__cause__, DeadlineError)
    assert machines.orders() == 1


def test_the_vendors_lock_stops_everything(machines: Machines) -> None:
    machines.row().lock = "administrative_lock"
    with pytest.raises(IncompleteError) as caught:
        Play(PhyServerHandler(), machines.context()).up(inputs(machines))
    assert isinstance(caught.value.__cause__, ConflictError)
    assert machines.lab.calls(writes=True) == []


def test_a_key_that_would_not_be_installed_is_told_before_anything_is_wiped(
    machines: Machines, tmp_path: Path
) -> None:
    other = key_text(make_key(tmp_path / "other"))
    wanted = inputs(machines)
    wanted["install"] = {**wanted["install"], "sshPublicKeys": [other]}
    with pytest.raises(IncompleteError, match="sshPublicKeys") as caught:
        Play(PhyServerHandler(), machines.context()).up(wanted)
    assert isinstance(caught.value.__cause__, StateError)
    assert machines.lab.calls(writes=True) == []


def test_an_intent_that_a_person_wiped_out_does_not_wipe_the_server(machines: Machines) -> None:
    play = Play(PhyServerHandler(), machines.context())
    play.up(inputs(machines))
    machines.lab.context().phy.rename_service(GPU_A, "gpu-1", "cleaned up")
    machines.lab.clock.advance(60)
    play.refresh()
    assert play.state["incarnation"]
    play.up(inputs(machines, nickname="node-1"))
    assert machines.orders() == 1


@pytest.mark.parametrize("policy", ["keep", "power-off", "detach", "reinstall"])
def test_release_is_never_destruction(machines: Machines, policy: str) -> None:
    ctx = machines.lab.context()
    play = Play(PhyServerHandler(), ctx)
    play.up(inputs(machines, releasePolicy=policy, nickname="node-1"))
    play.handler.delete(play.ctx, play.id, play.state)
    server = ctx.phy.server(GPU_A)
    assert server.service.description == "rack 3, left"
    row = machines.row()
    assert row.power == ("on" if policy == "keep" else "off")
    assert any(port.enabled for port in row.ports) == (policy != "detach")
    assert machines.orders() == (2 if policy == "reinstall" else 1)


def test_a_server_whose_first_installation_never_began_can_be_wiped(machines: Machines) -> None:
    """What a creation did not finish is not in the state: the image neither."""
    play = Play(PhyServerHandler(), machines.lab.context())
    machines.lab.world.faults.add("^PATCH ", "404", times=None)
    with pytest.raises(IncompleteError):
        play.up(inputs(machines, releasePolicy="reinstall"))
    machines.lab.world.faults.clear()
    assert "install" not in play.state
    play.handler.delete(machines.lab.context(), play.id, play.state)
    assert machines.orders() == 1
    assert machines.row().power == "off"


def test_images_are_found_by_id_and_by_name(lab: Lab) -> None:
    ctx = lab.context()
    for wanted in ("ubuntu2404", "ubuntu-24.04", "Ubuntu Server 24.04 LTS (64bit)"):
        assert find_image(ctx, GPU_A, wanted).os_image_id == "ubuntu2404"
    with pytest.raises(DaikuError) as caught:
        find_image(ctx, GPU_A, "plan9")
    assert "ubuntu2404" in caught.value.hint


NETWORK = {
    "serverId": GPU_A,
    "port": "private",
    "privateNetworkIds": [NODE_NETWORK],
    "disablePorts": ["public"],
}


def ports(lab: Lab) -> list[tuple[str | None, list[str], bool]]:
    row = lab.world.find(Row, int(GPU_A))
    assert row is not None
    return [(port.internet, port.private_networks, port.enabled) for port in row.ports]


def test_a_port_is_wired_another_sealed_and_both_restored(lab: Lab) -> None:
    before = ports(lab)
    play = Play(PhyNetworkHandler(), lab.context())
    play.up(NETWORK)
    assert ports(lab) == [("common_subnet", [], False), (None, [NODE_NETWORK], True)]
    assert play.state["portId"]
    writes = len(lab.calls(writes=True))
    play.up(NETWORK)
    assert len(lab.calls(writes=True)) == writes
    play.handler.delete(play.ctx, play.id, play.state)
    assert ports(lab) == before
    play.handler.delete(play.ctx, play.id, play.state)


def test_a_port_opened_outside_is_sealed_again(lab: Lab) -> None:
    play = Play(PhyNetworkHandler(), lab.context())
    play.up(NETWORK)
    port = next(p for p in play.ctx.phy.server(GPU_A).ports if p.nickname == "public")
    lab.context().phy.enable_port(GPU_A, port.port_id, True)
    lab.clock.advance(60)
    play.refresh()
    assert [c.path for c in play.plan(NETWORK).changes] == ["disablePorts"]
    play.up(NETWORK)


def test_a_new_incarnation_seals_again(machines: Machines) -> None:
    server, network = (
        Play(PhyServerHandler(), machines.context()),
        Play(PhyNetworkHandler(), machines.context()),
    )
    server.up(inputs(machines, localAddress=LOCAL))
    network.up({**NETWORK, "incarnation": server.state["incarnation"]})
    assert [enabled for _, _, enabled in ports(machines.lab)] == [False, True]
    again = inputs(machines, localAddress=LOCAL)
    again["install"] = {**again["install"], "generation": 2}
    server.up(again)
    assert [enabled for _, _, enabled in ports(machines.lab)] == [True, True]
    network.up({**NETWORK, "incarnation": server.state["incarnation"]})
    assert [enabled for _, _, enabled in ports(machines.lab)] == [False, True]


def test_a_port_that_is_not_there_is_told_with_those_that_are(lab: Lab) -> None:
    with pytest.raises(IncompleteError) as caught:
        Play(PhyNetworkHandler(), lab.context()).up({**NETWORK, "port": "eno9"})
    assert "private" in caught.value.hint


def test_the_snapshot_is_kept_as_it_was_first(lab: Lab) -> None:
    play = Play(PhyNetworkHandler(), lab.context())
    play.up(NETWORK)
    first = play.state["previous"]
    assert set(json.loads(first)) == {"private", "public"}
    play.up({**NETWORK, "mode": "trunk"})
    assert play.state["previous"] == first


def test_a_long_description_leaves_room_or_is_refused(machines: Machines) -> None:
    machines.lab.context().phy.rename_service(GPU_A, "gpu-1", "x" * 990)
    with pytest.raises(IncompleteError, match="no room"):
        Play(PhyServerHandler(), machines.context()).up(inputs(machines))
    intent = Intent(token_of(GPU_A, "ubuntu2404", 1), Step.DONE, "2026-11-01T00:00:00+00:00", "k" * 80)
    assert len(write_intent("", intent) or "") < 250
