"""The AWS client: what goes wrong, in our terms."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from moto import mock_aws

from daiku.errors import (
    ApiError,
    ConflictError,
    CredentialsError,
    NotFoundError,
    RateLimitError,
    UnreachableError,
)
from daiku.wire.aws import Aws

KEYS: dict[str, Any] = {"access_key": "lab", "secret_key": "lab"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AuthFailure", CredentialsError),
        ("ExpiredToken", CredentialsError),
        ("InvalidVpcID.NotFound", NotFoundError),
        ("NoSuchBucket", NotFoundError),
        ("404", NotFoundError),
        ("DependencyViolation", ConflictError),
        ("BucketNotEmpty", ConflictError),
        ("RequestLimitExceeded", RateLimitError),
        ("ValidationError", ApiError),
    ],
)
def test_an_error_code_becomes_the_right_class(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: type[ApiError]
) -> None:
    class Client:
        def describe(self) -> None:
            answer: Any = {"Error": {"Code": code, "Message": "AWS's words"}}
            raise ClientError(answer, "Describe")

    aws = Aws("ap-northeast-1", **KEYS)
    monkeypatch.setattr(aws, "_client", lambda _: Client())
    with pytest.raises(ApiError) as failed:
        aws.call("ec2", "describe")
    assert type(failed.value) is kind
    assert "AWS's words" in str(failed.value)
    assert failed.value.where == "AWS ec2 describe"


def test_answers_are_plain_and_without_metadata() -> None:
    with mock_aws():
        answer = Aws("ap-northeast-1", **KEYS).call("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
    assert set(answer) == {"Vpc"}


def test_no_answer_is_unreachable() -> None:
    aws = Aws("ap-northeast-1", endpoint_url="http://127.0.0.1:9", attempts=1, **KEYS)
    with pytest.raises(UnreachableError, match="no answer"):
        aws.call("ec2", "describe_vpcs")


def test_missing_credentials_say_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(CredentialsError, match="no AWS credentials") as failed:
        Aws("ap-northeast-1", endpoint_url="http://127.0.0.1:9", attempts=1).call("ec2", "describe_vpcs")
    assert "AWS_PROFILE" in failed.value.hint


def test_an_answer_that_is_not_awss_is_an_error_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def describe(self) -> None:
            raise ResponseParserError("<html>")

    aws = Aws("ap-northeast-1", **KEYS)
    monkeypatch.setattr(aws, "_client", lambda _: Client())
    with pytest.raises(ApiError, match="not one of AWS's"):
        aws.call("ec2", "describe")
