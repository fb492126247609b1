"""The explicit AWS provider: no resource of ours is ever made with ambient settings alone."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

SERVICES = ("directconnect", "ec2", "elbv2", "iam", "route53", "s3", "sts")
"""The services that the stack calls; each is sent to the lab when there is one."""


def explicit_provider(
    region: str, account_id: str, endpoint: str, opts: pulumi.ResourceOptions | None = None
) -> aws.Provider:
    """The real AWS, bound to one account; or, with `endpoint`, a lab, bound to dummy credentials."""
    if not endpoint:
        return aws.Provider("aws", region=region, allowed_account_ids=[account_id], opts=opts)
    return aws.Provider(
        "aws",
        region=region,
        endpoints=[aws.ProviderEndpointArgs(**dict.fromkeys(SERVICES, endpoint))],
        access_key="lab",
        secret_key="lab",  # noqa: S106 - not a secret: the lab takes any, and the real AWS would take none
        s3_use_path_style=True,
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_region_validation=True,
        skip_requesting_account_id=True,
        opts=opts,
    )
