"""The bucket of etcd snapshots: versioned, encrypted, closed to the public, with an end to every version."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from daiku.stacks.common import Component, aws_tags

ABANDONED_UPLOAD_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    cluster: str
    bucket: str
    keep_days: int


class Backup(Component):
    """A bucket that still holds snapshots is not deleted: the engine says so and stops."""

    bucket_name: pulumi.Output[str]

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Backup", name, opts)
        bucket = aws.s3.Bucket(
            "snapshots",
            bucket=args.bucket,
            tags=aws_tags(args.cluster, args.bucket),
            opts=self.child(),
        )
        aws.s3.BucketPublicAccessBlock(
            "snapshots",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.child(),
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            "snapshots",
            bucket=bucket.id,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=(
                        aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                            sse_algorithm="AES256"
                        )
                    )
                )
            ],
            opts=self.child(),
        )
        versioning = aws.s3.BucketVersioning(
            "snapshots",
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self.child(),
        )
        aws.s3.BucketLifecycleConfiguration(
            "snapshots",
            bucket=bucket.id,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.keep_days),
                    noncurrent_version_expiration=(
                        aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                            noncurrent_days=args.keep_days
                        )
                    ),
                    abort_incomplete_multipart_upload=(
                        aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                            days_after_initiation=ABANDONED_UPLOAD_DAYS
                        )
                    ),
                )
            ],
            # Rules for old versions mean nothing before there are versions.
            opts=self.child(after=[versioning]),
        )
        self.bucket_name = bucket.id
        self.register_outputs({"bucketName": self.bucket_name})
