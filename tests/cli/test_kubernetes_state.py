"""What `status` and `plan` say when the cluster's API or its hosts have trouble: a state, never a failure; and who
they log in as."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daiku.apply.phases.facts import HostFacts
from daiku.apply.phases.marks import machines_of
from daiku.apply.phases.work import Work
from daiku.cli import bringup, kubernetes
from daiku.cli.job import Job, open_job
from daiku.errors import ApiError, DaikuError, HostError
from daiku.plan.facts import Facts, NodeFacts
from tests.phases.worlds import STANDING

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
TROUBLE = [ApiError("etcdserver: no leader", status=500), HostError("its shell is gone", host="cp-1")]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("DAIKU_STATE_DIR", str(tmp_path))
    return open_job(EXAMPLE)


def facts(job: Job) -> Facts:
    return Facts(
        cluster=job.plan.cluster,
        plan_digest=job.plan.digest(),
        router_address="192.0.2.1",
        bastion_port=job.plan.router.bastion_port,
        nodes=tuple(
            NodeFacts(name=node.name, resource_id="1", provider_id="", incarnation="")
            for node in job.plan.nodes
        ),
    )


@pytest.fixture(params=TROUBLE, ids=["the API", "a host"])
def trouble(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> DaikuError:
    """Every control plane is ready, and asking the API fails."""
    error: DaikuError = request.param

    class Planes(Work):
        def looks(self, names: tuple[str, ...]) -> tuple[dict[str, HostFacts], dict[str, str]]:
            return dict.fromkeys(names, STANDING), {}

        def api(self, facts: object) -> Any:
            raise error

    @contextmanager
    def looking(job: Job, known: Facts, **_: object) -> Generator[Work]:
        unused: Any = None
        machines = machines_of(job.plan, known)
        yield Planes(job.plan, machines, {}, unused, unused, lambda _names: ())

    monkeypatch.setattr(bringup, "looking", looking)
    return error


def test_status_tells_the_control_planes_and_the_trouble(job: Job, trouble: DaikuError) -> None:
    state = kubernetes.look(job, facts(job))
    assert set(state.live.hosts) == {node.name for node in job.plan.by_role("control-plane")}
    assert trouble.message in kubernetes.as_json(job, state)["state"]


def test_plan_tells_what_up_would_stop_at(job: Job, trouble: DaikuError) -> None:
    ahead = kubernetes.forecast(job, facts(job))
    assert trouble.message in ahead.as_json()["stop"]


def test_the_operators_own_key_and_way_in_are_used(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.write_text("")
    seen: dict[str, Any] = {}

    def connect(name: str, endpoint: object, **options: Any) -> Any:
        del endpoint
        seen.update(options)
        raise HostError("seen", host=name)

    monkeypatch.setattr("daiku.apply.phases.reach.connect", connect)
    monkeypatch.setenv("DAIKU_SSH_KEY", str(own))
    monkeypatch.setenv("DAIKU_SSH_AGENT", "1")
    monkeypatch.setenv("DAIKU_SSH_VIA", "me@gate.example.com:2022")
    state = kubernetes.look(job, facts(job))
    assert state.by_vip is None
    login = seen["key_file"]
    assert (login.key_files[0], login.agent, login.via[0].host) == (own, True, "gate.example.com")
