"""Applying to the real API server: what it takes, refuses and keeps."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from daiku.apply.cluster import inventory
from daiku.apply.cluster.model import FieldChange, Prune, Ref, ref_of
from daiku.errors import ConflictError, CredentialsError, StateError, UnreachableError
from daiku.wire.kubernetes import connect
from tests.kubernetes.conftest import Place
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.tunnel import Tunnel

pytestmark = pytest.mark.kubernetes


def deployment(place: Place, replicas: int = 1) -> dict[str, Any]:
    """A deployment whose pods fit no node."""
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": "registry.test/web:1",
        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": place.name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"nodeSelector": {"no": "where"}, "containers": [container]},
            },
        },
    }


def kinds(report: Any) -> list[tuple[str, str]]:
    return [(change.what, change.ref.kind) for change in report.changes]


def test_objects_are_created_in_the_order_of_their_dependencies(place: Place) -> None:
    report = place.converge(place.custom(size=1), place.config(a="b"), place.definition(), place.namespace())
    assert kinds(report) == [
        ("create", "CustomResourceDefinition"),
        ("create", "Namespace"),
        ("create", "ConfigMap"),
        ("create", "Widget"),
    ]
    assert not report.failures
    assert not report.unready
    live = place.get(place.custom())
    assert live is not None
    assert live["spec"] == {"size": 1}
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["daiku"]


def test_an_unchanged_second_run_writes_nothing_and_asks_once_a_kind(place: Place) -> None:
    wanted = [place.namespace(), *(place.config(f"settings-{n}", a="b") for n in range(20))]
    place.converge(*wanted)
    with connect(place.api.credentials) as api:
        place.api = api
        report = place.converge(*wanted)
    assert not report.changed
    assert len(report.unchanged) == 21
    # What is served (2), the inventory, and the two kinds.
    assert (report.calls, report.writes) == (5, 0)


def test_a_value_that_the_server_writes_otherwise_is_no_change(place: Place) -> None:
    wanted = (place.namespace(), deployment(place))
    place.converge(*wanted, timeout=0)
    report = place.converge(*wanted, timeout=0)
    assert not report.changed
    live = place.get(deployment(place))
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "1"


def test_a_changed_field_is_shown_then_written(place: Place) -> None:
    place.converge(place.namespace(), place.config(a="1", b="2"))
    wanted = (place.namespace(), place.config(a="1", c="3"))
    rehearsal = place.converge(*wanted, dry_run=True)
    assert rehearsal.writes == 0
    live = place.get(place.config())
    assert live is not None
    assert live["data"] == {"a": "1", "b": "2"}
    report = place.converge(*wanted)
    assert rehearsal.changes == report.changes
    (change,) = report.changes
    assert change.fields == (FieldChange("data.b", '"2"', ""), FieldChange("data.c", "", '"3"'))


def test_drift_is_mended_and_what_others_added_stays(place: Place) -> None:
    wanted = (place.namespace(), place.config(a="1"))
    place.converge(*wanted)
    other = {"a": "drifted", "theirs": "kept"}
    path = f"/api/v1/namespaces/{place.name}/configmaps/settings"
    patch = {"Content-Type": "application/merge-patch+json"}
    place.api.call("PATCH", path, query={"fieldManager": "kubectl-edit"}, body={"data": other}, headers=patch)
    report = place.converge(*wanted)
    (change,) = report.changes
    assert change.fields == (FieldChange("data.a", '"drifted"', '"1"'),)
    assert '.data.a: conflict with "kubectl-edit"' in change.taken
    live = place.get(place.config())
    assert live is not None
    assert live["data"] == {"a": "1", "theirs": "kept"}


def test_without_force_a_field_of_another_manager_is_a_conflict(place: Place) -> None:
    wanted = (place.namespace(), place.config(a="1"))
    place.converge(*wanted)
    path = f"/api/v1/namespaces/{place.name}/configmaps/settings"
    patch = {"Content-Type": "application/merge-patch+json"}
    place.api.call(
        "PATCH", path, query={"fieldManager": "somebody"}, body={"data": {"a": "2"}}, headers=patch
    )
    report = place.converge(*wanted, force=False)
    (failure,) = report.failures
    assert isinstance(failure.error, ConflictError)
    assert 'conflict with "somebody"' in failure.error.message


def test_a_misspelt_field_is_refused_with_its_path(place: Place) -> None:
    wrong = copy.deepcopy(deployment(place))
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    odd = place.custom(sizes=1)
    report = place.converge(place.namespace(), wrong, place.definition(), odd, place.config(a="b"))
    builtin, custom = report.failures
    assert '.spec.template.spec.containers[name="web"].imagePullPolice' in builtin.error.message
    assert builtin.error.where.endswith(f"Deployment {place.name}/web")
    assert 'unknown field "spec.sizes"' in custom.error.message or ".spec.sizes" in custom.error.message
    for failure in (builtin, custom):
        assert "misspelt" in failure.error.hint
    assert ("create", "ConfigMap") in kinds(report)


def test_a_value_outside_a_definitions_schema_names_the_field(place: Place) -> None:
    report = place.converge(place.namespace(), place.definition(), place.custom(size=11))
    (failure,) = report.failures
    assert "spec.size" in failure.error.hint
    assert failure.error.status == 422


def test_a_failure_stops_only_what_depends_on_it(place: Place) -> None:
    broken = place.definition("Broken")
    broken["spec"]["versions"][0]["storage"] = False
    report = place.converge(
        *(
            place.namespace(),
            broken,
            place.custom("a", "Broken"),
            place.definition(),
            place.custom("b", size=1),
        )
    )
    assert [failure.ref.kind for failure in report.failures] == ["CustomResourceDefinition"]
    (skipped,) = report.skipped
    assert skipped.ref.name == "a"
    assert "failed" in skipped.reason
    assert ("create", "Widget") in kinds(report)


def test_an_object_of_an_unknown_kind_waits_for_its_chart(place: Place) -> None:
    queue = {
        "apiVersion": "kueue.x-k8s.io/v1beta9",
        "kind": "LocalQueue",
        "metadata": {"name": "default", "namespace": place.name},
        "spec": {"clusterQueue": "a"},
    }
    rehearsed = place.converge(place.namespace(), queue, dry_run=True)
    report = place.converge(place.namespace(), queue)
    (waiting,) = report.waiting
    assert (rehearsed.waiting, rehearsed.changes) == (report.waiting, report.changes)
    assert (waiting.ref, waiting.chart) == (ref_of(queue), "kueue")
    assert not report.failures
    report.check()


def test_a_rehearsal_in_an_empty_cluster_lists_all_and_leaves_nothing(place: Place) -> None:
    wanted = (place.namespace(), place.definition(), place.config(a="b"), place.custom(size=1))
    report = place.converge(*wanted, dry_run=True)
    assert [change.checked for change in report.changes] == [True, True, False, False]
    assert report.writes == 0
    assert place.get(place.namespace()) is None
    assert inventory.read(place.api, place.name) is None


def test_what_is_wanted_no_more_is_pruned(place: Place) -> None:
    place.converge(place.namespace(), place.config("a", x="y"), place.config("b", x="y"))
    report = place.converge(place.namespace(), place.config("b", x="y"))
    assert [(change.what, change.ref.name) for change in report.changes] == [("delete", "a")]
    assert place.get(place.config("a")) is None
    listed = inventory.read(place.api, place.name)
    assert {entry.ref.name for entry in listed or ()} == {place.name, "b"}


def test_nothing_is_pruned_that_daiku_did_not_apply_or_that_was_taken_over(place: Place) -> None:
    place.converge(place.namespace(), place.config("ours", x="y"), place.config("given", x="y"))
    path = f"/api/v1/namespaces/{place.name}/configmaps"
    place.api.call("POST", path, body=place.config("theirs", x="y"))
    patch = {"Content-Type": "application/merge-patch+json"}
    unmark = {"metadata": {"labels": {"daiku.io/cluster": None}}}
    place.api.call("PATCH", f"{path}/given", body=unmark, headers=patch)
    report = place.converge(place.namespace())
    assert [change.ref.name for change in report.changes] == ["ours"]
    assert "took it over" in report.kept[0].reason
    assert place.get(place.config("theirs")) is not None
    assert place.get(place.config("given")) is not None


def test_a_namespace_with_things_of_others_is_kept_until_somebody_was_asked(place: Place) -> None:
    place.converge(place.namespace(), place.config("ours", x="y"))
    place.api.call("POST", f"/api/v1/namespaces/{place.name}/configmaps", body=place.config("theirs", x="y"))
    report = place.converge()
    assert [change.ref.name for change in report.changes] == ["ours"]
    (kept,) = report.kept
    assert kept.reason == "it holds ConfigMap theirs"
    report = place.converge(prune=Prune.DESTRUCTIVE)
    assert kinds(report) == [("delete", "Namespace")]


def test_claims_and_definitions_in_use_are_not_pruned_unasked(place: Place) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": place.name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    place.converge(place.namespace(), claim, place.definition())
    path = f"/apis/{place.name}.test/v1/namespaces/{place.name}/widgets"
    place.api.call("POST", path, body=place.custom("theirs", size=1))
    report = place.converge(place.namespace())
    assert not report.changes
    assert {note.ref.kind: note.reason for note in report.kept} == {
        "PersistentVolumeClaim": "its volume and the data on it may go with it",
        "CustomResourceDefinition": f"with it would go Widget {place.name}/theirs",
    }


def test_nothing_is_pruned_after_a_failure(place: Place) -> None:
    place.converge(place.namespace(), place.definition(), place.config("old", x="y"))
    report = place.converge(place.namespace(), place.definition(), place.custom(size=11))
    assert report.failures
    assert place.get(place.config("old")) is not None


def test_a_cluster_that_another_file_keeps_is_refused(place: Place) -> None:
    place.converge(place.namespace())
    place.name, kept_by = "other", place.name
    with pytest.raises(StateError, match=f"kept by the cluster file of {kept_by}"):
        place.converge(place.config(a="b"))


def test_an_object_without_its_namespace_is_a_failure_of_its_template(place: Place) -> None:
    nowhere = place.config(a="b")
    del nowhere["metadata"]["namespace"]
    report = place.converge(nowhere)
    (failure,) = report.failures
    assert failure.error.message == "the object names no namespace"
    assert failure.error.where == "test.yaml"


def test_an_object_that_is_held_while_it_is_deleted_is_not_ready(place: Place) -> None:
    held = place.config(a="b")
    held["metadata"]["finalizers"] = ["daiku.test/held"]
    place.converge(place.namespace(), held)
    place.api.delete(held)
    report = place.converge(place.namespace(), held, timeout=0)
    assert [note.reason for note in report.unready] == ["it is being deleted"]


def test_an_object_that_is_wanted_twice_is_refused(place: Place) -> None:
    with pytest.raises(ValueError, match=r"ConfigMap .*/settings is wanted more than once"):
        place.converge(place.config(a="b"), place.config(a="c"))


def test_an_identity_without_rights_is_told_what_it_lacks(plane: ControlPlane, place: Place) -> None:
    with connect(plane.user("viewer")) as api:
        place.api, admin = api, place.api
        with pytest.raises(
            CredentialsError, match='User "viewer" cannot get resource "configmaps"'
        ) as caught:
            place.converge(place.namespace())
    place.api = admin
    assert "administrator" in caught.value.hint


def test_a_secret_is_never_shown(place: Place) -> None:
    def secret(value: str) -> dict[str, Any]:
        metadata = {"name": "key", "namespace": place.name}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": value}}

    place.converge(place.namespace(), secret("hunter-one"))
    report = place.converge(place.namespace(), secret("hunter-two"))
    (change,) = report.changes
    assert [(field.before, field.after) for field in change.fields] == [("(secret)", "(secret)")]
    wrong = secret("hunter-three") | {"data": {"bad key!": "aHVudGVyLWZvdXI="}, "stringDate": {}}
    report = place.converge(place.namespace(), wrong)
    assert report.failures
    assert "hunter" not in repr(report)


def test_what_is_not_ready_is_named_with_its_reason(place: Place) -> None:
    report = place.converge(place.namespace(), deployment(place), timeout=0.6)
    (note,) = report.unready
    assert note.ref.kind == "Deployment"
    # Whether the session's controllers run already depends on the other tests.
    assert note.reason.startswith(("its controller has not seen it yet", "0 of 1 pods available"))
    assert any("waiting for Deployment" in line for line in place.said)


def test_the_api_going_away_in_the_middle_skips_the_rest_and_the_next_run_ends_it(place: Place) -> None:
    wanted = [place.namespace(), *(place.config(f"settings-{n}", a="b") for n in range(6))]
    with Tunnel(place.api.credentials) as tunnel, connect(tunnel.credentials, patience=0.3) as api:
        place.api, admin = api, place.api

        def cut(line: str) -> None:
            if line.endswith("settings-3"):
                tunnel.cut()

        class Said(list[str]):
            def append(self, line: str) -> None:
                cut(line)

        place.said = Said()
        report = place.converge(*wanted)
    place.api, place.said = admin, []
    (failure,) = report.failures
    assert isinstance(failure.error, UnreachableError)
    assert failure.ref == Ref("", "ConfigMap", place.name, "settings-3")
    assert [note.ref.name for note in report.skipped] == ["settings-4", "settings-5"]
    report = place.converge(*wanted)
    assert [change.ref.name for change in report.changes] == ["settings-3", "settings-4", "settings-5"]


def test_a_connection_that_comes_back_is_ridden_out(place: Place) -> None:
    with Tunnel(place.api.credentials) as tunnel, connect(tunnel.credentials) as api:
        assert api.kind("v1", "Pod") is not None
        tunnel.cut()
        tunnel.mend_after(0.5)
        api.apply(place.namespace())
    assert place.get(place.namespace()) is not None
