"""One small object in S3 that is only ever written under a condition: what a lock needs, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from daiku.errors import ConflictError, NotFoundError
from daiku.wire.aws import Aws


@dataclass(frozen=True, slots=True)
class Stored:
    """What the object holds. `tag` names this very version; `age` is seconds since it was written, both times by
    S3's clock, so that nobody's own clock counts. It may be up to one second too much."""

    body: bytes
    tag: str
    age: float


class ConditionalObject:
    """The object `key` of `bucket`. Every method raises the ApiError family; NotFoundError: there is no such bucket."""

    def __init__(self, aws: Aws, bucket: str, key: str) -> None:
        self._aws = aws
        self._place = {"Bucket": bucket, "Key": key}
        self.url = f"s3://{bucket}/{key}"

    def read(self) -> Stored | None:
        """What it holds now; None when it does not exist."""
        try:
            answer, now = self._aws.call_at("s3", "get_object", **self._place)
        except NotFoundError as error:
            if error.code == "NoSuchBucket":
                raise
            return None
        age = (now - answer["LastModified"]).total_seconds()
        return Stored(answer["Body"].read(), str(answer["ETag"]), max(0.0, age))

    def create(self, body: bytes) -> str | None:
        """Write it if it does not exist; its tag, or None when somebody was first."""
        return self._put(body, IfNoneMatch="*")

    def replace(self, body: bytes, tag: str) -> str | None:
        """Write it if it still is the version `tag`; the new tag, or None when it is another."""
        return self._put(body, IfMatch=tag)

    def _put(self, body: bytes, **condition: str) -> str | None:
        try:
            answer = self._aws.call(
                "s3", "put_object", **self._place, **condition, Body=body, ContentType="application/json"
            )
        except ConflictError:
            return None
        except NotFoundError as error:
            if error.code == "NoSuchBucket":
                raise
            return None  # a condition on a version of what was deleted meanwhile
        return str(answer["ETag"])
