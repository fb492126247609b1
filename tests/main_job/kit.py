"""The `daiku` executable as a user drives it, the APIs by raw calls, and the hosts by SSH."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from daiku.apply.targets import targets_of
from daiku.plan.facts import Facts
from daiku.plan.make import make
from daiku.spec.load import load
from daiku.wire.ssh import connect

DAIKU = Path(sys.executable).with_name("daiku")
EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
PUBLIC = "127.77.1.4"
"""Where a lab publishes the router's forwarded port."""
QUESTION = b"[y/N]:"
"""How every question of daiku's ends."""
LONG = 600.0
"""Seconds for a command: on a machine that has other things to do, it takes ten times as long as alone."""
CLUSTER_KINDS = ("server", "disk", "switch", "internet", "appliance", "sshkey", "note", "packetfilter")


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def failed(self, code: int, *words: str) -> Done:
        """It failed as documented: this exit code, one message with these words, a next step, no traceback."""
        said = self.err
        assert self.code == code, f"exit code {self.code}, not {code}:\n{self.out}\n{said}"
        assert "Traceback" not in said + self.out
        assert "internal error" not in said
        assert len(re.findall(r"^error: ", said, re.MULTILINE)) == 1, said
        assert re.search(r"^ *next: \S", said, re.MULTILINE), f"no next step:\n{said}"
        for word in words:
            assert word in said, f"{word!r} is not in:\n{said}"
        return self


