"""Part of the example cluster on the lab's hosts, with the files of its bundles, and words to drive kubeadm there."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from daiku.apply.targets import login_user
from daiku.lab.hosts import Hosts
from daiku.lab.topology import (
    INTERNET,
    Balancer,
    Forward,
    Machine,
    Nic,
    RealServer,
    Router,
    Segment,
    Topology,
    VirtualIp,
)
from daiku.ledger.keys import ensure_deploy_key
from daiku.plan.model import NodePlan, Plan
from daiku.render.bundle import SECRET_MARK, HostBundle, HostFile
from daiku.render.host_kubernetes import DISCOVERY, KUBEADM
from daiku.render.hosts import host_bundles
from tests.render.plans import facts

ADMIN = "--kubeconfig /etc/kubernetes/admin.conf"
NAMES = ("ishikari-cp-1", "ishikari-cp-2", "ishikari-cp-3", "ishikari-h100-001")
CARRIED = ("/etc/daiku/", "/etc/sysctl.d/", "/etc/modules-load.d/")
"""Of a bundle, what Kubernetes needs. The network is as the first boot has it."""


@dataclass
class Cluster:
    """Machines of `plan` whose names are in `names`, reached through forwarded ports of `address`."""

    hosts: Hosts
    plan: Plan
    bundles: Mapping[str, HostBundle]
    names: tuple[str, ...]
    key: Path
    address: str
    off: set[str] = field(default_factory=set[str])
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def nodes(self) -> list[NodePlan]:
        return [node for node in self.plan.nodes if node.name in self.names]

    @property
    def control_planes(self) -> list[str]:
        return [node.name for node in self.nodes if node.role == "control-plane"]

    def apply(self) -> None:
        """Make the hosts as they should be, without those that are `off`."""
        self.hosts.apply(self._topology())

    def ssh(self, name: str, command: str, *, stdin: str = "", check: bool = True, limit: float = 90) -> str:
        """Run a shell command as root; its output, standard error after it."""
        node = next(node for node in self.nodes if node.name == name)
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes")
        flags = [
            word for option in (*options, "ConnectTimeout=5", "LogLevel=ERROR") for word in ("-o", option)
        ]
        reach = [
            "-i",
            str(self.key),
            *flags,
            "-p",
            str(self._port(name)),
            f"{login_user(node)}@{self.address}",
        ]
        done = subprocess.run(
            ["ssh", "-F", "none", *reach, f"sudo sh -c {shlex.quote(command)}"],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        said = done.stdout + done.stderr
        assert not check or done.returncode == 0, f"{name}: {command}: exit {done.returncode}\n{said}"
        return said

    def write(self, name: str, path: str, text: str) -> None:
        self.ssh(name, f"mkdir -p $(dirname {path}); umask 077; cat > {path}", stdin=text)

    def kubectl(self, words: str, *, on: str = "") -> str:
        return self.ssh(on or self.control_planes[0], f"kubectl {ADMIN} {words}")

    def get(self, words: str, *, on: str = "") -> Any:
        return json.loads(self.kubectl(f"get {words} -o json", on=on))

    def rendered(self) -> None:
        """Put the files of the bundles on the hosts, as the apply engine does."""

        def carry(name: str) -> None:
            parts = [
                f"mkdir -p {Path(file.path).parent}; umask 077; cat > {file.path} <<'@'\n{_told(file)}@\n"
                for file in self.bundles[name].files
                if file.path.startswith(CARRIED)
            ]
            self.ssh(name, "sh -e", stdin="".join(parts) + "sysctl -q --system\n")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(carry, self.names))

    def init(self) -> None:
        first = self.control_planes[0]
        self.timed("init", first, f"kubeadm init --config {KUBEADM}/init.yaml --upload-certs")

    def join(self, name: str) -> None:
        """As the phases do: a short-lived token in a file in memory, a certificate key for a control plane."""
        first = next(other for other in self.control_planes if other != name)
        token = self.ssh(first, f"kubeadm {ADMIN} token create --ttl 10m").split()[0]
        cluster = {
            "server": f"https://{self.plan.api_endpoint}",
            "certificate-authority": "/run/daiku/kubeadm/ca.crt",
        }
        discovery = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        self.write(name, "/run/daiku/kubeadm/ca.crt", self.ssh(first, "cat /etc/kubernetes/pki/ca.crt"))
        self.write(name, DISCOVERY, yaml.safe_dump(discovery))
        file = f"{KUBEADM}/join.yaml"
        if name in self.control_planes:
            # Without this kubeadm uploads what it finds in the API server's own ClusterConfiguration.
            key = self.ssh(
                first, f"kubeadm {ADMIN} init phase upload-certs --upload-certs 2>/dev/null"
            ).split()[-1]
            join = yaml.safe_load(self.bundles[name].file(file).content)
            join["controlPlane"]["certificateKey"] = key
            file = "/run/daiku/kubeadm/join.yaml"
            self.write(name, file, yaml.safe_dump(join))
        self.timed(f"join {name}", name, f"kubeadm join --config {file}")

    def power(self, name: str, *, on: bool) -> None:
        (self.off.discard if on else self.off.add)(name)
        self.apply()

    def processes(self, name: str) -> dict[str, int]:
        """PID of each static pod's program on a host."""
        found = self.ssh(name, "pgrep -l '^(etcd|kube-)' || true").splitlines()
        return {line.split()[1]: int(line.split()[0]) for line in found}

    def close(self) -> None:
        self.hosts.close()

    def timed(self, what: str, name: str, command: str, limit: float = 180) -> None:
        """Run a command and note under `what` how long it took."""
        started = time.monotonic()
        self.ssh(name, command, limit=limit)
        self.seconds[what] = round(time.monotonic() - started, 1)

    def _port(self, name: str) -> int:
        return 2200 + self.names.index(name)

    def _topology(self) -> Topology:
        public = self.key.with_suffix(".pub").read_text()
        machines: list[Machine] = []
        for number, node in enumerate(self.nodes):
            nic = Nic(
                node.interface, f"02:00:00:00:00:{number:02x}", "node", (node.address_cidr,), node.gateway
            )
            power = node.name not in self.off
            machines.append(
                Machine(
                    node.name,
                    "vm",
                    power,
                    1,
                    f"{node.name}-1",
                    node.name,
                    login_user(node),
                    (public,),
                    (nic,),
                )
            )
        prefix = self.plan.node_network.cidr.partition("/")[2]
        legs = (
            Nic("eth0", "02:aa:00:00:00:01", INTERNET, ("198.51.100.10/24",), "198.51.100.1"),
            Nic("eth1", "02:aa:00:00:00:02", "node", (f"{self.plan.node_network.gateway}/{prefix}",)),
        )
        forwards = tuple(Forward(self._port(node.name), node.address, 22) for node in self.nodes)
        router = Router("r", True, self.address, legs, forwards, nat=True)
        segments = (Segment("node", self.plan.node_network.mtu), Segment(INTERNET))
        return Topology(segments, tuple(machines), (router,), (self._balancer(prefix),))

    def _balancer(self, prefix: str) -> Balancer:
        planned = self.plan.load_balancer
        assert planned is not None
        nic = Nic("eth0", "02:bb:00:00:00:01", "node", (f"{planned.addresses[0]}/{prefix}",), planned.gateway)
        vips = tuple(
            VirtualIp(
                vip.address,
                vip.port,
                tuple(
                    replace(RealServer(s.address, s.port, True), check=vip.check, path=vip.path)
                    for s in vip.servers
                ),
            )
            for vip in planned.vips
        )
        return Balancer("lb", True, nic, vips)


