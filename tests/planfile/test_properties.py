"""Plan is apply: what is carried out is what was saved, or nothing is; the next plan is empty."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daiku.apply import planfile
from daiku.apply.planfile import HostMove, SavedPlan
from daiku.apply.report import HostReport
from daiku.apply.saved import Approval, deviations, moved, refuse
from daiku.errors import HostError, StalePlanError, StateError
from tests.apply.rehearsal import bundle_of, file, live, noting, run, wanted
from tests.planfile.worlds import WANTED, WORLDS, Wanted, World, plan
from tests.sweeps import swept

FEW, MANY = 100, 1500


def carry_out(
    saved: SavedPlan, world: World, target: Wanted
) -> tuple[list[tuple[str, str]], list[HostReport]]:
    """As `up --plan`: compare, refuse, change the resources, ask for each host, change it; what was done."""
    refuse(moved(saved, plan(world, target)))
    made = [(move.urn, move.op) for move in plan(world, target).resources]
    world.resources = dict(target.resources)
    for host in target.hosts:
        world.machines.setdefault(host, ({}, "new disk"))
    approve = Approval(saved, world.facts())
    reports: list[HostReport] = []
    for host, files in sorted(target.hosts.items()):
        report = world.report(host, files)
        if report.changed:
            approve(report)
        world.machines[host] = (dict(files), world.machines[host][1])
        reports.append(report)
    return made, reports


@swept(FEW, MANY, world=WORLDS, target=WANTED)
def test_what_was_made_is_what_was_planned_and_the_next_plan_is_empty(world: World, target: Wanted) -> None:
    saved = plan(world, target)
    fresh = {host.host: dict(host.files) for host in saved.fresh}
    made, reports = carry_out(saved, world, target)
    assert set(made) == {(move.urn, move.op) for move in saved.resources}
    standing = [r for r in reports if r.host not in fresh and r.changed]
    assert {HostMove.of(r) for r in standing} == set(saved.hosts)
    for report in reports:
        if report.host in fresh:
            assert {c.path: c.after_sha256 for c in report.changes} == fresh[report.host]
    assert deviations(saved, made, reports, world.facts()) == ()
    assert not plan(world, target)


@swept(FEW, MANY, world=WORLDS, other=WORLDS, target=WANTED)
def test_in_another_world_nothing_is_done_and_what_moved_is_named(
    world: World, other: World, target: Wanted
) -> None:
    saved, now = plan(world, target), plan(other, target)
    lines = moved(saved, now)
    # The fingerprint and the list of what moved agree: neither sees something that the other does not.
    assert bool(lines) == (saved.world != now.world)
    if not lines:
        carry_out(saved, other, target)
        return
    before = other.copy()
    with pytest.raises(StalePlanError) as caught:
        carry_out(saved, other, target)
    assert other == before
    assert caught.value.exit_code == 5
    for move in set(saved.resources) ^ set(now.resources):
        assert any(move.name in line for line in lines)
    for host in {h.host for h in set(saved.hosts) ^ set(now.hosts)}:
        assert any(line.startswith(f"{host}:") for line in lines)


@swept(FEW, MANY, world=WORLDS, target=WANTED, data=st.data())
def test_a_host_that_moves_at_the_last_moment_is_left_alone(
    world: World, target: Wanted, data: st.DataObject
) -> None:
    """Between the comparison and the change: only the question just before the change can see that."""
    saved = plan(world, target)
    approve = Approval(saved, world.facts())
    for host in sorted(set(target.hosts) & set(world.machines)):
        planned = next((h for h in saved.hosts if h.host == host), None)
        files, disk = world.machines[host]
        drift = data.draw(
            st.dictionaries(st.sampled_from(["/etc/a", "/etc/b"]), st.just("by hand"), max_size=2)
        )
        world.machines[host] = ({**files, **drift}, disk)
        report = world.report(host, target.hosts[host])
        if not report.changed or HostMove.of(report) == planned:
            approve(report)
            continue
        with pytest.raises(HostError, match="not changed"):
            approve(report)
        assert deviations(saved, [(m.urn, m.op) for m in saved.resources], [report], world.facts())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=WORLDS, target=WANTED, data=st.data())
def test_a_file_that_was_edited_is_refused(
    tmp_path: Path, world: World, target: Wanted, data: st.DataObject
) -> None:
    saved = plan(world, target)
    path = tmp_path / "plan.json"
    planfile.write(path, saved)
    assert planfile.read(path) == saved
    text = path.read_bytes()
    place = data.draw(st.integers(0, len(text) - 1))
    path.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
    with contextlib.suppress(StateError):
        assert planfile.read(path) == saved  # a space between two values, say


TREES = st.dictionaries(
    st.sampled_from(["a", "b", "sub/c"]),
    st.tuples(st.sampled_from([b"", b"one\n", b"\0\xff", b"x" * 70_000]), st.sampled_from([0o600, 0o644])),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TREES, second=TREES, drift=TREES)
def test_the_real_helper_does_what_was_saved_or_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, tuple[bytes, int]],
    second: dict[str, tuple[bytes, int]],
    drift: dict[str, tuple[bytes, int]],
) -> None:
    root = tmp_path_factory.mktemp("host")
    target = _bundle(second)
    run(root, _bundle(first))
    saved = _saved(run(root, target, dry_run=True))
    before = live(root)
    _drift(root, drift)
    world = World(machines={"n1": ({}, "disk-1")})
    approve = Approval(saved, world.facts())
    doing = run(root, target, dry_run=True)
    same = _saved(doing).hosts == saved.hosts
    drifted = live(root)
    if not same and doing.changed:
        with pytest.raises(HostError, match="not changed"):
            run(root, target, approve=approve)
        assert live(root) == drifted
        return
    done = run(root, target, approve=approve)
    if drifted == before:
        assert [HostMove.of(done)] == list(saved.hosts) or not (done.changed or saved.hosts)
    assert {path: live(root)[path] for path in wanted(target)} == wanted(target)
    assert not run(root, target, dry_run=True).changed


def _bundle(tree: dict[str, tuple[bytes, int]]):
    files = [file(f"/etc/{n}", c, mode, "one" if n != "b" else None) for n, (c, mode) in tree.items()]
    return bundle_of(*files, noting("one", 0, *sorted(f.path for f in files if f.trigger)))


def _saved(report: HostReport) -> SavedPlan:
    empty = plan(World(machines={"n1": ({}, "disk-1")}), Wanted({}, {}))
    return empty.model_copy(update={"hosts": (HostMove.of(report),) if report.changed else ()})


def _drift(root: Path, drift: dict[str, tuple[bytes, int]]) -> None:
    for name, (content, mode) in drift.items():
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)


def test_a_plan_file_is_private_and_holds_no_contents(tmp_path: Path) -> None:
    root = tmp_path / "root"
    secret = file("/etc/key", b"hunter2-secret", 0o600)
    run(root, bundle_of(file("/etc/key", b"older-secret", 0o600)))
    saved = _saved(run(root, bundle_of(secret), dry_run=True))
    path = tmp_path / "plan.json"
    planfile.write(path, saved)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "secret" not in text.replace("[secret]", "").replace('"secrets": []', "")
    (move,) = json.loads(text)["plan"]["hosts"][0]["files"]
    assert (move["private"], move["after_sha256"]) == (True, secret.sha256)
    assert len(move["before_sha256"]) == 64
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".plan")] == []
