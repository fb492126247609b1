"""Charts through the pinned helm (4.x), from archives that lie in a folder: nothing is fetched.

helm gets the cluster's credentials and the values as files that exist in memory alone, and folders of its own for what
it keeps, so that the plugins and repositories of the machine's user play no part.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from daiku.errors import ApiError, DeadlineError, MissingToolError
from daiku.wire.interrupts import interrupts_held
from daiku.wire.kubernetes_credentials import Credentials, memory_file
from daiku.wire.kubernetes_kinds import Object

INPUTS_LABEL = "daiku.io/inputs"
"""Label of a release: a digest of the archive and the values that made it."""
_SPARE_SECONDS = 60.0
"""How much longer than its own limit helm may take, to roll back; and how long it may take to end when it is told."""
_TICK_SECONDS = 0.1
"""How long after a Ctrl-C helm is told at most."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One chart with its values, as it is or shall be. `archive` is the chart's file."""

    release: str
    namespace: str
    archive: Path
    values: bytes

    def inputs(self) -> str:
        """Digest of all that decides what is installed; 63 characters at most, as labels are."""
        archive = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        return hashlib.sha256(f"{archive} {hashlib.sha256(self.values).hexdigest()}".encode()).hexdigest()[
            :40
        ]


@dataclass(frozen=True, slots=True)
class Release:
    """What helm remembers of an installation. `status` is helm's: `deployed`, `failed`, `pending-upgrade` ..."""

    chart: str
    version: str
    status: str
    inputs: str

    @property
    def pending(self) -> bool:
        """Some helm is at work on it, or was when it died. helm itself refuses every upgrade of such a release."""
        return self.status.startswith("pending-")


class Helm:
    """Runs one helm executable against one cluster. `program` finds it, and is asked only when helm is needed;
    MissingToolError when it cannot run."""

    def __init__(self, program: Callable[[], Path], credentials: Credentials) -> None:
        self._program = program
        self._credentials = credentials

    def release(self, name: str, namespace: str) -> Release | None:
        """The release as it stands, None where there is none. ApiError: helm's own words."""
        try:
            text = self._run("get", "metadata", name, "--namespace", namespace, "--output", "json")
        except ApiError as error:
            if "release: not found" in error.message:
                return None
            raise
        found = cast("dict[str, Any]", json.loads(text))
        labels = cast("dict[str, Any]", found.get("labels") or {})
        return Release(
            str(found["chart"]),
            str(found["version"]),
            str(found["status"]),
            str(labels.get(INPUTS_LABEL) or ""),
        )

    def manifest(self, name: str, namespace: str) -> list[Object]:
        """The objects of the release as it was installed."""
        return _objects(self._run("get", "manifest", name, "--namespace", namespace))

    def render(self, wanted: Installation, *, upgrade: bool) -> list[Object]:
        """The objects that the chart would bring, rendered with what the cluster can do. Nothing is changed."""
        return _objects(
            self._run(
                *("template", wanted.release, str(wanted.archive), "--namespace", wanted.namespace),
                *("--dry-run=server", "--skip-tests", *(["--is-upgrade"] if upgrade else [])),
                values=wanted.values,
            )
        )

    def definitions(self, archive: Path) -> list[Object]:
        """The CustomResourceDefinitions beside the chart's templates. helm installs them, but never updates them."""
        return _objects(self._run("show", "crds", str(archive)))

    def upgrade(self, wanted: Installation, *, timeout: float) -> None:
        """Install or upgrade, wait until it is ready, and go back to what was before if it is not in `timeout` seconds.

        ApiError: helm's own words. DeadlineError: helm did not end.
        """
        self._run(
            *("upgrade", wanted.release, str(wanted.archive), "--install", "--namespace", wanted.namespace),
            *(
                "--rollback-on-failure",
                "--wait=watcher",
                "--timeout",
                f"{timeout:.0f}s",
                "--history-max",
                "5",
            ),
            *("--reset-values", "--labels", f"{INPUTS_LABEL}={wanted.inputs()}"),
            values=wanted.values,
            seconds=2 * timeout + _SPARE_SECONDS,
        )

    def revisions(self, name: str, namespace: str) -> dict[int, str]:
        """The status of each revision that helm remembers, oldest first."""
        text = self._run("history", name, "--namespace", namespace, "--output", "json")
        found = cast("list[dict[str, Any]]", json.loads(text))
        return {int(one["revision"]): str(one["status"]) for one in found}

    def rollback(self, name: str, namespace: str, revision: int) -> None:
        """Go back to `revision`, without waiting for anything to be ready: an upgrade follows."""
        self._run("rollback", name, str(revision), "--namespace", namespace, "--history-max", "5")

    def _run(self, *arguments: str, values: bytes | None = None, seconds: float = 120.0) -> str:
        where = f"helm {' '.join(arguments[:2])}"
        with ExitStack() as stack:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="daiku-helm-"))
            kubeconfig = stack.enter_context(memory_file(self._credentials.kubeconfig().encode()))
            handed: list[int] = [kubeconfig]
            options: list[str] = []
            if values is not None:
                handed.append(stack.enter_context(memory_file(values)))
                options = ["--values", f"/proc/self/fd/{handed[-1]}"]
            environ = {
                "KUBECONFIG": f"/proc/self/fd/{kubeconfig}",
                "HOME": home,
                **{f"HELM_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")},
            }
            return _ended([str(self._program()), *arguments, *options], environ, handed, where, seconds)


