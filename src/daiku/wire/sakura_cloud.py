"""The client of the Sakura Cloud API: changes that take several steps, in the order that the API wants.

`SakuraCalls` has the verbs, `SakuraWaits` the waits; this class is what other rooms use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daiku.errors import ConflictError, NotFoundError
from daiku.wire.http import Json
from daiku.wire.sakura_calls import APPEAR_SECONDS, as_list, id_of
from daiku.wire.sakura_kinds import ARCHIVE, INTERFACE, INTERNET, PACKET_FILTER, SERVER, SERVER_PLAN, Kind
from daiku.wire.sakura_waits import SakuraWaits

PREVIOUS_ID = "@previous-id="
MOST_TAGS = 10

_CHANGED_ELSEWHERE = (
    "it was changed elsewhere since it was read: refresh, look at the difference, then run again"
)


class SakuraCloud(SakuraWaits):
    """See `SakuraCalls` for the arguments."""

    # Settings

    def apply_config(self, kind: Kind, ident: str, *, zone: str | None = None) -> None:
        """Make an appliance's saved settings live. Without it they are stored and do nothing."""
        self.act("PUT", kind, ident, "config", zone=zone, appear_within=APPEAR_SECONDS)

    def save_settings(
        self,
        kind: Kind,
        ident: str,
        settings: Mapping[str, Any],
        *,
        zone: str | None = None,
        settings_hash: str | None = None,
    ) -> Json:
        """Replace the settings of an appliance or a local router; the object after.

        Those of an appliance are not live before `apply_config`. `settings` is the whole: {"Router": {...}},
        {"LoadBalancer": [...]} or {"LocalRouter": {...}}. `settings_hash` is that of the object on which they
        are based, read now if None; ConflictError when it was
        changed elsewhere since.
        """
        if settings_hash is None:
            settings_hash = str(self.read(kind, ident, zone=zone).get("SettingsHash") or "")
        body: Json = {"Settings": dict(settings)}
        if settings_hash:
            body["SettingsHash"] = settings_hash
        try:
            return self.update(kind, ident, body, zone=zone)
        except ConflictError as conflict:
            conflict.hint = conflict.hint or _CHANGED_ELSEWHERE
            raise

    def apply_settings(
        self,
        kind: Kind,
        ident: str,
        settings: Mapping[str, Any],
        *,
        zone: str | None = None,
        settings_hash: str | None = None,
    ) -> Json:
        """`save_settings`, then `apply_config`: the settings of an appliance are live when this returns."""
        saved = self.save_settings(kind, ident, settings, zone=zone, settings_hash=settings_hash)
        self.apply_config(kind, ident, zone=zone)
        return saved

    def update_packet_filter(
        self,
        ident: str,
        body: Mapping[str, Any],
        *,
        zone: str | None = None,
        expression_hash: str | None = None,
    ) -> Json:
        """Change a packet filter: `body` has its Expression (the whole list of rules) and what else changes.

        `expression_hash` is that of the object on which the rules are based, read now if None;
        ConflictError when it was changed elsewhere since.
        """
        if expression_hash is None:
            expression_hash = str(self.read(PACKET_FILTER, ident, zone=zone).get("ExpressionHash") or "")
        extra = {"OriginalExpressionHash": expression_hash} if expression_hash else None
        try:
            return self.update(PACKET_FILTER, ident, body, zone=zone, extra=extra)
        except ConflictError as conflict:
            conflict.hint = conflict.hint or _CHANGED_ELSEWHERE
            raise

    # Changes that give a new ID

    def change_server_plan(self, server: str, plan: Mapping[str, Any], *, zone: str | None = None) -> Json:
        """Change CPU, MemoryMB, GPU ... of a server that is down; the server after, which has a NEW ID."""
        self._remember_id(SERVER, server, zone)
        answer = self.act("PUT", SERVER, server, "plan", plan, zone=zone)
        return self._inner(SERVER, answer)

    def change_bandwidth(self, internet: str, mbps: int, *, zone: str | None = None) -> Json:
        """Change a router's bandwidth; the router after, which has a NEW ID. Its switch stays."""
        self._remember_id(INTERNET, internet, zone)
        body = {"Internet": {"BandWidthMbps": mbps}}
        return self._inner(INTERNET, self.act("PUT", INTERNET, internet, "bandwidth", body, zone=zone))

    def find_successor(self, kind: Kind, previous: str, *, zone: str | None = None) -> Json | None:
        """The object that took over from `previous` when its ID changed, or None."""
        found = [
            i for i in self.find_by_tag(kind, f"{PREVIOUS_ID}{previous}", zone=zone) if id_of(i) != previous
        ]
        return found[0] if found else None

    def _remember_id(self, kind: Kind, ident: str, zone: str | None) -> None:
        """Tag an object with its own ID before the API gives it another: so it is found after a crash."""
        item = self.read(kind, ident, zone=zone)
        tags = [str(tag) for tag in as_list(item.get("Tags"))]
        tag = f"{PREVIOUS_ID}{ident}"
        if tag not in tags and len(tags) < MOST_TAGS:
            body = {
                "Name": item.get("Name"),
                "Description": item.get("Description") or "",
                "Tags": [*tags, tag],
            }
            self.update(kind, ident, body, zone=zone)

    # Network interfaces

    def connect_interface(self, interface: str, switch: str, *, zone: str | None = None) -> None:
        """Connect a server's NIC to a switch ("shared" for the shared segment). The server must be down."""
        self.act("PUT", INTERFACE, interface, f"to/switch/{switch}", zone=zone)
        self.sleep(self.tempo.settle)

    def disconnect_interface(self, interface: str, *, zone: str | None = None) -> None:
        """Disconnect a server's NIC from its switch. The server must be down."""
        self.act("DELETE", INTERFACE, interface, "to/switch", zone=zone)
        self.sleep(self.tempo.settle)

    def set_packet_filter(
        self, interface: str, packet_filter: str | None, *, zone: str | None = None
    ) -> None:
        """Put a packet filter on a NIC, or take it off (None)."""
        if packet_filter is None:
            self.act("DELETE", INTERFACE, interface, "to/packetfilter", zone=zone)
        else:
            self.act("PUT", INTERFACE, interface, f"to/packetfilter/{packet_filter}", zone=zone)

    def connect_appliance(
        self, kind: Kind, ident: str, nic: int, switch: str, *, zone: str | None = None
    ) -> None:
        """Connect a VPC router's NIC 1..7 to a switch. The router must be down."""
        self.act("PUT", kind, ident, f"interface/{nic}/to/switch/{switch}", zone=zone)
        self.sleep(self.tempo.settle)

    def disconnect_appliance(self, kind: Kind, ident: str, nic: int, *, zone: str | None = None) -> None:
        """Disconnect a VPC router's NIC 1..7. The router must be down."""
        self.act("DELETE", kind, ident, f"interface/{nic}/to/switch", zone=zone)
        self.sleep(self.tempo.settle)

    # Look-ups

    def find_archive(self, tags: Sequence[str], *, zone: str | None = None) -> Json:
        """The newest shared archive with all of `tags` ("ubuntu-24.04-latest"). NotFoundError when none."""
        filters = {"Tags.Name": [list(tags)], "Scope": ["shared"]}
        found = [
            a
            for a in self.find(ARCHIVE, zone=zone, filter=filters)
            if set(tags) <= set(as_list(a.get("Tags")))
        ]
        found = [a for a in found if a.get("Availability", "available") == "available"]
        if not found:
            raise NotFoundError(
                f"no public archive is tagged {', '.join(tags)}",
                where=f"zone {zone or self.zone}",
                hint="public archives are retired over time: choose a newer release of the OS",
            )
        return max(found, key=lambda a: (str(a.get("CreatedAt") or ""), id_of(a)))

    def find_server_plan(
        self, *, cpu: int, memory_mb: int, gpu: int = 0, commitment: str = "standard", zone: str | None = None
    ) -> Json:
        """The newest available plan of this size. NotFoundError when the zone sells none."""
        filters: Json = {"CPU": cpu, "MemoryMB": memory_mb, "Commitment": commitment}
        if gpu:
            filters["GPU"] = gpu
        for plan in self.find(SERVER_PLAN, zone=zone, filter=filters, sort=["-Generation"]):
            same = int(plan.get("CPU") or 0) == cpu and int(plan.get("MemoryMB") or 0) == memory_mb
            if (
                same
                and int(plan.get("GPU") or 0) == gpu
                and plan.get("Availability", "available") == "available"
            ):
                return plan
        raise NotFoundError(
            f"no server plan has {cpu} CPUs, {memory_mb // 1024} GB of memory and {gpu} GPUs ({commitment})",
            where=f"zone {zone or self.zone}",
            hint="the plans of a zone: GET product/server, or the control panel",
        )
