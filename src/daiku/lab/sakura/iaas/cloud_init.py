"""The little of cloud-init that decides how a host is reached: `hostname` and SSH keys of a `#cloud-config`."""

from __future__ import annotations

from typing import Any

import yaml

from daiku.lab.sakura.iaas.models import Installed


def apply(installed: Installed, user_data: str) -> Installed:
    """The OS after booting with this user data; what is no `#cloud-config` mapping changes nothing."""
    if not user_data.startswith("#cloud-config"):
        return installed
    try:
        document: Any = yaml.safe_load(user_data)
    except (yaml.YAMLError, RecursionError, ValueError):
        return installed
    if not isinstance(document, dict):
        return installed
    changed = installed.model_copy(deep=True)
    if isinstance(document.get("hostname"), str):
        changed.hostname = document["hostname"]
    keys = _texts(document.get("ssh_authorized_keys"))
    users = document.get("users")
    for user in users if isinstance(users, list) else []:
        if isinstance(user, dict):
            keys += _texts(user.get("ssh_authorized_keys"))
    if keys:
        changed.authorized_keys = list(dict.fromkeys(keys))
    return changed


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
