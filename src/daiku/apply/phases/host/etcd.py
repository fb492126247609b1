# ruff: noqa: PTH113, S310
"""etcd of this control plane, asked through its own JSON gateway with the certificate of kubeadm's health check."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

PKI = "/etc/kubernetes/pki/etcd"
LOCAL = "https://127.0.0.1:2379"
SECONDS = 4.0
TROUBLE = (OSError, ValueError, http.client.HTTPException)
"""Nobody there, no TLS, or no HTTP or JSON in the answer."""


def members() -> dict[str, Any]:
    """`members` as this member knows them, each with whether it answers; `quorum`: a read that needs one succeeds.

    `failure` says why there is nothing to tell.
    """
    if not os.path.isfile(f"{PKI}/healthcheck-client.key"):
        return {"members": [], "quorum": False, "failure": "no client certificate"}
    try:
        found = ask(f"{LOCAL}/v3/cluster/member/list", {"linearizable": False})["members"]
    except (*TROUBLE, KeyError) as error:
        return {"members": [], "quorum": False, "failure": words(error)}
    listed = [
        {
            "id": one["ID"],
            "name": one.get("name", ""),
            "peers": one.get("peerURLs", []),
            "learner": bool(one.get("isLearner")),
            "healthy": healthy(one.get("clientURLs", [])),
        }
        for one in found
    ]
    return {"members": listed, "quorum": healthy([LOCAL]), "failure": ""}


def healthy(urls: list[str]) -> bool:
    """Whether the member behind one of `urls` serves reads that need a quorum."""
    for url in urls:
        try:
            if str(ask(f"{url}/health", None).get("health")) == "true":
                return True
        except TROUBLE:
            continue
    return False


def remove(member: str) -> dict[str, Any]:
    """Take the member with that ID out of the cluster; one that is out already is well. `failure` says why not."""
    try:
        ask(f"{LOCAL}/v3/cluster/member/remove", {"ID": member})
    except urllib.error.HTTPError as error:
        told = error.read().decode("utf-8", "replace")
        return {"failure": "" if "member not found" in told else told[:500]}
    except TROUBLE as error:
        return {"failure": words(error)}
    return {"failure": ""}


def ask(url: str, body: dict[str, Any] | None) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
    context.load_cert_chain(f"{PKI}/healthcheck-client.crt", f"{PKI}/healthcheck-client.key")
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(urllib.request.Request(url, data), timeout=SECONDS) as answer:
        value: dict[str, Any] = json.load(answer)
        return value


def words(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason)[:200]
