"""Which machines to end, boot or re-plug so that what runs equals what is wanted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daiku.lab.topology import Machine, Nic


@dataclass(frozen=True, slots=True)
class Known:
    """A machine as it was last booted. `alive` says that its PID 1 lives; `left` that it powered itself off."""

    machine: Machine
    alive: bool
    left: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """`halt` ends processes (disks stay), `boot` starts machines, `replug` are live changes at running ones."""

    halt: tuple[str, ...] = ()
    boot: tuple[Machine, ...] = ()
    replug: tuple[Machine, ...] = ()


def decide(known: Mapping[str, Known], wanted: Sequence[Machine]) -> Decision:
    """Compare by id. A machine that powered itself off stays off until `boots` or `root` changes; one that crashed
    is booted again; host name, login and keys matter only to a fresh disk and change nothing on a running one."""
    boot: list[Machine] = []
    replug: list[Machine] = []
    on = {machine.id: machine for machine in wanted if machine.power and machine.root}
    halt = [identity for identity in known if identity not in on]
    for identity, machine in sorted(on.items()):
        before = known.get(identity)
        if before is None:
            boot.append(machine)
        elif (before.machine.boots, before.machine.root) != (machine.boots, machine.root):
            halt.append(identity)
            boot.append(machine)
        elif before.alive:
            if before.machine.nics != machine.nics:
                replug.append(machine)
        elif not before.left:
            halt.append(identity)
            boot.append(machine)
    return Decision(tuple(sorted(halt)), tuple(boot), tuple(replug))


@dataclass(frozen=True, slots=True)
class PortChanges:
    """Ports to remove (by NIC name), to add, and to plug into another segment."""

    remove: tuple[str, ...]
    add: tuple[Nic, ...]
    move: tuple[Nic, ...]


def port_changes(before: Sequence[Nic], after: Sequence[Nic]) -> PortChanges:
    """A NIC is the same one while its name and MAC stay; addresses are the host's own business after the first boot."""
    old = {nic.name: nic for nic in before}
    new = {nic.name: nic for nic in after}
    same = {name for name in old if name in new and old[name].mac == new[name].mac}
    return PortChanges(
        remove=tuple(name for name in sorted(old) if name not in same),
        add=tuple(nic for name, nic in sorted(new.items()) if name not in same),
        move=tuple(new[name] for name in sorted(same) if old[name].segment != new[name].segment),
    )


def wiped_roots(before: Sequence[Machine], after: Sequence[Machine]) -> tuple[str, ...]:
    """Disks that nobody can come back to: a bare-metal server's, once it was reinstalled.

    A VM's disk can be detached and attached elsewhere, so it is kept.
    """
    now = {machine.id: machine.root for machine in after}
    used = {machine.root for machine in after}
    gone = {m.root for m in before if m.kind == "phy" and m.root and now.get(m.id, m.root) != m.root}
    return tuple(sorted(gone - used))
