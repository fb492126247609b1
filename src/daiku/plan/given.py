"""Secrets that only the operator can give: which there are, how each must look, and what waits for it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from daiku.plan.model import Plan

PREFIX = "given/"
"""Begins a HostFile's `secret` that the operator gives; one without it is made at the first use."""
BACKUP = "backup-credentials"
ALERTMANAGER = "alertmanager-config"
DATASET = "dataset-credentials"
_AWS_KEY_ID = re.compile(r"[A-Za-z0-9]{16,128}")
_AWS_KEY = re.compile(r"[A-Za-z0-9/+=_-]{16,256}")
_S3_KEY = re.compile(r"[!-~]{3,256}")


@dataclass(frozen=True, slots=True)
class GivenSecret:
    """One that may be given.

    `kept` makes what is kept from what was given, and leaves what is kept as it is; ValueError: what is wrong with it,
    in words that hold nothing of it.
    `used`: the plan has something that takes it, and that is called `waiter` ("backups of etcd wait for ...").
    `entries` are the keys of the Kubernetes Secret that it becomes, each with what makes its value from what is kept;
    none where it becomes a file of hosts.
    """

    kept: Callable[[bytes], bytes]
    used: Callable[[Plan], bool]
    waiter: str
    entries: Mapping[str, Callable[[bytes], bytes]]

    @property
    def brought_by(self) -> tuple[str, ...]:
        """The verb that brings it where it belongs, and its options."""
        return ("apply", "--cluster") if self.entries else ("apply",)

    def data(self, kept: bytes) -> dict[str, bytes]:
        """The data of the Kubernetes Secret."""
        return {key: value(kept) for key, value in self.entries.items()}


def with_given(plan: Plan, names: Iterable[str]) -> Plan:
    """The plan of an operator who has given the secrets `names`; those that it has no use for leave it as it is."""
    used = (name for name in names if name in GIVEN and GIVEN[name].used(plan))
    return plan.model_copy(update={"given_secrets": tuple(sorted(used))})


def waiting(plan: Plan) -> tuple[str, ...]:
    """What waits for a secret that was not given, one line each with the command that gives it."""
    return tuple(
        f"{secret.waiter}: daiku secret set {name} --from FILE"
        for name, secret in GIVEN.items()
        if secret.used(plan) and name not in plan.given_secrets
    )


def taken(plan: Plan) -> tuple[str, ...]:
    """The names of those that were given and that something of the plan takes."""
    return tuple(name for name in GIVEN if name in plan.given_secrets)


def as_kept(name: str, value: bytes) -> bytes:
    """The value of the secret `name` as it is kept. KeyError: there is no such secret; ValueError: what is wrong with
    the value, in words that hold nothing of it."""
    return GIVEN[name].kept(value)


def _key_of(value: bytes) -> tuple[str, str]:
    """ID and key of the profile `default` of an AWS credentials file."""
    file = configparser.ConfigParser(interpolation=None)
    try:
        file.read_string(value.decode())
        profile = file["default"]
        key_id, key = profile["aws_access_key_id"], profile["aws_secret_access_key"]
    except (UnicodeDecodeError, configparser.Error, KeyError):
        # Nothing of the causes: they hold lines of the file.
        raise ValueError(
            "not an AWS credentials file with a profile [default], aws_access_key_id and aws_secret_access_key"
        ) from None
    if "aws_session_token" in profile:
        raise ValueError("a key with a session token ends within hours: give the key of a user")
    return key_id, key


def _credentials(key_id: str, key: str) -> bytes:
    return f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {key}".encode()


def _aws_credentials(value: bytes) -> bytes:
    """A profile `default` with a key of AWS's that lasts; comments and other profiles go."""
    key_id, key = _key_of(value)
    if not _AWS_KEY_ID.fullmatch(key_id) or not _AWS_KEY.fullmatch(key):
        raise ValueError("the key does not look like one of AWS")
    return _credentials(key_id, key)


def _s3_credentials(value: bytes) -> bytes:
    """The same with a key of any storage that speaks S3."""
    key_id, key = _key_of(value)
    if not _S3_KEY.fullmatch(key_id) or not _S3_KEY.fullmatch(key):
        raise ValueError("the key is not 3 to 256 printable characters without a space")
    return _credentials(key_id, key)


def _alertmanager(value: bytes) -> bytes:
    """Alertmanager's configuration, as it was given: routes, and receivers for all of them."""
    try:
        configuration: object = yaml.load(value.decode(), yaml.CSafeLoader)
    except (UnicodeDecodeError, yaml.YAMLError, ValueError):
        raise ValueError("not a YAML file") from None
    top = _mapping(configuration)
    route = _mapping(top.get("route"))
    receivers = [_mapping(one).get("name") for one in _list(top.get("receivers"))]
    if not route.get("receiver") or not receivers:
        raise ValueError(
            "not a configuration of Alertmanager with a route that has a receiver, and receivers"
        )
    names = [name for name in receivers if isinstance(name, str)]
    if len(set(names)) != len(receivers):
        raise ValueError("each receiver needs a name of its own")
    if any(name not in names for name in _receivers(route)):
        raise ValueError("a route names a receiver that is not there")
    return value


def _receivers(route: Mapping[str, Any]) -> Iterator[object]:
    if "receiver" in route:
        yield route["receiver"]
    for inner in _list(route.get("routes")):
        yield from _receivers(_mapping(inner))


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _backs_up(plan: Plan) -> bool:
    return plan.aws is not None and bool(plan.by_role("control-plane"))


def _caches_outside(plan: Plan) -> bool:
    """The fast tier is a cache before a bucket outside the cluster; that of the reliable tier has keys by itself."""
    storage = plan.storage
    return bool(storage and storage.fast_disks and storage.fast_bucket and plan.by_role("gpu"))


GIVEN: dict[str, GivenSecret] = {
    BACKUP: GivenSecret(_aws_credentials, _backs_up, "backups of etcd wait for a key to the bucket", {}),
    ALERTMANAGER: GivenSecret(
        _alertmanager,
        lambda plan: plan.monitoring is not None,
        "alerts are sent to nobody until it is said to whom",
        {"alertmanager.yaml": lambda kept: kept},
    ),
    DATASET: GivenSecret(
        _s3_credentials,
        _caches_outside,
        "the read cache waits for a key to its bucket",
        {
            "AWS_ACCESS_KEY_ID": lambda kept: _key_of(kept)[0].encode(),
            "AWS_SECRET_ACCESS_KEY": lambda kept: _key_of(kept)[1].encode(),
        },
    ),
}
"""All that there are, by name."""
