"""The real etcd and kube-apiserver on loopback; beside them the real controller manager and scheduler, and KWOK."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from daiku.lab.hosts.guest.kwok import write_stages
from daiku.lab.tools.build import find_or_build
from daiku.wire.kubernetes import Credentials, connect
from tests.kubernetes.certificates import Authority, key_pem

START_SECONDS = 90.0
KWOK_NODE = "kwok.x-k8s.io/node"
"""Annotation of the nodes whose part KWOK plays."""


class ControlPlane:
    """Where it is, and identities for it. `admin` may do everything."""

    def __init__(self, folder: Path, authority: Authority, server: str) -> None:
        self.folder = folder
        self.authority = authority
        self.server = server
        self.admin = self.user("admin", "system:masters")

    def user(self, name: str, *groups: str) -> Credentials:
        pair = self.authority.user(name, *groups)
        return Credentials(self.server, self.authority.cert, pair.cert, pair.key)

    @contextmanager
    def controllers(self) -> Generator[None]:
        """The controller manager, the scheduler and KWOK run while the block lasts."""
        kubeconfig = _private(self.folder / "admin.conf", self.admin.kubeconfig())
        stages = self.folder / "stages.yaml"
        write_stages(stages)
        common = (f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0")
        with ExitStack() as stack:
            stack.enter_context(
                _running(
                    self.folder,
                    "kube-controller-manager",
                    *common,
                    f"--service-account-private-key-file={self.folder / 'accounts.key'}",
                    f"--root-ca-file={self.folder / 'ca.pem'}",
                    # Nobody renews the leases of the nodes of these tests.
                    "--controllers=*,-node-lifecycle-controller,-node-ipam-controller",
                )
            )
            stack.enter_context(_running(self.folder, "kube-scheduler", *common))
            stack.enter_context(
                _running(
                    self.folder,
                    "kwok",
                    f"--kubeconfig={kubeconfig}",
                    "--manage-all-nodes=false",
                    f"--manage-nodes-with-annotation-selector={KWOK_NODE}=fake",
                    f"--config={stages}",
                    f"--server-address=127.0.0.1:{_free_port()}",
                    "--node-lease-duration-seconds=40",
                )
            )
            yield


@contextmanager
def control_plane(folder: Path) -> Generator[ControlPlane]:
    """etcd and the API server while the block lasts; what they say is in `folder`."""
    authority = Authority()
    server = authority.server()
    ca = _private(folder / "ca.pem", authority.cert)
    accounts = _private(folder / "accounts.key", key_pem(ec.generate_private_key(ec.SECP256R1())))
    etcd, peers, port = (_free_port() for _ in range(3))
    store = f"http://127.0.0.1:{etcd}"
    with ExitStack() as stack:
        stack.enter_context(
            _running(
                folder,
                "etcd",
                f"--data-dir={folder / 'etcd'}",
                "--unsafe-no-fsync",
                f"--listen-client-urls={store}",
                f"--advertise-client-urls={store}",
                f"--listen-peer-urls=http://127.0.0.1:{peers}",
            )
        )
        running = stack.enter_context(
            _running(
                folder,
                "kube-apiserver",
                f"--etcd-servers={store}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--secure-port={port}",
                f"--client-ca-file={ca}",
                f"--tls-cert-file={_private(folder / 'server.pem', server.cert)}",
                f"--tls-private-key-file={_private(folder / 'server.key', server.key)}",
                "--service-account-issuer=https://accounts.test",
                f"--service-account-key-file={accounts}",
                f"--service-account-signing-key-file={accounts}",
                "--service-cluster-ip-range=10.96.0.0/24",
                "--authorization-mode=Node,RBAC",
                "--allow-privileged=true",
            )
        )
        plane = ControlPlane(folder, authority, f"https://127.0.0.1:{port}")
        _wait(plane, running, folder / "kube-apiserver.log")
        yield plane


def _wait(plane: ControlPlane, running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    with connect(replace(plane.admin)) as api:
        while not api.ready():
            assert running.poll() is None, f"kube-apiserver ended:\n{log.read_text()[-3000:]}"
            assert time.monotonic() < until, f"kube-apiserver is not ready:\n{log.read_text()[-3000:]}"
            time.sleep(0.1)


@contextmanager
def _running(folder: Path, name: str, *arguments: str) -> Generator[subprocess.Popen[bytes]]:
    program = find_or_build(name, lambda _line: None)
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _private(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path
