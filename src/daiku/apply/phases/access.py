"""The cluster's API, reached through SSH as its administrator. The credentials are read into memory and stay there."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from daiku.apply.phases.reach import Reach
from daiku.apply.phases.remote import read
from daiku.errors import CredentialsError, HostError, UnreachableError
from daiku.plan.model import Plan
from daiku.render.host_kubernetes import API_PORT
from daiku.wire.kubernetes import Credentials, KubernetesApi, connect
from daiku.wire.tunnel import Address, Tunnel

ADMIN = "/etc/kubernetes/admin.conf"
IN_EVERY_CERTIFICATE = "kubernetes"
"""A name that kubeadm puts into every API server's certificate."""


@dataclass(frozen=True, slots=True)
class Access:
    """An API server that is ready. `way` is where it was reached: `10.10.0.100:6443`; `by_vip`: by the load
    balancer's address. `credentials` lead through the tunnel and end with it."""

    api: KubernetesApi
    credentials: Credentials
    way: str
    by_vip: bool


@contextmanager
def api_access(plan: Plan, reach: Reach, planes: Sequence[str]) -> Generator[Access]:
    """An API server of the cluster: by the load balancer's address, and if nobody is ready there by a control plane's
    own. `planes` are the control planes to ask for the administrator's credentials, best first.

    UnreachableError: none is ready; CredentialsError: no control plane has credentials; HostError: none can be asked.
    """
    config = _administrator(reach, planes)
    host, _, port = plan.api_endpoint.rpartition(":")
    own: list[Address] = [(plan.node(name).address, API_PORT) for name in planes]
    with contextlib.ExitStack() as stack:
        # The balancer's address may not be the one that the certificates were made for; this name is in each of them.
        for addresses, name in (([(host, int(port))], host), (own, IN_EVERY_CERTIFICATE)):
            tunnel = Tunnel(reach.jump, addresses)
            credentials = Credentials.from_kubeconfig(
                config, server=f"https://127.0.0.1:{tunnel.port}", tls_server_name=name
            )
            inner = contextlib.ExitStack()
            inner.enter_context(tunnel)
            api = inner.enter_context(connect(credentials))
            if api.ready():
                stack.enter_context(inner)
                by_vip = addresses is not own
                yield Access(api, credentials, ", ".join(f"{a}:{p}" for a, p in addresses), by_vip)
                return
            inner.close()
    raise UnreachableError(
        "no API server is ready",
        where=plan.api_endpoint,
        hint="`daiku status` shows the control planes; more than half of them must run",
    )


def _config_on(reach: Reach, name: str) -> str:
    return read(reach.session(name), ADMIN)


def _administrator(reach: Reach, planes: Sequence[str]) -> str:
    failures: list[HostError] = []
    # All are asked at once, so that one that is off is not waited for.
    pool = ThreadPoolExecutor(max(1, len(planes)))
    try:
        asked = [pool.submit(_config_on, reach, name) for name in planes]
        for answer in as_completed(asked):
            try:
                if config := answer.result():
                    return config
            except HostError as error:
                failures.append(error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if failures and len(failures) == len(planes):
        raise failures[0]
    raise CredentialsError(
        "no control plane that can be asked has the administrator's credentials",
        where=ADMIN,
        hint="daiku up",
    )
