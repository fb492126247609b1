"""A VPC router: NAT egress, forwarded ports, VPN and static routes for private switches."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import INTEGER, STRING, Change, Failure, Field, Props, ResourceType
from daiku.provider.resources.appliance import APPLIED, Appliance, is_applied
from daiku.provider.resources.cloud_object import Goal
from daiku.provider.resources.common import DESCRIPTION, ICON, NAME, RESOURCE_ID, TAGS, ZONE, told
from daiku.provider.resources.vpc_router_fields import NETWORK_FIELDS, SETTINGS_FIELDS
from daiku.provider.resources.vpc_router_settings import addresses_of, decode, encode, public_of
from daiku.wire.http import Json
from daiku.wire.retry import wait_until
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import VPC_ROUTER

KEY_SECONDS = 300.0
_SETTINGS = ("privateInterfaces", *(field.name for field in SETTINGS_FIELDS))
PLANS = {"standard": "1", "premium": "2", "highspec": "3", "highspec4000": "4"}

TYPE = ResourceType(
    name="sakura:cloud:VpcRouter",
    description="A VPC router. Its settings are saved and applied: what the state shows is live.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ICON,
        ZONE,
        Field(
            name="plan",
            type=STRING,
            description="standard: single, 80 Mbps, shared segment; premium 400 Mbps, highspec 1.6 Gbps, "
            "highspec4000 4 Gbps: redundant, on a router+switch.",
            default="standard",
            choices=tuple(PLANS),
            change=Change.REPLACE,
            reason="the API cannot change the plan of a router",
        ),
        Field(
            name="version",
            type=INTEGER,
            description="Router software generation.",
            default=2,
            change=Change.REPLACE,
            reason="the API cannot change the generation of a router",
        ),
        *NETWORK_FIELDS,
        *SETTINGS_FIELDS,
        RESOURCE_ID,
        APPLIED,
        Field(
            name="publicIp",
            type=STRING,
            description="Global address: the virtual one of a redundant router.",
            output=True,
        ),
        Field(
            name="wireGuardPublicKey",
            type=STRING,
            description="Public key of the WireGuard server, empty without one.",
            output=True,
            varies_with=("wireGuard",),
        ),
    ),
)


class VpcRouterHandler(Appliance):
    type = TYPE
    kind = VPC_ROUTER

    def check(self, inputs: Props) -> list[Failure]:
        failures: list[Failure] = []
        single = inputs["plan"] == "standard"
        if single == ("publicInterface" in inputs):
            text = "is not for plan standard, whose public side is the shared segment"
            text = text if single else f"is required by plan {inputs['plan']}"
            failures.append(Failure("publicInterface", text))
        if single and inputs["staticNat"]:
            failures.append(Failure("staticNat", "is not for plan standard, which has no addresses for it"))
        indexes = [nic["index"] for nic in inputs["privateInterfaces"] if isinstance(nic, dict)]
        if len(set(indexes)) != len(indexes) or indexes != sorted(indexes):
            failures.append(Failure("privateInterfaces", "must be in the order of their indexes, each once"))
        for i, nic in enumerate(inputs["privateInterfaces"]):
            if isinstance(nic, dict) and not single and "virtualIpAddress" not in nic:
                path = f"privateInterfaces[{i}].virtualIpAddress"
                failures.append(Failure(path, "is required: the router is a pair"))
        return failures

    def make(self, ctx: Context, goal: Goal) -> Json:
        inputs = goal.inputs
        remark: Json = {
            "Switch": {"Scope": "shared"},
            "Servers": [{}],
            "Router": {"VPCRouterVersion": inputs["version"]},
        }
        if public := inputs.get("publicInterface"):
            remark["Switch"] = {"ID": public["switchId"]}
            remark["Servers"] = [{"IPAddress": address} for address in public["ipAddresses"]]
        # Private NICs get their addresses once they are connected.
        first = {**inputs, "privateInterfaces": [], "dhcpServers": [], "dnsForwarding": None}
        body: Json = {
            **self.named(goal),
            "Plan": {"ID": int(PLANS[inputs["plan"]])},
            "Remark": remark,
            "Settings": {"Router": encode(first, {})},
        }
        return ctx.cloud.create(VPC_ROUTER, body, zone=goal.zone, once=True)

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        zone, ident = goal.zone, id_of(live)
        live = ctx.cloud.wait_available(VPC_ROUTER, ident, zone=zone)
        wanted = {nic["index"]: nic["switchId"] for nic in goal.inputs["privateInterfaces"]}
        if _switches(live) != wanted:
            self._rewire(ctx, live, wanted, zone)
            live = ctx.cloud.read(VPC_ROUTER, ident, zone=zone)
        if not goal.olds or self._settings_differ(live, goal.inputs) or not is_applied(live):
            settings = {"Router": encode(goal.inputs, as_dict(as_dict(live.get("Settings")).get("Router")))}
            live = self.apply_settings(ctx, live, settings, goal)
        live = self.set_attributes(ctx, live, goal)
        ctx.cloud.power_on(VPC_ROUTER, ident, zone=zone)
        return ctx.cloud.read(VPC_ROUTER, ident, zone=zone)

    def _rewire(self, ctx: Context, live: Json, wanted: dict[int, str], zone: str | None) -> None:
        """Connect and disconnect private NICs: the router is down meanwhile."""
        ident = id_of(live)
        ctx.cloud.power_off(VPC_ROUTER, ident, zone=zone)
        now = _switches(live)
        for nic in sorted(now.keys() | wanted.keys()):
            if now.get(nic) == wanted.get(nic):
                continue
            if nic in now:
                ctx.cloud.disconnect_appliance(VPC_ROUTER, ident, nic, zone=zone)
            if nic in wanted:
                ctx.cloud.connect_appliance(VPC_ROUTER, ident, nic, wanted[nic], zone=zone)

    def _settings_differ(self, live: Json, inputs: Props) -> bool:
        now = _settings_state(live, inputs)
        return any(now.get(name) != inputs.get(name) for name in _SETTINGS)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        plan = id_of(as_dict(live.get("Plan")))
        remark = as_dict(live.get("Remark"))
        state = {
            **self.common_state(ctx, live),
            "zone": prior.get("zone") or ctx.zone,
            "plan": next((name for name, number in PLANS.items() if number == plan), plan),
            "version": int(as_dict(remark.get("Router")).get("VPCRouterVersion") or 2),
            **_settings_state(live, prior),
            "applied": is_applied(live),
        }
        router = as_dict(as_dict(live.get("Settings")).get("Router"))
        first = as_dict(next(iter(as_list(live.get("Interfaces"))), {}))
        state["publicIp"] = str(first.get("IPAddress") or "")
        if state["plan"] != "standard":
            switch = id_of(as_dict(first.get("Switch"))) or id_of(as_dict(remark.get("Switch")))
            state["publicInterface"] = {"switchId": switch, **public_of(router)}
            state["publicIp"] = state["publicInterface"]["virtualIpAddress"]
        asked_now = "wireGuard" in prior and "wireGuardPublicKey" not in prior
        state["wireGuardPublicKey"] = self._public_key(ctx, live, state, wait=asked_now and is_applied(live))
        return state

    def _public_key(self, ctx: Context, live: Json, state: Props, *, wait: bool) -> str:
        """The router makes its key at boot: it shows in its status a while later, and in no listing. `wait`: we have
        just asked for it. A refresh looks once: what somebody saved and did not apply has no key.
        """
        up = as_dict(live.get("Instance")).get("Status") == "up"
        if "wireGuard" not in state or not up:
            return ""

        def look() -> str | None:
            status = ctx.cloud.act("GET", VPC_ROUTER, id_of(live), "status", zone=state["zone"])
            server = as_dict(as_dict(status.get("Router")).get("WireGuard"))
            return str(server.get("PublicKey") or "") or None

        if not wait:
            return look() or ""
        return wait_until(
            look,
            what="the WireGuard key",
            where=f"vpc-router {id_of(live)}",
            deadline=KEY_SECONDS,
            poll=ctx.cloud.tempo.poll,
            clock=ctx.cloud.clock,
            sleep=ctx.cloud.sleep,
        )


def _switches(live: Json) -> dict[int, str]:
    """Switch of each private NIC that is connected, by NIC number: the list has null holes."""
    found: dict[int, str] = {}
    for index, interface in enumerate(as_list(live.get("Interfaces"))):
        switch = id_of(as_dict(as_dict(interface).get("Switch")))
        if index and switch:
            found[index] = switch
    return found


def _settings_state(live: Json, prior: Props) -> Props:
    router = as_dict(as_dict(live.get("Settings")).get("Router"))
    nics = [
        {"index": nic, "switchId": switch, **addresses_of(router, nic)}
        for nic, switch in sorted(_switches(live).items())
    ]
    state = {**decode(router), "privateInterfaces": nics}
    return state if told(prior, "ipsec") else {name: state[name] for name in state if name != "ipsec"}
