"""Who calls the Sakura APIs, and where they are: an API key and the endpoints, read from the environment.

The names are those that the public clients (usacloud, the Terraform providers, saclient) read, the newer
`SAKURA_*` before the older `SAKURACLOUD_*`; `SAKURA_PHY_API_ROOT_URL` and `SAKURA_POLL_INTERVAL` are ours.
The same API key opens the cloud API and the PHY API.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from daiku.errors import CredentialsError

CLOUD_ROOT_URL = "https://secure.sakura.ad.jp/cloud/zone"
PHY_ROOT_URL = "https://secure.sakura.ad.jp/cloud/api/dedicated-phy/1.0"
DEFAULT_ZONE = "is1a"
REQUESTS_PER_SECOND = 5.0
POLL_INTERVAL = 5.0

TOKEN_VARIABLES = ("SAKURA_ACCESS_TOKEN", "SAKURACLOUD_ACCESS_TOKEN")
SECRET_VARIABLES = ("SAKURA_ACCESS_TOKEN_SECRET", "SAKURACLOUD_ACCESS_TOKEN_SECRET")
ROOT_VARIABLES = ("SAKURA_API_ROOT_URL", "SAKURACLOUD_API_ROOT_URL")
PHY_ROOT_VARIABLES = ("SAKURA_PHY_API_ROOT_URL",)
ZONE_VARIABLES = ("SAKURA_ZONE", "SAKURACLOUD_ZONE")
RATE_VARIABLES = ("DAIKU_SAKURA_RATE_LIMIT", "SAKURA_RATE_LIMIT", "SAKURACLOUD_RATE_LIMIT")
"""Our own name first: 0 means no limit to us, and other clients that read the shared names fall over it."""
POLL_VARIABLES = ("SAKURA_POLL_INTERVAL",)


@dataclass(frozen=True, slots=True)
class SakuraCredentials:
    """An API key of Sakura Cloud: the access token (a UUID, not secret by itself) and its secret."""

    token: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the APIs are and how fast they may be called.

    `requests_per_second` is the account's throttle for the cloud API, None for no throttle (a lab);
    `poll_interval` is seconds between two looks at a thing that is changing: every other pause of the
    clients scales with it.
    """

    cloud_root: str = CLOUD_ROOT_URL
    phy_root: str = PHY_ROOT_URL
    zone: str = DEFAULT_ZONE
    requests_per_second: float | None = REQUESTS_PER_SECOND
    poll_interval: float = POLL_INTERVAL


def credentials_from_environment(environ: Mapping[str, str] = os.environ) -> SakuraCredentials:
    """The API key of this environment; CredentialsError names the variable that is missing."""
    return SakuraCredentials(
        token=_required(environ, TOKEN_VARIABLES), secret=_required(environ, SECRET_VARIABLES)
    )


def endpoints_from_environment(environ: Mapping[str, str] = os.environ) -> Endpoints:
    """The endpoints of this environment; what is not set is the real API.

    When only the cloud root is moved (to a lab, say), the PHY root moves with it: half an environment must
    never lead to calls on the real account.
    """
    cloud_root = _first(environ, ROOT_VARIABLES)[1].rstrip("/")
    phy_root = _first(environ, PHY_ROOT_VARIABLES)[1].rstrip("/")
    if cloud_root and not phy_root:
        base, marker, rest = cloud_root.rpartition("/cloud/zone")
        if not marker or rest:
            raise CredentialsError(
                f"{ROOT_VARIABLES[1]} is set to {cloud_root}, and where the PHY API is then is not known",
                hint=f"set {PHY_ROOT_VARIABLES[0]} too",
            )
        phy_root = f"{base}/cloud/api/dedicated-phy/1.0"
    rate = _number(environ, RATE_VARIABLES, REQUESTS_PER_SECOND)
    return Endpoints(
        cloud_root=cloud_root or CLOUD_ROOT_URL,
        phy_root=phy_root or PHY_ROOT_URL,
        zone=_first(environ, ZONE_VARIABLES)[1] or DEFAULT_ZONE,
        requests_per_second=rate or None,
        poll_interval=_number(environ, POLL_VARIABLES, POLL_INTERVAL),
    )


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine itself."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """The first of `names` that is set, with its value; the value is "" when none is."""
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            return name, value
    return names[-1], ""


def _required(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    value = _first(environ, names)[1]
    if not value:
        raise CredentialsError(
            f"{names[-1]} is not set",
            hint=f"export {names[-1]} (or {names[0]}): an API key is made in the control panel; "
            "for the lab, run: eval $(daiku lab env)",
        )
    return value


def _number(environ: Mapping[str, str], names: tuple[str, ...], default: float) -> float:
    """A number that is not negative; 0 means off where off is allowed."""
    name, text = _first(environ, names)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise CredentialsError(f"{name} must be a number, 0 or more, not {text!r}")
    return number
