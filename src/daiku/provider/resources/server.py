"""A server (VM): plan, NICs, disks and what is written on the disk before the first boot."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import (
    BOOLEAN,
    INTEGER,
    STRING,
    Change,
    Failure,
    Field,
    ListOf,
    Object,
    Props,
    ResourceType,
)
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import (
    DESCRIPTION,
    NAME,
    TAGS,
    ZONE,
    address,
    between,
    ident,
    mask,
)
from daiku.provider.resources.server_parts import (
    PLAN_PROPERTIES,
    connected_switch,
    disks_state,
    dress,
    edit_body,
    nics_state,
    plan_body,
    plan_state,
    reconnect_disks,
    rewire,
    wiring,
)
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import DISK, SERVER

FAREWELL_SECONDS = 60.0
"""How long a server that is to be deleted may take to shut down before the plug is pulled."""

_PLAN = "another plan needs the server down and gives it a new ID"
_NICS = "the API connects NICs only while the server is down"
_DISKS = "the API connects disks only while the server is down"
_EDIT = "the disk is written only while the server is down"

NIC = Object(
    "ServerInterface",
    "One NIC; the order is eth0, eth1 ...",
    (
        Field(
            name="upstream",
            type=STRING,
            description="`shared` (the shared segment), `disconnect`, or the ID of a switch.",
            required=True,
        ),
        address(
            "userIpAddress", "Address shown in the control panel; it configures nothing.", change=Change.LIVE
        ),
        ident("packetFilterId", "Packet filter of this NIC.", change=Change.LIVE),
    ),
)

DISK_EDIT = Object(
    "ServerDiskEdit",
    "What is written on the first disk before the first boot (archives that support disk edit).",
    (
        Field(name="hostname", type=STRING, description="Host name."),
        Field(name="password", type=STRING, description="Password of the administrator.", secret=True),
        Field(
            name="disablePasswordAuth", type=BOOLEAN, description="No password log-in by SSH.", default=True
        ),
        Field(
            name="sshKeys",
            type=ListOf(STRING),
            description="Public keys of the administrator, as text.",
            default=[],
        ),
        Field(name="sshKeyIds", type=ListOf(STRING), description="IDs of SshKey resources.", default=[]),
        Field(
            name="noteIds", type=ListOf(STRING), description="IDs of startup scripts, in order.", default=[]
        ),
        address("ipAddress", "Address of eth0 when it is on a switch."),
        address("gateway", "Default gateway of eth0."),
        mask("networkMaskLen", "Prefix length of eth0."),
        Field(name="enableDhcp", type=BOOLEAN, description="eth0 asks by DHCP.", default=False),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:Server",
    description="A server (VM). Its NICs, disks and first-boot settings belong to it.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ZONE,
        Field(
            name="cpu",
            type=INTEGER,
            description="CPU cores.",
            default=1,
            change=Change.ID_CHANGE,
            reason=_PLAN,
            problem=between(1, 256),
        ),
        Field(
            name="memoryGb",
            type=INTEGER,
            description="Memory in GiB.",
            default=1,
            change=Change.ID_CHANGE,
            reason=_PLAN,
            problem=between(1, 2048),
        ),
        Field(
            name="gpu", type=INTEGER, description="GPUs.", default=0, change=Change.ID_CHANGE, reason=_PLAN
        ),
        Field(name="gpuModel", type=STRING, description="GPU model.", change=Change.ID_CHANGE, reason=_PLAN),
        Field(
            name="commitment",
            type=STRING,
            description="Whether its cores are its own.",
            default="standard",
            choices=("standard", "dedicatedcpu"),
            change=Change.ID_CHANGE,
            reason=_PLAN,
        ),
        Field(
            name="interfaceDriver",
            type=STRING,
            description="NIC model.",
            default="virtio",
            choices=("virtio", "e1000"),
            change=Change.RESTART,
            reason=_NICS,
        ),
        Field(
            name="networkInterfaces",
            type=ListOf(NIC),
            description="NICs, at most 10.",
            default=[],
            change=Change.RESTART,
            reason=_NICS,
            problem=lambda value: "at most 10 NICs" if len(value) > 10 else "",
        ),
        Field(
            name="disks",
            type=ListOf(STRING),
            description="IDs of its disks; the first boots.",
            default=[],
            change=Change.RESTART,
            reason=_DISKS,
        ),
        Field(
            name="diskEdit",
            type=DISK_EDIT,
            description=DISK_EDIT.description,
            change=Change.RESTART,
            reason=_EDIT,
        ),
        Field(
            name="userData",
            type=STRING,
            description="cloud-init user data, given at each boot (archives that support cloud-init).",
            secret=True,
            change=Change.RESTART,
            reason="cloud-init reads its data at boot",
        ),
        Field(
            name="power",
            type=STRING,
            description="Whether it runs.",
            default="up",
            choices=("up", "down"),
            change=Change.RESTART,
            reason="it is switched on or off",
        ),
        Field(
            name="resourceId",
            type=STRING,
            description="ID in the API now: another plan changes it. Give this one to other resources.",
            output=True,
            varies_with=("cpu", "memoryGb", "gpu", "gpuModel", "commitment"),
        ),
        Field(
            name="ipAddress",
            type=STRING,
            description="Global address of eth0 on the shared segment, else empty.",
            output=True,
            varies_with=("networkInterfaces",),
        ),
        Field(
            name="macAddresses",
            type=ListOf(STRING),
            description="MAC addresses in the order of the NICs.",
            output=True,
            varies_with=("networkInterfaces",),
        ),
        Field(
            name="interfaceIds",
            type=ListOf(STRING),
            description="IDs of the NICs in order.",
            output=True,
            varies_with=("networkInterfaces",),
        ),
    ),
)


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
        }
        return ctx.cloud.create(SERVER, body, zone=goal.zone)

    def attributes(self, goal: Goal) -> Json:
        return {"InterfaceDriver": goal.inputs["interfaceDriver"]}

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        zone, inputs = goal.zone, goal.inputs
        edit = self._edit_due(live, goal)
        if self._down_needed(live, goal) or (edit and is_up(live)):
            ctx.cloud.power_off(SERVER, id_of(live), zone=zone)
        live = self.set_attributes(ctx, live, goal)
        if self._plan_differs(live, inputs):
            # Older marks of earlier changes would fill the ten tags: only the coming one is needed.
            ctx.cloud.update(SERVER, id_of(live), self.named(goal), zone=zone)
            live = ctx.cloud.change_server_plan(id_of(live), plan_body(inputs), zone=zone)
        wanted = wiring(inputs["networkInterfaces"])
        if wiring(nics_state(live)) != wanted:
            rewire(ctx, live, wanted, zone)
        if disks_state(live) != inputs["disks"]:
            reconnect_disks(ctx, live, inputs["disks"], zone)
        if edit:
            ctx.cloud.act("PUT", DISK, inputs["disks"][0], "config", edit_body(inputs["diskEdit"]), zone=zone)
        live = ctx.cloud.read(SERVER, id_of(live), zone=zone)
        dress(ctx, live, inputs["networkInterfaces"], zone)
        return self._power(ctx, live, goal)

    def _power(self, ctx: Context, live: Json, goal: Goal) -> Json:
        ident = id_of(live)
        if goal.inputs["power"] == "up":
            ctx.cloud.power_on(SERVER, ident, zone=goal.zone, user_data=goal.inputs.get("userData"))
        else:
            ctx.cloud.power_off(SERVER, ident, zone=goal.zone)
        return ctx.cloud.read(SERVER, ident, zone=goal.zone)

    def _plan_differs(self, live: Json, inputs: Props) -> bool:
        now = plan_state(live)
        return any(now.get(name) != inputs.get(name) for name in PLAN_PROPERTIES)

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
            self._plan_differs(live, inputs)
            or wiring(nics_state(live)) != wiring(inputs["networkInterfaces"])
            or disks_state(live) != inputs["disks"]
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
            **plan_state(live),
            "zone": prior.get("zone") or ctx.zone,
            "interfaceDriver": str(live.get("InterfaceDriver") or "virtio"),
            "networkInterfaces": nics_state(live),
            "disks": disks_state(live),
            "power": "up" if is_up(live) else "down",
            "ipAddress": str(as_dict(interfaces[0]).get("IPAddress") or "") if interfaces else "",
            "macAddresses": [str(i.get("MACAddress") or "").lower() for i in interfaces],
            "interfaceIds": [id_of(i) for i in interfaces],
        }
        # The API never tells what was written on a disk or given at boot.
        for name in ("diskEdit", "userData"):
            if name in prior:
                state[name] = prior[name]
        return state


def is_up(live: Json) -> bool:
    return as_dict(live.get("Instance")).get("Status") in ("up", "cleaning")
