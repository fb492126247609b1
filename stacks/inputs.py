"""What the program is given: the Plan, and the few things that are not the plan's to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daiku.errors import CredentialsError
from daiku.plan.model import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """`deploy_key` is the public half of the cluster's deploy key, in OpenSSH's one-line form; `key_file` is the
    private half's place, which the provider reads to log in to freshly installed servers. `host_keys` is the ledger
    with the pinned host keys; None: the bastion's is trusted anew by each run.

    `connect_secret` is the peer's secret key of the AWS connection option. `aws_endpoint` is where the AWS API is
    when it is not the real one (a lab): dummy credentials are used then, and no others can be.
    """

    plan: Plan
    deploy_key: str
    key_file: Path
    host_keys: Path | None = None
    connect_secret: str = field(default="", repr=False)
    aws_endpoint: str = ""

    @property
    def ssh_keys(self) -> tuple[str, ...]:
        """Public keys that open a new machine: the cluster's own, then people's."""
        return (self.deploy_key, *(k for k in self.plan.authorized_keys if k != self.deploy_key))


def gather(
    plan: Plan,
    deploy_key: str,
    environ: Mapping[str, str],
    *,
    key_file: Path,
    host_keys: Path | None = None,
) -> Inputs:
    """The inputs of this environment; CredentialsError names the variable that the cluster file refers to."""
    secret = ""
    if plan.aws is not None:
        name = plan.aws.connect.secret_env
        secret = environ.get(name, "")
        if not secret:
            raise CredentialsError(
                f"{name} is not set: it holds the secret key of the AWS connection option",
                where="aws.connect.secretKey",
                hint=f"export {name}; Sakura issues it with the resource ID",
            )
    return Inputs(
        plan=plan,
        deploy_key=deploy_key.strip(),
        key_file=key_file.absolute(),
        host_keys=None if host_keys is None else host_keys.absolute(),
        connect_secret=secret,
        aws_endpoint=environ.get("AWS_ENDPOINT_URL", ""),
    )
