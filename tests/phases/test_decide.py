"""What is decided from which facts: the cases that have names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daiku.apply.phases import decide
from daiku.apply.phases.decide import STATIC_PODS
from daiku.apply.phases.facts import RIGHTS, ClusterFacts, HostFacts, Live
from daiku.apply.phases.work import PARTS
from daiku.errors import HostError, HostUnreachableError
from tests.phases.worlds import (
    CA,
    FRESH,
    MACHINES,
    MEMBERS,
    OTHER_CA,
    PLANES,
    STANDING,
    WHOLE,
    WORKERS,
    WORKING,
    but,
    member,
    node,
    seen_by_others,
)

NEW = Live({m.name: FRESH for m in MACHINES})
HALF = HostFacts(manifests=("etcd",), ca=CA, kubelet="active")
DATA = HostFacts(etcd_data=True, ca=CA, manifests=STATIC_PODS, kubelet="active", api="no answer")
ALONE = replace(STANDING, members=(member(PLANES[0]),))
BEGUN = replace(
    but(NEW, cp_1=ALONE),
    cluster=ClusterFacts({"cp-1": node(PLANES[0])}, ("kube-public/cluster-info", "kube-system/coredns")),
)
"""Init was cut off behind its API server: nobody else is there yet."""


def does(steps: tuple[decide.Step, ...]) -> list[str]:
    return [step.do for step in steps]


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (NEW, ["init"]),
        (WHOLE, []),
        (but(NEW, cp_1=HALF), ["reset", "init"]),
        (but(NEW, cp_1=DATA), ["wait"]),
        (but(NEW, cp_1=replace(DATA, kubelet="inactive")), ["resume init"]),
        (but(NEW, cp_1=replace(DATA, manifests=("etcd",))), ["resume init"]),
        (but(NEW, cp_1=replace(FRESH, busy=True)), ["wait"]),
        (but(NEW, cp_1=DATA, cp_2=DATA), ["wait"]),
        (but(NEW, cp_2=DATA), ["wait"]),
        (but(NEW, cp_1=replace(DATA, kubelet="inactive"), silent=("cp-2",)), ["wait"]),
        (BEGUN, ["resume init"]),
        (but(WHOLE, cp_1=FRESH), []),
    ],
    ids=[
        "nothing stands",
        "all stands",
        "init cut off before etcd",
        "an API server that starts",
        "init cut off, no kubelet",
        "init cut off among the manifests",
        "an earlier kubeadm works",
        "quorum lost",
        "the first is new, another has data",
        "data, and one that nobody can ask",
        "init cut off behind a ready API server",
        "a new first machine in an old cluster",
    ],
)
def test_the_control_plane(live: Live, expected: list[str]) -> None:
    assert does(decide.control_plane(MACHINES, live)) == expected


def test_no_cluster_is_begun_while_a_control_plane_is_silent() -> None:
    with pytest.raises(HostUnreachableError, match="whether a cluster exists") as caught:
        decide.control_plane(MACHINES, but(NEW, silent=("cp-3",)))
    assert caught.value.host == "cp-3"
    assert caught.value.hint


LACKING = ClusterFacts({m.name: node(m) for m in MACHINES}, ("kube-system/coredns",))


@pytest.mark.parametrize(
    ("live", "where"),
    [
        (replace(WHOLE, cluster=LACKING), "cp-1"),
        (replace(WHOLE, cluster=ClusterFacts({}, ("kube-system/coredns",))), "cp-1"),
        (replace(but(WHOLE, cp_1=FRESH), cluster=LACKING), "cp-2"),
        (replace(but(WHOLE, silent=("cp-1",)), cluster=LACKING), "cp-2"),
        (replace(BEGUN, cluster=LACKING), "cp-1"),
    ],
    ids=[
        "whole",
        "voting members",
        "the first is replaced",
        "the first is off",
        "one control plane and workers",
    ],
)
def test_init_is_not_gone_on_with_in_a_cluster_that_lives(live: Live, where: str) -> None:
    with pytest.raises(HostError, match="lacks kube-system/coredns, which `kubeadm init` made") as caught:
        decide.control_plane(MACHINES, live)
    assert caught.value.host == where
    assert f"on {where}" in caught.value.hint
    assert "kubeadm init phase addon coredns --config" in caught.value.hint
    assert "/var/lib/etcd" not in caught.value.hint


def test_every_part_that_init_makes_has_its_command() -> None:
    parts = (*(f"{namespace}/{name}" for namespace, name in PARTS), RIGHTS)
    for part in parts:
        with pytest.raises(HostError) as caught:
            decide.control_plane(MACHINES, replace(WHOLE, cluster=replace(LACKING, missing=(part,))))
        assert "`kube" in caught.value.hint, part


TWO = tuple(member(m) for m in PLANES[:2])
ONE_DEAD = (*TWO, member(PLANES[2], healthy=False))
LEARNER = (*TWO, member(PLANES[2], healthy=False, learner=True))


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (WHOLE, []),
        (but(WHOLE, silent=("cp-3",)), []),
        (seen_by_others(but(WHOLE, missing_nodes=("cp-3",), cp_3=FRESH), TWO), ["join"]),
        (
            seen_by_others(but(WHOLE, cp_3=FRESH), ONE_DEAD),
            ["forget etcd member", "delete node", "join"],
        ),
        (
            seen_by_others(but(WHOLE, cp_3=replace(DATA, joined=True)), LEARNER),
            ["forget etcd member", "delete node", "reset", "join"],
        ),
        (seen_by_others(but(WHOLE, missing_nodes=("cp-3",), cp_3=HALF), TWO), ["reset", "join"]),
        (seen_by_others(but(WHOLE, cp_3=replace(DATA, ca=OTHER_CA)), TWO), ["delete node", "reset", "join"]),
        (but(WHOLE, cp_3=replace(STANDING, api="status 500", quorum=False)), ["wait"]),
        (but(WHOLE, cp_3=replace(STANDING, joined=False, api="", quorum=False, members=())), ["wait"]),
        (but(WHOLE, missing_nodes=("cp-3",)), ["restart kubelet"]),
        (but(WHOLE, cp_3=replace(STANDING, busy=True)), ["wait"]),
        (but(WHOLE, cp_3=replace(STANDING, ca=(*CA, *OTHER_CA))), []),
    ],
    ids=[
        "it stands",
        "it cannot be asked",
        "it is new",
        "a replacement: its dead member goes first",
        "a join cut off with a learner",
        "a join cut off before etcd",
        "data of a cluster that is no more",
        "its API server starts",
        "it has a vote: never reset",
        "its Node is gone",
        "an earlier kubeadm works",
        "the cluster's CA is being rotated",
    ],
)
def test_a_control_plane_that_joins(live: Live, expected: list[str]) -> None:
    assert does(decide.join(PLANES[2], MACHINES, live)) == expected


def test_an_unmarked_control_plane_is_marked() -> None:
    assert WHOLE.cluster is not None
    bare = replace(WHOLE.cluster.nodes["cp-3"], labels={})
    live = Live(WHOLE.hosts, {}, ClusterFacts({**WHOLE.cluster.nodes, "cp-3": bare}))
    assert does(decide.join(PLANES[2], MACHINES, live)) == ["mark"]


def test_etcd_keeps_its_quorum() -> None:
    two_dead = (member(PLANES[0]), member(PLANES[1], healthy=False), member(PLANES[2], healthy=False))
    live = seen_by_others(but(WHOLE, cp_3=FRESH, silent=("cp-2",)), two_dead)
    with pytest.raises(HostError, match="only 1 of the 2 others are healthy"):
        decide.join(PLANES[2], MACHINES, live)


def test_a_machine_with_the_name_of_a_living_member_is_refused() -> None:
    with pytest.raises(HostError, match="holds none of its data"):
        decide.join(PLANES[2], MACHINES, but(WHOLE, cp_3=FRESH))


def test_an_etcd_of_another_cluster_is_not_reset() -> None:
    other = replace(STANDING, ca=OTHER_CA, members=(member(PLANES[2]),))
    live = but(WHOLE, cp_1=replace(STANDING, members=TWO), cp_2=replace(STANDING, members=TWO), cp_3=other)
    with pytest.raises(HostError, match="a cluster of its own"):
        decide.join(PLANES[2], MACHINES, live)
    assert {p.host for p in decide.problems(MACHINES, live)} == {"cp-1", "cp-2", "cp-3"}


@pytest.mark.parametrize("ca", [OTHER_CA, ()], ids=["another", "none"])
@pytest.mark.parametrize("kubelet", ["active", "inactive"])
def test_a_member_with_a_vote_is_never_reset_whatever_its_ca(ca: tuple[str, ...], kubelet: str) -> None:
    facts = replace(STANDING, ca=ca, kubelet=kubelet, quorum=False, api="no answer", members=())
    with pytest.raises(HostError, match="has a vote, but its CA is another") as caught:
        decide.join(PLANES[2], MACHINES, but(WHOLE, cp_3=facts))
    assert (caught.value.host, caught.value.step) == ("cp-3", "join")


def test_while_a_ca_is_rotated_the_control_planes_are_of_one_cluster() -> None:
    old, both, new = (replace(STANDING, ca=ca) for ca in (CA, (*CA, *OTHER_CA), OTHER_CA))
    assert decide.problems(MACHINES, but(WHOLE, cp_1=old, cp_2=new, cp_3=both)) == ()
    assert len(decide.problems(MACHINES, but(WHOLE, cp_1=old, cp_2=new, cp_3=old))) == 3


def test_a_node_of_the_cluster_with_another_ca_is_left_alone() -> None:
    """Jobs may run on it: nobody but a person can say that they need not."""
    with pytest.raises(HostError, match="is a Node of the cluster, but its CA is another"):
        decide.worker(WORKERS[0], MACHINES, but(WHOLE, gpu_1=replace(WORKING, ca=OTHER_CA)))


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (WHOLE, []),
        (but(WHOLE, silent=("gpu-1",)), []),
        (but(WHOLE, missing_nodes=("gpu-1",), gpu_1=FRESH), ["join"]),
        (but(WHOLE, gpu_1=FRESH), ["delete node", "join"]),
        (but(WHOLE, missing_nodes=("gpu-1",), gpu_1=replace(FRESH, joining=True)), ["reset", "join"]),
        (but(WHOLE, missing_nodes=("gpu-1",), gpu_1=replace(WORKING, ca=OTHER_CA)), ["reset", "join"]),
        (but(WHOLE, gpu_1=replace(WORKING, ca=(*CA, *OTHER_CA))), []),
        (but(WHOLE, missing_nodes=("gpu-1",)), ["restart kubelet"]),
        (but(WHOLE, gpu_1=replace(WORKING, kubelet="failed")), ["restart kubelet"]),
    ],
    ids=[
        "it stands",
        "it cannot be asked",
        "it is new",
        "it was reinstalled",
        "a join cut off",
        "it belongs to another cluster",
        "the cluster's CA is being rotated",
        "its Node is gone",
        "its kubelet does not run",
    ],
)
def test_a_worker(live: Live, expected: list[str]) -> None:
    assert does(decide.worker(WORKERS[0], MACHINES, live)) == expected


def test_nothing_joins_what_has_no_quorum() -> None:
    lost = Live({n: replace(h, quorum=False) for n, h in WHOLE.hosts.items()}, {}, WHOLE.cluster)
    with pytest.raises(HostError, match="quorum"):
        decide.worker(WORKERS[0], MACHINES, lost)


def test_a_worker_with_data_of_etcd_stops_everything() -> None:
    (problem,) = decide.problems(MACHINES, but(WHOLE, gpu_1=replace(WORKING, etcd_data=True)))
    assert problem.host == "gpu-1"
    assert "reinstall" in problem.hint
    assert decide.problems(MACHINES, WHOLE) == ()


def test_a_forecast_of_nothing_names_everything_in_order() -> None:
    steps = decide.forecast(MACHINES, NEW)
    assert [(s.phase, s.host, s.do) for s in steps] == [
        ("control-plane", "cp-1", "init"),
        ("join", "cp-2", "join"),
        ("join", "cp-3", "join"),
        ("workers", "gpu-1", "join"),
        ("workers", "gpu-2", "join"),
    ]
    assert decide.forecast(MACHINES, WHOLE) == ()


def test_leftover_secrets_are_seen() -> None:
    cluster = ClusterFacts(leftovers=("kubeadm-certs",))
    assert does(decide.leftovers(cluster)) == ["clean up"]
    assert MEMBERS[0].is_of("another-name", "10.0.0.1")
    assert not MEMBERS[0].is_of("another-name", "10.0.0.11")
