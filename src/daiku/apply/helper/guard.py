# ruff: noqa: PTH123
"""A dead man's switch for commands that can cut the machine off, as a new network can.

Before the first file changes, the files in the directories of such a trigger are remembered on the disk. While the
trigger runs, a process of its own watches. Afterwards somebody must reach us: the conversation that began the change,
or a new one. When nobody does within a while, or the trigger fails, the watcher puts the remembered files back and runs
the trigger once more. It does so even when we are killed or our connection is.

guard.json    what is remembered; `state` is `armed`, on `trial` (the trigger has ended), or `restored`
reached       made by whoever reached this machine while it was on trial
"""

from __future__ import annotations

import os
import select
import signal
import stat
import time

from daiku.apply.helper import files
from daiku.apply.helper.host import Host
from daiku.apply.helper.trigger import run_trigger
from daiku.apply.helper.wire import HelperError

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

RECORD, REACHED = "guard.json", "reached"
TRIGGER_SECONDS = 120.0
"""Most that a guarded trigger may take: it may have cut us off long before it ends."""
_POLL_SECONDS = 0.05
_ENDED, _FAILED = b"e", b"f"
_KEPT_EXIT, _RESTORED_EXIT = 0, 3


def remember(host: Host, manifest: dict[str, Any], due: list[str]) -> None:
    """Note what stands in the directories of the due guarded triggers. OSError: no room.

    A note that a run left which never got to the end of its trial stays: it holds the last network through which this
    machine was reached for certain.
    """
    names = {t["name"] for t in manifest["triggers"] if t.get("guarded") and t["name"] in due}
    if not names or host.record(RECORD).get("state") in ("armed", "trial"):
        return
    folders = sorted({os.path.dirname(f["path"]) for f in manifest["files"] if f["trigger"] in names})  # noqa: PTH120
    remembered: list[dict[str, Any]] = []
    for folder in folders:
        try:
            entries = sorted(os.listdir(host.at(folder)))  # noqa: PTH208
        except OSError:
            continue
        for name in entries:
            path = host.at(f"{folder}/{name}")
            info = os.lstat(path)
            if stat.S_ISREG(info.st_mode) and not name.startswith(files.STAGED):
                with open(path, "rb") as file:
                    text = file.read().decode("latin-1")
                rights = {"mode": stat.S_IMODE(info.st_mode), "uid": info.st_uid, "gid": info.st_gid}
                remembered.append({"path": f"{folder}/{name}", "text": text, **rights})
    host.write_record(RECORD, {"state": "armed", "folders": folders, "files": remembered})


def run_guarded(host: Host, trigger: dict[str, Any], patience: float) -> float:
    """As run_trigger; HelperError also when nobody reaches us within `patience` seconds after its end.

    Either way the machine then has its former files and, if that is possible, its former network.
    """
    files.remove(f"{host.base}/{REACHED}")
    watcher = Watcher(host, trigger, patience)
    try:
        seconds = run_trigger(host, trigger, TRIGGER_SECONDS)
    except HelperError as error:
        watcher.tell(_FAILED)
        watcher.wait(lambda: None)
        _need_restored(host, trigger, patience)
        output = error.answer.get("output", "")
        text = f"{error}; {host.record(RECORD)['outcome']}"
        raise HelperError("network", text, trigger=trigger["name"], output=output) from None
    host.write_record(RECORD, {**host.record(RECORD), "state": "trial"})
    watcher.tell(_ENDED)
    host.wire.send({"kind": "reachable?"})
    if not watcher.wait(lambda: _listen(host)):
        _need_restored(host, trigger, patience)
        raise HelperError("network", was_restored(host), trigger=trigger["name"])
    forget(host)
    return seconds


def answer_for(host: Host) -> None:
    """Of a conversation that finds the machine on trial: to be heard through the new network is to have reached it."""
    if host.record(RECORD).get("state") != "trial" or os.path.exists(f"{host.base}/{REACHED}"):  # noqa: PTH110
        return
    host.wire.send({"kind": "reachable?"})
    host.wire.receive()
    _mark_reached(host)