@contextmanager
def running(folder: Path, made: Plan, network: int, prepare: Callable[[Cluster], None]) -> Generator[Cluster]:
    """Three control planes and a GPU server of `made`, joined by kubeadm. `prepare` gives the hosts their programs;
    `network` tells clusters apart that stand at one time."""
    key, public = ensure_deploy_key(folder / "keys")
    shutil.copy(key, folder / "key")
    (folder / "key.pub").write_text(public)
    # Its own for each run: several may run side by side on one machine.
    address = f"127.77.{network}.{os.getpid() % 250 + 1}"
    bundles = {bundle.host: bundle for bundle in host_bundles(made, facts(made))}
    with Hosts(folder / "state", log=lambda _: None) as hosts:
        built = Cluster(hosts, made, bundles, NAMES, folder / "key", address)
        built.apply()
        prepare(built)
        built.rendered()
        built.init()
        built.join(NAMES[1])
        with ThreadPoolExecutor(2) as pool:  # a worker joins whatever the control planes are at
            list(pool.map(built.join, NAMES[2:]))
        yield built


def _told(file: HostFile) -> str:
    """The file's text; a secret is the same one on every host."""
    secret = base64.b64encode(file.secret.encode().ljust(32, b".")[:32])
    return (file.content.replace(SECRET_MARK, secret) if file.secret else file.content).decode()


def until(condition: Callable[[], bool], what: str, limit: float = 60) -> float:
    """Wait for a condition; the seconds it took. An assertion of its own counts as `not yet`."""
    started = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - started
        except AssertionError:
            pass
        assert time.monotonic() - started < limit, f"after {limit:.0f} s: not {what}"
        time.sleep(0.3)
