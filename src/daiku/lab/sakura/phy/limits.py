"""The PHY API's call budgets, counted over sliding windows of virtual time."""

from __future__ import annotations

import math

from daiku.lab.sakura.delivery import ACCOUNT_ROW
from daiku.lab.sakura.phy.models import PhyAccount, PhyServer
from daiku.lab.sakura.phy.wire import PhyError
from daiku.lab.sakura.world import World

ACCOUNT_CALLS, ACCOUNT_SECONDS = 300, 3600.0
NETWORK_CALLS, NETWORK_SECONDS = 5, 300.0


def spend(calls: list[float], now: float, limit: int, window: float) -> list[float]:
    """The moments that still count, with this call among them. 429 with Retry-After when the budget is spent."""
    recent = [moment for moment in calls if now - moment < window]
    if len(recent) >= limit:
        raise PhyError(429, retry_after=max(1, math.ceil(recent[-limit] + window - now)))
    return [*recent, now]


def spend_account(world: World) -> None:
    """Count a call of the account: 300 an hour. Refused calls do not count."""
    row = world.find(PhyAccount, ACCOUNT_ROW)
    assert row is not None
    row.calls = spend(row.calls, world.clock.now(), ACCOUNT_CALLS, ACCOUNT_SECONDS)


def spend_network(row: PhyServer, now: float) -> None:
    """Count a network-changing call of one server: 5 in 5 minutes."""
    row.network_calls = spend(row.network_calls, now, NETWORK_CALLS, NETWORK_SECONDS)
