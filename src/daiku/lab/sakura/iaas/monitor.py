"""Activity monitors: a value each five minutes. The lab measures nothing: what runs shows 0, what is off null."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from daiku.lab.sakura.iaas.models import Appliance, Disk, Interface, Internet, LocalRouter, Server
from daiku.lab.sakura.iaas.wire import Call, Reply, bad_request, not_found, routes
from daiku.lab.sakura.records import EPOCH, JST

STEP = timedelta(minutes=5)
DEFAULT_SPAN = timedelta(hours=1)
MAX_POINTS = 2000

CPU = ("CPU-TIME",)
DISK = ("Write", "Read")
INTERFACE = ("Receive", "Send")
ROUTER = ("In", "Out")
LOCAL_ROUTER = ("receiveBytesPerSec", "sendBytesPerSec")


def _moment(call: Call, name: str) -> datetime | None:
    """`Start` or `End` of the query document; the zero time of Go clients means that none was given."""
    value = call.query.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.year == 1:
            return None
        return moment.astimezone(JST) if moment.tzinfo is not None else moment.replace(tzinfo=JST)
    except (TypeError, ValueError, OverflowError):
        raise bad_request(f"{name} must be a time") from None


def _data(call: Call, names: tuple[str, ...], *, running: bool) -> Reply:
    now = EPOCH + timedelta(seconds=int(call.now))
    end = min(_moment(call, "End") or now, now)
    try:
        start = max(_moment(call, "Start") or end - DEFAULT_SPAN, end - STEP * MAX_POINTS)
    except OverflowError:
        raise bad_request("End is out of range") from None
    first = EPOCH + -((EPOCH - start) // STEP) * STEP
    value = dict.fromkeys(names, 0 if running else None)
    points: dict[str, Any] = {}
    while first <= end:
        points[first.isoformat()] = dict(value)
        first += STEP
    return Reply(200, {"Data": points, "is_ok": True})


@routes.on("GET", "/server/{id}/monitor")
def server(call: Call) -> Reply:
    return _data(call, CPU, running=call.get(Server).power.status == "up")


@routes.on("GET", "/disk/{id}/monitor")
def disk(call: Call) -> Reply:
    owner = call.world.find(Server, call.get(Disk).server)
    return _data(call, DISK, running=owner is not None and owner.power.status == "up")


@routes.on("GET", "/interface/{id}/monitor")
def interface(call: Call) -> Reply:
    owner = call.world.find(Server, call.get(Interface).server)
    return _data(call, INTERFACE, running=owner is not None and owner.power.status == "up")


@routes.on("GET", "/internet/{id}/monitor")
def internet(call: Call) -> Reply:
    call.get(Internet)
    return _data(call, ROUTER, running=True)


@routes.on("GET", "/appliance/{id}/cpu/monitor")
def appliance_cpu(call: Call) -> Reply:
    return _data(call, CPU, running=call.get(Appliance).power.status == "up")


@routes.on("GET", "/appliance/{id}/interface/monitor", "/appliance/{id}/interface/{nic}/monitor")
def appliance_interface(call: Call) -> Reply:
    row, index = call.get(Appliance), int(call.holes.get("nic", "0"))
    if all(nic.index != index for nic in row.nics):
        raise not_found()
    return _data(call, INTERFACE, running=row.power.status == "up")


@routes.on("GET", "/commonserviceitem/{id}/activity/localrouter/monitor")
def local_router(call: Call) -> Reply:
    return _data(call, LOCAL_ROUTER, running=bool(call.get(LocalRouter).settings.get("Switch")))