def was_restored(host: Host) -> str:
    """What became of a trial that this conversation's predecessor began and lost; "" when nothing did."""
    record = host.record(RECORD)
    if record.get("state") != "restored":
        return ""
    what = f"after trigger {record['trigger']} this host could not be reached for {record['patience']:g} s"
    return f"{what}; {record['outcome']}"


def forget(host: Host) -> None:
    host.drop_record(RECORD)
    files.remove(f"{host.base}/{REACHED}")


class Watcher:
    """The process that acts when we cannot. It holds the host's lock as long as it lives, even if we do not."""

    def __init__(self, host: Host, trigger: dict[str, Any], patience: float) -> None:
        reading, self._writing = os.pipe()
        self._host = host
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._writing)
                _watch(host, trigger, patience, reading)
            finally:
                os._exit(70)
        os.close(reading)

    def tell(self, word: bytes) -> None:
        try:  # noqa: SIM105 - contextlib costs a host 2 ms to import
            os.write(self._writing, word)
        except BrokenPipeError:  # it was killed; wait() sees that
            pass

    def wait(self, meanwhile: Any) -> bool:
        """Whether the machine keeps what it has now. `meanwhile` is called again and again."""
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                break
            meanwhile()
            self._host.wire.beat()
            time.sleep(_POLL_SECONDS)
        os.close(self._writing)
        return os.WIFEXITED(status) and os.WEXITSTATUS(status) == _KEPT_EXIT


def _watch(host: Host, trigger: dict[str, Any], patience: float, reading: int) -> NoReturn:
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    host.wire.hang_up()
    if os.read(reading, 1) != _FAILED:  # it ended, or they who ran it are dead: then it may still be running
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if os.path.exists(f"{host.base}/{REACHED}"):  # noqa: PTH110
                os._exit(_KEPT_EXIT)
            time.sleep(_POLL_SECONDS)
    restore(host, trigger, patience)
    os._exit(_RESTORED_EXIT)


def restore(host: Host, trigger: dict[str, Any], patience: float) -> None:
    """Make the remembered directories what they were, run the trigger, and note how that went."""
    record = host.record(RECORD)
    kept = {file["path"]: file for file in record.get("files", [])}
    outcome = "the network that it had before was restored"
    try:
        for folder in record.get("folders", []):
            for name in sorted(os.listdir(host.at(folder))):  # noqa: PTH208
                path = f"{folder}/{name}"
                stays = name.startswith(files.STAGED) or path in kept
                if not stays and not os.path.isdir(host.at(path)):  # noqa: PTH112
                    files.remove(host.at(path))
            for path, file in sorted(kept.items()):
                if os.path.dirname(path) == folder:  # noqa: PTH120
                    staged = files.staged(host.at(path))
                    files.write_new(
                        staged, file["text"].encode("latin-1"), file["mode"], (file["uid"], file["gid"])
                    )
                    os.replace(staged, host.at(path))  # noqa: PTH105
            files.sync_directory(host.at(folder))
        run_trigger(host, trigger, TRIGGER_SECONDS)
    except (OSError, HelperError) as error:
        outcome = f"the network that it had before could not be restored: {error}"
    ending = {"state": "restored", "outcome": outcome, "trigger": trigger["name"], "patience": patience}
    host.write_record(RECORD, {**record, **ending})


def _need_restored(host: Host, trigger: dict[str, Any], patience: float) -> None:
    """The watcher has put the former files back, or we do because it was killed."""
    if host.record(RECORD).get("state") != "restored":
        restore(host, trigger, patience)


def _listen(host: Host) -> None:
    """Note that we were reached, when the other side answers."""
    if host.wire.listening and select.select([0], [], [], 0)[0]:
        try:
            host.wire.receive()
        except EOFError:
            host.wire.listening = False  # this connection is lost: perhaps another one comes
        else:
            _mark_reached(host)


def _mark_reached(host: Host) -> None:
    os.close(
        os.open(f"{host.base}/{REACHED}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    )
