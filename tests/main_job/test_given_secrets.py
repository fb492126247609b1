"""On a cluster that Kubernetes runs on: secrets that the operator gives, and settings that cannot change."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import pytest

from daiku.plan.given import ALERTMANAGER
from tests.canaries.needles import Needles
from tests.main_job.kit import Rehearsal
from tests.main_job.small import FIRST, WHOLE, edited, kubectl, up

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow, pytest.mark.timeout(900)]
SECRET = "Secret monitoring/daiku-alertmanager"


@pytest.fixture
def lab(small: Rehearsal) -> Rehearsal:
    return small


def give(lab: Rehearsal, token: str) -> None:
    """As an operator does: the file goes once it was given."""
    source = lab.folder / "alertmanager.yaml"
    source.write_text(configuration(token))
    lab.ok("--lab", "secret", "set", ALERTMANAGER, "--from", source.name)
    source.unlink()


def configuration(token: str) -> str:
    hook = json.dumps(f"https://hooks.example.net/{token}")
    return f"route: {{receiver: people}}\nreceivers: [{{name: people, webhook_configs: [{{url: {hook}}}]}}]\n"


def live(lab: Rehearsal) -> str:
    arguments = ("get", "secret", "daiku-alertmanager", "-n", "monitoring", "-o", "json")
    return base64.b64decode(json.loads(kubectl(lab, *arguments).out)["data"]["alertmanager.yaml"]).decode()


def test_a_secret_that_was_given_is_in_the_cluster_and_nowhere_else(lab: Rehearsal) -> None:
    first, second = (f"c+/{secrets.token_urlsafe(24)}" for _ in range(2))
    needles = Needles({"first": first, "second": second})
    said: list[str] = []

    def told(*arguments: str) -> Any:
        done = lab.ok("--lab", *arguments, "--json")
        said.append(done.out + done.err)
        return done.json

    give(lab, first)
    ahead = told("plan", *WHOLE, "--out", "given.json")["kubernetes"]["objects"]
    assert [(one["what"], one["object"]) for one in ahead] == [("create", SECRET)]
    up(lab, "--plan", "given.json")
    assert live(lab) == configuration(first)
    assert not told("diff", "--cluster")["changed"]

    give(lab, second)
    (change,) = told("diff", "--cluster")["changes"]
    hidden = {"path": "data[alertmanager.yaml]", "before": "(secret)", "after": "(secret)"}
    assert (change["what"], change["object"], change["fields"]) == ("update", SECRET, [hidden])
    assert [one["object"] for one in told("apply", "--cluster")["changes"]] == [SECRET]
    assert live(lab) == configuration(second)

    assert needles.found("".join(said).encode()) == []
    found = {path.name for path, _ in needles.below(lab.folder)}
    assert found == {ALERTMANAGER}, "its own file, and nothing else"
    search = f"grep -rlsF -f - /etc /var /run <<'NEEDLES' || test $? -le 2\n{needles.lines()}NEEDLES\n"
    assert lab.on(FIRST, search).splitlines() == [], "etcd encrypts it, and no other file holds it"

    lab.ok("--lab", "secret", "remove", ALERTMANAGER, "--yes")
    (change,) = told("apply", "--cluster")["changes"]
    assert (change["what"], change["object"]) == ("delete", SECRET)
    assert kubectl(lab, "get", "secret", "daiku-alertmanager", "-n", "monitoring").code != 0
    assert not told("diff", "--cluster")["changed"]


@pytest.mark.parametrize(
    "change",
    [("10.244.0.0/16", "10.240.0.0/16"), ("apiVip: 10.10.0.100", "apiVip: 10.10.0.99")],
    ids=["pods", "apiVip"],
)
def test_without_a_record_the_cluster_itself_refuses_what_it_was_built_with(
    lab: Rehearsal, change: tuple[str, str]
) -> None:
    text = lab.file.read_text()
    kept = {name: (lab.state / name).read_bytes() for name in ("begun.json", "applied.json")}
    writes = lab.writes()
    try:
        for name in kept:
            (lab.state / name).unlink()
        lab.file.write_text(edited(text, change))
        old, new = (value.removeprefix("apiVip: ") for value in change)
        for verb in (("up", "--yes"), ("apply",), ("apply", "--cluster"), ("plan", *WHOLE)):
            done = lab.run("--lab", *verb)
            assert done.code == 3, (verb, done.out, done.err)
            assert f"the cluster stands with {old} and cannot be changed to {new}" in done.err, verb
    finally:
        lab.file.write_text(text)
        for name, content in kept.items():
            (lab.state / name).write_bytes(content)
    assert lab.writes() == writes
    assert up(lab)["steps"] == 0
