"""The AWS API: one place that makes clients, retries, and turns boto's exceptions into ours.

Calls are by name (`call("ec2", "describe_vpcs", VpcIds=[...])`) and answers are plain dictionaries as AWS documents
them. Credentials come from boto's usual chain, unless dummy ones are given for a lab.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from daiku.errors import (
    ApiError,
    ConflictError,
    CredentialsError,
    NotFoundError,
    RateLimitError,
    UnreachableError,
)

Json = dict[str, Any]

_REFUSED: Final = frozenset(
    {
        "AuthFailure",
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_THROTTLED: Final = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "SlowDown"})
_IN_USE: Final = frozenset(
    {
        "BucketNotEmpty",
        "ConditionalRequestConflict",
        "DependencyViolation",
        "HostedZoneNotEmpty",
        "OperationNotPermitted",
        "PreconditionFailed",
        "ResourceInUse",
    }
)
_GONE: Final = frozenset(
    {"404", "NoSuchBucket", "NoSuchHostedZone", "NoSuchKey", "NoSuchLifecycleConfiguration"}
)


class Aws:
    """Clients of one region and one set of credentials; safe to use from several threads.

    `endpoint_url` sends every service to one place (a lab). `access_key` and `secret_key` go together; without them
    the usual chain is used (environment, shared files, instance role). `attempts` counts the first one.
    """

    def __init__(
        self,
        region: str,
        *,
        endpoint_url: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        attempts: int = 5,
    ) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._keys: dict[str, str] = {}
        if access_key and secret_key:
            self._keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=10,
            read_timeout=60,
            s3={"addressing_style": "path"} if endpoint_url else None,
        )
        self._session: boto3.session.Session | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def region(self) -> str:
        return self._region

    def call(self, service: str, operation: str, **parameters: Any) -> Json:
        """One operation, by boto's names. Raises the ApiError family with AWS's own words and code."""
        answer = self._call(service, operation, parameters)
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def call_at(self, service: str, operation: str, **parameters: Any) -> tuple[Json, datetime]:
        """As `call`, with the time of the answer by AWS's own clock."""
        answer = dict(self._call(service, operation, parameters))
        told = str(answer.pop("ResponseMetadata").get("HTTPHeaders", {}).get("date", ""))
        try:
            return answer, parsedate_to_datetime(told)
        except ValueError as error:
            raise ApiError("the answer has no date", where=f"AWS {service} {operation}") from error

    def _call(self, service: str, operation: str, parameters: Json) -> Mapping[str, Any]:
        where = f"AWS {service} {operation}"
        try:
            return getattr(self._client(service), operation)(**parameters)
        except ClientError as error:
            raise _api_error(error, where) from error
        except NoCredentialsError as error:
            raise CredentialsError(
                "no AWS credentials were found",
                where=where,
                hint="export AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ) from error
        except (EndpointConnectionError, BotoConnectionError) as error:
            raise UnreachableError(f"no answer: {error}", where=where, hint="is the network up?") from error
        except ResponseParserError as error:
            raise ApiError("the answer is not one of AWS's", where=where) from error
        except BotoCoreError as error:
            raise ApiError(str(error), where=where) from error

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                # One session: each reads AWS's list of all endpoints anew, a tenth of a second.
                if self._session is None:
                    self._session = boto3.session.Session(region_name=self._region, **self._keys)
                self._clients[service] = self._session.client(
                    service,  # pyright: ignore[reportArgumentType, reportCallIssue]
                    endpoint_url=self._endpoint_url,
                    config=self._config,
                )
            return self._clients[service]


def _api_error(error: ClientError, where: str) -> ApiError:
    answer: Mapping[str, Any] = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    message = str(answer.get("Error", {}).get("Message", "")) or str(error)
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _REFUSED:
        hint = "check which AWS account and role you are using: aws sts get-caller-identity"
        return CredentialsError(message, where=where, hint=hint, status=status, code=code)
    if code in _THROTTLED:
        return RateLimitError(message, where=where)
    kind = ApiError
    if "NotFound" in code or code in _GONE:
        kind = NotFoundError
    elif code in _IN_USE or "InUse" in code or "AlreadyExists" in code:
        kind = ConflictError
    return kind(message, where=where, status=status, code=code)
