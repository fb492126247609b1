"""Secrets that the operator gives, at a real API server: made, changed, left alone, taken over, pruned; never shown."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from daiku.apply.cluster import inventory
from daiku.apply.cluster.model import ClusterReport
from daiku.cli import objects
from daiku.errors import ApiError, StateError
from daiku.render.cluster_secrets import GIVEN_ANNOTATION
from daiku.wire.kubernetes import Object
from tests.canaries.needles import Needles
from tests.kubernetes.conftest import Place

pytestmark = pytest.mark.kubernetes
FIRST, SECOND = "c+/anary/one?&=", "c+/anary/another?&="
NEEDLES = Needles({"first": FIRST, "second": SECOND})


def secret(place: Place) -> Object:
    metadata = {"name": "keys", "namespace": place.name, "annotations": {GIVEN_ANNOTATION: "door"}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "data": {"key.txt": "@SECRET@"},
    }


def bring(place: Place, value: str, **options: Any) -> ClusterReport:
    def given(name: str) -> dict[str, bytes]:
        return {"key.txt": value.encode()} if name == "door" else {}

    return place.converge(place.namespace(), secret(place), secrets=given, **options)


def content(place: Place) -> str:
    found = place.get(secret(place))
    assert found is not None
    return base64.b64decode(found["data"]["key.txt"]).decode()


def changes(report: ClusterReport) -> list[tuple[str, str]]:
    assert not report.failures
    return [(change.what, change.ref.kind) for change in report.changes]


def test_the_life_of_a_given_secret(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    reports = [bring(place, FIRST)]
    assert changes(reports[-1]) == [("create", "Namespace"), ("create", "Secret")]
    assert content(place) == FIRST
    reports.append(bring(place, FIRST))
    assert (reports[-1].changes, reports[-1].writes) == ((), 0)

    reports.append(bring(place, SECOND, dry_run=True))
    assert changes(reports[-1]) == [("update", "Secret")]
    assert [field.path for field in reports[-1].changes[0].fields] == ["data[key.txt]"]
    assert content(place) == FIRST
    reports.append(bring(place, SECOND))
    assert changes(reports[-1]) == [("update", "Secret")]
    assert content(place) == SECOND

    drifted = secret(place) | {"data": {"key.txt": base64.b64encode(b"by hand").decode()}}
    path = f"/api/v1/namespaces/{place.name}/secrets/keys"
    place.api.call("PUT", path, body=drifted | {"metadata": place.get(drifted)["metadata"]})  # type: ignore[index]
    reports.append(bring(place, SECOND))
    assert changes(reports[-1]) == [("update", "Secret")]
    assert content(place) == SECOND

    reports.append(place.converge(place.namespace()))
    assert changes(reports[-1]) == [("delete", "Secret")]
    assert place.get(secret(place)) is None

    for report in reports:
        objects.show(report, diffs=True)
        print(json.dumps(objects.as_json(report)), report, place.said)  # noqa: T201 - all that may be shown
    shown = capsys.readouterr().out
    assert "data[key.txt]: (secret) -> (secret)" in shown
    assert NEEDLES.found(shown.encode()) == []


def test_what_the_cluster_keeps_beside_the_secret_tells_nothing_of_it(place: Place) -> None:
    bring(place, FIRST)
    live = place.get(secret(place))
    listed = place.api.get("v1", "ConfigMap", inventory.NAME, inventory.NAMESPACE)
    assert live is not None
    before = json.dumps([live["metadata"]["annotations"], listed["data"] if listed else None])
    assert NEEDLES.found(json.dumps([live["metadata"], listed]).encode()) == []
    bring(place, SECOND)
    again = place.get(secret(place))
    assert again is not None
    assert json.dumps([again["metadata"]["annotations"], listed["data"] if listed else None]) == before


def test_one_that_was_made_by_hand_is_taken_over(place: Place) -> None:
    place.converge(place.namespace())
    theirs = {"key.txt": base64.b64encode(b"by hand").decode(), "more": "MQ=="}
    body = secret(place)
    body["metadata"].pop("annotations")
    place.api.call(
        "POST",
        f"/api/v1/namespaces/{place.name}/secrets",
        query={"fieldManager": "kubectl-create"},
        body=body | {"data": theirs},
    )
    (change,) = bring(place, FIRST).changes
    assert "kubectl-create" in change.taken
    live = place.get(secret(place))
    assert live is not None
    assert content(place) == FIRST
    assert live["data"]["more"] == "MQ=="


def test_nothing_is_touched_while_one_cannot_be_read(place: Place) -> None:
    def missing(name: str) -> dict[str, bytes]:
        raise StateError(f"the secret {name} was not given")

    calls = place.api.calls
    with pytest.raises(StateError, match="the secret door was not given"):
        place.converge(place.namespace(), secret(place), secrets=missing)
    assert place.api.calls == calls
    assert place.get(place.namespace()) is None


def test_the_rendered_object_is_refused_as_it_stands(place: Place) -> None:
    place.converge(place.namespace())
    with pytest.raises(ApiError, match="base64"):
        place.api.apply(secret(place))
