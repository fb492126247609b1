"""Static pods as files: reading them, and what a container of one becomes as a process. Pure apart from reading."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class StaticPod:
    """`file` is the manifest's name, `digest` its content's hash: another content is another pod."""

    file: str
    digest: str
    pod: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.pod["metadata"].get("namespace") or "default")

    @property
    def containers(self) -> list[dict[str, Any]]:
        return self.pod["spec"]["containers"]


@dataclass(frozen=True, slots=True)
class Run:
    """A container as a process: `folders` and `files` are to be made first (hostPath's ...OrCreate)."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str
    folders: tuple[str, ...]
    files: tuple[str, ...]


class Manifests:
    """The static pods of a folder. A file is read again only when it changed."""

    def __init__(self, folder: Path, complain: Callable[[str], None]) -> None:
        self._folder = folder
        self._complain = complain
        self._known: dict[str, tuple[tuple[int, int, int], StaticPod | None]] = {}

    def read(self) -> dict[str, StaticPod]:
        """By file name. One that cannot be read is told once and left out."""
        fresh: dict[str, tuple[tuple[int, int, int], StaticPod | None]] = {}
        for path in sorted(self._folder.glob("*")):
            if path.name.startswith(".") or path.suffix not in {".yaml", ".yml", ".json"}:
                continue
            try:
                status = path.stat()
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                known = self._known.get(path.name)
                fresh[path.name] = known if known and known[0] == stamp else (stamp, self._parse(path))
            except OSError:  # gone between two looks
                continue
        self._known = fresh
        return {name: pod for name, (_, pod) in fresh.items() if pod is not None}

    def _parse(self, path: Path) -> StaticPod | None:
        content = path.read_bytes()
        try:
            pod = StaticPod(path.name, hashlib.sha256(content).hexdigest()[:32], yaml.safe_load(content))
            complete = bool(pod.name) and all(container["name"] for container in pod.containers)
        except (yaml.YAMLError, TypeError, KeyError) as error:
            self._complain(f"cannot read the manifest {path}: {error!r}")
            return None
        return pod if complete else None


def image_parts(image: str) -> tuple[str, str]:
    """Name and version of an image: `registry/k8s/etcd:3.6.8-0` -> etcd, 3.6.8; `kube-apiserver:v1.36.3` -> 1.36.3.

    The version is empty for an image without a tag.
    """
    rest = image.partition("@")[0].rpartition("/")[2]
    name, _, tag = rest.partition(":")
    return name, tag.removeprefix("v").partition("-")[0]


def run_of(pod: StaticPod, container: dict[str, Any], program: Path) -> Run:
    """What to start for a container whose image's program is `program`. Raises ValueError for what cannot be done."""
    words = [*container.get("command", []), *container.get("args", [])]
    if not words:
        raise ValueError(f"container {container['name']} has no command, and there is no image to say one")
    if Path(words[0]).name == program.name:
        words[0] = str(program)
    volumes = {volume["name"]: volume for volume in pod.pod["spec"].get("volumes") or []}
    folders: list[str] = []
    files: list[str] = []
    binds: list[tuple[str, str]] = []
    for mount in container.get("volumeMounts") or []:
        host = volumes.get(mount["name"], {}).get("hostPath")
        if host is None:
            raise ValueError(f"volume {mount['name']} is no hostPath: the lab has no other kind")
        kind = host.get("type") or ""
        (folders if kind == "DirectoryOrCreate" else files if kind == "FileOrCreate" else []).append(
            host["path"]
        )
        if os.path.normpath(host["path"]) != os.path.normpath(mount["mountPath"]):
            binds.append((host["path"], mount["mountPath"]))
    if binds:  # it sees another path than the host does: a mount namespace of its own
        shown = "".join(_bind(source, target) for source, target in binds)
        words = ["unshare", "--mount", "sh", "-ec", f'{shown}exec "$@"', "sh", *words]
    environment = {"PATH": PATH, "HOME": "/root"}
    environment |= {entry["name"]: entry.get("value", "") for entry in container.get("env") or []}
    return Run(tuple(words), environment, container.get("workingDir") or "/", tuple(folders), tuple(files))


def _bind(source: str, target: str) -> str:
    source, target = shlex.quote(source), shlex.quote(target)
    make = (
        f"if [ -d {source} ]; then mkdir -p {target}; else mkdir -p $(dirname {target}); touch {target}; fi; "
    )
    return f"{make}mount --bind {source} {target}; "
