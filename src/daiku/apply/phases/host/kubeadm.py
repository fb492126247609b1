# ruff: noqa: PTH103, PTH118, PTH120, PTH123
"""kubeadm under supervision: with files that exist in memory while it works, a time limit, and its last words kept.

Once it has begun it goes on to its end, even if nobody listens any more; a lock tells the next run so.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time

from daiku.apply.phases.host.look import LOCK, PATH, RUN, listed, ready, said

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

LAST_LINES = 40
WATCH_SECONDS = 0.1
END_SECONDS = 2.0
"""For an end that was asked for, and for the last words of what has ended."""


def run(
    say: Callable[..., None],
    arguments: list[str],
    files: dict[str, str],
    limit: float,
    vips: list[str],
    carry: str,
    address: str,
    port: int,
    wipe: list[str],
) -> dict[str, Any]:
    """Run `kubeadm ARGUMENTS`; `files` (name: content) lie below RUN while it works, readable by root alone.

    `carry` says when this machine carries the load balancer's addresses `vips`: `before` kubeadm runs, once its own
    API server is `ready` (until then it has to reach the others by them), `never`, or `as-is`. `wipe` are folders
    emptied after a success. `limit`: seconds without a word after which it is ended. The answer:
    `status`, `timed_out`, `last` lines, `busy` when another kubeadm works here.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.makedirs(os.path.dirname(LOCK), 0o700, exist_ok=True)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return {"busy": True, "status": -1, "timed_out": False, "last": []}
    over = threading.Event()
    try:
        put(files)
        if carry in ("never", "ready"):
            set_addresses(vips, "delete")
        if carry == "before":
            set_addresses(vips, "replace")
        if carry == "ready":
            threading.Thread(target=carry_when_ready, args=(vips, address, port, over), daemon=True).start()
        answer = supervise(say, ["kubeadm", *arguments], limit, lock)
        if carry == "ready" and answer["status"] == 0:
            set_addresses(vips, "replace")
        if answer["status"] == 0:
            for folder in wipe:
                for name in listed(folder):
                    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        return answer
    finally:
        over.set()
        shutil.rmtree(RUN, ignore_errors=True)
        os.close(lock)


def put(files: dict[str, str]) -> None:
    """A fresh folder with `files`; what a run that was killed left there is gone."""
    shutil.rmtree(RUN, ignore_errors=True)
    os.makedirs(RUN, 0o700)
    for name, content in files.items():
        descriptor = os.open(os.path.join(RUN, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(content)


def supervise(say: Callable[..., None], command: list[str], limit: float, lock: int) -> dict[str, Any]:
    """The child holds the lock, too: it is busy here even when its supervisor was killed. It is over with its end: what
    it leaves behind that keeps its pipe open is ended or left alone."""
    last: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
    try:
        child = subprocess.Popen(
            command,
            env={**PATH, "HOME": "/root"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            pass_fds=(lock,),
        )
    except OSError as error:
        return {
            "busy": False,
            "status": 127,
            "timed_out": False,
            "last": [f"{command[0]}: {error.strerror}"],
        }
    heard = [time.monotonic()]

    def listen(lines: IO[bytes]) -> None:
        for raw in lines:
            heard[0] = time.monotonic()
            line = raw.decode("utf-8", "replace").rstrip()
            if line:
                last.append(line)
                if line.startswith(("[", "kubeadm")):
                    say(line=line[:200])

    assert child.stdout is not None
    listener = threading.Thread(target=listen, args=(child.stdout,), daemon=True)
    listener.start()
    timed_out = False
    while child.poll() is None:
        if time.monotonic() - heard[0] > limit:
            timed_out = True
            signalled(child.pid, signal.SIGTERM)
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                signalled(child.pid, signal.SIGKILL)
        listener.join(WATCH_SECONDS)
        if not listener.is_alive():
            time.sleep(WATCH_SECONDS)  # it closed its output and works on
    listener.join(END_SECONDS)
    if listener.is_alive():
        signalled(child.pid, signal.SIGKILL)
        listener.join(END_SECONDS)
    return {"busy": False, "status": child.returncode, "timed_out": timed_out, "last": list(last)}


def signalled(group: int, number: int) -> None:
    """Signal a group of processes, which may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def carry_when_ready(vips: list[str], address: str, port: int, over: threading.Event) -> None:
    """The balancer sends connections as soon as the API server answers, so the addresses come at that moment."""
    while not over.wait(WATCH_SECONDS):
        if ready(address, port) == "ok":
            set_addresses(vips, "replace")
            return


def set_addresses(vips: list[str], verb: str) -> None:
    """`replace` puts the addresses on the loopback, `delete` takes them away; either may be so already."""
    for vip in vips:
        subprocess.run(
            ["ip", "address", verb, f"{vip}/32", "dev", "lo"],
            env=PATH,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def restart_kubelet() -> dict[str, Any]:
    """`status` is systemctl's; `state` what the kubelet is then."""
    done = subprocess.run(
        ["systemctl", "restart", "kubelet"],
        env=PATH,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return {"status": done.returncode, "state": said("systemctl", "is-active", "kubelet")}
