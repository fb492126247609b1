"""How the command line shows what was done to a cluster."""

from __future__ import annotations

import json

import pytest

from daiku.apply.cluster.model import Prune
from daiku.cli import objects
from daiku.errors import ConfirmationError
from tests.kubernetes.conftest import Place

pytestmark = pytest.mark.kubernetes


def test_a_report_is_shown_with_every_field_that_differs(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.converge(place.namespace(), place.config(a="1"), place.config("old", x="y"))
    report = place.converge(
        *(place.namespace(), place.config(a="2"), place.custom(size=1)), dry_run=True, timeout=0
    )
    objects.show(report, diffs=True)
    shown = capsys.readouterr().out
    assert f"~ ConfigMap {place.name}/settings" in shown
    assert 'data.a: "1" -> "2"' in shown
    assert f"- ConfigMap {place.name}/old" in shown
    assert f"waiting for their definition: Widget {place.name}/one" in shown
    assert "2 objects would change, 1 unchanged, 1 waiting for charts" in shown
    found = json.loads(json.dumps(objects.as_json(report)))
    assert [change["what"] for change in found["changes"]] == ["update", "delete"]
    assert found["writes"] == 0


def test_what_takes_other_things_along_is_named_and_asked_for(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.converge(place.namespace())
    path = f"/api/v1/namespaces/{place.name}/configmaps"
    place.api.call("POST", path, body=place.config("theirs", x="y"))
    rehearsal = place.converge(dry_run=True, prune=Prune.SAFE)
    with pytest.raises(ConfirmationError):
        objects.agree_to_destroy(rehearsal, yes=False)
    assert f"Namespace {place.name} would go: it holds ConfigMap theirs" in capsys.readouterr().err
    objects.agree_to_destroy(rehearsal, yes=True)


def test_a_refusal_is_shown_with_its_next_step(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    report = place.converge(place.namespace(), place.config() | {"dat": {}})
    objects.show(report)
    shown = capsys.readouterr().out
    assert f"ConfigMap {place.name}/settings failed:" in shown
    assert "next: a field is misspelt" in shown
