"""A server (VM): plan, NICs, disks and what is written on the disk before the first boot."""

from __future__ import annotations

from daiku.errors import ConflictError
from daiku.provider.context import Context
from daiku.provider.fields import Failure, Props
from daiku.provider.resources.cloud_object import CloudObject, Goal, refer
from daiku.provider.resources.server_fields import TYPE
from daiku.provider.resources.server_parts import (
    cdrom_of,
    connected_switch,
    disks_state,
    dress,
    edit_body,
    insert_cdrom,
    nics_state,
    plan_body,
    plan_differs,
    plan_state,
    reconnect_disks,
    rewire,
    wiring,
    wiring_of,
)
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import DISK, SERVER

FAREWELL_SECONDS = 60.0
"""How long a server that is to be deleted may take to shut down before the plug is pulled."""


class ServerHandler(CloudObject):
    type = TYPE
    kind = SERVER

    def check(self, inputs: Props) -> list[Failure]:
        failures: list[Failure] = []
        edit = inputs.get("diskEdit")
        if isinstance(edit, dict):
            if ("gateway" in edit) != ("networkMaskLen" in edit):
                failures.append(Failure("diskEdit.networkMaskLen", "and gateway go together: both, or none"))
            if "ipAddress" in edit and "networkMaskLen" not in edit:
                failures.append(Failure("diskEdit.networkMaskLen", "is required with ipAddress"))
            if inputs["disks"] == []:
                failures.append(Failure("diskEdit", "needs a disk to write on"))
        if inputs.get("gpuModel") and inputs["gpu"] == 0:
            failures.append(Failure("gpuModel", "needs gpu to be 1 or more"))
        return failures

    def make(self, ctx: Context, goal: Goal) -> Json:
        body: Json = {
            **self.named(goal),
            "ServerPlan": plan_body(goal.inputs),
            "InterfaceDriver": goal.inputs["interfaceDriver"],
            "ConnectedSwitches": [
                connected_switch(where) for where in wiring(goal.inputs["networkInterfaces"])
            ],
            "WaitDiskMigration": False,
            **refer(goal, "PrivateHost", "privateHostId"),
        }
        return ctx.cloud.create(SERVER, body, zone=goal.zone, once=True)

    def attributes(self, goal: Goal) -> Json:
        driver = {"InterfaceDriver": goal.inputs["interfaceDriver"]}
        return driver | refer(goal, "PrivateHost", "privateHostId")

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        zone, inputs = goal.zone, goal.inputs
        edit = self._edit_due(live, goal)
        if self._down_needed(live, goal) or (edit and is_up(live)):
            ctx.cloud.power_off(SERVER, id_of(live), zone=zone)
        live = self.set_attributes(ctx, live, goal)
        if plan_differs(live, inputs):
            # Older marks of earlier changes would fill the ten tags: only the coming one is needed.
            ctx.cloud.update(SERVER, id_of(live), self.named(goal), zone=zone)
            live = ctx.cloud.change_server_plan(id_of(live), plan_body(inputs), zone=zone)
        wanted = wiring(inputs["networkInterfaces"])
        if wiring_of(live) != wanted:
            rewire(ctx, live, wanted, zone)
        if disks_state(live) != inputs["disks"]:
            reconnect_disks(ctx, live, inputs["disks"], zone)
        if edit:
            self._write_disk(ctx, live, goal)
        live = ctx.cloud.read(SERVER, id_of(live), zone=zone)
        dress(ctx, live, inputs, zone)
        insert_cdrom(ctx, live, inputs.get("cdromId", ""), zone)
        return self._power(ctx, live, goal)

    def _write_disk(self, ctx: Context, live: Json, goal: Goal) -> None:
        disk, body = goal.inputs["disks"][0], edit_body(goal.inputs["diskEdit"])
        try:
            ctx.cloud.act("PUT", DISK, disk, "config", body, zone=goal.zone)
        except ConflictError:
            if goal.olds:
                raise
            # A creation that was killed over its last step, the boot: the server begins to run and says that it is
            # down until it does. What was written then is not known, so it is stopped and written once more.
            ctx.cloud.power_on(SERVER, id_of(live), zone=goal.zone, user_data=goal.inputs.get("userData"))
            ctx.cloud.power_off(SERVER, id_of(live), zone=goal.zone)
            ctx.cloud.act("PUT", DISK, disk, "config", body, zone=goal.zone)

    def _power(self, ctx: Context, live: Json, goal: Goal) -> Json:
        ident = id_of(live)
        if goal.inputs["power"] == "up":
            ctx.cloud.power_on(SERVER, ident, zone=goal.zone, user_data=goal.inputs.get("userData"))
        else:
            ctx.cloud.power_off(SERVER, ident, zone=goal.zone)
        return ctx.cloud.read(SERVER, ident, zone=goal.zone)

    def _edit_due(self, live: Json, goal: Goal) -> bool:
        """Whether the disk is to be written: it is asked for, and was not done before with the same values.

        A server that was just made has never run; one that a crashed creation left running was written before
        its first boot, for the boot is the last step.
        """
        edit = goal.inputs.get("diskEdit")
        if edit is None:
            return False
        if goal.olds:
            return goal.olds.get("diskEdit") != edit or goal.olds.get("disks") != goal.inputs["disks"]
        return not is_up(live)

    def _down_needed(self, live: Json, goal: Goal) -> bool:
        inputs = goal.inputs
        if not is_up(live):
            return False
        return (
            plan_differs(live, inputs)
            or wiring_of(live) != wiring(inputs["networkInterfaces"])
            or disks_state(live) != inputs["disks"]
            or id_of(as_dict(live.get("PrivateHost"))) != inputs.get("privateHostId", "")
            or str(live.get("InterfaceDriver") or "virtio") != inputs["interfaceDriver"]
            or bool(goal.olds and goal.olds.get("userData") != inputs.get("userData"))
        )

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        """Switch it off and delete it; its disks are resources of their own and stay."""
        ctx.cloud.power_off(SERVER, ident, zone=zone, grace=FAREWELL_SECONDS)
        ctx.cloud.delete_when_free(SERVER, ident, zone=zone)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        interfaces = as_list(live.get("Interfaces"))
        state = {
            **self.common_state(ctx, live),
            **plan_state(live, prior),
            "zone": prior.get("zone") or ctx.zone,
            "interfaceDriver": str(live.get("InterfaceDriver") or "virtio"),
            "networkInterfaces": nics_state(live, prior),
            "disks": disks_state(live),
            "power": "up" if is_up(live) else "down",
            "ipAddress": str(as_dict(interfaces[0]).get("IPAddress") or "") if interfaces else "",
            "macAddresses": [str(i.get("MACAddress") or "").lower() for i in interfaces],
            "interfaceIds": [id_of(i) for i in interfaces],
        }
        for name, reference in (("privateHostId", live.get("PrivateHost")), ("cdromId", cdrom_of(live))):
            if ident := id_of(as_dict(reference)):
                state[name] = ident
        # The API never tells what was written on a disk or given at boot.
        for name in ("diskEdit", "userData"):
            if name in prior:
                state[name] = prior[name]
        return state


def is_up(live: Json) -> bool:
    return as_dict(live.get("Instance")).get("Status") in ("up", "cleaning")
