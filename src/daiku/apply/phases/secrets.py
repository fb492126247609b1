"""What a machine joins with: a bootstrap token and the key of the uploaded certificates.

They live in memory: ours while the run lasts, the host's while kubeadm works. None stands in a file of ours, an
argument, a journal or a message.
"""

from __future__ import annotations

import base64
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

TOKEN_MINUTES = 15
"""How long a token lets machines in if nobody comes back to delete it."""
_SIGNS = string.ascii_lowercase + string.digits
BOOTSTRAP_TYPE = "bootstrap.kubernetes.io/token"
DESCRIPTION = "machines that daiku joins"
PROXY_DESCRIPTION = "Proxy for managing TTL for the kubeadm-certs secret"
"""Of the token that kubeadm makes for each upload of certificates, so that they end with it."""
NAMESPACE = "kube-system"
CERTIFICATES = "kubeadm-certs"
"""The Secret that `upload-certs` makes."""
GROUP = "system:bootstrappers:kubeadm:default-node-token"


@dataclass(frozen=True, slots=True)
class JoinSecrets:
    """Made anew for each run. `key` is that of the uploaded certificates: 32 bytes in hexadecimal."""

    token: str = field(repr=False)
    key: str = field(repr=False)

    @classmethod
    def make(cls) -> JoinSecrets:
        first, second = ("".join(secrets.choice(_SIGNS) for _ in range(length)) for length in (6, 16))
        return cls(f"{first}.{second}", secrets.token_hex(32))

    @property
    def hidden(self) -> tuple[str, ...]:
        """What no message may hold. The first half of the token is its public name."""
        return (self.token.partition(".")[2], self.key)

    def token_object(self, now: float) -> dict[str, Any]:
        """The token as the Secret that lets machines in, until TOKEN_MINUTES after `now` (seconds since 1970, by the
        API server's clock)."""
        ident, _, secret = self.token.partition(".")
        until = time.gmtime(now + TOKEN_MINUTES * 60)
        data = {
            "token-id": ident,
            "token-secret": secret,
            "expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", until),
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": GROUP,
            "description": DESCRIPTION,
        }
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"bootstrap-token-{ident}", "namespace": NAMESPACE},
            "type": BOOTSTRAP_TYPE,
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        }

    def discovery(self, endpoint: str, ca_pem: str) -> str:
        """The kubeconfig that a machine joins with: where the cluster is (`host:port`), its CA, and the token."""
        cluster = {
            "server": f"https://{endpoint}",
            "certificate-authority-data": base64.b64encode(ca_pem.encode()).decode(),
        }
        return _yaml(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "cluster", "cluster": cluster}],
                "users": [{"name": "machine", "user": {"token": self.token}}],
                "contexts": [{"name": "join", "context": {"cluster": "cluster", "user": "machine"}}],
                "current-context": "join",
            }
        )

    def init_configuration(self, rendered: bytes) -> str:
        """The rendered configuration of `kubeadm init` with the token (short-lived) and the certificates' key."""
        token = {"token": self.token, "ttl": f"{TOKEN_MINUTES}m0s", "usages": ["signing", "authentication"]}
        extra = {
            "bootstrapTokens": [{**token, "groups": [GROUP], "description": DESCRIPTION}],
            "certificateKey": self.key,
        }
        return _merged(rendered, {"InitConfiguration": extra})

    def join_configuration(self, rendered: bytes) -> str:
        """The rendered configuration of `kubeadm join` of a control plane, with the certificates' key."""
        documents = _documents(rendered)
        for document in documents:
            if document["kind"] == "JoinConfiguration":
                document["controlPlane"] = {**document["controlPlane"], "certificateKey": self.key}
        return _text(documents)

    def upload_configuration(self, version: str, registration: Mapping[str, Any], address: str) -> str:
        """What `kubeadm init phase upload-certs` reads on a control plane that stands. `version`: of Kubernetes."""
        api = "kubeadm.k8s.io/v1beta4"
        kept = {key: registration[key] for key in ("name", "criSocket")}
        return _text(
            [
                {
                    "apiVersion": api,
                    "kind": "InitConfiguration",
                    "certificateKey": self.key,
                    "localAPIEndpoint": {"advertiseAddress": address},
                    "nodeRegistration": kept,
                },
                {"apiVersion": api, "kind": "ClusterConfiguration", "kubernetesVersion": version},
            ]
        )


def _merged(rendered: bytes, extra: Mapping[str, Mapping[str, Any]]) -> str:
    return _text([{**document, **extra.get(document["kind"], {})} for document in _documents(rendered)])


def _documents(rendered: bytes) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", one) for one in yaml.safe_load_all(rendered) if one]


def _text(documents: list[dict[str, Any]]) -> str:
    return "---\n".join(_yaml(document) for document in documents)


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False)