def _ended(
    command: Sequence[str], environ: dict[str, str], handed: Sequence[int], where: str, seconds: float
) -> str:
    with interrupts_held() as came:
        try:
            # A group of its own: Ctrl-C reaches us alone, and we tell helm, once.
            process = subprocess.Popen(
                command,
                env=environ,
                pass_fds=handed,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                process_group=0,
            )
        except OSError as error:
            raise MissingToolError(
                f"helm cannot be run: {error.strerror}", where=command[0], hint="install helm 4 on PATH"
            ) from error
        with process:
            try:
                printed = _printed(process, seconds, lambda: bool(came))
                if printed is None:
                    _end(process, came)
            except BaseException:
                process.kill()
                raise
    if printed is None:
        raise DeadlineError(
            f"no end after {seconds:.0f} s", where=where, hint="look at the release: helm history NAME"
        )
    output, errors = printed
    if process.returncode:
        lines = [line for line in errors.splitlines() if line.startswith("Error:")] or [errors.strip()]
        raise ApiError(
            " ".join(lines).removeprefix("Error: ") or f"exit status {process.returncode}", where=where
        )
    return output


def _printed(
    process: subprocess.Popen[str], seconds: float, enough: Callable[[], bool]
) -> tuple[str, str] | None:
    """What helm printed until it ended; None: it has not after `seconds`, or `enough` says not to wait."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not enough():
        try:
            return process.communicate(timeout=_TICK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    return None


def _end(process: subprocess.Popen[str], came: Sequence[int]) -> None:
    """Tell helm to end and let it put its release in order; kill it when it does not, or at the next Ctrl-C."""
    told = len(came)
    process.terminate()
    if _printed(process, _SPARE_SECONDS, lambda: len(came) > told) is None:
        process.kill()


class _Loader(yaml.CSafeLoader):
    """YAML as Go's parsers read it: a bare `=`, which CRDs contain, is text and not a type of its own."""


_Loader.yaml_implicit_resolvers = {
    first: rules for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items() if first != "="
}


def _objects(text: str) -> list[Object]:
    try:
        found: list[object] = list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, ValueError) as error:
        raise ApiError(
            "the chart's objects cannot be read: helm printed no YAML",
            where="helm",
            hint="is the archive whole? print its objects with: helm template NAME ARCHIVE",
        ) from error
    return [cast("Object", document) for document in found if isinstance(document, dict)]
