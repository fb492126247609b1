"""What the phases of a run share: the way to the API, and what is known of the cluster."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from daiku.apply.phases import work as module
from daiku.apply.phases.facts import RIGHTS, ClusterFacts, HostFacts
from daiku.apply.phases.secrets import TOKEN_MINUTES
from daiku.apply.phases.work import Work
from daiku.errors import CredentialsError, UnreachableError
from tests.phases.worlds import MACHINES, STANDING

FACTS = {m.name: STANDING for m in MACHINES if m.control_plane}


@dataclass
class Api:
    """An API server at the end of a tunnel."""

    well: bool = True
    closed: bool = False

    def ready(self) -> bool:
        return self.well


@dataclass
class Access:
    api: Api


def work() -> Work:
    unused: Any = None
    return Work(unused, MACHINES, {}, unused, unused, lambda _names: ())


def test_a_way_that_is_given_up_stays_open_for_those_who_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Api] = []

    @contextmanager
    def api_access(*_: object) -> Generator[Access]:
        one = Api()
        opened.append(one)
        try:
            yield Access(one)
        finally:
            one.closed = True

    monkeypatch.setattr(module, "api_access", api_access)
    ours = work()
    first: Any = ours.api(FACTS)
    assert ours.api(FACTS) is first
    first.api.well = False
    assert ours.api(FACTS) is not first
    assert not first.api.closed, "another thread may be in a call"
    ours.close()
    assert len(opened) == 2
    assert all(one.closed for one in opened)


def answering(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A run whose control planes are ready and whose API gives that error."""

    class Planes(Work):
        def looks(self, names: tuple[str, ...]) -> tuple[dict[str, HostFacts], dict[str, str]]:
            return dict.fromkeys(names, STANDING), {}

    def fails(*_: object) -> Any:
        raise error

    unused: Any = None
    monkeypatch.setattr(module, "api_access", fails)
    return Planes(unused, MACHINES, {}, unused, unused, lambda _names: (), again="daiku up -f x.yaml")


def test_an_expired_certificate_is_told_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    expired = CredentialsError("Unauthorized", where="https://127.0.0.1:1 /readyz", status=401)
    with pytest.raises(CredentialsError, match="does not accept the administrator's certificate") as caught:
        answering(expired, monkeypatch).gather()
    assert "kubeadm certs renew admin.conf" in caught.value.hint
    assert "daiku up -f x.yaml" in caught.value.hint
    nobody = CredentialsError("no control plane has the administrator's credentials")
    with pytest.raises(CredentialsError, match="no control plane has"):
        answering(nobody, monkeypatch).gather()


def test_an_administrator_without_rights_yet_is_an_init_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    live = answering(CredentialsError("forbidden", status=403), monkeypatch).gather()
    assert live.cluster == ClusterFacts(missing=(RIGHTS,))


def test_an_api_that_is_not_there_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    live = answering(UnreachableError("no API server is ready"), monkeypatch).gather()
    assert live.cluster is None
    assert set(live.hosts) == set(FACTS)


def test_the_tokens_end_is_by_the_clusters_clock() -> None:
    """An operator whose clock is wrong by hours makes no token that is over at once, or lives for hours."""
    applied: list[dict[str, Any]] = []
    api: Any = SimpleNamespace(ahead=-7200.0, apply=applied.append)
    ours = work()
    ours.let_in(api)
    ours.let_in(api)
    (token,) = applied
    ends = datetime.fromisoformat(b64decode(token["data"]["expiration"]).decode()).timestamp()
    assert abs(ends - (time.time() - 7200 + TOKEN_MINUTES * 60)) < 60
