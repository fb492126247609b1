"""The PHY API's manners: problem details, snake_case, and the fields' own validation words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from daiku.lab.sakura.routing import Routes
from daiku.lab.sakura.world import World

TITLES = {
    400: "invalid",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    423: "conflict",
    429: "throttled",
    503: "temporary_unavailable",
}
_DETAILS = {
    400: "リクエストの内容に誤りがあります。",
    404: "対象が見つかりません。",
    405: "許可されていないメソッドです。",
    409: "他の処理を実行中のため受け付けできません。",
    413: "リクエストが大きすぎます。",
    423: "他の処理を実行中のため受け付けできません。",
    429: "リクエストの流量制限を超えました。",
    503: "一時的に利用できません。",
}

Problems = dict[str, list[tuple[str, str]]]
"""Field (or `non_field_errors`) to its faults, each a code and a message."""


class PhyError(Exception):
    """A refusal. `problems` only with 400 `invalid`; `retry_after` (seconds) only with 429,
    `allowed` (methods) only with 405.
    """

    def __init__(
        self,
        status: int,
        *,
        title: str = "",
        detail: str = "",
        problems: Problems | None = None,
        retry_after: int = 0,
        allowed: Iterable[str] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title or TITLES[status]
        self.detail = detail or _DETAILS[status]
        self.problems = problems
        self.retry_after = retry_after
        self.allowed = sorted(allowed)

    def body(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "detail": self.detail,
            "status": self.status,
        }
        if self.problems is not None:
            shown["invalid_parameters"] = {
                name: [{"code": code, "message": message} for code, message in faults]
                for name, faults in self.problems.items()
            }
        return shown


def invalid(field_name: str, code: str, message: str) -> PhyError:
    """400 about one field."""
    return PhyError(400, problems={field_name: [(code, message)]})


def inconsistent(message: str) -> PhyError:
    """400 about the request as a whole."""
    return invalid("non_field_errors", "inconsistent", message)


@dataclass(slots=True)
class Call:
    """One request, after authentication and parsing. `query` keeps repeated keys in order."""

    world: World
    holes: dict[str, str]
    body: dict[str, Any]
    query: dict[str, list[str]]
    warnings: list[str] = field(default_factory=list[str])

    @property
    def now(self) -> float:
        return self.world.clock.now()


@dataclass(slots=True)
class Reply:
    """`body` None: 204 without content."""

    status: int
    body: dict[str, Any] | None


Handler = Callable[[Call], Reply]
routes: Routes[Handler] = Routes("[0-9]{12}", number="[0-9]{1,9}")


def ok(key: str, view: Any) -> Reply:
    return Reply(200, {key: view})


def no_content() -> Reply:
    return Reply(204, None)
