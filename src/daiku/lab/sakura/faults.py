"""Bad days on demand: rules that spoil chosen calls, for tests of those who call.

The plan is asked once a call, before the call is carried out (`after=False`) or after it was, with the answer lost or
replaced (`after=True`): the crash that leaves a thing behind which nobody knows of.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal["423", "503", "409", "429", "404", "eof", "slow"]


@dataclass(slots=True)
class FaultRule:
    """`route` is a regular expression searched in `"METHOD /path"`.

    times: how many calls to spoil; None: all. seconds: Retry-After of a 429 (virtual), delay of `slow` (real).
    """

    route: str
    kind: FaultKind
    times: int | None = 1
    seconds: float = 1.0
    after: bool = False


@dataclass(slots=True)
class FaultPlan:
    """The rules in force; the first that matches a call spoils it."""

    rules: list[FaultRule] = field(default_factory=list[FaultRule])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, route: str, kind: FaultKind, *, times: int | None = 1, seconds: float = 1.0, after: bool = False
    ) -> None:
        """Add one rule behind the others."""
        re.compile(route)
        with self._lock:
            self.rules.append(FaultRule(route, kind, times, seconds, after))

    def clear(self) -> None:
        """Good weather again."""
        with self._lock:
            self.rules.clear()

    def take(self, method: str, path: str) -> FaultRule | None:
        """The rule that spoils this call, its count taken down by one."""
        with self._lock:
            for rule in self.rules:
                if rule.times != 0 and re.search(rule.route, f"{method} {path}"):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
            return None
