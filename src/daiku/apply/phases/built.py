"""What a cluster that runs was built with, in its own words: the ClusterConfiguration that kubeadm keeps in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import yaml

Built = Mapping[tuple[str, ...], str | int]
"""Settings by their path in the cluster file, as the cluster has them. What it does not tell is not there."""

_TEXTS = {
    ("name",): ("clusterName",),
    ("network", "pods", "cidr"): ("networking", "podSubnet"),
    ("network", "services", "cidr"): ("networking", "serviceSubnet"),
    ("network", "services", "domain"): ("networking", "dnsDomain"),
}


def built_with(configuration: str) -> Built:
    """The settings that nobody can change later, from the text of a ClusterConfiguration; none of one that cannot be
    read."""
    try:
        top = _mapping(yaml.load(configuration, yaml.CSafeLoader))
    except yaml.YAMLError:
        return {}
    if top.get("kind") != "ClusterConfiguration":
        return {}
    found: dict[tuple[str, ...], str | int] = {}
    for path, steps in _TEXTS.items():
        value: object = top
        for step in steps:
            value = _mapping(value).get(step)
        if isinstance(value, str) and value:
            found[path] = value
    endpoint = str(top.get("controlPlaneEndpoint") or "")
    if host := endpoint.rpartition(":")[0]:
        found["loadBalancer", "apiVip"] = host
    mask = _arguments(top, "controllerManager").get("node-cidr-mask-size", "")
    if mask.isdigit():
        found["network", "pods", "nodeMask"] = int(mask)
    encrypts = "encryption-provider-config" in _arguments(top, "apiServer")
    found["kubernetes", "etcd", "encryption"] = "secretbox" if encrypts else "none"
    return found


def _arguments(top: Mapping[str, Any], component: str) -> dict[str, str]:
    """A component's own arguments by name."""
    listed: object = _mapping(top.get(component)).get("extraArgs")
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    return {str(one.get("name")): str(one.get("value")) for one in map(_mapping, entries)}


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
