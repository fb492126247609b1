"""Paths to handlers: each resource family registers its routes; the application looks calls up."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

H = TypeVar("H", bound=Callable[..., object])
_HOLE = re.compile(r"\{(\w+)(?::(\w+))?\}")


class Routes(Generic[H]):
    """A table of `(method, pattern) -> handler`. `{name}` matches `default`, `{name:kind}` what `kind` says.

    The first segment of a pattern is literal: only the patterns that share a path's are tried.
    """

    def __init__(self, default: str, **kinds: str) -> None:
        self._kinds = {None: default} | kinds
        self._entries: dict[str, list[tuple[str, re.Pattern[str], str, H]]] = {}

    def on(self, method: str, *patterns: str) -> Callable[[H], H]:
        """Decorator: `handler` answers `method` on each pattern."""

        def register(handler: H) -> H:
            for pattern in patterns:
                regex = _HOLE.sub(lambda hole: f"(?P<{hole[1]}>{self._kinds[hole[2]]})", pattern)
                entry = (method, re.compile(regex), pattern, handler)
                self._entries.setdefault(_first(pattern), []).append(entry)
            return handler

        return register

    def match(self, path: str) -> dict[str, tuple[H, dict[str, str]]]:
        """By method: the handler and the values of the holes. Empty: there is no such path."""
        found: dict[str, tuple[H, dict[str, str]]] = {}
        for method, regex, _, handler in self._entries.get(_first(path), ()):
            if (hit := regex.fullmatch(path)) is not None:
                found.setdefault(method, (handler, hit.groupdict()))
        return found

    def pattern(self, method: str, path: str) -> str | None:
        """The registered pattern that a call falls under."""
        for known, regex, pattern, _ in self._entries.get(_first(path), ()):
            if known == method and regex.fullmatch(path) is not None:
                return pattern
        return None

    def listing(self) -> list[tuple[str, str]]:
        """All `(method, pattern)` pairs, sorted: what is implemented."""
        entries = [entry for some in self._entries.values() for entry in some]
        return sorted((method, pattern) for method, _, pattern, _ in entries)


def _first(path: str) -> str:
    return path.lstrip("/").partition("/")[0]
