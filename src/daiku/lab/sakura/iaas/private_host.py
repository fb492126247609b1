"""Private hosts: a whole machine for one customer's servers, and the plans that they are sold by."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.bodies import Common, Ref, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.catalog import PRIVATE_HOST_PLANS, SERVER_PLANS, PrivateHostPlan
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import PrivateHost, Server
from daiku.lab.sakura.iaas.wire import (
    Call,
    Reply,
    bad_request,
    common_view,
    conflict,
    created,
    not_found,
    routes,
    single,
)


class PrivateHostBody(Common):
    Plan: Ref | None = None


def plan_view(plan: PrivateHostPlan) -> dict[str, Any]:
    return {
        "ID": plan.id,
        "Name": plan.name,
        "Class": plan.kind,
        "CPU": plan.cpu,
        "CPUModel": "uncategorized",
        "MemoryMB": plan.memory_gb * 1024,
        "Dedicated": True,
        "ServiceClass": f"cloud/private-host/{plan.cpu}core-{plan.memory_gb}gb"
        + ("" if plan.kind == "dynamic" else f"-{plan.kind}"),
        "Availability": "available",
    }


def host_view(call: Call, row: PrivateHost) -> dict[str, Any]:
    plans = [SERVER_PLANS[s.plan] for s in call.world.rows(Server) if s.private_host == row.id]
    plan = plan_view(PRIVATE_HOST_PLANS[row.plan])
    view = common_view(row) | {
        "Plan": {key: plan[key] for key in ("ID", "Name", "Class", "CPU", "MemoryMB", "ServiceClass")},
        "Host": {"Name": f"sac-{row.zone}-ph{row.id % 1000:03d}"},
        "AssignedCPU": sum(plan.cpu for plan in plans),
        "AssignedMemoryMB": sum(plan.memory_gb for plan in plans) * 1024,
    }
    return {key: value for key, value in view.items() if key != "ModifiedAt"}


@routes.on("GET", "/product/privatehost")
def find_plans(call: Call) -> Reply:
    return listing(call, "PrivateHostPlans", [plan_view(plan) for plan in PRIVATE_HOST_PLANS.values()])


@routes.on("GET", "/product/privatehost/{id}")
def read_plan(call: Call) -> Reply:
    plan = PRIVATE_HOST_PLANS.get(int(call.holes["id"]))
    if plan is None:
        raise not_found()
    return single("PrivateHostPlan", plan_view(plan))


@routes.on("GET", "/privatehost")
def find(call: Call) -> Reply:
    return listing(call, "PrivateHosts", [host_view(call, row) for row in call.all(PrivateHost)])


@routes.on("POST", "/privatehost")
def create(call: Call) -> Reply:
    body = parse_in(call, "PrivateHost", PrivateHostBody)
    require_name(body)
    plan = body.Plan.ID if body.Plan is not None else None
    if plan is None or plan not in PRIVATE_HOST_PLANS:
        raise bad_request("PrivateHost.Plan: no such plan")
    row = PrivateHost(id=call.world.new_id(), zone=call.zone, plan=plan)
    set_common(row, body, call.now)
    return created("PrivateHost", host_view(call, call.world.add(row)))


@routes.on("GET", "/privatehost/{id}")
def read(call: Call) -> Reply:
    return single("PrivateHost", host_view(call, call.get(PrivateHost)))


@routes.on("PUT", "/privatehost/{id}")
def update(call: Call) -> Reply:
    row = call.get(PrivateHost)
    set_common(row, parse_in(call, "PrivateHost", PrivateHostBody), call.now)
    return single("PrivateHost", host_view(call, row))


@routes.on("DELETE", "/privatehost/{id}")
def delete(call: Call) -> Reply:
    row = call.get(PrivateHost)
    if any(server.private_host == row.id for server in call.world.rows(Server)):
        raise conflict("Servers run on the private host.")
    view = host_view(call, row)
    call.world.remove(row)
    return single("PrivateHost", view)
