"""From the API server's Status object to an error of daiku's tree, in the server's own words with a next step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from daiku.errors import ApiError, ConflictError, CredentialsError, NotFoundError, RateLimitError
from daiku.wire.api_errors import redact, retry_after

_UNKNOWN_FIELD = "a field is misspelt, stands at the wrong level, or belongs to another version of the kind"


def error_of(
    status: int, headers: Mapping[str, str], content: bytes, *, where: str, secrets: Iterable[str] = ()
) -> ApiError:
    """The error for an answer with an error status. `secrets` are removed from the server's words."""
    answer = _status(content)
    reason = str(answer.get("reason") or "")
    said = str(
        answer.get("message") or content.decode(errors="replace").strip()[:300] or f"HTTP status {status}"
    )
    message = redact(said, secrets)
    if status == 401:
        hint = "the client certificate is not accepted: it may be expired, or signed by another cluster's CA"
        return CredentialsError(message, where=where, hint=hint, status=status, code=reason)
    if status == 429:
        after = retry_after(headers)
        hint = "the API server is busy; run the same command again"
        error = RateLimitError(message, where=where, hint=hint, retry_after=after)
        error.code = reason
        return error
    kind, hint = _meaning(status, message, answer)
    return kind(message, where=where, hint=hint, status=status, code=reason)


def unknown_kind(api_version: str, kind: str, *, where: str) -> NotFoundError:
    """The error for an object whose kind the server does not have."""
    group = api_version.partition("/")[0] if "/" in api_version else "core"
    return NotFoundError(
        f"the cluster has no kind {kind} of {api_version}",
        where=where,
        hint=f"its CustomResourceDefinition (group {group}) is not installed, or serves another version",
        status=404,
        code="UnknownKind",
    )


def _meaning(status: int, message: str, answer: Mapping[str, Any]) -> tuple[type[ApiError], str]:
    """The class of an error and its next step."""
    causes = "; ".join(_causes(answer))
    # Webhooks and the typed patch answer with any status, so words are looked at first.
    for words, kind, hint in _BY_WORDS:
        if all(word in message for word in words):
            return kind, f"{causes}: {hint}" if status == 422 and causes else hint
    if status == 409 and causes:
        return ConflictError, f"another manager owns {causes}"
    if status == 422:
        return ApiError, causes or "the server names the field"
    if status >= 500:
        return (
            ApiError,
            "the API server or its etcd is in trouble; run the same command again when it is well",
        )
    return _BY_STATUS.get(status, (ApiError, ""))


_BY_WORDS: tuple[tuple[tuple[str, ...], type[ApiError], str], ...] = (
    (
        ("admission webhook", "denied the request"),
        ApiError,
        "mend what the webhook objects to; it belongs to the part whose name it bears",
    ),
    (
        ("failed calling webhook",),
        ApiError,
        "the program behind the webhook does not answer: look at its pods, then run this again",
    ),
    (("strict decoding error",), ApiError, _UNKNOWN_FIELD),
    (("field not declared in schema",), ApiError, _UNKNOWN_FIELD),
    (("exceeded quota",), ApiError, "raise the tenant's share in the cluster file, or free what it uses"),
    (
        ("being terminated",),
        ConflictError,
        "the namespace is on its way out: wait until it is gone, then run this again",
    ),
    (("immutable",), ApiError, "delete the object with kubectl, then run the same command again"),
)
_BY_STATUS: dict[int, tuple[type[ApiError], str]] = {
    403: (CredentialsError, "this identity lacks the right: use an administrator's kubeconfig, or grant it"),
    404: (NotFoundError, "its namespace, or the object itself, does not exist"),
    409: (
        ConflictError,
        "the object changed meanwhile, or is on its way out: run the same command again",
    ),
}


def _causes(answer: Mapping[str, Any]) -> list[str]:
    """`field: message` of the Status's causes, in the server's order."""
    details: object = answer.get("details")
    causes: object = cast("dict[str, Any]", details).get("causes") if isinstance(details, dict) else None
    if not isinstance(causes, list):
        return []
    return [
        f"{c.get('field') or '(object)'}: {c.get('message')}" for c in cast("list[dict[str, Any]]", causes)
    ]


def _status(content: bytes) -> dict[str, Any]:
    try:
        body: object = json.loads(content)
    except ValueError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}
