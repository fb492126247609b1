"""The lock that operators on different machines see: a lease in one object of an S3 bucket.

S3 writes an object only if it is still the version that we saw (If-Match) or does not exist (If-None-Match), so two
never both succeed. The holder writes it anew while it works; its age, by S3's own clock, says whether it still lives.
The holder counts from before it sends, by a clock that nobody sets: it knows that it lost the lease before others do.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any, Protocol, Self, cast
from urllib.parse import parse_qs, urlsplit

from daiku.errors import ApiError, LockHeldError, StateError
from daiku.ledger.canonical import canonical
from daiku.ledger.lock import LEASE_SECONDS, Holder, process_start, this_process
from daiku.wire.aws import Aws
from daiku.wire.aws_object import ConditionalObject, Stored

VARIABLE = "DAIKU_LOCK"
SLACK_SECONDS = 3.0
"""S3 tells times in whole seconds; a lease counts as ended only when it has ended by this much."""
DEFAULT_REGION = "us-east-1"


class Place(Protocol):
    """Where the lease is written; `wire.aws_object.ConditionalObject` is one."""

    url: str

    def read(self) -> Stored | None: ...
    def create(self, body: bytes) -> str | None: ...
    def replace(self, body: bytes, tag: str) -> str | None: ...


def shared_lock(cluster: str, verb: str, environ: Mapping[str, str]) -> SharedLease | None:
    """The lease that $DAIKU_LOCK (`s3://bucket/prefix?region=ap-northeast-1`) names, not yet taken; None when unset.

    Credentials come from AWS's usual chain. StateError: the address cannot be understood.
    """
    address = environ.get(VARIABLE, "").strip()
    if not address:
        return None
    url = urlsplit(address)
    query = parse_qs(url.query)
    if url.scheme != "s3" or not url.netloc or set(query) - {"region"}:
        raise StateError(
            f"{VARIABLE} is not the address of a folder in a bucket: {address}",
            hint="s3://bucket/prefix?region=ap-northeast-1",
        )
    named = query.get(
        "region", [environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION]
    )
    aws = Aws(named[0], endpoint_url=environ.get("AWS_ENDPOINT_URL") or None)
    key = "/".join(part for part in (url.path.strip("/"), cluster, "lock.json") if part)
    return SharedLease(ConditionalObject(aws, url.netloc, key), verb)


class SharedLease:
    """A lease of the cluster in a shared place. Entering takes it and keeps it, leaving gives it back.

    LockHeldError on entering: somebody has it; the message says who, where and for how long he was not heard of.
    """

    def __init__(
        self,
        place: Place,
        verb: str,
        *,
        holder: Holder | None = None,
        seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        started: Callable[[int], int | None] = process_start,
    ) -> None:
        self._place = place
        self._verb = verb
        self._holder = holder or this_process()
        self._seconds = seconds
        self._clock = clock
        self._started = started
        self._token = secrets.token_hex(16)
        self._tag = ""
        self._until = 0.0
        self._turn = threading.Lock()
        self._done = threading.Event()
        self._renewer: threading.Thread | None = None

    def take(self) -> None:
        """Take the lease. LockHeldError, or ApiError when the bucket cannot be used."""
        began = self._clock()
        found = self._place.read()
        if found is None:
            tag = self._place.create(self._body())
        else:
            held = _parse(found.body, self._place.url)
            if held and not self._ended(held, found.age):
                raise self._held(held, found.age)
            tag = self._place.replace(self._body(), found.tag)
        if tag is None:
            # Somebody took it between our look and our write. His lease is new, so there is nothing to wait for.
            winner = self._place.read()
            held = _parse(winner.body, self._place.url) if winner else None
            if (
                held is None or held["token"] != self._token
            ):  # ours, when the answer to our own write was lost
                raise self._held(held or {}, 0.0)
            assert winner is not None
            tag = winner.tag
        self._tag, self._until = tag, began + self._seconds

    def renew(self) -> bool:
        """Write the lease anew; False when somebody else has it. ApiError when the bucket does not answer."""
        with self._turn:
            began = self._clock()
            tag = self._place.replace(self._body(), self._tag)
            if tag is None:
                found = self._place.read()
                held = _parse(found.body, self._place.url) if found else None
                if found is None or held is None or held["token"] != self._token:
                    self._until = float("-inf")
                    return False
                tag = found.tag  # a write of ours whose answer was lost
            self._tag, self._until = tag, began + self._seconds
            return True

    def check(self) -> None:
        """LockHeldError when the lease is not ours any more, because it could not be renewed in time."""
        if self._clock() < self._until:
            return
        if not self.renew():
            raise LockHeldError(
                "this run did not renew its lease in time, and another run took it over",
                where=self._place.url,
                hint="see what the other run does, then run the same command again",
            )

    def release(self) -> None:
        """Give the lease back; when it was lost, or the bucket does not answer, it ends by itself."""
        self._done.set()
        if self._renewer is not None:
            self._renewer.join()
        with contextlib.suppress(ApiError):
            self._place.replace(b"{}", self._tag)

    def __enter__(self) -> Self:
        self.take()
        self._renewer = threading.Thread(target=self._keep, name="shared lease", daemon=True)
        self._renewer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _keep(self) -> None:
        while not self._done.wait(self._seconds / 3):
            # An API that is away for a moment costs one renewal of three; `check` sees the rest.
            with contextlib.suppress(ApiError):
                if not self.renew():
                    return

    def _body(self) -> bytes:
        # The number makes every version another one, also for a store whose tags are digests of the content.
        about = {"verb": self._verb, "token": self._token, "seconds": round(self._seconds * 1000)}
        return canonical({**asdict(self._holder), **about, "version": secrets.token_hex(8)})

    def _ended(self, held: dict[str, Any], age: float) -> bool:
        """Whether the holder has not been heard of for its whole lease, or is a dead process of this machine."""
        if held["boot"] == self._holder.boot and self._started(held["pid"]) != held["process_start"]:
            return True
        return age > held["seconds"] / 1000 + SLACK_SECONDS

    def _held(self, held: dict[str, Any], age: float) -> LockHeldError:
        if not held:
            return LockHeldError("another run was just a moment faster", where=self._place.url, hint=_WAIT)
        return LockHeldError(
            f"`daiku {held['verb']}` of {held['who']} holds the cluster (process {held['pid']} on {held['machine']}, "
            f"last heard of {age:.0f} s ago); its lease ends when it is not renewed for {held['seconds'] / 1000:.0f} s",
            where=self._place.url,
            hint=_WAIT,
        )


_WAIT = "wait for it to end; a run that died frees the cluster by itself when its lease ends"


def _parse(body: bytes, url: str) -> dict[str, Any] | None:
    """Who holds it; None when it was given back. StateError: it is no lease of daiku's."""
    kinds = {"who": str, "machine": str, "boot": str, "verb": str, "token": str}
    numbers = {"pid": int, "process_start": int, "seconds": int}
    try:
        held = cast("dict[str, Any]", json.loads(body))
        good = not held or all(isinstance(held[key], kind) for key, kind in {**kinds, **numbers}.items())
    except (ValueError, KeyError, TypeError):
        held, good = {}, False
    if not good:
        raise StateError(
            "this object is no lock of daiku's, and is left as it is",
            where=url,
            hint=f"name another folder in {VARIABLE}, or look at what the object is and remove it",
        )
    return held or None
