"""What a scripted server says and saw, and a time that passes only when a client sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TOKEN = "00000000-0000-4000-8000-000000000000"
SECRET = "s3cret-of-the-account"
API = "/is1a/api/cloud/1.1"


@dataclass
class Seen:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Script:
    """What the server says: for each method and path a queue of answers, of which the last one repeats."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], list[tuple[int, Any, dict[str, str]]]] = field(default_factory=dict)

    def say(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Script:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault((method, path), []).append((status, body, named))
        return self

    def refuse(
        self, method: str, path: str, status: int, code: str, message: str = "no", **headers: str
    ) -> Script:
        body = {"is_fatal": True, "status": str(status), "error_code": code, "error_msg": message}
        return self.say(method, path, body, status, **headers)

    def next(self, method: str, path: str) -> tuple[int, Any, dict[str, str]]:
        queue = self.answers.get((method, path))
        if not queue:
            return 404, {"error_code": "not_found", "error_msg": f"no script for {method} {path}"}, {}
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def calls(self) -> list[str]:
        return [f"{s.method} {s.path}" for s in self.seen]


@dataclass
class Time:
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
