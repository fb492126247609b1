"""The waits of the Sakura Cloud API: creation, deletion, power.

Every one ends in DeadlineError after `deadline` seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from daiku.errors import ApiError, ConflictError, NotFoundError
from daiku.wire.http import BUSY_STATUSES, Json
from daiku.wire.retry import wait_until
from daiku.wire.sakura_calls import APPEAR_SECONDS, SakuraCalls, as_dict, as_list, id_of
from daiku.wire.sakura_kinds import APPLIANCE, DISK, SWITCH, Kind

AVAILABLE_SECONDS = 1200.0
FREE_SECONDS = 600.0
REFUSALS = 10
"""Power calls in a row (200 s at the real API's pace) that may be refused before it is an error."""


class SakuraWaits(SakuraCalls):
    """The verbs, and what must be waited for."""

    # Waiting

    def wait_available(
        self,
        kind: Kind,
        ident: str,
        *,
        zone: str | None = None,
        deadline: float = AVAILABLE_SECONDS,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Json:
        """Wait until a new object is available; the object then. ApiError when its making failed.

        The error's code is "failed" or "discontinued". `on_progress` gets (copied, whole) in MB of
        a disk or an archive that is being copied.
        """
        appear = APPEAR_SECONDS if kind.appears_late else 0.0

        def look() -> Json | None:
            item = self.read(kind, ident, zone=zone, appear_within=appear)
            state = item.get("Availability", "available")  # "" while it is being made; some kinds have none
            if state in {"failed", "discontinued"}:
                raise ApiError(f"its creation ended as {state}", where=f"{kind.name} {ident}", code=state)
            if on_progress is not None and item.get("SizeMB"):
                on_progress(int(item.get("MigratedMB") or 0), int(item["SizeMB"]))
            return item if state == "available" else None

        return self._wait(look, what="its creation", where=f"{kind.name} {ident}", deadline=deadline)

    def create_disk(
        self,
        body: Mapping[str, Any],
        *,
        zone: str | None = None,
        extra: Mapping[str, Any] | None = None,
        copies: int = 3,
        deadline: float = AVAILABLE_SECONDS,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Json:
        """Create a disk and wait for its copy; a failed copy is deleted and made again.

        `copies` is how often in all; the last failure is raised.
        """
        while True:
            copies -= 1
            disk = id_of(self.create(DISK, body, zone=zone, extra=extra))
            try:
                return self.wait_available(DISK, disk, zone=zone, deadline=deadline, on_progress=on_progress)
            except ApiError as error:
                if error.code != "failed":
                    raise
                self.delete_when_free(DISK, disk, zone=zone)
                if copies <= 0:
                    raise

    def delete_when_free(
        self,
        kind: Kind,
        ident: str,
        body: Mapping[str, Any] | None = None,
        *,
        zone: str | None = None,
        deadline: float = FREE_SECONDS,
    ) -> None:
        """Delete an object that something may still hold for a while. No error when it is gone already."""
        conflict: list[ConflictError] = []

        def attempt() -> bool | None:
            try:
                self.delete(kind, ident, body, zone=zone)
            except NotFoundError:
                return True
            except ConflictError as error:
                conflict[:] = [error]
                return None
            return True

        def held() -> str:
            return f": {conflict[0].message}" if conflict else ""

        self._wait(attempt, what="its deletion", where=f"{kind.name} {ident}", deadline=deadline, detail=held)

    def switch_users(self, switch: str, *, zone: str | None = None) -> tuple[str, ...]:
        """What is attached to a switch: "server NAME", "vpcrouter NAME", sorted."""
        servers = self.act("GET", SWITCH, switch, "server", zone=zone)
        users = [f"server {server.get('Name')}" for server in as_list(servers.get("Servers"))]
        appliances = self.find(APPLIANCE, zone=zone)
        users += [f"{a.get('Class')} {a.get('Name')}" for a in appliances if switch in _switches_of(a)]
        return tuple(sorted(users))

    def delete_switch(self, switch: str, *, zone: str | None = None, deadline: float = FREE_SECONDS) -> None:
        """Delete a switch once nothing is attached to it: what was detached shows for a while."""
        users: list[str] = []

        def free() -> bool | None:
            try:
                users[:] = self.switch_users(switch, zone=zone)
            except NotFoundError:
                return True
            return None if users else True

        def held() -> str:
            return f": still attached: {', '.join(users)}" if users else ""

        self._wait(free, what="its detachment", where=f"switch {switch}", deadline=deadline, detail=held)
        self.delete_when_free(SWITCH, switch, zone=zone, deadline=deadline)

    # Power

    def power_on(
        self,
        kind: Kind,
        ident: str,
        *,
        zone: str | None = None,
        user_data: str | None = None,
        deadline: float = AVAILABLE_SECONDS,
    ) -> Json:
        """Boot a server or an appliance and wait until it is up; the object then.

        Nothing is done if it is up. `user_data` is cloud-init's, for archives that support it; it is given at
        each boot.
        """
        body: Json = {"UserBootVariables": {"CloudInit": {"UserData": user_data}}} if user_data else {}
        return self._power(kind, ident, zone, "up", lambda _: ("PUT", body), deadline)

    def power_off(
        self,
        kind: Kind,
        ident: str,
        *,
        zone: str | None = None,
        force: bool = False,
        grace: float = 180.0,
        deadline: float = AVAILABLE_SECONDS,
    ) -> Json:
        """Shut down and wait until it is down; the object then. Nothing is done if it is down.

        The OS is asked first; after `grace` seconds, or at once with `force`, the plug is pulled.
        """

        def call(waited: float) -> tuple[str, Json]:
            return "DELETE", {"Force": True} if force or waited >= grace else {}

        return self._power(kind, ident, zone, "down", call, deadline)

    def _power(
        self,
        kind: Kind,
        ident: str,
        zone: str | None,
        wanted: str,
        call: Callable[[float], tuple[str, Json]],
        deadline: float,
    ) -> Json:
        """Call, look, and call again every `repeat_power` seconds until the status is `wanted`.

        409 has two meanings here: already under way (after an accepted call, and where the API starts things by
        itself, as it does new load balancers), or impossible. So refusals are an error only when none of
        `REFUSALS` calls was accepted and the status did not move meanwhile. An API that stays busy is asked again
        until the deadline: others may be starting whole clusters.
        """
        appear = APPEAR_SECONDS if kind.appears_late else 0.0
        began = self.clock()
        due = began
        refused = 0
        accepted = False

        def look() -> Json | None:
            nonlocal due, refused, accepted
            item = self.read(kind, ident, zone=zone, appear_within=appear)
            status = as_dict(item.get("Instance")).get("Status") or "down"
            if status == wanted:
                return item
            if self.clock() >= due:
                method, body = call(self.clock() - began)
                try:
                    self.act(method, kind, ident, "power", body, zone=zone)
                    accepted = True
                except ConflictError:
                    refused += 0 if accepted or status == "cleaning" else 1
                    if refused >= REFUSALS:
                        raise
                except ApiError as error:
                    if error.status not in BUSY_STATUSES:
                        raise
                due = self.clock() + self.tempo.repeat_power
            return None

        what = f"power {'on' if wanted == 'up' else 'off'}"
        return self._wait(look, what=what, where=f"{kind.name} {ident}", deadline=deadline)

    def _wait(
        self,
        probe: Callable[[], Any],
        *,
        what: str,
        where: str,
        deadline: float,
        detail: Callable[[], str] = str,
    ) -> Any:
        return wait_until(
            probe,
            what=what,
            where=where,
            deadline=deadline,
            poll=self.tempo.poll,
            clock=self.clock,
            sleep=self.sleep,
            detail=detail,
        )


def _switches_of(appliance: Json) -> set[str]:
    """IDs of the switches that an appliance is on; its list of interfaces has null holes."""
    found = {id_of(as_dict(as_dict(appliance.get("Remark")).get("Switch")))}
    for interface in as_list(appliance.get("Interfaces")):
        found.add(id_of(as_dict(as_dict(interface).get("Switch"))))
    return found - {""}
