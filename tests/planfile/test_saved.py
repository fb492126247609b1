"""The refusals of a saved plan, by name; and how long things take."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from daiku.apply import planfile
from daiku.apply.cluster.model import (
    ChartResult,
    ClusterReport,
    FieldChange,
    ObjectChange,
    Ref,
    Waiting,
)
from daiku.apply.phases.consent import DESTRUCTIVE
from daiku.apply.phases.decide import Do, Step
from daiku.apply.planfile import FactMove, HostMove, KubernetesMove, ObjectMove, SavedPlan
from daiku.apply.saved import beyond, check_secrets, check_source, deviations, moved
from daiku.errors import StalePlanError, StateError
from daiku.plan.durations import Estimate, of_host, of_objects, of_resource, of_step, of_steps, total, words
from tests.planfile.worlds import URNS, Wanted, World, plan
from tests.render.plans import facts
from tests.render.plans import plan as cluster_plan


def test_another_file_release_or_daiku_is_refused_before_anything_is_read() -> None:
    made = cluster_plan()
    saved = planfile.of_plan(
        made,
        facts(made),
        (),
        (),
        (),
        secrets={},
        daiku="0.1.0",
        made_at="2026-11-22T00:00:00Z",
        made_by="anna@desk",
    )
    check_source(saved, made)
    newer = made.release.model_copy(update={"name": "2027.05"})
    for change, words_ in (
        ({"spec_digest": "x"}, "the cluster file was changed"),
        ({"release": newer}, "the release was 2026.11 and is 2027.05"),
        ({"cluster": "other"}, "describes cluster other"),
        ({"api_endpoint": "x"}, "made by daiku 0.1.0"),
    ):
        with pytest.raises(StalePlanError, match=words_) as caught:
            check_source(saved, made.model_copy(update=change))
        assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("now", "line"),
    [
        ({"given/a": "1", "key": "3"}, "the secret key was set anew"),
        ({"given/a": "2", "key": "2"}, "the secret a was set anew"),
        ({"key": "2"}, "the secret a was removed"),
        ({"given/a": "1", "given/b": "1", "key": "2"}, "the secret b was set"),
    ],
)
def test_a_secret_that_is_another_is_named(now: dict[str, str], line: str) -> None:
    saved = plan(World(), Wanted({}, {})).model_copy(update={"secrets": (("given/a", "1"), ("key", "2"))})
    check_secrets(saved, dict(saved.secrets))
    with pytest.raises(StalePlanError) as caught:
        check_secrets(saved, now)
    assert caught.value.message.splitlines()[1:] == [f"  {line}"]
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (World({URNS[0]: "two"}, {}), "n1: size moved"),
        (World({}, {}), "n1: planned was update, now it would be create"),
        (World({URNS[0]: "three"}, {}), "n1: planned was update, now it would be nothing"),
        (World({URNS[0]: "one", URNS[1]: "one"}, {}), "n2: planned was nothing, now it would be delete"),
        (World({URNS[0]: "one"}, {"n3": ({}, "disk-1")}), "n3: is new"),
    ],
)
def test_what_moved_is_named(now: World, line: str) -> None:
    target = Wanted({URNS[0]: "three"}, {})
    assert line in moved(plan(World({URNS[0]: "one"}), target), plan(now, target))


def test_a_reinstalled_machine_and_a_changed_file_are_named() -> None:
    target = Wanted({}, {"n1": {"/etc/a": "two"}})
    saved = plan(World({}, {"n1": ({"/etc/a": "one"}, "disk-1")}), target)
    assert moved(saved, plan(World({}, {"n1": ({"/etc/a": "one"}, "disk-2")}), target)) == (
        "n1: was reinstalled or replaced",
    )
    (line,) = moved(saved, plan(World({}, {"n1": ({"/etc/a": "three"}, "disk-1")}), target))
    assert line.startswith("n1: /etc/a: is not what it was")
    assert moved(saved, plan(World({}, {"n1": ({"/etc/a": "two"}, "disk-1")}), target)) == (
        "n1: /etc/a: would not change any more",
        "n1: planned triggers were reload, now they are none",
    )


def test_a_fact_of_the_running_machine_that_moved_is_named() -> None:
    bare = HostMove(host="n1", files=(), triggers=("sysctl",))
    fact = FactMove(kind="sysctl", name="net.ipv4.ip_forward", before="0", after="1", trigger="sysctl")
    empty = plan(World(machines={"n1": ({}, "disk-1")}), Wanted({}, {}))
    saved = empty.model_copy(update={"hosts": (bare.model_copy(update={"facts": (fact,)}),)})
    other = fact.model_copy(update={"before": "2"})
    for facts_ in ((other,), ()):
        now = empty.model_copy(update={"hosts": (bare.model_copy(update={"facts": facts_}),)})
        assert moved(saved, now) == ("n1: sysctl net.ipv4.ip_forward moved since",)
    assert moved(saved, saved) == ()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"plan": {}, "digest": "", "world": ""}', "\0"])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(StateError, match="no plan that this daiku"):
        planfile.read(path)
    with pytest.raises(StateError, match="cannot be read"):
        planfile.read(tmp_path / "none")
    with pytest.raises(StateError, match="cannot be written"):
        planfile.write(tmp_path / "no" / "plan.json", plan(World(), Wanted({}, {})))


def test_durations_follow_the_platforms_figures() -> None:
    vm = total([of_resource("sakura:cloud:Disk", "create"), of_resource("sakura:cloud:Server", "create")])
    assert vm.low <= 15 * 60 <= vm.high + 60
    gpu = of_resource("sakura:phy:PhyServer", "create")
    assert (gpu.low, gpu.high) == (45 * 60, 60 * 60)
    # A hundred at once take as long as one; machines wait for their network.
    assert total([gpu] * 100) == total([gpu])
    assert total([gpu, of_resource("sakura:cloud:VpcRouter", "create")]).high == 70 * 60
    assert "data on it is lost" in of_resource("sakura:cloud:Disk", "replace").disturbs
    assert of_resource("sakura:cloud:Disk", "create").disturbs == ""
    assert "containerd restarts" in of_host(1, ["containerd"]).disturbs
    assert of_host(1, ["containerd"], fresh=True).disturbs == ""
    assert [words(Estimate(*e)) for e in ((5, 30), (5, 300), (900, 900), (2700, 3600), (0, 1))] == [
        "5 to 30 s",
        "up to 5 min",
        "about 15 min",
        "45 to 60 min",
        "up to 1 s",
    ]


def test_control_planes_take_turns_and_workers_do_not() -> None:
    join = of_step("join")
    planes = total(of_steps([("join", "cp-2", "join"), ("join", "cp-3", "join")]))
    workers = total(of_steps([("workers", f"g{n}", "join") for n in range(50)]))
    assert (planes.low, planes.high) == (2 * join.low, 2 * join.high)
    assert (workers.low, workers.high) == (join.low, join.high)
    both = total(of_steps([("join", "cp-2", "join"), ("workers", "g1", "reset"), ("workers", "g1", "join")]))
    assert both.high == 2 * join.high + of_step("reset").high
    assert total(of_objects(0, 0)).high == 0
    assert total(of_objects(9, 2)).high > total(of_objects(300, 0)).high > 0


@pytest.mark.parametrize("do", get_args(Do))
def test_every_step_of_kubernetes_has_a_duration_and_what_loses_something_disturbs(do: Do) -> None:
    takes = of_step(do)
    assert 0 < takes.low < takes.high
    assert bool(takes.disturbs) == (do in DESTRUCTIVE)


def test_steps_of_kubernetes_are_saved_and_what_is_beyond_them_is_named(tmp_path: Path) -> None:
    made = cluster_plan()
    listed = KubernetesMove(phase="join", host="cp-3", do="join", reason="it is no control plane yet")
    saved = planfile.of_plan(
        made,
        facts(made),
        (),
        (),
        (),
        (listed,),
        secrets={},
        daiku="0.1.0",
        made_at="2026-11-22T00:00:00Z",
        made_by="a@b",
    )
    assert saved, "a plan with steps of Kubernetes alone changes something"
    planfile.write(tmp_path / "plan.json", saved)
    again = planfile.read(tmp_path / "plan.json")
    assert again.kubernetes == (listed,)
    join, reset = Step("join", "cp-3", "join", "why"), Step("join", "cp-3", "reset", "why")
    assert beyond(again, [join]) == ()
    assert beyond(again, [join, reset]) == ("cp-3: reset is not in the plan (why)",)


QUOTA = Ref("", "ResourceQuota", "plamo", "gpus")
QUEUE = Ref("kueue.x-k8s.io", "ClusterQueue", "", "plamo")


def rehearsal(*changes: ObjectChange, waits: bool = False, chart: str = "unchanged") -> ClusterReport:
    """What is found of the cluster's objects when nothing but `changes` is to be done."""
    waiting = (Waiting(QUEUE, "kueue.x-k8s.io/v1beta1", "kueue", ""),) if waits else ()
    charts = (ChartResult("kueue", "kueue", "0.13.4", chart),)  # type: ignore[arg-type]
    return ClusterReport(
        changes, (), waiting, (), (), (), (), charts, dry_run=True, calls=0, writes=0, seconds=0
    )