class Running:
    """A command under way, in a process group of its own as under a shell; its lines are collected as they come."""

    def __init__(self, arguments: list[str], cwd: Path, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [DAIKU, *arguments],
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        with self._news:
            return "".join(self._lines)

    def wait_for(self, pattern: str, seconds: float = LONG) -> None:
        """Until a line matches."""
        wanted = re.compile(pattern)
        with self._news:
            seen = self._news.wait_for(
                lambda: any(wanted.search(line) for line in self._lines) or self.process.poll() is not None,
                seconds,
            )
            assert seen, f"no {pattern!r} within {seconds} s in:\n{''.join(self._lines)}"
        assert wanted.search(self.text), f"it ended without {pattern!r}:\n{self.text}"

    def interrupt(self) -> Done:
        """Ctrl-C, as the terminal sends it: to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()

    def kill(self, *, group: bool) -> None:
        """SIGKILL, to the process alone or to all that it started."""
        if group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait(60)

    def end(self, seconds: float = LONG) -> Done:
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return Done(code, "", self.text)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


@dataclass
class Rehearsal:
    """A lab in a folder of its own, with a copy of the example whose bastion has a port of its own."""

    folder: Path
    port: int
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    def prepare(cls, folder: Path, port: int, shape: Callable[[str], str] = lambda text: text) -> Rehearsal:
        """`shape` makes another cluster file of the example's."""
        text = shape(EXAMPLE.read_text(encoding="utf-8"))
        text += f"\naccess: {{ bastionPort: {port} }}\n"
        (folder / "cluster.yaml").write_text(text, encoding="utf-8")
        ours = ("AWS_", "SAKURA", "PULUMI_", "DAIKU_")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environ |= {"DAIKU_LAB_DIR": str(folder / "lab"), "PULUMI_HOME": str(folder / "pulumi-home")}
        return cls(folder, port, environ)

    @property
    def file(self) -> Path:
        return self.folder / "cluster.yaml"

    @property
    def state(self) -> Path:
        """What daiku remembers of the cluster."""
        return self.folder / "lab" / "state" / ".daiku" / "ishikari"

    def run(self, *arguments: str, seconds: float = LONG, **environ: str) -> Done:
        """`daiku ARGUMENTS` in the folder of the cluster file, without a terminal; see `limited`."""
        done = subprocess.run(
            [DAIKU, *limited(arguments)],
            cwd=self.folder,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, seconds: float = LONG) -> Done:
        done = self.run(*arguments, seconds=seconds)
        assert done.code == 0, f"daiku {' '.join(arguments)}: {done.code}\n{done.out}\n{done.err}"
        return done

    def start(self, *arguments: str) -> Running:
        return Running(list(limited(arguments)), self.folder, self.environ)

    def asked(self, answers: Sequence[str], *arguments: str, seconds: float = LONG) -> Done:
        """`daiku ARGUMENTS` at a terminal where these answers are typed, one a question; all that it shows is `out`.
        There must be as many questions as answers."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [DAIKU, *limited(arguments)],
            cwd=self.folder,
            env=self.environ | {"NO_COLOR": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown, answered = b"", 0
        end = time.monotonic() + seconds
        try:
            while True:
                assert time.monotonic() < end, f"not within {seconds} s:\n{shown.decode()}"
                if not select.select([ours], [], [], 1.0)[0]:
                    continue
                try:
                    data = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    data = b""
                if not data:
                    break
                shown += data
                while shown.count(QUESTION) > answered:
                    assert answered < len(answers), f"one question too many:\n{shown.decode()}"
                    os.write(ours, f"{answers[answered]}\n".encode())
                    answered += 1
            code = process.wait(30)
            assert answered == len(answers), f"{answered} questions, not {len(answers)}:\n{shown.decode()}"
        finally:
            process.kill()
            process.wait(10)
            os.close(ours)
        return Done(code, shown.decode().replace("\r\n", "\n"), "")

    @cached_property
    def client(self) -> dict[str, str]:
        """The environment of any client of the lab, daiku without `--lab` among them."""
        return self.ok("lab", "env", "--json").json

    def writes(self) -> int:
        """Calls to Sakura's APIs that changed something, or tried to."""
        return self.ok("lab", "status", "--json").json["api_calls"]["writes"]

    def cloud(self, method: str, path: str, body: object = None, *, zone: str = "is1b") -> Any:
        """A raw call of the cloud API."""
        return self._call(method, f"{self.client['SAKURA_API_ROOT_URL']}/{zone}/api/cloud/1.1/{path}", body)

    def bare_metal(self, number: int) -> dict[str, Any]:
        """A PHY server as its customer sees it: power, description, and the networks of its ports.

        Its nickname is not looked at: a server that was released keeps the one that it got.
        """
        url = f"{self.client['SAKURA_PHY_API_ROOT_URL']}/servers/{113600000000 + number}/"
        server = self._call("GET", url, None)["server"]
        return {
            "power": server["cached_power_status"]["status"],
            "description": server["service"]["description"],
            "networks": [port["private_networks"] for port in server["ports"]],
        }

    def listed(self, kind: str, *, zone: str = "is1b") -> list[dict[str, Any]]:
        """Every object of a kind that the account holds."""
        answer = self.cloud("GET", kind, zone=zone)
        (found,) = (value for value in answer.values() if isinstance(value, list))
        return found

    def named(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (item for item in self.listed(kind) if item["Name"] == name)
        return found

    def power(self, name: str, *, on: bool) -> None:
        """Pull the plug of a VM, or put it in."""
        server = f"server/{self.named('server', name)['ID']}"
        wanted = "up" if on else "down"
        self.cloud("PUT" if on else "DELETE", f"{server}/power", None if on else {"Force": True})
        eventually(lambda: self.cloud("GET", server)["Server"]["Instance"]["Status"] == wanted)

    def on(self, name: str, command: str) -> str:
        """What a shell command says, as root on a host."""
        plan = make(load(self.file))
        facts = Facts.model_validate_json((self.state / "facts.json").read_text())
        targets = targets_of(plan, facts)
        assert targets.bastion is not None
        key, anyone = self.state / "keys" / "deploy", _Anyone()
        with connect("bastion", targets.bastion.endpoint, key_file=key, host_keys=anyone) as bastion:
            endpoint = next((t.endpoint for t in targets.hosts if t.name == name), None)
            if endpoint is None:
                return _root(bastion, command)
            with connect(name, endpoint, key_file=key, jump=bastion, host_keys=anyone) as session:
                return _root(session, command)

    def _call(self, method: str, url: str, body: object) -> Any:
        pair = f"{self.client['SAKURA_ACCESS_TOKEN']}:{self.client['SAKURA_ACCESS_TOKEN_SECRET']}"
        request = urllib.request.Request(
            url,
            method=method,
            headers={
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "X-Requested-With": "XMLHttpRequest",
                "Content-Type": "application/json",
            },
            data=json.dumps(body).encode() if body is not None else None,
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {url}: {error.code} {error.read()!r}") from error


def limited(arguments: Sequence[str]) -> Sequence[str]:
    """`up` and `plan` stop before Kubernetes unless they are told where to: most of what is tried here is not about it,
    and is fast so."""
    words = [word for word in arguments if word != "--lab"]
    if not words or words[0] not in {"up", "plan"} or "--until" in words:
        return arguments
    return [*arguments, "--until", "hosts"]


class _Anyone:
    """Host keys: these tests change them and look at hosts behind daiku's back."""

    def pinned(self, host: str) -> str | None:
        return None

    def pin(self, host: str, key: str) -> None:
        pass


def _root(session: Any, command: str) -> str:
    done = session.run("sudo sh -e", command.encode(), 60)
    assert done.status == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout.decode()


def eventually(true: Any, seconds: float = LONG) -> None:
    """Wait until `true()` is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
