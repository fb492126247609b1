"""Operators reach machines through the router's forwards; machines reach each other and the internet segment."""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from daiku.errors import LabError
from daiku.lab.topology import INTERNET, Nic
from tests.lab_hosts.kit import Lab

pytestmark = [pytest.mark.lab, pytest.mark.allow_hosts(["127.0.0.0/8"])]


def test_three_machines_answer_and_the_first_is_a_bastion_for_the_second(lab: Lab) -> None:
    lab.apply(lab.machine(2, login="ubuntu"), lab.machine(3), lab.machine(4))
    assert lab.ssh(2, "hostname", "ubuntu") == "host2"
    proxy = " ".join([*lab.ssh_command(2, "ubuntu")[:-1], "-W", "%h:%p", lab.ssh_command(2, "ubuntu")[-1]])
    hop = [
        *lab.ssh_command(3)[:-3],
        "-o",
        f"ProxyCommand={proxy}",
        "root@10.10.0.3",
        "hostname; echo $SSH_CLIENT",
    ]
    done = subprocess.run(hop, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.split()[:2] == ["host3", "10.10.0.2"], done.stderr


def test_ubuntu_has_sudo_without_a_password_and_no_other_login_works(lab: Lab) -> None:
    lab.apply(lab.machine(5, login="ubuntu"))
    assert lab.ssh(5, "sudo -n id -u", "ubuntu") == "0"
    assert lab.try_ssh(5, "true", "root").returncode == 255


def test_a_bare_metal_server_on_the_internet_segment_is_reached_by_way_of_the_nat_router(lab: Lab) -> None:
    public = Nic("eno1", "02:00:00:00:09:01", INTERNET, ("198.51.100.77/24",), "198.51.100.1")
    lab.apply(lab.machine(6), lab.machine(7, kind="phy", nics=(public,)))
    script = "exec 3<>/dev/tcp/198.51.100.77/22; head -c 7 <&3"
    assert lab.ssh(6, f"timeout 3 bash -c '{script}'") == "SSH-2.0"


def test_half_close_passes_through_a_forward(lab: Lab) -> None:
    lab.apply(lab.machine(8))
    lab.ssh(8, "systemctl stop ssh; nohup python3 -c '" + _COUNTER + "' >/dev/null 2>&1 </dev/null &")
    peer = _connect(lab.address, 2208)
    with peer:
        peer.sendall(b"x" * 300_000)
        peer.shutdown(socket.SHUT_WR)
        assert peer.makefile("rb").read() == b"300000"


_COUNTER = """
import socket, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("", 22))
server.listen()
while True:
    peer, _ = server.accept()
    total = 0
    while data := peer.recv(65536):
        total += len(data)
    peer.sendall(str(total).encode())
    peer.close()
"""


def _connect(address: str, port: int) -> socket.socket:
    """The program behind the forward needs a moment to listen; until then the relay resets."""
    for _ in range(100):
        try:
            peer = socket.create_connection((address, port), timeout=5)
        except ConnectionResetError:
            continue
        peer.settimeout(0.05)
        try:
            peer.recv(1, socket.MSG_PEEK)
        except TimeoutError:  # still connected: somebody listens
            peer.settimeout(10)
            return peer
        except ConnectionResetError:
            pass
        peer.close()
        time.sleep(0.02)
    raise AssertionError("nothing listened behind the forward")


def test_small_answers_do_not_wait_for_acknowledgements(lab: Lab) -> None:
    """Two small writes, then a wait for the answer: with Nagle's algorithm on any leg each turn takes over 40 ms."""
    lab.apply(lab.machine(10))
    lab.ssh(10, "systemctl stop ssh; nohup python3 -c '" + _ECHO + "' >/dev/null 2>&1 </dev/null &")
    turns: list[float] = []
    with _connect(lab.address, 2210) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(31):
            started = time.perf_counter()
            peer.sendall(b"a")
            time.sleep(0.002)
            peer.sendall(b"b")
            received = b""
            while len(received) < 2:
                received += peer.recv(2)
            turns.append(time.perf_counter() - started)
    assert statistics.median(turns) < 0.03


_ECHO = """
import socket, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("", 22))
server.listen()
while True:
    peer, _ = server.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    seen = 0
    while data := peer.recv(100):
        seen += len(data)
        if seen % 2 == 0:
            peer.send(b"x")
            time.sleep(0.002)
            peer.send(b"y")
"""


def test_forty_connections_at_once_through_one_forward(lab: Lab) -> None:
    lab.apply(lab.machine(9))

    def banner(_: int) -> bytes:
        with socket.create_connection((lab.address, 2209), timeout=10) as peer:
            return peer.recv(7)

    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(banner, range(40))) == [b"SSH-2.0"] * 40


def test_a_port_that_is_taken_is_one_clear_error_and_the_rest_is_done(lab: Lab) -> None:
    lab.apply()
    lab.apply(routers=())
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((lab.address, 2210))
        squatter.listen()
        with pytest.raises(
            LabError, match=r"cannot listen on 127\.77\.\d+\.\d+:2210: Address already in use"
        ):
            lab.apply(lab.machine(11))
    assert lab.ssh(11, "echo on") == "on"


def test_a_machine_that_is_off_or_without_a_disk_does_not_answer(lab: Lab) -> None:
    lab.apply(lab.machine(12, power=False), lab.machine(13, root=""))
    assert [(row.running, row.pid) for row in lab.hosts.status()] == [(False, None)] * 2
    assert lab.try_ssh(12, "true").returncode == 255
