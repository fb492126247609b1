"""The IaaS API's manners: errors, envelopes, ids as strings or numbers, empty objects as `[]`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from daiku.lab.sakura.records import Record, timestamp
from daiku.lab.sakura.routing import Routes

if TYPE_CHECKING:
    from daiku.lab.sakura.world import World

R = TypeVar("R", bound=Record)

_TEXTS = {
    400: (
        "不適切な要求です。パラメータの指定誤り、入力規則違反です。入力内容をご確認ください。",
        "Bad request. Check the parameters.",
    ),
    401: ("認証に失敗しました。", "Authentication failed."),
    403: ("許可されていない操作です。", "The operation is not permitted."),
    404: ("対象が見つかりません。対象は利用できない状態か、IDまたはパスに間違いがあります。", "Not found."),
    405: ("要求されたメソッドは許可されていません。", "The method is not allowed."),
    409: (
        "要求を受け付けできません。現在の対象の状態では、この操作を受け付けできません。",
        "Conflict with the state of the object.",
    ),
    413: ("要求が大きすぎます。", "The request is too large."),
    423: ("対象がロックされています。", "The object is locked."),
    429: ("要求の数が多すぎます。", "Too many requests."),
    503: ("サービスが利用できません。混み合っています。", "Service unavailable: busy."),
}
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "request_entity_too_large",
    423: "locked",
    429: "too_many_requests",
    503: "busy",
}


ACCOUNT_ID = 112_900_000_000
"""The id of the lab's one account."""


class Id(int):
    """A resource id: a JSON string, or a number for callers that send `X-Sakura-Bigint-As-Int: 1`."""


class IaasError(Exception):
    """A refusal: HTTP status, the API's `error_code` and the detail behind the localised text; with 405 the methods
    that are `allowed`.
    """

    def __init__(self, status: int, detail: str = "", code: str = "", allowed: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or CODES[status]
        self.allowed = sorted(allowed)

    def body(self, serial: str, *, english: bool) -> dict[str, Any]:
        text = _TEXTS[self.status][1 if english else 0]
        return {
            "is_fatal": True,
            "serial": serial,
            "status": f"{self.status} {HTTPStatus(self.status).phrase}",
            "error_code": self.code,
            "error_msg": f"{text}\n{self.detail}" if self.detail else text,
        }


def bad_request(detail: str) -> IaasError:
    return IaasError(400, detail)


def not_found() -> IaasError:
    return IaasError(404)


def conflict(detail: str) -> IaasError:
    return IaasError(409, detail)


def still_creating() -> IaasError:
    return IaasError(409, "The object is still being created.", "still_creating")


@dataclass(slots=True)
class Call:
    """One request, after authentication and parsing. `holes` are the path's values; `warnings` go to the audit log."""

    world: World
    zone: str
    holes: dict[str, str]
    body: dict[str, Any]
    query: dict[str, Any]
    warnings: list[str] = field(default_factory=list[str])

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def get(self, kind: type[R], row_id: int | str | None = None) -> R:
        """The row that the path (or `row_id`) names; 404 when it is unknown, of another zone, or not visible yet."""
        row = self.world.find(kind, int(self.holes["id"] if row_id is None else row_id))
        if row is None or row.zone not in ("", self.zone) or self.now < row.visible_at:
            raise not_found()
        return row

    def all(self, kind: type[R]) -> list[R]:
        """The rows that this zone shows."""
        return [r for r in self.world.rows(kind) if r.zone in ("", self.zone) and self.now >= r.visible_at]


@dataclass(slots=True)
class Reply:
    status: int
    body: dict[str, Any]


Handler = Callable[[Call], Reply]
routes: Routes[Handler] = Routes("[0-9]{1,12}", address=r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def created(key: str, view: dict[str, Any], *, accepted: bool = False) -> Reply:
    """A create's answer; slow ones (appliances) say "Accepted"."""
    return Reply(
        202 if accepted else 201, {key: view, "Success": "Accepted" if accepted else True, "is_ok": True}
    )


def single(key: str, view: dict[str, Any]) -> Reply:
    return Reply(200, {key: view, "Success": True, "is_ok": True})


def done() -> Reply:
    return Reply(200, {"Success": True, "is_ok": True})


def reference(row_id: int | None) -> dict[str, Any] | None:
    return None if row_id is None else {"ID": Id(row_id)}


def common_view(row: Record) -> dict[str, Any]:
    """What nearly every resource shows."""
    return {
        "ID": Id(row.id),
        "Name": row.name,
        "Description": row.description,
        "Tags": list(row.tags),
        "Icon": reference(row.icon),
        "CreatedAt": timestamp(row.created),
        "ModifiedAt": timestamp(row.modified),
    }


def fingerprint(value: object) -> str:
    """The hash that guards settings and rules against lost updates."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_PLAIN = frozenset({str, bool, int, float, type(None)})


def encode(value: Any, *, bigint: bool, php_empties: bool) -> Any:
    """A reply's body as it goes on the wire (see `Id` and `World.php_empties`).

    Most of a listing's time would go in here: what is plain is passed without a call.
    """

    def walk(value: Any) -> Any:
        if isinstance(value, Id):
            return int(value) if bigint else str(int(value))
        if isinstance(value, dict):
            if not value and php_empties:
                return []
            items: Iterable[tuple[Any, Any]] = value.items()
            return {k: v if type(v) in _PLAIN else walk(v) for k, v in items}
        if isinstance(value, list | tuple):
            inner: Iterable[Any] = value
            return [v if type(v) in _PLAIN else walk(v) for v in inner]
        return value

    return walk(value)


def first(values: Iterable[R]) -> R | None:
    return next(iter(values), None)
