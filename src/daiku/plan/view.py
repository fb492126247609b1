"""What every part of the planner looks at: the specification, its file, and defaults that hang on other settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from daiku.errors import Fault
from daiku.plan.model import Release
from daiku.spec import defaults, locks
from daiku.spec.cluster import Cluster
from daiku.spec.fabric import Rail
from daiku.spec.load import Loaded
from daiku.spec.lockfile import ReleaseLock
from daiku.spec.machines import GpuNode, GpuPool
from daiku.spec.source import Path, Source


@dataclass(frozen=True, slots=True)
class View:
    """A loaded specification and short ways to look at it. Paths are those of the file."""

    cluster: Cluster
    source: Source
    digest: str
    lock: ReleaseLock | None

    @classmethod
    def of(cls, loaded: Loaded) -> View:
        return cls(loaded.cluster, loaded.source, loaded.digest, loaded.lock)

    @property
    def node_network(self) -> IPv4Network:
        return defaults.node_network(self.cluster)

    def pools(self) -> Iterator[tuple[int, Path, GpuPool]]:
        """Position, path and pool, in file order."""
        for position, pool in enumerate(self.cluster.gpu_pools):
            yield position, ("gpuPools", position), pool

    def gpu_nodes(self) -> Iterator[tuple[Path, GpuPool, GpuNode]]:
        """Path, pool and node of every GPU server, in file order."""
        for _, path, pool in self.pools():
            for position, node in enumerate(pool.nodes):
                yield (*path, "nodes", position), pool, node

    def rails(self) -> Iterator[tuple[Path, GpuPool, Rail]]:
        """Path, pool and rail of every pool, in file order."""
        for _, path, pool in self.pools():
            for position, rail in enumerate(pool.fabric.rails):
                yield (*path, "fabric", "rails", position), pool, rail

    def block(self, position: int) -> IPv4Network:
        """Node addresses of the pool at that place in the file."""
        return defaults.pool_block(self.cluster, position)

    def gpu_count(self) -> int:
        """GPUs of all pools together."""
        return sum(len(pool.nodes) * pool.gpu.count for pool in self.cluster.gpu_pools)

    def node_count(self) -> int:
        """Machines that take part in the pod network."""
        cluster = self.cluster
        return (
            cluster.control_plane.count
            + cluster.management.count
            + sum(len(p.nodes) for p in cluster.gpu_pools)
        )

    def clash(self, path: Path, message: str, other: Path, role: str, hint: str = "") -> Fault:
        """A fault that two lines share: the second is shown under the first with what it has to do with it."""
        return self.source.fault(path, message, hint, others=(self.source.fault(other, role),))


def release_of(cluster: Cluster, lock: ReleaseLock | None) -> Release:
    """The release that the specification names, with its registries and the digests of the lock file, if there is one;
    KeyError when this daiku does not know it. A digest of another version than the release's is left out."""
    plain = {
        k: tuple(sorted(v.items())) if isinstance(v, dict) else v
        for k, v in locks.lock(cluster.release).items()
    }
    release = Release.model_validate(plain)
    found: dict[str, tuple[tuple[str, str], ...]] = {
        "registries": tuple(sorted((r.source, r.at) for r in cluster.registries))
    }
    if lock is not None:
        tags = {name: reference.rpartition(":")[2] for name, reference in release.images}
        images = ((n, o.digest) for n, o in lock.images.items() if tags.get(n) == o.version)
        versions = dict(release.charts)
        charts = (
            (n, o.archive) for n, o in lock.charts.items() if o.archive and versions.get(n) == o.version
        )
        found |= {"image_digests": tuple(sorted(images)), "chart_archives": tuple(sorted(charts))}
    return release.model_copy(update=found)
