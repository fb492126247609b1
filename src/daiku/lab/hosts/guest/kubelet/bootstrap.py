"""TLS bootstrap: from a join token to a client certificate of the node's own."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from pathlib import Path

import yaml

from daiku.lab.hosts.guest.kubelet.api import Access, Api
from daiku.lab.hosts.guest.kubelet.settings import Settings

_REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_CURRENT = "kubelet-client-current.pem"
_SECONDS = 60.0


def bootstrap(settings: Settings) -> None:
    """Ask for a certificate with the token of the bootstrap kubeconfig and write the kubelet's own kubeconfig.

    Raises what `Api` raises, and OSError.
    """
    assert settings.bootstrap_kubeconfig is not None
    api = Api(settings.bootstrap_kubeconfig)
    key, request = _key_and_request(settings.node_name)
    made = api.call(
        "POST",
        _REQUESTS,
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {
                "request": base64.b64encode(request).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "client auth"],
            },
        },
    )
    certificate = _wait(api, made["metadata"]["name"])
    pem = _keep(settings.certificates, certificate + key)
    _write(settings.kubeconfig, yaml.safe_dump(_kubeconfig(api.access(), pem)).encode())


def keep_first_certificate(settings: Settings, access: Access) -> None:
    """Copy a certificate that came inside the kubeconfig, as the kubelet does: kubeadm looks for the copy."""
    if access.certificate and not (settings.certificates / _CURRENT).exists():
        _keep(settings.certificates, access.certificate + b"\n" + access.key)


def _key_and_request(node: str) -> tuple[bytes, bytes]:
    # /dev/stdin keeps the key out of arguments and files.
    key = subprocess.run(
        ["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout"], capture_output=True, check=True
    ).stdout
    subject = f"/O=system:nodes/CN=system:node:{node}"
    request = subprocess.run(
        ["openssl", "req", "-new", "-key", "/dev/stdin", "-subj", subject],
        input=key,
        capture_output=True,
        check=True,
    ).stdout
    return key, request


def _wait(api: Api, name: str) -> bytes:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        certificate = api.call("GET", f"{_REQUESTS}/{name}").get("status", {}).get("certificate")
        if certificate:
            return base64.b64decode(certificate)
        time.sleep(0.3)
    raise TimeoutError(f"certificate signing request {name} was not approved within {_SECONDS:.0f} s")


def _keep(folder: Path, content: bytes) -> Path:
    """Store certificate and key, and point the link of the current pair at them; returns the link."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = folder / time.strftime("kubelet-client-%Y-%m-%d-%H-%M-%S.pem", time.gmtime())
    _write(pair, content)
    link = folder / _CURRENT
    link.unlink(missing_ok=True)
    link.symlink_to(pair)
    return link


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".tmp")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def _kubeconfig(access: Access, pem: Path) -> dict[str, object]:
    authority = base64.b64encode(access.authority).decode()
    cluster = {"server": access.server, "certificate-authority-data": authority}
    user = {"client-certificate": str(pem), "client-key": str(pem)}
    context = {"cluster": "default-cluster", "namespace": "default", "user": "default-auth"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default-cluster", "cluster": cluster}],
        "contexts": [{"name": "default-context", "context": context}],
        "current-context": "default-context",
        "users": [{"name": "default-auth", "user": user}],
    }
