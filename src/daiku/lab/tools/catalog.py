"""The tools that are built from pinned Go modules when they are not on PATH.

Each module has a folder beside this file with a `go.mod` and a complete `go.sum`: they are the pin. Another version
of Kubernetes is another folder with its own `Tool`s (`BEFORE`); `TOOLS` holds those of the newest release.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A Go program. `name` is the executable, `package` its import path, `module` the folder of its go.mod.

    `version_command` asks an executable found on PATH for its version; one that is not from `oldest` up to (not
    including) `below` is passed over. `minutes` is what a build takes on two cores, for the first progress line.
    """

    name: str
    package: str
    module: Path
    version: str
    ldflags: str
    version_command: tuple[str, ...]
    oldest: Version
    below: Version = (1_000_000, 0, 0)
    minutes: int

    def accepts(self, version: Version) -> bool:
        return self.oldest <= version < self.below


_HERE = Path(__file__).parent

PULUMI: Final = Tool(
    name="pulumi",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    module=_HERE / "pulumi",
    version="3.259.0",
    ldflags="-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
    version_command=("version",),
    oldest=(3, 206, 0),  # the first whose events come over gRPC, which the Automation API prefers
    minutes=5,
)


def _kubernetes(version: str, folder: str, name: str, minutes: int, *version_command: str) -> Tool:
    """A program of Kubernetes; of another patch version it would write and accept something else."""
    stamp = "k8s.io/component-base/version"
    minor = version.split(".")[1]
    return Tool(
        name=name,
        package=f"k8s.io/kubernetes/cmd/{name}",
        module=_HERE / folder,
        version=version,
        ldflags=f"-s -w -X {stamp}.gitVersion=v{version} -X {stamp}.gitMajor=1 -X {stamp}.gitMinor={minor}"
        f" -X {stamp}.gitTreeState=clean",
        version_command=version_command or ("--version",),
        oldest=_numbers(version),
        below=_numbers(version, 1),
        minutes=minutes,
    )


def _etcd(version: str, folder: str, name: str, package: str, *version_command: str) -> Tool:
    return Tool(
        name=name,
        package=f"go.etcd.io/etcd/{package}/v3",
        module=_HERE / folder,
        version=version,
        ldflags="-s -w",
        version_command=version_command,
        oldest=_numbers(version),
        below=_numbers(version, 1),
        minutes=1,
    )


def _numbers(version: str, later: int = 0) -> Version:
    """`1.36.3` as numbers, or that many patches later."""
    major, minor, patch = (int(part) for part in version.split("."))
    return (major, minor, patch + later)


_NEWEST: Final = ("1.36.3", "kubernetes")
_ETCD: Final = ("3.6.8", "etcd")

KUBERNETES: Final = (
    _kubernetes(*_NEWEST, "kubeadm", 1, "version", "-o", "short"),
    _etcd(*_ETCD, "etcd", "server", "--version"),
    _kubernetes(*_NEWEST, "kube-apiserver", 5),
    _kubernetes(*_NEWEST, "kube-controller-manager", 2),
    _kubernetes(*_NEWEST, "kube-scheduler", 1),
    _kubernetes(*_NEWEST, "kubectl", 1, "version", "--client"),
    _etcd(*_ETCD, "etcdctl", "etcdctl", "version"),
    _etcd(*_ETCD, "etcdutl", "etcdutl", "version"),
)
"""What a control plane runs, in the order in which the lab's hosts need it."""

_BEFORE: Final = ("1.35.4", "kubernetes-1.35")

BEFORE: Final = (
    _kubernetes(*_BEFORE, "kubeadm", 1, "version", "-o", "short"),
    _etcd("3.6.6", "etcd-3.6.6", "etcd", "server", "--version"),
    _kubernetes(*_BEFORE, "kube-apiserver", 5),
    _kubernetes(*_BEFORE, "kube-controller-manager", 2),
    _kubernetes(*_BEFORE, "kube-scheduler", 1),
)
"""The minor version before, with the etcd that its kubeadm runs: what an upgrade starts from. Only who asks for these
builds them; kubectl and etcdctl of the newest release speak with both."""

KWOK: Final = Tool(
    name="kwok",
    package="sigs.k8s.io/kwok/cmd/kwok",
    module=_HERE / "kwok",
    version="0.8.0",
    ldflags="-s -w -X sigs.k8s.io/kwok/pkg/consts.Version=0.8.0",
    version_command=("--version",),
    oldest=(0, 8, 0),
    below=(0, 9, 0),
    minutes=2,
)

HELM: Final = Tool(
    name="helm",
    package="helm.sh/helm/v4/cmd/helm",
    module=_HERE / "helm",
    version="4.3.1",
    ldflags="-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1",
    version_command=("version", "--short"),
    oldest=(4, 3, 0),
    below=(5, 0, 0),
    minutes=3,
)

TOOLS: Final = {tool.name: tool for tool in (PULUMI, *KUBERNETES, KWOK, HELM)}