def with_objects(report: ClusterReport | None) -> SavedPlan:
    objects = ObjectMove.of(report) if report else None
    return plan(World(), Wanted({}, {})).model_copy(update={"objects": objects})


def edit(before: str, after: str = '"24"') -> ObjectChange:
    return ObjectChange(QUOTA, "update", (FieldChange("spec.hard.gpus", before, after),))


def test_objects_of_the_cluster_that_moved_are_named(tmp_path: Path) -> None:
    saved, none = with_objects(rehearsal(edit('"8"'))), with_objects(rehearsal())
    assert (bool(saved), bool(none), bool(with_objects(rehearsal(waits=True)))) == (True, False, False)
    planfile.write(tmp_path / "plan.json", saved)
    assert planfile.read(tmp_path / "plan.json") == saved
    assert moved(saved, saved) == ()
    assert saved.world != none.world
    quota = "ResourceQuota plamo/gpus"
    for now, line in (
        (rehearsal(edit('"9"')), f"{quota}: spec.hard.gpus moved"),
        (rehearsal(ObjectChange(QUOTA, "create")), f"{quota}: planned was update, now it would be create"),
        (rehearsal(), f"{quota}: planned was update, now it would be nothing"),
        (None, "Kubernetes: its objects cannot be compared any more"),
    ):
        assert moved(saved, with_objects(now)) == (line,)
    (late,) = moved(none, with_objects(rehearsal(chart="upgrade")))
    assert late == "chart kueue 0.13.4: planned was nothing, now it would be upgrade"
    assert moved(with_objects(None), none) == ("Kubernetes: a cluster answers now",)


