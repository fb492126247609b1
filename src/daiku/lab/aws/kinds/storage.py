"""An S3 bucket and what is set on it. Every ID is the bucket's name."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from daiku.errors import ApiError, NotFoundError
from daiku.lab.aws.kinds.base import (
    NUMBER,
    TAGS,
    TRUTH,
    Cloud,
    Kind,
    fixed,
    kind,
    live,
    output,
    record,
    tags_given,
    tags_shown,
)
from daiku.provider.fields import ListOf, Props
from daiku.provider.handler import Hint

_UNSET = frozenset(
    {
        "NoSuchTagSet",
        "NoSuchPublicAccessBlockConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchLifecycleConfiguration",
    }
)


class Bucket(Kind):
    type = kind(
        "s3/bucket:Bucket", fixed("bucket"), live("forceDestroy", TRUTH, default=False), TAGS, output("arn")
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        name = str(inputs["bucket"])
        if self.read(cloud, name, inputs) is None:
            cloud.call(
                "s3",
                "create_bucket",
                Bucket=name,
                CreateBucketConfiguration={"LocationConstraint": cloud.region},
            )
        return name

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        if tags := inputs.get("tags"):
            cloud.call("s3", "put_bucket_tagging", Bucket=ident, Tagging={"TagSet": tags_given(tags)})
        else:
            cloud.call("s3", "delete_bucket_tagging", Bucket=ident)

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        cloud.call("s3", "head_bucket", Bucket=ident)
        try:
            tags = tags_shown(cloud.call("s3", "get_bucket_tagging", Bucket=ident)["TagSet"])
        except ApiError as error:
            if error.code not in _UNSET:
                raise
            tags = {}
        kept = {"forceDestroy": known.get("forceDestroy", False)}
        return kept | {"bucket": ident, "tags": tags, "arn": f"arn:aws:s3:::{ident}"}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("s3", "delete_bucket", Bucket=ident)


class Setting(Kind):
    """One setting of a bucket: written whole, read whole."""

    @abstractmethod
    def write(self, cloud: Cloud, inputs: Props) -> None: ...

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        return str(inputs["bucket"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        self.write(cloud, inputs)

    def get(self, cloud: Cloud, ident: str, operation: str) -> dict[str, Any]:
        """The answer of `operation`; NotFoundError also where nothing is set."""
        try:
            return cloud.call("s3", operation, Bucket=ident)
        except ApiError as error:
            if error.code in _UNSET:
                raise NotFoundError("nothing is set", where=ident) from error
            raise


class Versioning(Setting):
    type = kind(
        "s3/bucketVersioning:BucketVersioning",
        fixed("bucket"),
        live("versioningConfiguration", record("Versioning", live("status", required=True)), required=True),
    )

    def write(self, cloud: Cloud, inputs: Props) -> None:
        status = inputs["versioningConfiguration"]["status"]
        cloud.call(
            "s3",
            "put_bucket_versioning",
            Bucket=inputs["bucket"],
            VersioningConfiguration={"Status": status},
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        status = self.get(cloud, ident, "get_bucket_versioning").get("Status")
        if status is None:
            raise NotFoundError("versioning was never set", where=ident)
        return {"bucket": ident, "versioningConfiguration": {"status": status}}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self.write(cloud, {"bucket": ident, "versioningConfiguration": {"status": "Suspended"}})


class Encryption(Setting):
    type = kind(
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        fixed("bucket"),
        live(
            "rules",
            ListOf(
                record(
                    "EncryptionRule",
                    live(
                        "applyServerSideEncryptionByDefault",
                        record("EncryptionDefault", live("sseAlgorithm", required=True)),
                        required=True,
                    ),
                )
            ),
            required=True,
        ),
    )

    def write(self, cloud: Cloud, inputs: Props) -> None:
        rules = [
            {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": rule["sseAlgorithm"]}}
            for rule in (r["applyServerSideEncryptionByDefault"] for r in inputs["rules"])
        ]
        cloud.call(
            "s3",
            "put_bucket_encryption",
            Bucket=inputs["bucket"],
            ServerSideEncryptionConfiguration={"Rules": rules},
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        answer = self.get(cloud, ident, "get_bucket_encryption")["ServerSideEncryptionConfiguration"]
        algorithms = [r["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for r in answer["Rules"]]
        rules = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": a}} for a in algorithms]
        return {"bucket": ident, "rules": rules}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("s3", "delete_bucket_encryption", Bucket=ident)


class PublicAccessBlock(Setting):
    type = kind(
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        fixed("bucket"),
        live("blockPublicAcls", TRUTH, default=False),
        live("blockPublicPolicy", TRUTH, default=False),
        live("ignorePublicAcls", TRUTH, default=False),
        live("restrictPublicBuckets", TRUTH, default=False),
    )

    def write(self, cloud: Cloud, inputs: Props) -> None:
        settings = {name[0].upper() + name[1:]: value for name, value in inputs.items() if name != "bucket"}
        cloud.call(
            "s3",
            "put_public_access_block",
            Bucket=inputs["bucket"],
            PublicAccessBlockConfiguration=settings,
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        answer = self.get(cloud, ident, "get_public_access_block")["PublicAccessBlockConfiguration"]
        return {"bucket": ident} | {name[0].lower() + name[1:]: value for name, value in answer.items()}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("s3", "delete_public_access_block", Bucket=ident)


class Lifecycle(Setting):
    type = kind(
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        fixed("bucket"),
        live(
            "rules",
            ListOf(
                record(
                    "LifecycleRule",
                    live("id", required=True),
                    live("status", required=True),
                    live("filter", record("LifecycleFilter", live("prefix", default=""))),
                    live("expiration", record("Expiration", live("days", NUMBER))),
                    live(
                        "noncurrentVersionExpiration",
                        record("NoncurrentVersionExpiration", live("noncurrentDays", NUMBER)),
                    ),
                    live(
                        "abortIncompleteMultipartUpload",
                        record("AbortIncompleteMultipartUpload", live("daysAfterInitiation", NUMBER)),
                    ),
                )
            ),
            required=True,
        ),
    )

    def write(self, cloud: Cloud, inputs: Props) -> None:
        rules = [_awsed(rule) for rule in inputs["rules"]]
        cloud.call(
            "s3",
            "put_bucket_lifecycle_configuration",
            Bucket=inputs["bucket"],
            LifecycleConfiguration={"Rules": rules},
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        rules = self.get(cloud, ident, "get_bucket_lifecycle_configuration")["Rules"]
        return {"bucket": ident, "rules": [_pulumied(rule) for rule in rules]}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("s3", "delete_bucket_lifecycle", Bucket=ident)


def _awsed(value: Any) -> Any:
    """Pulumi's names as AWS's: `noncurrentDays` is `NoncurrentDays`, `id` is `ID`."""
    if isinstance(value, dict):
        return {"ID" if k == "id" else k[0].upper() + k[1:]: _awsed(v) for k, v in value.items()}
    return value


def _pulumied(value: Any) -> Any:
    if isinstance(value, dict):
        return {"id" if k == "ID" else k[0].lower() + k[1:]: _pulumied(v) for k, v in value.items()}
    return value


KINDS: tuple[Kind, ...] = (Bucket(), Versioning(), Encryption(), PublicAccessBlock(), Lifecycle())
