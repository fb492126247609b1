"""The emulator of Sakura Cloud's IaaS API and of the PHY bare-metal API: one world, one ASGI application.

`World` holds the state, `create_app` serves it, `Inventory` says what was ordered before the first API call.
"""

from daiku.lab.sakura.app import create_app
from daiku.lab.sakura.faults import FaultPlan, FaultRule
from daiku.lab.sakura.inventory import Inventory
from daiku.lab.sakura.world import World

__all__ = ["FaultPlan", "FaultRule", "Inventory", "World", "create_app"]
