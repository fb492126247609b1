"""From an HTTP answer to an error of daiku's tree, in the API's own words.

The cloud API says {"error_code", "error_msg", "status"}; the PHY API says {"title", "detail", "status",
"invalid_parameters"}, but its 401 is in the cloud's style. Anything else (a proxy's page) is named by its
status.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from daiku.errors import ApiError, ConflictError, CredentialsError, NotFoundError, RateLimitError

_HINT_401 = (
    "check SAKURACLOUD_ACCESS_TOKEN and SAKURACLOUD_ACCESS_TOKEN_SECRET (or SAKURA_ACCESS_TOKEN and "
    "SAKURA_ACCESS_TOKEN_SECRET): the API does not accept this key"
)
_HINT_403 = "the API key may lack the permission, or the account has reached a limit: see the control panel"


def error_of(status: int, headers: Mapping[str, str], content: bytes, secrets: Iterable[str]) -> ApiError:
    """The error for an answer with an error status; `secrets` are removed from the API's words."""
    code, words = words_of(content)
    message = redact(words or f"HTTP status {status}", secrets)
    if status == 401:
        return CredentialsError(message, hint=_HINT_401, status=status, code=code)
    if status == 403:
        return ApiError(message, hint=_HINT_403, status=status, code=code)
    if status == 404:
        return NotFoundError(message, status=status, code=code)
    if status == 409:
        return ConflictError(message, status=status, code=code)
    if status == 429:
        after = retry_after(headers)
        return RateLimitError(
            message, retry_after=after, hint=f"the API asks to come back in {after:.0f} s" if after else ""
        )
    return ApiError(message, status=status, code=code)


def words_of(content: bytes) -> tuple[str, str]:
    """(code, message) of an error body; ("", "") if it is not one of the two styles."""
    try:
        body: object = json.loads(content)
    except ValueError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    answer = cast("dict[str, Any]", body)
    if "error_code" in answer or "error_msg" in answer:
        code = str(answer.get("error_code") or "")
        message = " / ".join(str(answer.get("error_msg") or "").split("\n")).strip(" /")
        return code, message or code
    code = str(answer.get("title") or "")
    detail = str(answer.get("detail") or code)
    parameters = _invalid_parameters(answer.get("invalid_parameters"))
    return code, f"{detail} ({parameters})" if parameters else detail


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` without any of `secrets`, longest first, so that no part of one is left."""
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of the Retry-After header; 0 when it is absent or not a number."""
    try:
        return max(0.0, float(headers.get("Retry-After", headers.get("retry-after", "0"))))
    except ValueError:
        return 0.0


def _invalid_parameters(value: object) -> str:
    """`field: message; field: message` of PHY's invalid_parameters."""
    if not isinstance(value, dict):
        return ""
    parts: list[str] = []
    for name, problems in sorted(cast("dict[str, Any]", value).items()):
        listed = cast("list[Any]", problems) if isinstance(problems, list) else [problems]
        texts = [
            str(cast("dict[str, Any]", p).get("message") or p) if isinstance(p, dict) else str(p)
            for p in listed
        ]
        parts.append(f"{name}: {', '.join(texts)}")
    return "; ".join(parts)
