"""Drives one installation: observes, asks `phy_flow.decide`, acts, until it is finished or cannot go on."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from daiku.errors import ConflictError, DeadlineError, NotFoundError
from daiku.provider.context import Context
from daiku.provider.phy_flow import (
    Action,
    Evidence,
    Intent,
    Observed,
    Step,
    decide,
    read_intent,
    write_intent,
)
from daiku.provider.phy_host import Found, PhyHost, require_own_key, stamped
from daiku.wire.phy import INSTALL_SECONDS, POLLS_TO_LISTING, OsInstall
from daiku.wire.phy_models import OsImage, PhyServer

SETTLE_POLLS = 24
"""Polls (two minutes at the real API's pace) after which an order that was sent shows as a lock."""
SILENCE_SECONDS = 1200.0
LOCK_SECONDS = 2 * INSTALL_SECONDS
DESCRIPTION_MOST = 1000
LISTING_SECONDS = 60.0
"""How old a listing may be that serves the reads of a refresh, whatever a lab's hour is."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What the intent says once the installation is over."""

    token: str
    at: str
    key: str


class Installer:
    """One server's installation. `token` names it (`phy_flow.token_of`). Call `run` once."""

    def __init__(
        self, ctx: Context, server_id: str, image: OsImage, public_keys: list[str], token: str
    ) -> None:
        self._ctx = ctx
        self._server_id = server_id
        self._image = image
        self._keys = public_keys
        self._token = token
        self._can_probe = ctx.ssh.key_file is not None
        self._fresh = False
        self._accepted = False
        self._found = Found(Evidence.UNPROBED)
        self._began = ctx.phy.clock()
        self._silent_since: float | None = None
        self._waited_since = self._began

    @property
    def user(self) -> str:
        """The account that the installed keys open."""
        return self._image.superuser_name or "root"

    def run(self) -> Installed:
        """Go on from whatever is there until it is finished; what the intent then says."""
        acts: dict[Action, Callable[[PhyServer], None]] = {
            Action.HELD: self._held,
            Action.WAIT: self._wait,
            Action.RECORD_ASKING: self._record_asking,
            Action.ORDER: self._order,
            Action.RECORD_ASKED: lambda server: self._record(server, Step.ASKED),
            Action.PROBE: self._probe,
            Action.POWER_ON: self._power_on,
            Action.RECORD_DONE: lambda server: self._record(server, Step.DONE),
            Action.UNDECIDED: self._undecided,
        }
        server = self._ctx.phy.server(self._server_id)
        while True:
            intent = read_intent(server.service.description)[1]
            action = decide(self._token, self._observed(server, intent), can_probe=self._can_probe)
            if action is Action.FINISHED:
                assert intent is not None
                return Installed(intent.token, intent.at, intent.key)
            acts[action](server)
            server = self._look(server, action)

    def _observed(self, server: PhyServer, intent: Intent | None) -> Observed:
        power = server.cached_power_status
        return Observed(
            lock=server.lock_status,
            powered=power is not None and power.status == "on",
            intent=intent,
            evidence=self._found.evidence,
            fresh=self._fresh,
            accepted=self._accepted,
            settled=self._is_settled(intent),
        )

    def _is_settled(self, intent: Intent | None) -> bool:
        """By the intent's own time, so that another process knows it too; an unreadable time is long ago."""
        if intent is None:
            return False
        try:
            at = datetime.fromisoformat(intent.at)
        except ValueError:
            return True
        return (self._ctx.utc() - at).total_seconds() >= SETTLE_POLLS * self._ctx.phy.tempo.poll

    def _look(self, server: PhyServer, after: Action) -> PhyServer:
        """The server now. After waiting a listing will do that is younger than our last act; a probe changed nothing
        in the API.
        """
        if after is Action.PROBE:
            return server
        if after is Action.WAIT:
            return self._ctx.phy.watched(self._server_id, self._waited_since)
        return self._ctx.phy.server(self._server_id)

    # Acts

    def _held(self, server: PhyServer) -> None:
        raise ConflictError(
            "the vendor holds this server (administrative_lock)",
            where=f"PHY server {self._server_id}",
            hint="wait for Sakura's notice, then run the same command again: it goes on from here",
        )

    def _wait(self, server: PhyServer) -> None:
        clock, tempo = self._ctx.phy.clock, self._ctx.phy.tempo
        silent = self._found.evidence is Evidence.SILENT and server.lock_status is None
        if not silent:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = clock()
        elif clock() - self._silent_since >= SILENCE_SECONDS:
            raise DeadlineError(
                f"it does not answer SSH for {SILENCE_SECONDS:.0f} s",
                where=f"PHY server {self._server_id}",
                hint="look at its console; to install it again, raise install.generation",
            )
        if server.lock_status is not None and clock() - self._began >= LOCK_SECONDS:
            raise DeadlineError(
                f"the installation is not over after {clock() - self._began:.0f} s",
                where=f"PHY server {self._server_id}",
                hint="see the server in the control panel; it was not ordered again",
            )
        self._found = Found(Evidence.UNPROBED)
        self._waited_since = clock()
        # A lock lasts for many minutes, a boot or a settling order for a few: the API allows 300 calls an hour.
        self._ctx.phy.sleep(tempo.poll * (POLLS_TO_LISTING if server.lock_status else POLLS_TO_LISTING / 2))

    def _record_asking(self, server: PhyServer) -> None:
        require_own_key(self._ctx.ssh, self._keys)
        self._record(server, Step.ASKING)
        self._fresh = True

    def _record(self, server: PhyServer, step: Step) -> None:
        """Write the step. The description is read again: what a person wrote meanwhile stays."""
        fresh = self._ctx.phy.server(self._server_id)
        text, _ = read_intent(fresh.service.description)
        at = self._ctx.utc().replace(microsecond=0).isoformat()
        key = self._found.key if step is Step.DONE else ""
        rewrite(self._ctx, fresh, text, Intent(self._token, step, at, key))

    def _order(self, server: PhyServer) -> None:
        self._fresh = False
        order = OsInstall(
            os_image_id=self._image.os_image_id,
            password=throwaway_password(),
            ssh_public_keys=tuple(stamped(key, self._token) for key in self._keys),
        )
        self._ctx.phy.os_install(self._server_id, order)
        self._accepted = True
        self._found = Found(Evidence.UNPROBED)

    def _probe(self, server: PhyServer) -> None:
        self._found = PhyHost(self._ctx.ssh, self._server_id, self.user, addresses_of(server), "").probe(
            self._token
        )

    def _power_on(self, server: PhyServer) -> None:
        self._ctx.phy.power_control(self._server_id, "on")
        self._found = Found(Evidence.UNPROBED)
        self._ctx.phy.sleep(self._ctx.phy.tempo.poll * POLLS_TO_LISTING / 2)

    def _undecided(self, server: PhyServer) -> None:
        raise ConflictError(
            "an installation was asked for, and whether it took place cannot be known",
            where=f"PHY server {self._server_id}",
            hint="look at the server; raise install.generation to install it (its disks are wiped then)",
        )


def find_image(ctx: Context, server_id: str, wanted: str) -> OsImage:
    """An OS image by ID or name; `ubuntu-24.04` finds `ubuntu2404` too."""
    images = ctx.phy.os_images(server_id)
    for image in images:
        if _bare(wanted) in (_bare(image.os_image_id), _bare(image.name)):
            return image
    names = ", ".join(sorted(image.os_image_id for image in images))
    raise NotFoundError(
        f"there is no OS image {wanted}", where=f"PHY server {server_id}", hint=f"there are: {names}"
    )


def listed_server(ctx: Context, server_id: str) -> PhyServer | None:
    """The server from the listing that all who watch share; None when it is not there."""
    listed = ctx.phy.servers(max_age=max(ctx.phy.watch_pause, LISTING_SECONDS))
    return next((server for server in listed if server.server_id == server_id), None)


def _bare(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def addresses_of(server: PhyServer, *more: str) -> list[str]:
    """Where the server may answer, the internet side first."""
    public = [server.ipv4.ip_address] if server.ipv4 is not None else []
    return [*public, *(address.partition("/")[0] for address in more if address)]


def rewrite(ctx: Context, server: PhyServer, text: str, intent: Intent | None, nickname: str = "") -> None:
    """Set a service's description (and nickname) if it differs."""
    description = write_intent(text, intent)
    if description is not None and len(description) > DESCRIPTION_MOST:
        raise ConflictError(
            f"its description leaves no room for daiku's note: {len(text)} characters",
            where=f"PHY server {server.server_id}",
            hint=f"shorten the description of the service to {DESCRIPTION_MOST - 250} characters",
        )
    name = nickname or server.service.nickname
    if (name, description or "") != (server.service.nickname, server.service.description or ""):
        ctx.phy.rename_service(server.service.service_id, name, description)


def throwaway_password() -> str:
    """A password that nobody knows: the API wants one, log-ins by password are off."""
    letters = string.ascii_letters + string.digits
    return (
        secrets.choice(string.ascii_letters)
        + secrets.choice(string.digits)
        + "".join(secrets.choice(letters) for _ in range(22))
    )
