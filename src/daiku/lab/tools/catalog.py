"""The tools that are built from pinned Go modules when they are not on PATH.

Each module has a folder beside this file with a `go.mod` and a complete `go.sum`: they are the pin. Another version
of Kubernetes is another folder with its own `Tool`s; `TOOLS` holds those of the newest release.
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


def _kubernetes(name: str, minutes: int, *version_command: str) -> Tool:
    """A program of Kubernetes; of another patch version it would write and accept something else."""
    stamp = "k8s.io/component-base/version"
    return Tool(
        name=name,
        package=f"k8s.io/kubernetes/cmd/{name}",
        module=_HERE / "kubernetes",
        version="1.36.3",
        ldflags=f"-s -w -X {stamp}.gitVersion=v1.36.3 -X {stamp}.gitMajor=1 -X {stamp}.gitMinor=36"
        f" -X {stamp}.gitTreeState=clean",
        version_command=version_command or ("--version",),
        oldest=(1, 36, 3),
        below=(1, 36, 4),
        minutes=minutes,
    )


def _etcd(name: str, package: str, *version_command: str) -> Tool:
    return Tool(
        name=name,
        package=f"go.etcd.io/etcd/{package}/v3",
        module=_HERE / "etcd",
        version="3.6.8",
        ldflags="-s -w",
        version_command=version_command,
        oldest=(3, 6, 8),
        below=(3, 6, 9),
        minutes=1,
    )


KUBERNETES: Final = (
    _kubernetes("kubeadm", 1, "version", "-o", "short"),
    _etcd("etcd", "server", "--version"),
    _kubernetes("kube-apiserver", 5),
    _kubernetes("kube-controller-manager", 2),
    _kubernetes("kube-scheduler", 1),
    _kubernetes("kubectl", 1, "version", "--client"),
    _etcd("etcdctl", "etcdctl", "version"),
    _etcd("etcdutl", "etcdutl", "version"),
)
"""What a control plane runs, in the order in which the lab's hosts need it."""

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
