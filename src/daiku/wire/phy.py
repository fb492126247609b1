"""The client of the PHY API: dedicated servers, their ports and networks, and the installation of an OS.

Servers and networks cannot be made or removed by API. The API is scarce: 300 calls an hour for an account and
5 network changes in 5 minutes for a server, so one listing serves every caller who can do with its age.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import quote, urlencode

from daiku.errors import ApiError, ConflictError, DeadlineError
from daiku.wire.budget import Budget, await_budget
from daiku.wire.credentials import PHY_ROOT_URL, Endpoints, SakuraCredentials
from daiku.wire.http import Http, Json, OnCall, Patience
from daiku.wire.phy_models import (
    DedicatedSubnet,
    OsImage,
    PhyServer,
    Port,
    PortChannel,
    PrivateNetwork,
    RaidStatus,
    Service,
)
from daiku.wire.retry import Clock, Sleep, Tempo

PAGE = 100
CALLS_AN_HOUR = 300
NETWORK_CALLS = 5
NETWORK_WINDOW = 300.0
INSTALL_SECONDS = 2700.0
BEGIN_SECONDS = 300.0
# Listings are the only polling; a minute between them keeps any number of waiting servers inside the budget.
POLLS_TO_LISTING = 12

PowerOperation = Literal["on", "soft", "reset", "off"]
PortMode = Literal["access", "trunk"]
InternetType = Literal["common_subnet", "dedicated_subnet"]


@dataclass(frozen=True, slots=True)
class OsInstall:
    """An installation order. The old disks' data is lost and the host gets a new SSH key.

    `password`: 8 to 32 characters with a letter and a digit; up to 20 public keys, at least one if password
    logins are off. There is no user data, host name or address: those are set over SSH afterwards.
    """

    os_image_id: str
    password: str = field(repr=False)
    ssh_public_keys: tuple[str, ...]
    allow_password_login: bool = False
    manual_partition: bool = False


class Phy:
    """One account of the PHY API. Safe to share between threads.

    `longest_wait` is how many seconds a call may wait for the rate limits, ours or the API's, before
    RateLimitError; 0 never waits. `budgeted` False leaves the counting to the API (a lab whose
    hour is shorter).
    """

    def __init__(
        self,
        credentials: SakuraCredentials,
        *,
        root_url: str = PHY_ROOT_URL,
        tempo: Tempo | None = None,
        longest_wait: float = NETWORK_WINDOW + 30.0,
        budgeted: bool = True,
        on_call: OnCall | None = None,
        sleep: Sleep = time.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self.tempo = tempo or Tempo()
        self.sleep = sleep
        self.clock = clock
        self._longest_wait = longest_wait
        self._hourly = Budget(CALLS_AN_HOUR, 3600.0) if budgeted else None
        self._network: dict[str, Budget] = {}
        self._budgeted = budgeted
        self._network_lock = threading.Lock()
        self._listing_lock = threading.Lock()
        self._watch_lock = threading.Lock()
        self._listed_at = float("-inf")
        self._pages = 1
        self._known: dict[str, _Known] = {}
        self._http = Http(credentials, root_url, tempo=self.tempo, on_call=on_call, sleep=sleep, clock=clock)

    @classmethod
    def at(
        cls, credentials: SakuraCredentials, endpoints: Endpoints, *, on_call: OnCall | None = None
    ) -> Phy:
        """A client for `endpoints` (see `endpoints_from_environment`)."""
        return cls(
            credentials,
            root_url=endpoints.phy_root,
            tempo=Tempo.of_poll(endpoints.poll_interval),
            budgeted=endpoints.requests_per_second is not None,
            on_call=on_call,
        )

    def close(self) -> None:
        self._http.close()

    # Reading

    def services(self) -> tuple[Service, ...]:
        return tuple(Service.of(item) for item in self._list("/services/", "services", "service_id"))

    def servers(self, *, max_age: float = 0.0) -> tuple[PhyServer, ...]:
        """Every server. A listing younger than `max_age` seconds is shared by all callers of this client; what `server`
        saw since is in it.
        """
        with self._listing_lock:  # held while listing: who waits together calls together
            now = self.clock()
            if self._listed_at <= now - max_age:
                found = [PhyServer.of(item) for item in self._list("/servers/", "servers", "server_id")]
                self._listed_at = now
                self._pages = max(1, -(-len(found) // PAGE))
                before = self._known
                self._known = {s.server_id: _newer(before.get(s.server_id), _Known(now, s)) for s in found}
            return tuple(known.server for _, known in sorted(self._known.items()))

    @property
    def watch_pause(self) -> float:
        """Seconds between two listings of those who watch, so that they make at most 60 calls an hour."""
        return self.tempo.poll * POLLS_TO_LISTING * self._pages

    def watch(self, since: float) -> tuple[PhyServer, ...]:
        """Every server as of a moment after `since` (of this client's clock). However many watch, they share their
        listings, and wait for the next one that `watch_pause` allows.
        """
        with self._watch_lock:
            if self._listed_at <= since:
                early = self._listed_at + self.watch_pause - self.clock()
                if early > 0:
                    self.sleep(early)
                return self.servers()
        return self.servers(max_age=float("inf"))

    def server(self, server_id: str) -> PhyServer:
        asked = self.clock()
        server = PhyServer.of(self._call("GET", _at("servers", server_id)).get("server"))
        with self._listing_lock:
            if server_id in self._known:
                self._known[server_id] = _newer(self._known[server_id], _Known(asked, server))
        return server

    def os_images(self, server_id: str) -> tuple[OsImage, ...]:
        """The OS images that fit this server."""
        answer = self._call("GET", _at("servers", server_id, "os_images"))
        return tuple(OsImage.of(item) for item in answer.get("os_images") or [])

    def raid_status(self, server_id: str, *, refresh: bool = False) -> RaidStatus:
        """The state of the disks; the server must be on. `refresh` asks the machine itself."""
        path = _at("servers", server_id, "raid_status")
        answer = self._call("GET", path, query=urlencode({"refresh": str(refresh).lower()}))
        return RaidStatus.of(answer.get("raid_status"))

    def power_status(self, server_id: str) -> str:
        """ "on" or "off", asked of the machine itself. Never in a loop: see `cached_power_status`."""
        answer = self._call("GET", _at("servers", server_id, "power_status"))
        return str((answer.get("power_status") or {}).get("status") or "")

    def private_networks(self) -> tuple[PrivateNetwork, ...]:
        found = self._list("/private_networks/", "private_networks", "private_network_id")
        return tuple(PrivateNetwork.of(item) for item in found)

    def private_network(self, network_id: str) -> PrivateNetwork:
        answer = self._call("GET", _at("private_networks", network_id))
        return PrivateNetwork.of(answer.get("private_network"))

    def dedicated_subnets(self) -> tuple[DedicatedSubnet, ...]:
        found = self._list("/dedicated_subnets/", "dedicated_subnets", "dedicated_subnet_id")
        return tuple(DedicatedSubnet.of(item) for item in found)

    def dedicated_subnet(self, subnet_id: str) -> DedicatedSubnet:
        answer = self._call("GET", _at("dedicated_subnets", subnet_id))
        return DedicatedSubnet.of(answer.get("dedicated_subnet"))

    def port(self, server_id: str, port_id: int) -> Port:
        return Port.of(self._call("GET", _at("servers", server_id, "ports", port_id)).get("port"))

    def port_channel(self, server_id: str, port_channel_id: int) -> PortChannel:
        answer = self._call("GET", _at("servers", server_id, "port_channels", port_channel_id))
        return PortChannel.of(answer.get("port_channel"))

    # Changing

    def rename_service(self, service_id: str, nickname: str, description: str | None) -> Service:
        """Set both texts of a service (64 and 1000 characters at most)."""
        body = {"nickname": nickname, "description": description}
        return Service.of(self._call("PATCH", _at("services", service_id), body).get("service"))

    def power_control(self, server_id: str, operation: PowerOperation) -> None:
        """on; soft (asks the OS); reset; off (pulls the plug). Returns when the order is taken."""
        self._call("POST", _at("servers", server_id, "power_control"), {"operation": operation})

    def os_install(self, server_id: str, order: OsInstall) -> None:
        """Start an installation: everything on the server is lost. Wait for it with `wait_install`.

        ConflictError when something holds the server; its code is the lock (os_install: one runs already).
        """
        body = {
            "os_image_id": order.os_image_id,
            "password": order.password,
            "manual_partition": order.manual_partition,
            "ssh_public_keys": list(order.ssh_public_keys),
            "allow_password_login": order.allow_password_login,
        }
        self._change(server_id, "os_install", body)

    def rename_port(self, server_id: str, port_id: int, nickname: str) -> Port:
        path = _at("servers", server_id, "ports", port_id)
        return Port.of(self._call("PATCH", path, {"nickname": nickname}).get("port"))

    def enable_port(self, server_id: str, port_id: int, enable: bool) -> Port:
        """Switch a port on or off. Counts as a network change (5 in 5 minutes a server)."""
        answer = self._change_network(server_id, f"ports/{port_id}/enable", {"enable": enable})
        return Port.of(answer.get("port"))

    def assign_network(
        self,
        server_id: str,
        port_id: int,
        *,
        mode: PortMode,
        internet: InternetType | None = None,
        dedicated_subnet_id: str | None = None,
        private_network_ids: Sequence[str] | None = None,
    ) -> Port:
        """Replace the whole assignment of a port (access: exactly one network). A network change."""
        body = {
            "mode": mode,
            "internet_type": internet,
            "dedicated_subnet_id": dedicated_subnet_id,
            "private_network_ids": sorted(private_network_ids) if private_network_ids else None,
        }
        answer = self._change_network(server_id, f"ports/{port_id}/assign_network", body)
        return Port.of(answer.get("port"))

    def configure_bonding(
        self,
        server_id: str,
        port_channel_id: int,
        bonding_type: Literal["lacp", "static", "single"],
        port_nicknames: Sequence[str] | None = None,
    ) -> PortChannel:
        """Bond or unbond a pair of ports. The ports get NEW IDs and lose their settings. A network change."""
        body = {
            "bonding_type": bonding_type,
            "port_nicknames": list(port_nicknames) if port_nicknames else None,
        }
        answer = self._change_network(server_id, f"port_channels/{port_channel_id}/configure_bonding", body)
        return PortChannel.of(answer.get("port_channel"))

    # Waiting

    def wait_install(
        self,
        server_id: str,
        *,
        begun: bool = False,
        begin_within: float = BEGIN_SECONDS,
        deadline: float = INSTALL_SECONDS,
    ) -> PhyServer:
        """Wait until the installation is over: the lock os_install was seen, then no lock; the server then.

        Only looks, and never orders again. `begun` True: the lock was seen before (a run that goes on after a
        crash). DeadlineError when no lock shows for `begin_within` seconds, or when it stays past `deadline`.
        """
        poll = self.tempo.poll * POLLS_TO_LISTING
        start = self.clock()
        server = self.server(server_id)
        while True:
            self._refuse_held(server)
            if server.lock_status == "os_install":
                begun = True
            elif server.lock_status is None and begun:
                return server
            waited = self.clock() - start
            if waited >= deadline or (not begun and waited >= begin_within):
                raise DeadlineError(
                    f"the OS installation {'is not over' if begun else 'has not begun'} after {waited:.0f} s",
                    where=f"PHY server {server_id}",
                    hint="see the server in the control panel; it was not ordered again",
                )
            looked = self.clock()
            self.sleep(min(poll, deadline - waited if begun else begin_within - waited))
            server = self.watched(server_id, looked)

    def watched(self, server_id: str, since: float) -> PhyServer:
        """One server of `watch`; one that no listing shows is asked for by itself."""
        found = next((s for s in self.watch(since) if s.server_id == server_id), None)
        return found if found is not None else self.server(server_id)

    def _refuse_held(self, server: PhyServer) -> None:
        if server.lock_status == "administrative_lock":
            raise ConflictError(
                "the vendor holds this server (administrative_lock): no change is possible now",
                where=f"PHY server {server.server_id}",
                hint="Sakura is working on the machine; wait for its notice, then run the same command again",
                status=409,
                code="administrative_lock",
            )

    # Calls

    def _change(self, server_id: str, path: str, body: Json) -> Json:
        """A call that a lock refuses: the conflict is then told with the lock's name."""
        try:
            return self._call("POST", _at("servers", server_id, *path.split("/")), body)
        except ConflictError as conflict:
            server = self.server(server_id)
            self._refuse_held(server)
            if server.lock_status:
                conflict.code = server.lock_status
                conflict.hint = f"{server.lock_status} is under way on this server; wait until it is over"
            raise

    def _change_network(self, server_id: str, path: str, body: Json) -> Json:
        if self._budgeted:
            with self._network_lock:
                budget = self._network.setdefault(server_id, Budget(NETWORK_CALLS, NETWORK_WINDOW))
            self._await(budget, f"network changes of PHY server {server_id}")
        return self._change(server_id, path, body)

    def _call(self, method: str, path: str, body: Json | None = None, *, query: str = "") -> Json:
        if self._hourly is not None:
            self._await(self._hourly, "PHY calls")
        patience = Patience(rate_limited=self._longest_wait)
        return self._http.request(method, path, query=query, body=body, patience=patience)

    def _await(self, budget: Budget, what: str) -> None:
        await_budget(budget, what=what, longest=self._longest_wait, clock=self.clock, sleep=self.sleep)

    def _list(self, path: str, key: str, id_key: str) -> list[Json]:
        """Every element of a listing, over all pages, by ID: the API's own order moves between calls."""
        found: dict[str, Json] = {}
        offset = 0
        while True:
            answer = self._call("GET", path, query=urlencode({"limit": PAGE, "offset": offset}))
            page = answer.get(key)
            if not isinstance(page, list):
                raise ApiError(f"the answer has no {key}", where=f"GET {path}", status=200)
            before = len(found)
            for item in cast("list[Json]", page):
                found[str(item.get(id_key))] = item
            offset += len(cast("list[Json]", page))
            if len(found) == before or len(found) >= int((answer.get("meta") or {}).get("count") or 0):
                return [item for _, item in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class _Known:
    """A server as it was when it was `asked` for."""

    asked: float
    server: PhyServer


def _newer(one: _Known | None, other: _Known) -> _Known:
    return one if one is not None and one.asked > other.asked else other


def _at(*parts: str | int) -> str:
    """A path of this API: every one ends with a slash."""
    return "/" + "".join(f"{quote(str(part), safe='')}/" for part in parts)
