"""Secrets that only the operator can give: which there are, how each must look, and what waits for it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterable

from daiku.plan.model import Plan

PREFIX = "given/"
"""Begins a HostFile's `secret` that the operator gives; one without it is made at the first use."""
BACKUP = "backup-credentials"
_KEY_ID = re.compile(r"[A-Za-z0-9]{16,128}")
_KEY = re.compile(r"[A-Za-z0-9/+=_-]{16,256}")


def with_given(plan: Plan, names: Iterable[str]) -> Plan:
    """The plan of an operator who has given the secrets `names`."""
    return plan.model_copy(update={"given_secrets": tuple(sorted(names))})


def waiting(plan: Plan) -> tuple[str, ...]:
    """What waits for a secret that was not given, one line each with the command that gives it."""
    if plan.aws is None or not plan.by_role("control-plane") or BACKUP in plan.given_secrets:
        return ()
    return (f"backups of etcd wait for a key to the bucket: daiku secret set {BACKUP} --from FILE",)


def as_kept(name: str, value: bytes) -> bytes:
    """The value of the secret `name` as it is kept. KeyError: there is no such secret; ValueError: what is wrong with
    the value, in words that hold nothing of it."""
    return GIVEN[name](value)


def _aws_credentials(value: bytes) -> bytes:
    """A profile `default` with a key that lasts; comments and other profiles go."""
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
    if not _KEY_ID.fullmatch(key_id) or not _KEY.fullmatch(key):
        raise ValueError("the key does not look like one of AWS")
    return f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {key}".encode()


GIVEN: dict[str, Callable[[bytes], bytes]] = {BACKUP: _aws_credentials}
"""What makes the kept value of each from what was given."""
