"""What the kubelet was told: its flags (kubeadm's env file puts them on the command line) and its configuration."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_MANIFESTS = "/etc/kubernetes/manifests"
_HEALTHZ_PORT = 10248


class SettingsError(Exception):
    """The kubelet cannot start with what it was told; the text says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`taints` are API objects. `bootstrap_kubeconfig` is None for a kubelet that never bootstraps."""

    node_name: str
    node_ip: str
    labels: Mapping[str, str]
    taints: Sequence[Mapping[str, str]]
    provider_id: str
    kubeconfig: Path
    bootstrap_kubeconfig: Path | None
    certificates: Path
    manifests: Path
    healthz_address: str
    healthz_port: int
    lease_seconds: int


def read(arguments: Sequence[str]) -> Settings:
    """Settings from a kubelet's command line and the configuration file that it names. Raises SettingsError."""
    flags = parse_flags(arguments)
    config = _config(flags.get("config", ""))
    bootstrap = flags.get("bootstrap-kubeconfig")
    taints = [parse_taint(text) for text in flags.get("register-with-taints", "").split(",") if text]
    return Settings(
        node_name=flags.get("hostname-override") or socket.gethostname(),
        node_ip=flags.get("node-ip") or _own_address(),
        labels=dict(pair.split("=", 1) for pair in flags.get("node-labels", "").split(",") if "=" in pair),
        taints=taints or config.get("registerWithTaints") or [],
        provider_id=flags.get("provider-id") or config.get("providerID") or "",
        kubeconfig=Path(flags.get("kubeconfig", "/etc/kubernetes/kubelet.conf")),
        bootstrap_kubeconfig=Path(bootstrap) if bootstrap else None,
        certificates=Path(flags.get("cert-dir", "/var/lib/kubelet/pki")),
        manifests=Path(config.get("staticPodPath") or _MANIFESTS),
        healthz_address=config.get("healthzBindAddress") or "127.0.0.1",
        healthz_port=config.get("healthzPort") or _HEALTHZ_PORT,
        lease_seconds=config.get("nodeLeaseDurationSeconds") or 40,
    )


def parse_flags(arguments: Sequence[str]) -> dict[str, str]:
    """`--name=value` and `--name value`; a flag without a value is `true`. The last of several wins."""
    flags: dict[str, str] = {}
    name = ""
    for word in arguments:
        if word.startswith("-"):
            name, sign, value = word.lstrip("-").partition("=")
            flags[name] = value if sign else "true"
            name = "" if sign else name
        elif name:
            flags[name], name = word, ""
    return flags


def parse_taint(text: str) -> dict[str, str]:
    """`key=value:Effect` or `key:Effect` as the API has it."""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def _config(name: str) -> dict[str, Any]:
    if not name:
        return {}
    try:
        content = yaml.safe_load(Path(name).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"failed to load kubelet config file, path: {name}, error: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != "KubeletConfiguration":
        raise SettingsError(f"{name} holds no KubeletConfiguration")
    return content


def _own_address() -> str:
    """The address from which this host talks to others: that of its default route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
