"""Power of servers and appliances: calls are accepted at once, states follow in virtual time."""

from __future__ import annotations

from typing import Literal

from daiku.lab.sakura.iaas.models import Appliance, Server
from daiku.lab.sakura.iaas.wire import conflict
from daiku.lab.sakura.records import Power
from daiku.lab.sakura.world import World, transition

BOOT_SECONDS = 15.0
SHUTDOWN_SECONDS = 20.0
CLEANING_SECONDS = 3.0


def boot(world: World, row: Server | Appliance) -> None:
    """Power on. 409 unless it is down and at rest."""
    if row.power.status != "down" or row.power.goal:
        raise conflict("The power is on already, or another operation is in progress.")
    _aim(world, row, "up", BOOT_SECONDS)


def shut_down(world: World, row: Server | Appliance, *, force: bool) -> None:
    """Power off: by ACPI, or at once. 409 when it is off, or an ordinary shutdown is asked for twice."""
    power = row.power
    busy = power.goal == "down" and (not force or power.status == "cleaning")
    if busy or (power.goal == "up" and not force) or (power.status == "down" and not power.goal):
        raise conflict("The power is off already, or another operation is in progress.")
    if force and power.status == "up":
        _become(power, "cleaning", world.clock.now())
    _aim(world, row, "down", CLEANING_SECONDS if force else SHUTDOWN_SECONDS)


def reset(world: World, row: Server | Appliance) -> None:
    """Press the reset button. 409 unless it is up."""
    if row.power.status != "up" or row.power.goal:
        raise conflict("The power is off.")
    _booted(world, row)
    row.power.changed = world.clock.now()


def ended(world: World, row: Server) -> None:
    """It powered itself off, as it also does when it is asked to by ACPI."""
    if row.power.status == "up":
        row.power.goal = ""
        row.power.stamp += 1
        _become(row.power, "down", world.clock.now())


def _booted(world: World, row: Server | Appliance) -> None:
    row.power.boots += 1
    if isinstance(row, Server):
        row.silent = world.faults.strikes("no_ssh", f"server {row.id} {row.name}") is not None


def require_down(row: Server | Appliance) -> None:
    """409 unless it is down and at rest."""
    if row.power.status != "down" or row.power.goal:
        raise conflict("The power must be off.")


def _aim(world: World, row: Server | Appliance, goal: Literal["up", "down"], seconds: float) -> None:
    row.power.goal = goal
    row.power.stamp += 1
    world.schedule(seconds, f"power.{goal}", row.id, row.power.stamp)


def _become(power: Power, status: Literal["up", "down", "cleaning"], now: float) -> None:
    power.before, power.status, power.changed = power.status, status, now


def _due(world: World, target: int, stamp: int) -> Server | Appliance | None:
    row = world.find(Server, target) or world.find(Appliance, target)
    return row if row is not None and row.power.stamp == stamp else None


@transition("power.up")
def _up(world: World, target: int, stamp: int) -> None:
    if (row := _due(world, target, stamp)) is not None:
        row.power.goal = ""
        _booted(world, row)
        _become(row.power, "up", world.clock.now())


@transition("power.down")
def _down(world: World, target: int, stamp: int) -> None:
    if (row := _due(world, target, stamp)) is not None:
        row.power.goal = ""
        _become(row.power, "down", world.clock.now())
