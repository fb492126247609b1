"""Which steps of Kubernetes a run may take: those that were shown and asked for, or those of a saved plan.

Steps are decided phase by phase from live facts. So what may be done is the forecast; what turns out to be needed
beyond it is refused on its machine, and the next run shows and asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from daiku.apply.phases.decide import Do, Machine, Step
from daiku.apply.phases.facts import HostFacts, Live
from daiku.errors import HostError

DESTRUCTIVE: frozenset[Do] = frozenset({"drain", "reset", "forget etcd member", "delete node"})
"""Steps that lose something: what runs on a machine, what it holds, a member of etcd, what the cluster knows of it."""
FOLLOWING: frozenset[Do] = frozenset({"resume init", "restart kubelet", "mark"})
"""Steps that end what `init` or `join` began."""


class Anything:
    """Every step is allowed: the user said yes to all."""

    def __call__(self, step: Step) -> None:
        del step


class Asked:
    """What was shown and confirmed, and all that loses nothing."""

    def __init__(self, shown: Iterable[Step]) -> None:
        self._shown = {(step.host, step.do) for step in shown}

    def __call__(self, step: Step) -> None:
        """HostError: the step loses something, and nobody was asked."""
        if step.do in DESTRUCTIVE and (step.host, step.do) not in self._shown:
            raise HostError(
                f"not done, because it was not foreseen and nobody was asked: {step.do} ({step.reason})",
                host=step.host,
                step=step.do,
                hint="run the same command again: it shows this step and asks",
            )


class Planned:
    """What a saved plan lists, as (machine, step), and what ends that."""

    def __init__(self, listed: Iterable[tuple[str, str]]) -> None:
        self._listed = set(listed)
        self._begun = {host for host, do in self._listed if do in {"init", "join"}}

    def __call__(self, step: Step) -> None:
        """HostError: the step is not in the plan."""
        if not self.allows(step):
            raise HostError(
                f"not done, because the saved plan does not list it: {step.do} ({step.reason})",
                host=step.host,
                step=step.do,
                hint="make a new plan and review it",
            )

    def allows(self, step: Step) -> bool:
        """Whether it is in the plan. Waiting, and deleting join secrets that are left, change nothing that stands."""
        if step.do in {"wait", "clean up"} or (step.host, step.do) in self._listed:
            return True
        return step.do in FOLLOWING and step.host in self._begun


def losses(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Those that lose something."""
    return tuple(step for step in steps if step.do in DESTRUCTIVE)


def supposing(live: Live, machines: Sequence[Machine], fresh: frozenset[str]) -> Live:
    """The facts as they will be when the `fresh` machines are made anew: they hold nothing, and what etcd knew of them
    is dead."""
    if not fresh:
        return live
    gone = [m for m in machines if m.name in fresh]

    def seen(facts: HostFacts) -> HostFacts:
        return replace(
            facts,
            members=tuple(
                replace(one, healthy=False) if any(one.is_of(m.name, m.address) for m in gone) else one
                for one in facts.members
            ),
        )

    hosts: Mapping[str, HostFacts] = {
        **{name: seen(facts) for name, facts in live.hosts.items()},
        **{m.name: HostFacts() for m in gone},
    }
    return Live(hosts, {n: why for n, why in live.silent.items() if n not in fresh}, live.cluster)
