"""Small worlds in memory: resources and hosts' files, planned against what is wanted and changed as planned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

from daiku.apply.planfile import (
    FileMove,
    FreshHost,
    HostMove,
    PropertyMove,
    ResourceMove,
    SavedPlan,
)
from daiku.apply.report import FileChange, HostReport, Rights, TriggerRun
from daiku.plan.facts import Facts, NodeFacts

HOSTS = ("n1", "n2", "n3")
URNS = tuple(f"urn:pulumi:c::daiku::sakura:cloud:Server::{name}" for name in ("n1", "n2", "router", "lb"))
PATHS = ("/etc/a", "/etc/b", "/etc/c")
CONTENTS = ("one", "two", "three")

RESOURCES = st.dictionaries(st.sampled_from(URNS), st.sampled_from(CONTENTS), max_size=4)
FILES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS), max_size=3)
MACHINES = st.dictionaries(
    st.sampled_from(HOSTS), st.tuples(FILES, st.sampled_from(["disk-1", "disk-2"])), max_size=3
)


def sha(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass
class World:
    """What stands: resources by URN with one property each, hosts with their files and their disk."""

    resources: dict[str, str] = field(default_factory=dict[str, str])
    machines: dict[str, tuple[dict[str, str], str]] = field(
        default_factory=dict[str, tuple[dict[str, str], str]]
    )

    def copy(self) -> World:
        return World(
            dict(self.resources), {name: (dict(files), disk) for name, (files, disk) in self.machines.items()}
        )

    def facts(self) -> Facts:
        nodes = tuple(
            NodeFacts(name=name, resource_id=disk, provider_id="", incarnation=disk)
            for name, (_, disk) in sorted(self.machines.items())
        )
        return Facts(cluster="c", plan_digest="p", router_address="", bastion_port=22, nodes=nodes)

    def report(self, host: str, wanted: Mapping[str, str]) -> HostReport:
        """What differs on a host, as the helper's survey tells it."""
        files = self.machines[host][0] if host in self.machines else {}
        changes = tuple(
            FileChange(
                path,
                ("content",)
                if path in files and path in wanted
                else ("create",)
                if path in wanted
                else ("remove",),
                Rights(0o644, "0", "0") if path in files else None,
                Rights(0o644, "root", "root") if path in wanted else None,
                "",
                False,
                sha(files[path]) if path in files else "",
                sha(wanted[path]) if path in wanted else "",
            )
            for path in sorted({*files, *wanted})
            if files.get(path) != wanted.get(path)
        )
        due = (TriggerRun("reload", None),) if changes else ()
        return HostReport(host, "b", changes, due, True, 0, 1, 0.0)


@dataclass
class Wanted:
    resources: dict[str, str]
    hosts: dict[str, dict[str, str]]


WANTED = st.builds(Wanted, RESOURCES, st.dictionaries(st.sampled_from(HOSTS), FILES, max_size=3))
WORLDS = st.builds(World, RESOURCES, MACHINES)


def plan(world: World, wanted: Wanted) -> SavedPlan:
    """The plan as `daiku plan` makes it from what the engine and the helpers say."""
    moves = tuple(
        ResourceMove(
            urn=urn,
            type="sakura:cloud:Server",
            name=urn.rsplit("::", 1)[-1],
            op="update" if urn in world.resources and urn in wanted.resources else _op(urn, wanted),
            properties=(
                PropertyMove(
                    path="size",
                    kind="update",
                    before=world.resources.get(urn, ""),
                    after=wanted.resources.get(urn, ""),
                ),
            ),
        )
        for urn in sorted({*world.resources, *wanted.resources})
        if world.resources.get(urn) != wanted.resources.get(urn)
    )
    standing = [host for host in sorted(wanted.hosts) if host in world.machines]
    reports = [world.report(host, wanted.hosts[host]) for host in standing]
    fresh = tuple(
        FreshHost(host=host, files=tuple(sorted((p, sha(c)) for p, c in files.items())), triggers=("reload",))
        for host, files in sorted(wanted.hosts.items())
        if host not in world.machines
    )
    return SavedPlan(
        cluster="c",
        daiku="0",
        made_at="2026-11-22T00:00:00Z",
        made_by="anna@desk",
        spec="s",
        plan="p",
        release="r",
        release_digest="d",
        secrets=(),
        incarnations=tuple((name, disk) for name, (_, disk) in sorted(world.machines.items())),
        resources=moves,
        hosts=tuple(HostMove.of(report) for report in reports if report.changed),
        fresh=fresh,
    )


def _op(urn: str, wanted: Wanted) -> str:
    return "create" if urn in wanted.resources else "delete"


def file_move(path: str, before: str, after: str) -> FileMove:
    return FileMove(
        path=path,
        what=("content",),
        before="0644 0:0",
        after="0644 root:root",
        before_sha256=sha(before),
        after_sha256=sha(after),
        private=False,
    )