def test_long_values_of_objects_are_told_apart_and_not_kept(tmp_path: Path) -> None:
    one, other = (with_objects(rehearsal(edit("x" * 5000 + end))) for end in "ab")
    planfile.write(tmp_path / "plan.json", one)
    assert len((tmp_path / "plan.json").read_text()) < 2000
    assert moved(one, other) == ("ResourceQuota plamo/gpus: spec.hard.gpus moved",)


def test_what_was_done_to_objects_and_was_not_planned_is_told() -> None:
    made = ObjectChange(QUEUE, "create")
    none = facts(cluster_plan())

    def told(saved: SavedPlan, done: ClusterReport | None) -> tuple[str, ...]:
        return deviations(saved, (), (), none, ObjectMove.of(done) if done else None)

    saved = with_objects(rehearsal(edit('"8"')))
    assert told(saved, rehearsal(edit('"8"'))) == ()
    assert told(saved, None) == (), "the phase did not come"
    assert told(saved, rehearsal()) == ("ResourceQuota plamo/gpus: planned was update, done was nothing",)
    assert told(with_objects(rehearsal()), rehearsal(made)) == (
        "ClusterQueue plamo: planned was nothing, done was create",
    )
    waits = with_objects(rehearsal(waits=True, chart="install"))
    assert told(waits, rehearsal(made, chart="install")) == (), "its chart came, and so did its object"
    assert told(with_objects(None), rehearsal(made)) == (), "there was no cluster to compare with"
